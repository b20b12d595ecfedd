"""The first sentence: what it says of each kind of result, of one task and of many."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from markupsafe import escape
from page_fixtures import build_run
from results_fixtures import VARIANTS, FakeTask, FakeVariant, distillation, edit_rows, make_run

from results.analysis import leaderboard
from results.analysis.headline import headline
from results.page import build as page
from results.tables import render as tables
from results.tables import write

NAMES = {"superior": "base", "non_inferior": "s2", "cheaper": "s2"}


def board_of(
    verdicts: dict[str, tuple[str, str, str]], kept: float | None = 0.45, ratio: float = 0.1
) -> dict[str, Any]:
    """A board with three verdicts per task: better than base, as good as System 2, cheaper."""
    compared, rows, trios = [], [], []
    for task, found in verdicts.items():
        trios.append({"task": task, "base": "base", "teacher": "s2", "distilled": "distilled"})
        rows.append({"task": task, "variant": "distilled", "primary": True, "status": "scored"})
        for (claim, a), verdict in zip(NAMES.items(), found, strict=True):
            row = {"task": task, "claim": claim, "a": a, "b": "distilled", "verdict": verdict,
                   "primary": claim != "cheaper", "token_ratio": ratio}  # fmt: skip
            if claim == "superior":
                row["gain_kept"] = None if kept is None else {"value": kept, "low": 0.2, "high": 0.71}
            compared.append(row)
    return {"comparisons": compared, "rows": rows, "trios": trios}


YES, PARTLY = ("yes", "yes", "yes"), ("yes", "no", "yes")
KEPT = "keeping 45 % (20 to 71) of its gain at 10 % of its tokens"


WAS, NOT = "Distillation was worth it on a", "Distillation was not worth it on a"


@pytest.mark.parametrize(
    ("verdicts", "sentence"),
    [
        (YES, f"{WAS}: better than base, as good as System 2, at 10 % of its tokens."),
        (
            PARTLY,
            f"Distillation was partly worth it on a: better than base but short of System 2, {KEPT}.",
        ),
        (("yes", "no", "no"), f"{NOT} (short of System 2 and not cheaper than System 2)."),
        (("no", "no", "yes"), f"{NOT} (worse than base and short of System 2)."),
        (("cannot_tell", "no", "yes"), f"{NOT} (short of System 2 and not shown to be better than base)."),
        (
            ("yes", "cannot_tell", "yes"),
            "On a the distilled model is better than base, keeping 45 % (20 to 71) of the gain at 10 % of "
            "System 2's tokens; the data cannot tell whether it is as good as System 2.",
        ),
        (
            ("cannot_tell", "yes", "yes"),
            "On a the data cannot tell whether the distilled model is better than base.",
        ),
    ],
)
def test_one_task(verdicts: tuple[str, str, str], sentence: str) -> None:
    assert headline(board_of({"a": verdicts})) == sentence


def test_tasks_of_one_answer_share_a_sentence_and_many_are_counted() -> None:
    verdicts = {"a": YES, "b": YES, "c": PARTLY, "d": ("no", "no", "yes"), "e": ("cannot_tell",) * 3}
    assert headline(board_of(verdicts)) == (  # type: ignore[arg-type]
        "Distillation was worth it on a and b: better than base, as good as System 2, at 10 % of its tokens. "
        f"Partly on c: better than base but short of System 2, {KEPT}. "
        "Not on d (worse than base and short of System 2). "
        "On e the data cannot tell whether it is better than base, as good as System 2 or cheaper than "
        "System 2."
    )
    many = {f"task{number}": YES for number in range(30)} | {"last": PARTLY}
    said = headline(board_of(many))
    assert "worth it on 30 of 31 tasks:" in said and len(said) < 300
    assert "on all 30 tasks:" in headline(board_of(dict.fromkeys(list(many)[:30], YES)))


def test_thirty_tasks_of_every_kind_stay_within_three_lines() -> None:
    kinds = (YES, PARTLY, ("no", "no", "yes"), ("yes", "no", "no"), ("cannot_tell", "no", "yes"),
             ("yes", "cannot_tell", "yes"), ("cannot_tell", "yes", "yes"))  # fmt: skip
    said = headline(board_of({f"mmlu_number_{n:02}": kinds[n % 7] for n in range(35)}))
    assert len(said) <= 480, said


def test_where_the_gain_is_not_defined_nothing_is_said_of_it() -> None:
    assert "keeping" not in headline(board_of({"a": PARTLY}, kept=None))


@pytest.mark.parametrize("tasks", [("coin_flip",), ("coin_flip", "gsm8k")])
def test_it_is_the_first_line_of_terminal_markdown_page_and_in_the_json(
    tmp_path: Path, tasks: tuple[str, ...]
) -> None:
    folder = tmp_path / "run"
    board = build_run(folder, tasks, items=60, hostile=False)
    write.write_all(folder, board)
    said = board["headline"]
    text = tables.terminal(board)
    assert " ".join(text.split("\n\n")[0].split()) == said
    assert max(map(len, text.splitlines())) <= 100
    assert (folder / "leaderboard.md").read_text().splitlines()[0] == said
    assert json.loads((folder / "leaderboard.json").read_text())["headline"] == said
    assert f'<h1 id="verdict-title">{escape(said)}</h1>' in page.render_page(folder, board)


def test_hostile_names_stay_text_in_the_first_line(tmp_path: Path) -> None:
    name = "<b>*x*\x1b[31m"
    board = leaderboard.build(make_run(tmp_path / "run", [FakeTask(name, 60)]))
    assert name in board["headline"]
    assert "\x1b" not in tables.terminal(board).splitlines()[0]
    assert "<b>" not in tables.markdown(board).splitlines()[0]


def test_where_nothing_was_distilled_it_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    build_run(folder, tasks=("coin_flip", "gsm8k"), items=40)
    manifest = json.loads((folder / "manifest.json").read_text())
    ending = "System 2 did not agree with itself on 198 of 200 inputs."
    for entry, task in zip(manifest["distillation"], ("coin_flip", "gsm8k"), strict=True):
        entry |= {"status": "not_distilled", "kept": 2, "dropped": {"no_majority": 198}}
        (folder / f"samples/distilled/{task}.jsonl").unlink()
        (folder / "manifest.json").write_text(json.dumps(manifest))
        said = leaderboard.build(folder)["headline"]
        if task == "coin_flip":
            assert "on gsm8k" in said.lower() and said.endswith(f"distilled on coin_flip: {ending}")
    assert said.endswith(f"Nothing was distilled: {ending}")


@pytest.mark.parametrize(
    ("dropped", "why"),
    [
        ({"all_failed": 18, "no_majority": 1}, "no answer of System 2 could be read on 18 of 20 inputs."),
        (
            {"no_majority": 10, "all_failed": 9},
            "System 2 did not agree with itself on 10 of 20 inputs and no answer of System 2 could be read "
            "on 9.",
        ),
        ({"my_own_filter": 19}, "my own filter on 19 of 20 inputs."),
        ({}, "System 2 was asked about only 20 inputs."),
    ],
)
def test_nothing_distilled_has_the_reason_that_the_record_counts(
    tmp_path: Path, dropped: dict[str, int], why: str
) -> None:
    entry = distillation(status="not_distilled", inputs=20, kept=1, dropped=dropped, checkpoint=None)
    folder = make_run(tmp_path / "run", [FakeTask(clusters=20)], distillation=[entry])
    (folder / "samples/distilled/coin_flip.jsonl").unlink()
    assert leaderboard.build(folder)["headline"].endswith(f"Nothing was distilled: {why}")


def test_tasks_with_other_reasons_have_their_own_and_one_checkpoint_for_all_has_its_own(
    tmp_path: Path,
) -> None:
    lost = {"status": "not_distilled", "inputs": 20, "kept": 1, "checkpoint": None}
    entries = [
        distillation("a", **lost, dropped={"all_failed": 19}),
        distillation("b", **lost, dropped={"order_inconsistent": 19}),
    ]
    tasks = [FakeTask("a", 20), FakeTask("b", 20)]
    folder = make_run(tmp_path / "run", tasks, distillation=entries)
    for task in tasks:
        (folder / f"samples/distilled/{task.name}.jsonl").unlink()
    assert leaderboard.build(folder)["headline"].endswith(
        "Nothing was distilled: no answer of System 2 could be read on 19 of 20 inputs (a); System 2's "
        "answer changed with the order of the two responses on 19 of 20 inputs (b)."
    )
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["distillation"] = [distillation("all", **lost, dropped={}, reason="There are no rows.")]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert leaderboard.build(folder)["headline"].endswith("Nothing was distilled: the notes say why.")


def test_a_variant_stands_for_its_kind(tmp_path: Path) -> None:
    variants = [VARIANTS[0], FakeVariant("s2-cot", 0.75, 90, "s2", "cot"), VARIANTS[2]]
    board = leaderboard.build(make_run(tmp_path / "run", [FakeTask(clusters=1500)], variants))
    assert board["headline"].startswith("Distillation was worth it on coin_flip:")


def test_cut_texts_are_said_in_it(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    edit_rows(
        folder / "samples/s2/coin_flip.jsonl",
        lambda row: row | {"truncated": row["item_id"] < "coin_flip-000076"},
    )
    assert leaderboard.build(folder)["headline"].endswith("Texts of s2 were cut on coin_flip (38 %).")


def test_two_teachers_have_a_sentence_each(tmp_path: Path) -> None:
    variants = [
        VARIANTS[0], FakeVariant("s2", 0.75, 110, "s2", "rar_2step", 2),
        FakeVariant("s2-cot", 0.9, 90, "s2", "cot"),
        VARIANTS[2], FakeVariant("distilled-cot", 0.9, 11, "distilled"),
    ]  # fmt: skip
    entries = [distillation(), distillation(variant="distilled-cot", teacher_method="cot")]
    board = leaderboard.build(
        make_run(tmp_path / "run", [FakeTask(clusters=1500)], variants, distillation=entries)
    )
    assert "distilled was worth it on coin_flip" in board["headline"]
    assert "distilled-cot was worth it on coin_flip" in board["headline"]
