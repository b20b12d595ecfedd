"""Tables of a terminal: 100 columns, every name whole, whatever stands beside it."""

from __future__ import annotations

from typing import Any

import pytest
from results_fixtures import FakeTask, FakeVariant, distillation, make_run

from results.analysis import leaderboard
from results.tables import layout
from results.tables import render as tables

METRICS = {
    "last_letter": ["exact_match"],
    "coin_flip": ["accuracy"],
    "trivia_bias": ["biased_accuracy", "unbiased_accuracy", "wrong_opinion_accuracy"],
    "judge_mtbench": ["agreement", "agreement_no_ties", "inconsistency", "first_position"],
    "judge_pandalm": ["agreement", "agreement_no_ties", "inconsistency", "first_position"],
    "gsm8k": ["strict_match", "flexible_match"],
}
"""The tasks of the project with the longest names, and their metrics."""
TAUGHT = ("distilled", "distilled-s1", "distilled-nofilter", "distilled-all")


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Every variant on every task, none of them distilled: the widest leaderboard there is."""
    tasks = [
        FakeTask(name, 1319, metrics=dict.fromkeys(metrics, "binary")) for name, metrics in METRICS.items()
    ]
    variants = [
        FakeVariant("base", 0.5, 1200, "base"),
        FakeVariant("s2", 0.7, 12_000, "s2", "self_consistency", 16),
        *(FakeVariant(name, 0.6, 1100, "distilled") for name in TAUGHT),
    ]
    entries = [
        distillation(task, variant=name, status="not_distilled", kept=3, checkpoint=None)
        for task in METRICS
        for name in TAUGHT
    ]
    folder = make_run(tmp_path_factory.mktemp("runs") / "wide", tasks, variants, distillation=entries)
    for name in TAUGHT:
        for path in (folder / "samples" / name).glob("*.jsonl"):
            path.unlink()
    return leaderboard.build(folder)


def test_names_of_our_tasks_and_metrics_are_whole_at_100_columns(board: dict[str, Any]) -> None:
    text = tables.terminal(board, 100, verbose=True)
    assert max(map(len, text.splitlines())) <= 100
    assert "…" not in text
    for task, metrics in METRICS.items():
        assert task in text, "a task's name is not even wrapped"
        for metric in metrics:
            assert metric in text
    for name in TAUGHT:
        assert name in text
    assert "not distilled" in text


def test_a_table_that_fits_is_left_alone() -> None:
    text = layout.table(["task", "failed %"], [["coin_flip", "0.0"]], 100, {"failed %"})
    assert text == "task       failed %\n---------  --------\ncoin_flip       0.0"


def test_headings_are_wrapped_before_names() -> None:
    text = layout.table(["task", "failed %"], [["coin_flip", "0.0"]], 17, {"failed %"})
    assert text == "task       failed\n                %\n---------  ------\ncoin_flip     0.0"


def test_names_are_wrapped_at_their_joints_and_broken_only_without_one() -> None:
    assert layout.pieces("distilled-nofilter", 12) == ["distilled-", "nofilter"]
    assert layout.pieces("wrong_opinion_accuracy", 15) == ["wrong_opinion_", "accuracy"]
    assert layout.pieces("s2 rar_2step", 12) == ["s2 rar_2step"]
    assert layout.pieces("abcdefghijklmnop", 8) == ["abcdefgh", "ijklmnop"]
    assert layout.pieces("", 8) == [""]


def test_figures_are_never_wrapped() -> None:
    rows = [["a-long-name-with-joints", "1,234,567.8 [1,000,000.0, 2,000,000.0]"]]
    text = layout.table(["task", "score"], rows, 60, {"score"})
    assert "1,234,567.8 [1,000,000.0, 2,000,000.0]" in text
    assert max(map(len, text.splitlines())) <= 60


def test_columns_without_content_are_left_out() -> None:
    assert "$" not in layout.table(["task", "$"], [["coin_flip", "-"]], 100, {"$"})


def test_marks_stand_in_a_column_of_their_own() -> None:
    text = layout.table(["task", "score"], [["a", "1.0*"], ["b", "2.0 "]], 100, {"score"})
    assert text.splitlines()[2:] == ["a      1.0*", "b      2.0"]
