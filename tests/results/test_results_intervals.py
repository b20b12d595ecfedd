"""Verdict, p and interval of a claim agree, wherever they are printed; equal token counts are the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from results_fixtures import VARIANTS, FakeTask, FakeVariant, edit_rows, make_run

from results import compare, gate
from results.analysis import leaderboard, verdicts
from results.page import build as page
from results.statistics.bonett_price import bonett_price
from results.statistics.holm import holm, holm_levels
from results.statistics.mcnemar import mcnemar
from results.statistics.outcomes import Interval, normal_quantile
from results.statistics.test_based import agreeing
from results.tables import cells
from results.tables import render as tables
from results.tables import rows as table_rows


def test_levels_of_a_family_by_hand() -> None:
    # In order .005, .01, .03, .04 of four: .05/4 and .05/3 are kept, .03 fails .05/2 and stops the procedure.
    assert holm_levels([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.05 / 3, 0.025, 0.025, 0.0125])
    assert holm_levels([]) == [] and holm_levels([0.2]) == [0.05]
    # The first fails at once, so all are decided at its level; ties share the stricter one.
    assert holm_levels([0.02, 0.9, 0.03]) == pytest.approx([0.05 / 3] * 3)
    assert holm_levels([0.001, 0.001]) == [0.025, 0.025]


def test_a_level_decides_as_the_adjusted_p_does() -> None:
    rng = np.random.default_rng(3)
    for _ in range(300):
        values = (10 ** rng.uniform(-4, 0, rng.integers(1, 9))).tolist()
        found = zip(values, holm_levels(values), holm(values), strict=True)
        assert all((p <= level) == (adjusted <= 0.05) for p, level, adjusted in found)


def test_test_and_interval_agree_about_zero_over_a_grid_of_tables() -> None:
    apart = 0
    for n in (4, 5, 8, 12, 20, 40, 100):
        for b in range(n + 1):
            for c in range(n + 1 - b):
                for level in (0.05, 0.025, 0.05 / 7):
                    plain, p = bonett_price(b, c, n, 1 - level), mcnemar(b, c).p
                    shown = agreeing(plain, (c - b) / n, p, level)
                    better = verdicts.superior((c - b) / n, p, level)
                    holds_zero = shown.low <= 0 <= shown.high
                    assert (better == "cannot_tell") == holds_zero, (b, c, n, level)
                    assert better != "yes" or shown.low > 0
                    assert shown.low <= (c - b) / n <= shown.high
                    if (plain.low <= 0 <= plain.high) == holds_zero:
                        assert shown is plain, "an interval that agrees is left alone"
                    else:
                        apart += 1
    assert apart > 50, "the grid holds tables where Bonett-Price alone would contradict the test"


def test_the_end_that_the_test_sets_by_hand() -> None:
    # p = .031 of 5 discordant items, all for the second, among 200: rejected, though Bonett-Price holds 0.
    plain, p = bonett_price(0, 5, 200), mcnemar(0, 5).p
    assert plain.low < 0 and p == pytest.approx(0.03125)
    shown = agreeing(plain, 0.025, p, 0.05)
    assert shown.low == pytest.approx(0.025 * (1 - 1.959964 / normal_quantile(1 - 0.03125 / 2)))
    assert shown.low > 0 and shown.high == plain.high
    # 4 of 4 is not rejected (p = .0625), though Bonett-Price leaves out 0.
    plain = bonett_price(0, 4, 4)
    assert plain.low > 0 and agreeing(plain, 1.0, mcnemar(0, 4).p, 0.05).low < 0
    mirrored = agreeing(Interval(-0.9, -0.1, "x"), -0.5, 0.2, 0.05)
    assert mirrored.low == -0.9 and mirrored.high > 0


def family(folder: Path) -> Path:
    """Three tasks on which s2 gains by hand: 30, 12 and 9 of 100 items, none lost."""
    make_run(folder, [FakeTask(name, 100) for name in "abc"], VARIANTS[:2])
    for task, gained in (("a", 30), ("b", 12), ("c", 6)):
        for variant, right in (("base", 0), ("s2", gained)):
            edit_rows(
                folder / f"samples/{variant}/{task}.jsonl",
                lambda row, right=right: (
                    row | {"scores": {"accuracy": int(int(row["item_id"].split("-")[1]) < right)}}
                ),
            )
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return family(tmp_path_factory.mktemp("runs") / "family")


def superior(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for row in board["comparisons"] if row["claim"] == "superior"]


def test_the_interval_beside_a_holm_verdict_is_of_the_level_that_decided(made: Path) -> None:
    rows = superior(leaderboard.build(made))
    assert [row["level"] for row in rows] == pytest.approx([0.05 / 3, 0.025, 0.05])
    for row, gained in zip(rows, (30, 12, 6), strict=True):
        plain, adjusted = bonett_price(0, gained, 100), bonett_price(0, gained, 100, 1 - row["level"])
        assert (row["ci_low"], row["ci_high"]) == (plain.low, plain.high), "the 95 % interval stays"
        assert (row["ci_low_adjusted"], row["ci_high_adjusted"]) == (adjusted.low, adjusted.high)
        assert (row["verdict"] == "yes") == (row["ci_low_adjusted"] > 0)
    assert "98.3 % interval" in rows[0]["sentence"] and "after Holm over 3 claims" in rows[0]["sentence"]
    assert "95 % interval" in rows[2]["sentence"]


def test_tables_and_page_show_that_interval_and_that_p(made: Path) -> None:
    board = leaderboard.build(made)
    row = superior(board)[0]
    ends = [f"{100 * row[f'ci_{end}_adjusted']:+.1f}" for end in ("low", "high")]
    shown = f"[{ends[0]}, {ends[1]}]"
    assert shown != f"[{100 * row['ci_low']:+.1f}, {100 * row['ci_high']:+.1f}]"
    html = page.render_page(made, board)
    for text in (tables.terminal(board), tables.markdown(board), html):
        assert shown in text
    legend = " ".join(tables.terminal(board, verbose=True).split())
    assert "its interval has the level at which Holm decided" in legend
    row = superior(board)[2]
    p = verdicts.p_text(row["p_adjusted"]).removeprefix("p = ")
    assert f"{p} h" in tables.terminal(board) and f">{p}</td>" in html and f"p = {p} after" in row["sentence"]


def test_no_claim_of_any_board_contradicts_its_interval(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    judge = FakeTask("judge", 12, 2, {"agreement": "binary"}, within=0.5)
    for number in range(25):
        base, s2 = rng.uniform(0.2, 0.9, 2)
        variants = [
            FakeVariant("base", base, 12, "base"), FakeVariant("s2", s2, 60, "s2", "cot"),
            FakeVariant("distilled", rng.uniform(0.2, 0.9), 11, "distilled"),
        ]  # fmt: skip
        tasks = [FakeTask("a", 8), FakeTask("graded", 15, metrics={"grade": "number"}), judge]
        board = leaderboard.build(make_run(tmp_path / str(number), tasks, variants, seed=number))
        for row in [*board["comparisons"], *board["overall"]]:
            low, high = row["ci_low_adjusted"], row["ci_high_adjusted"]
            if row["claim"] == "superior":
                assert (row["verdict"] == "cannot_tell") == (low <= 0 <= high), row
                if not row.get("overall"):
                    p = row["p"] if row["p_adjusted"] is None else row["p_adjusted"]
                    assert (row["verdict"] == "cannot_tell") == (p > 0.05 or row["difference"] == 0), row
            elif row["claim"] == "non_inferior":
                assert (row["verdict"] == "yes") == (low > -row["margin"])


def score(folder: Path, task: str, wins: int, losses: int) -> None:
    """s2 alone is right on `wins` items, base alone on `losses`."""
    for variant, ours in (("base", range(losses)), ("s2", range(losses, losses + wins))):
        edit_rows(
            folder / f"samples/{variant}/{task}.jsonl",
            lambda row, ours=ours: (
                row | {"scores": {"accuracy": int(int(row["item_id"].split("-")[1]) in ours)}}
            ),
        )


def test_a_score_that_holm_cannot_tell_from_the_best_is_marked_as_a_tie(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", [FakeTask(name, 100) for name in "abc"], VARIANTS[:2])
    for task, wins, losses in (("a", 0, 0), ("b", 0, 0), ("c", 8, 1)):
        score(folder, task, wins, losses)
    board = leaderboard.build(folder)
    row = superior(board)[2]
    assert row["ci_low"] > 0 > row["ci_low_adjusted"] and row["p"] < 0.05 and row["verdict"] == "cannot_tell"
    assert cells.marks(board["rows"], board["comparisons"])["c", "base", "accuracy"] == cells.TIE


def test_over_all_tasks_the_shown_interval_holds_0_where_the_test_cannot_tell(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", [FakeTask("a", 2), FakeTask("b", 2)], VARIANTS[:2])
    for task in "ab":
        score(folder, task, 2, 0)
    row = next(row for row in leaderboard.build(folder)["overall"] if row["claim"] == "superior")
    assert row["p"] == pytest.approx(0.0625) and row["verdict"] == "cannot_tell"
    assert row["ci_low"] > 0 > row["ci_low_adjusted"]


def test_the_gate_says_which_p_it_prints(made: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.txt"
    policy.write_text("s2 superior to base on c\ns2 non-inferior to base by 5 on c\n")
    line, other = gate.check(made, policy).lines
    assert "p = .031 after Holm over 3 claims (exact test; tables print the mid-p)" in line
    assert "exact" not in other
    assert "exact test" not in superior(leaderboard.build(made))[2]["sentence"]


def test_compare_shows_the_interval_that_decided(tmp_path: Path) -> None:
    first, second = make_run(tmp_path / "one"), make_run(tmp_path / "two", seed=1)
    outcome = compare.compare(first, second)
    rows = superior(outcome)
    assert rows and all(row["level"] < 0.05 for row in rows)
    row = rows[0]
    assert f"[{100 * row['ci_low_adjusted']:+.1f}, " in compare.render(outcome)


def spend(folder: Path, variant: str, tokens: float, task: str = "coin_flip") -> None:
    edit_rows(
        folder / f"samples/{variant}/{task}.jsonl",
        lambda row: row | {"usage": row["usage"] | {"generated_tokens": tokens}},
    )


def test_equal_token_counts_are_the_same(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", [FakeTask(clusters=40), FakeTask("gsm8k", 40)])
    for task in ("coin_flip", "gsm8k"):
        for variant in ("base", "distilled"):
            spend(folder, variant, 6, task)
    board = leaderboard.build(folder)
    rows = {
        (row["task"], row["a"], row["b"]): row
        for row in [*board["comparisons"], *board["overall"]]
        if row["claim"] == "cheaper"
    }
    for task in ("coin_flip", "all tasks"):
        row = rows[task, "base", "distilled"]
        assert row["same"] and row["verdict"] == "no" and verdicts.word(row) == "same"
        assert "spend the same" in row["sentence"]
        assert not rows[task, "s2", "distilled"]["same"]
    claims = {row[1]: row[2] for row in table_rows.claim_cells(board, cells.plain)}
    assert claims["distilled cheaper than base"] == "same"
    assert 'class="badge same">same<' in page.render_page(folder, board)


def test_cheapness_of_one_program_is_no_part_of_the_summary(tmp_path: Path) -> None:
    board = leaderboard.build(make_run(tmp_path / "run", [FakeTask(), FakeTask("gsm8k", 60)]))
    summary = " ".join(tables.terminal(board, verbose=True).split("task ")[0].split())
    assert "distilled is cheaper than s2 over all tasks" in summary
    assert "cheaper than base over all tasks: 0.9" not in summary
    row = next(
        row
        for row in board["overall"]
        if (row["a"], row["b"], row["claim"]) == ("base", "distilled", "cheaper")
    )
    assert row["one_program"] and row["sentence"] not in summary


@pytest.mark.parametrize(
    ("spent", "marked"),
    [
        ((6, 6, 6), set()),
        ((6.02, 60, 6), {"base", "distilled"}),
        ((7, 60, 6), {"distilled"}),
        ((6, 6, 7), {"base", "s2"}),
    ],
)
def test_token_counts_that_read_alike_are_marked_alike(
    tmp_path: Path, spent: tuple[float, ...], marked: set[str]
) -> None:
    folder = make_run(tmp_path / "run", [FakeTask(clusters=20)])
    for variant, tokens in zip(("base", "s2", "distilled"), spent, strict=True):
        spend(folder, variant, tokens)
    assert {variant for _, variant in cells.fewest_tokens(leaderboard.build(folder)["rows"])} == marked


def test_more_items_are_not_promised_to_show_what_they_would_refute(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", [FakeTask(clusters=40)])
    for variant, right in (("s2", 34), ("distilled", 28)):
        edit_rows(
            folder / f"samples/{variant}/coin_flip.jsonl",
            lambda row, right=right: (
                row | {"scores": {"accuracy": int(int(row["item_id"].split("-")[1]) < right)}}
            ),
        )
    rows = [row for row in leaderboard.build(folder)["comparisons"] if row["claim"] == "non_inferior"]
    assert rows[0]["difference"] == -0.15 and rows[0]["verdict"] == "cannot_tell"
    assert rows[0]["needed_n"] > 40 and "items would show" not in rows[0]["sentence"]
    edit_rows(
        folder / "samples/distilled/coin_flip.jsonl",
        lambda row: row | {"scores": {"accuracy": int(int(row["item_id"].split("-")[1]) < 33)}},
    )
    (row,) = [row for row in leaderboard.build(folder)["comparisons"] if row["claim"] == "non_inferior"]
    assert row["sentence"].endswith("items would show a margin of 5 points if the two are equally good.")


def test_what_could_be_shown_has_its_unit(made: Path) -> None:
    assert "MDE (points)" in tables.markdown(leaderboard.build(made))


def test_the_json_holds_the_levels(made: Path) -> None:
    board = json.loads(json.dumps(leaderboard.build(made), allow_nan=False))
    assert all({"level", "ci_low_adjusted", "ci_high_adjusted"} <= row.keys() for row in board["comparisons"])
