"""The figures: what they show, that they are the same every time, and that a page can restyle them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib
import pytest
from page_fixtures import build_run

from results.page.figure import VARIANT_COLORS, free_spot, label_column
from results.page.plots import (
    pareto_front,
    primary_points,
    score_against_tokens,
    tokens_by_step,
    variant_styles,
)


def spending(task: str, variant: str, **steps: float) -> dict[str, Any]:
    return {
        "task": task,
        "variant": variant,
        "steps": {name: {"generated_tokens": n} for name, n in steps.items()},
    }


USE = {
    "rows": [
        spending("judge", "base", direct=9.5),
        spending("judge", "s2", branch=40.0, solve=90.0, merge=11.0),
        spending("coin_flip", "base", direct=8.0),
    ]
}


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder: Path = tmp_path_factory.mktemp("plots") / "run"
    return build_run(folder, tasks=("coin_flip", "judge"), items=40)


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter() if element.tag.endswith("}text")]


def point(variant: str, tokens: float, score: float) -> dict[str, Any]:
    return {
        "task": "t", "variant": variant, "metric": "m", "score": score, "generated_tokens": tokens,
        "ci_low": score - 0.05, "ci_high": score + 0.05,
    }  # fmt: skip


def test_a_panel_for_every_task_with_all_variants_named(board: dict[str, Any]) -> None:
    found = texts(score_against_tokens(board))
    for word in ("coin_flip", "judge"):
        assert found.count(word) == 1
    for variant in ("base", "s2", "distilled"):
        assert found.count(variant) == 2


def test_one_task_alone_keeps_the_axes_of_all(board: dict[str, Any]) -> None:
    ticks = [
        text for text in texts(score_against_tokens(board, "coin_flip")) if re.fullmatch(r"[\d.]+k?", text)
    ]
    assert ticks == [
        text for text in texts(score_against_tokens(board, "judge")) if re.fullmatch(r"[\d.]+k?", text)
    ]
    assert texts(score_against_tokens(board, "coin_flip")).count("judge") == 0


def test_figures_are_the_same_every_time_and_whatever_the_user_set(board: dict[str, Any]) -> None:
    first = score_against_tokens(board), tokens_by_step(USE)
    with matplotlib.rc_context({"font.size": 30, "lines.linewidth": 9, "svg.fonttype": "path"}):
        assert (score_against_tokens(board), tokens_by_step(USE)) == first
    assert "<metadata" not in first[0] and not re.search(r"\b20\d\d-\d\d-\d\d", first[0])


def test_figures_can_be_restyled_and_stay_readable_alone(board: dict[str, Any]) -> None:
    svg = score_against_tokens(board)
    color = VARIANT_COLORS[variant_styles(["distilled"])["distilled"]]
    assert f"var(--plot-variant-3, {color})" in svg
    outside = re.sub(r"var\([^)]*\)", "", svg)
    assert not re.findall(r"#[0-9a-f]{6}", outside), "every colour is a variable"


def test_two_figures_on_one_page_share_no_id(board: dict[str, Any]) -> None:
    one, two = (
        re.findall(r' id="([^"]+)"', score_against_tokens(board, task)) for task in ("coin_flip", "judge")
    )
    assert one and not set(one) & set(two)


def test_alternative_text_gives_the_figures(board: dict[str, Any]) -> None:
    svg = score_against_tokens(board, "coin_flip")
    row = primary_points(board)["coin_flip"][0]
    assert 'role="img"' in svg
    assert f"base {100 * row.score:.1f} %" in svg
    assert "s2 141.0 tokens (branch 40.0, solve 90.0, merge 11.0)." in tokens_by_step(USE)


def test_names_are_text_in_figures() -> None:
    name = "<b>&$x_1$"
    board = {"rows": [{**point(name, 5, 0.5), "task": name}]}
    for svg in (score_against_tokens(board), tokens_by_step({"rows": [spending(name, name, **{name: 3.0})]})):
        assert "<b>" not in svg
        assert name in texts(svg)


def test_front_holds_what_nothing_cheaper_beats() -> None:
    rows = [point("base", 5, 0.3), point("s2", 90, 0.6), point("distilled", 6, 0.58), point("bad", 50, 0.4)]
    assert front_of(rows) == ["base", "distilled", "s2"]
    assert front_of([point("one", 5, 0.3), point("two", 5, 0.4), point("three", 9, 0.4)]) == ["two"]


def front_of(rows: list[dict[str, Any]]) -> list[str]:
    return [found.variant for found in pareto_front(primary_points({"rows": rows})["t"])]


def test_only_the_first_row_of_a_variant_is_plotted() -> None:
    rows = [point("base", 5, 0.3), {**point("base", 5, 0.9), "metric": "other"}]
    assert [found.score for found in primary_points({"rows": rows})["t"]] == [0.3]


@pytest.mark.parametrize(
    "rows", [[], [point("base", 0.0, 0.0)], [point("base", 1.0, 1.0) | {"ci_low": None, "ci_high": None}]]
)
def test_odd_leaderboards_still_draw(rows: list[dict[str, Any]]) -> None:
    assert ET.fromstring(score_against_tokens({"rows": rows})).tag.endswith("svg")


def test_known_variants_look_the_same_in_every_run() -> None:
    first, second = variant_styles(["s2", "mine"]), variant_styles(["base", "other", "s2", "distilled"])
    assert first["s2"] == second["s2"]
    assert len(set(second.values())) == 4
    assert len(variant_styles(str(number) for number in range(20))) == 20


def test_labels_avoid_what_is_drawn_and_stay_inside() -> None:
    frame = (0.0, 0.0, 100.0, 100.0)
    x, y = free_spot((50, 50), (20, 8), [(52, 40, 90, 60)], frame)
    assert x + 20 <= 52 or y >= 60 or y + 8 <= 40
    x, _ = free_spot((95, 50), (20, 8), [], frame)
    assert x + 20 <= 100


def test_labels_of_crowded_points_stand_in_a_column_that_keeps_their_order() -> None:
    frame = (0.0, 0.0, 200.0, 100.0)
    anchors = [(20.0, 50.0), (25.0, 49.0), (30.0, 52.0), (35.0, 99.0)]
    corners = label_column(anchors, [40.0] * 4, 8.0, [], frame)
    assert len({x for x, _ in corners}) == 1 and corners[0][0] > 35
    heights = [y for _, y in corners]
    assert sorted(range(4), key=heights.__getitem__) == [1, 0, 2, 3]
    ordered = sorted(heights)
    assert all(high - low >= 8 for low, high in pairwise(ordered))
    assert ordered[0] >= 0 and ordered[-1] + 8 <= 100
    corners = label_column([(180.0, 50.0), (182.0, 51.0)], [40.0, 20.0], 8.0, [], frame)
    assert all(x + width < 180 for (x, _), width in zip(corners, (40.0, 20.0), strict=True))


def test_variants_with_equal_tokens_do_not_cover_each_other() -> None:
    names = [f"v{number}" for number in range(6)]
    svg = score_against_tokens(
        {"rows": [point(name, 10.0, 0.5) for name in names] + [point("far", 900, 0.9)]}
    )
    drawn = ET.fromstring(svg)
    uses = [use for use in drawn.iter() if use.tag.endswith("}use")]
    # Markers stand within the panel; the ticks of the score axis stand on its left edge.
    edge = min(float(use.get("x", "0")) for use in uses)
    at_half = Counter(use.get("y") for use in uses if float(use.get("x", "0")) > edge)
    level = next(y for y, count in at_half.items() if count == len(names))
    spots = sorted(float(use.get("x", "0")) for use in uses if use.get("y") == level)[1:]
    assert len(spots) == len(names)
    assert all(right - left > 6 for left, right in pairwise(spots))
    assert set(names) <= set(texts(svg))
