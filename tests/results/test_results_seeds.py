"""Controls, all tasks at once, and seeds of which one was not distilled: rows, pairs, break-even, notes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from results_fixtures import VARIANTS, FakeTask, FakeVariant, distillation, edit_rows, make_run

from results.analysis import leaderboard
from results.analysis.overall import NAME
from results.errors import ResultsError
from results.page import build as page
from results.paper import beside
from results.tables import cells, write
from results.tables import render as tables
from results.tables import rows as table_rows

CONTROLS = (
    *VARIANTS,
    FakeVariant("distilled-s1", 0.56, 10, "distilled"),
    FakeVariant("distilled-nofilter", 0.7, 11, "distilled"),
    FakeVariant("distilled-all", 0.74, 12, "distilled"),
)
PAIRS = [[a, b] for b in ("distilled-s1", "distilled-nofilter", "distilled-all") for a in ("base", "s2")] + [
    [name, "distilled"] for name in ("distilled-s1", "distilled-nofilter", "distilled-all")
]


def taught(task: str, **own: Any) -> list[dict[str, Any]]:
    """An entry per control, as a run with all of them writes it; `own` are keys by variant's last part."""
    return [
        distillation(task),
        distillation(task, variant="distilled-s1", teacher_method="direct", teacher_tokens=9_000),
        distillation(task, variant="distilled-nofilter", samples_per_input=1, teacher_tokens=12_500,
                     **own.get("nofilter", {})),
        *([] if own.get("together") else [distillation(task, variant="distilled-all")]),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tasks, all controls; one entry taught both tasks at once."""
    together = distillation("all", variant="distilled-all", teacher_method=None, teacher_tokens=200_000)
    entries = [*taught("coin_flip", together=True), *taught("gsm8k", together=True), together]
    return make_run(
        tmp_path_factory.mktemp("runs") / "controls", [FakeTask(), FakeTask("gsm8k", 150)], CONTROLS,
        comparisons=PAIRS, distillation=entries,
    )  # fmt: skip


@pytest.fixture(scope="module")
def board(run: Path) -> dict[str, Any]:
    return leaderboard.build(run)


def entry(board: dict[str, Any], task: str, variant: str) -> dict[str, Any]:
    (found,) = [row for row in board["distillation"] if (row["task"], row["variant"]) == (task, variant)]
    return found


def mean(board: dict[str, Any], task: str, variant: str) -> float:
    return next(
        row["generated_tokens"] for row in board["rows"] if (row["task"], row["variant"]) == (task, variant)
    )


def test_controls_stand_side_by_side(board: dict[str, Any]) -> None:
    names = [variant.name for variant in CONTROLS]
    assert [row["variant"] for row in board["rows"] if row["task"] == "coin_flip"] == names
    pairs = {(row["a"], row["b"]) for row in board["comparisons"]}
    assert pairs == {("base", "s2"), ("base", "distilled"), ("s2", "distilled"), *map(tuple, PAIRS)}
    claims = {row["claim"] for row in board["comparisons"] if row["a"] == "distilled-nofilter"}
    assert claims == {"superior", "non_inferior", "cheaper"}
    assert not any(row.get("noise_floor") for row in board["comparisons"])


def test_the_terminal_keeps_to_what_the_controls_ask(board: dict[str, Any]) -> None:
    claims = {row[1]: row[2] for row in table_rows.claim_cells(board, cells.plain, brief=True)}
    assert "distilled better than distilled-nofilter" in claims
    assert claims["distilled-all better than base"] == "yes"
    assert "distilled-all as good as base" not in claims, "that follows from a better score"
    assert "distilled-all as good as s2" in claims
    assert "distilled-s1 cheaper than base" not in claims and "distilled cheaper than s2" in claims
    text = tables.terminal(board, verbose=True)
    assert "leaderboard.md has the tokens" in " ".join(text.split())
    assert "distilled-s1 cheaper than base" in tables.markdown(board)
    sentences = text.split("task ")[0]
    assert "distilled is better than base" in sentences and "distilled-s1" not in sentences


def test_two_adapters_of_one_description_are_no_noise_floor(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", [FakeTask()], CONTROLS[:4], comparisons=PAIRS[6:7])
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace('"weights": "distilled-s1"', '"weights": "adapter per task"')
                    .replace('"weights": "distilled"', '"weights": "adapter per task"'))  # fmt: skip
    row = next(row for row in leaderboard.build(folder)["comparisons"] if row["a"] == "distilled-s1")
    assert "noise_floor" not in row


def test_the_papers_findings_on_the_controls_are_decided(board: dict[str, Any]) -> None:
    whys = {found["text"]: found["why"] for found in beside(board)["findings"]}
    assert "not compared" not in whys["The control, taught by System 1, gains nothing over System 1."]


def test_each_pays_back_its_own_teacher(board: dict[str, Any]) -> None:
    for variant, teacher, tokens in (
        ("distilled", "s2", 100_000),
        ("distilled-nofilter", "s2", 12_500),
        ("distilled-s1", "base", 9_000),
    ):
        saved = mean(board, "coin_flip", teacher) - mean(board, "coin_flip", variant)
        value = entry(board, "coin_flip", variant)["break_even"]["tokens"]["value"]
        assert value == pytest.approx((tokens + 20_000) / saved)


def test_a_teacher_that_is_no_variant_of_the_run_leaves_break_even_unknown(tmp_path: Path) -> None:
    entries = [distillation(teacher_method="s2a")]
    board = leaderboard.build(make_run(tmp_path / "run", distillation=entries))
    assert board["distillation"][0]["break_even"] == {"tokens": None, "flops": None, "usd": None}


def test_one_adapter_for_all_tasks_is_paid_back_by_the_mean_saving(board: dict[str, Any]) -> None:
    savings = [
        mean(board, task, "s2") - mean(board, task, "distilled-all") for task in ("coin_flip", "gsm8k")
    ]
    paid = entry(board, "all", "distilled-all")["break_even"]["tokens"]
    assert paid["value"] == pytest.approx(220_000 / (sum(savings) / 2))
    assert paid["low"] < paid["value"] < paid["high"]


def test_all_tasks_have_a_name_in_every_table(run: Path, board: dict[str, Any]) -> None:
    assert re.search(rf"^{NAME} +distilled-all +\d", tables.terminal(board), re.MULTILINE)
    assert f"| {NAME}" in tables.markdown(board).split("## Distillation")[1]
    html = page.render_page(run, board)
    assert f'<th scope="row">{NAME}</th><td>distilled-all</td>' in html
    assert html.count("<td>distilled-nofilter</td>") >= 2


def test_all_tasks_not_distilled_leave_a_row_on_each(tmp_path: Path) -> None:
    together = distillation("all", variant="distilled-all", status="not_distilled", kept=5, checkpoint=None)
    folder = make_run(
        tmp_path / "run", [FakeTask(), FakeTask("gsm8k", 150)], [*VARIANTS, CONTROLS[-1]],
        distillation=[distillation(), distillation("gsm8k"), together],
    )  # fmt: skip
    for path in (folder / "samples" / "distilled-all").glob("*.jsonl"):
        path.unlink()
    board = leaderboard.build(folder)
    rows = [row for row in board["rows"] if row["status"] == "not_distilled"]
    assert [(row["task"], row["variant"]) for row in rows] == [
        ("coin_flip", "distilled-all"),
        ("gsm8k", "distilled-all"),
    ]
    (note,) = board["notes"]
    assert "all tasks, distilled-all (5 of 200)." in note
    write.write_all(folder, board)
    page.write_page(folder, board)


def test_a_control_that_was_not_distilled_is_named(tmp_path: Path) -> None:
    entries = taught("coin_flip", nofilter={"status": "not_distilled", "kept": 4, "checkpoint": None})
    folder = make_run(tmp_path / "run", variants=CONTROLS, distillation=entries, comparisons=PAIRS)
    (folder / "samples" / "distilled-nofilter" / "coin_flip.jsonl").unlink()
    board = leaderboard.build(folder)
    assert [row["status"] for row in board["rows"] if row["variant"] == "distilled-nofilter"] == [
        "not_distilled"
    ]
    assert any(
        "too few inputs were kept: coin_flip, distilled-nofilter (4 of 200)." in n for n in board["notes"]
    )
    assert not any("distilled-nofilter" in (row["a"], row["b"]) for row in board["comparisons"])


def test_the_control_never_stands_for_what_system_2_taught(tmp_path: Path) -> None:
    variants = [VARIANTS[0], VARIANTS[1], CONTROLS[3]]
    board = leaderboard.build(make_run(tmp_path / "run", variants=variants))
    assert {(row["a"], row["b"]) for row in board["comparisons"]} == {("base", "s2")}
    board = leaderboard.build(make_run(tmp_path / "other", variants=[*variants, CONTROLS[5]]))
    assert ("s2", "distilled-all") in {(row["a"], row["b"]) for row in board["comparisons"]}


def test_warnings_of_distillation_are_notes_once_for_all_that_they_concern(tmp_path: Path) -> None:
    one, two = "Margins are low.", "One sample is no vote."
    entries = [
        distillation(warnings=[one, two]),
        distillation(variant="distilled-nofilter", warnings=[two]),
        distillation("gsm8k", warnings=[two]),
        distillation("gsm8k", variant="distilled-nofilter", warnings=[]),
    ]
    tasks = [FakeTask(), FakeTask("gsm8k", 40)]
    board = leaderboard.build(make_run(tmp_path / "run", tasks, CONTROLS[:5], distillation=entries))
    assert f"coin_flip, distilled: {one} {two}" in board["notes"]
    assert f"coin_flip, distilled-nofilter; gsm8k, distilled: {two}" in board["notes"]
    assert not any("gsm8k, distilled-nofilter" in note for note in board["notes"])


def test_what_was_not_distilled_gets_general_advice_only_without_its_own(tmp_path: Path) -> None:
    general = "Use more inputs or samples."
    without: dict[str, Any] = {"status": "not_distilled", "kept": 0, "checkpoint": None}
    for number, (warnings, advised) in enumerate([([], True), (["No answer could be read."], False)]):
        folder = make_run(tmp_path / str(number), distillation=[distillation(**without, warnings=warnings)])
        (folder / "samples" / "distilled" / "coin_flip.jsonl").unlink()
        notes = leaderboard.build(folder)["notes"]
        assert any(note.startswith("Not distilled") and (general in note) == advised for note in notes)
        assert len(notes) == 1 + len(warnings)


SEEDS = FakeTask(clusters=120, seeds=3)


def seeded(folder: Path, missing: int = 1, said: bool = True, variant: str = "distilled") -> Path:
    """Three seeds; one of them has no rows of `variant`, and the manifest says so or does not."""
    states = [
        {"status": "not_distilled", "kept": 2, "checkpoint": None} if said and seed == missing else {}
        for seed in range(3)
    ]
    entries = [distillation(seed=seed, variant=variant, **state) for seed, state in enumerate(states)]
    make_run(
        folder, [SEEDS], [*VARIANTS[:2], FakeVariant(variant, 0.76, 11, "distilled")], distillation=entries
    )
    edit_rows(
        folder / "samples" / variant / "coin_flip.jsonl",
        lambda row: None if row["seed"] == missing else row,
    )
    return folder


def test_a_seed_that_was_not_distilled_is_left_out_of_its_pairs_alone(tmp_path: Path) -> None:
    folder = seeded(tmp_path / "run")
    board = leaderboard.build(folder)
    rows = {row["variant"]: row for row in board["rows"]}
    assert [rows[name]["n_rows"] for name in ("base", "s2", "distilled")] == [360, 360, 240]
    assert {row["n"] for row in rows.values()} == {120}
    (note,) = [note for note in board["notes"] if note.startswith("Not distilled")]
    assert "coin_flip, distilled, seed 1 (2 of 200)." in note and "seed 0" not in note
    assert note.endswith("Scores use the seeds that were distilled, and pairs the seeds that both have.")
    page.write_page(folder, board)
    # Its pairs are those of a run that never had the seed; the pair of the others still has it.
    for path in folder.glob("samples/*/*.jsonl"):
        edit_rows(path, lambda row: None if row["seed"] == 1 else row)
    without = leaderboard.build(folder)
    figures = ("difference", "ci_low", "ci_high", "p", "token_ratio", "n")
    for one, two in zip(board["comparisons"], without["comparisons"], strict=True):
        same = [one[figure] for figure in figures] == [two[figure] for figure in figures]
        assert same == ("distilled" in (one["a"], one["b"]))


def test_a_seed_that_is_missing_without_a_word_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=r"120 only in the first, 0 only in the second.*resume the run"):
        leaderboard.build(seeded(tmp_path / "run", said=False))


def test_single_items_are_refused_beside_an_excused_seed(tmp_path: Path) -> None:
    folder = seeded(tmp_path / "run")
    edit_rows(
        folder / "samples" / "distilled" / "coin_flip.jsonl",
        lambda row: None if row["item_id"].endswith("000007-0") and row["seed"] == 2 else row,
    )
    with pytest.raises(ResultsError, match="1 only in the first"):
        leaderboard.build(folder)


def test_an_excuse_serves_its_own_variant_alone(tmp_path: Path) -> None:
    folder = seeded(tmp_path / "run")
    edit_rows(folder / "samples" / "s2" / "coin_flip.jsonl", lambda row: None if row["seed"] == 1 else row)
    with pytest.raises(ResultsError, match="'base' and 's2' have different items"):
        leaderboard.build(folder)


def test_break_even_of_a_seed_is_counted_on_its_own_rows(tmp_path: Path) -> None:
    folder = seeded(tmp_path / "run")
    edit_rows(
        folder / "samples" / "distilled" / "coin_flip.jsonl",
        lambda row: row | {"usage": row["usage"] | {"generated_tokens": 50}} if row["seed"] == 2 else row,
    )
    values = [
        paid["break_even"]["tokens"] and paid["break_even"]["tokens"]["value"]
        for paid in leaderboard.build(folder)["distillation"]
    ]
    assert values[1] is None
    assert values[0] < 0.7 * values[2]


def test_variants_without_a_common_seed_are_not_compared(tmp_path: Path) -> None:
    missing = {"distilled": 0, "distilled-s1": 1}
    variants = [VARIANTS[0], *(FakeVariant(name, 0.7, 10, "distilled") for name in missing)]
    entries = [distillation(variant=name, seed=seed) for name in missing for seed in range(2)]
    for found in entries:
        if missing[found["variant"]] == found["seed"]:
            found |= {"status": "not_distilled", "kept": 1, "checkpoint": None}
    folder = make_run(
        tmp_path / "run", [FakeTask(clusters=40, seeds=2)], variants, distillation=entries,
        comparisons=[["distilled-s1", "distilled"]],
    )  # fmt: skip
    for name, gone in missing.items():
        edit_rows(
            folder / "samples" / name / "coin_flip.jsonl",
            lambda row, gone=gone: None if row["seed"] == gone else row,
        )
    board = leaderboard.build(folder)
    assert {(row["a"], row["b"]) for row in board["comparisons"]} == {("base", "distilled")}
    note = "coin_flip: no seed was distilled for both distilled-s1 and distilled, so they are not compared."
    assert note in board["notes"]


def test_all_tasks_together_take_the_seeds_that_both_have(tmp_path: Path) -> None:
    folder = make_run(
        tmp_path / "run", [SEEDS, FakeTask("gsm8k", 100, seeds=3)],
        distillation=[distillation(seed=1, status="not_distilled", kept=0, checkpoint=None),
                      *(distillation("gsm8k", seed=seed) for seed in range(3))],
    )  # fmt: skip
    edit_rows(
        folder / "samples" / "distilled" / "coin_flip.jsonl", lambda row: None if row["seed"] == 1 else row
    )
    board = leaderboard.build(folder)
    whole = next(row for row in board["overall"] if (row["claim"], row["b"]) == ("superior", "distilled"))
    parts = [
        row["difference"]
        for row in board["comparisons"]
        if (row["a"], row["b"], row["claim"]) == ("base", "distilled", "superior")
    ]
    assert len(parts) == 2 and whole["difference"] == pytest.approx(sum(parts) / 2)
