"""The table of methods decides: the first row that fits runs, and the printed table is the same rows."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from results.analysis import choose_test
from results.analysis.choose_test import DIFFERENCES, SCORES, TOKENS, Claimed, Method, as_rows, choose
from results.analysis.clusters import Pair, Sample


def sample(values: np.ndarray, weight: np.ndarray | None = None, rows: int | None = None) -> Sample:
    weight = np.ones(values.size) if weight is None else weight
    return Sample(values, weight, rows or values.size, bool(np.all(values % 1 == 0)))


def pair(n: int, unit: float = 1.0, per: int = 1, differ: int | None = None) -> Pair:
    """`n` clusters of `per` rows; a third of them, or `differ`, are right for the second variant alone."""
    first = np.zeros(n)
    second = np.zeros(n)
    second[: n // 3 if differ is None else differ] = unit
    weight = np.full(n, float(per))
    return Pair(sample(first, weight, n * per), sample(second, weight, n * per))


def tokens(n: int, distinct: int) -> Pair:
    return Pair(sample(np.zeros(n) + 200), sample(np.arange(n) % distinct + 0.5))


CASES: dict[str, list[tuple[str, object]]] = {
    "scores": [
        ("proportion", sample(np.array([0.0, 1.0, 1.0]))),
        ("proportion_clustered", sample(np.array([0.0, 1.0, 2.0]), np.full(3, 2.0), 6)),
        ("number_few", sample(np.array([0.5, 1.0, 0.25]))),
        ("number_few", sample(np.full(90, 0.5))),
        ("number", sample(np.array([0.5, 1.0, 0.25] * 2))),
        ("number", sample(np.array([0.5, 7.0, 0.25]))),
    ],
    "differences": [
        ("paired_binary", Claimed(pair(90))),
        ("paired_binary", Claimed(pair(5_100, differ=150))),
        ("paired_binary_large", Claimed(pair(5_100))),
        ("paired_number", Claimed(pair(90, unit=0.5))),
        ("clustered", Claimed(pair(90, unit=1.0, per=2))),
    ],
    "tokens": [
        ("tokens", tokens(300, 100)),
        ("tokens", tokens(5_100, 10)),
        ("large_number", tokens(5_100, 99)),
    ],
}
ROWS = {"scores": SCORES, "differences": DIFFERENCES, "tokens": TOKENS}


def decisions(question: str, rows: tuple[Method, ...]) -> list[str | None]:
    """The key of the row that runs for each case; None where no row fits."""
    found = []
    for _, data in CASES[question]:
        try:
            found.append(choose(rows, data).key)
        except StopIteration:
            found.append(None)
    return found


@pytest.mark.parametrize("question", ROWS)
def test_the_first_row_that_fits_is_chosen_and_no_row_can_go_or_move(question: str) -> None:
    rows, expected = ROWS[question], [key for key, _ in CASES[question]]
    assert decisions(question, rows) == expected
    assert {row.key for row in rows} == set(expected), "each row is chosen by some data"
    for place in range(len(rows)):
        assert decisions(question, rows[:place] + rows[place + 1 :]) != expected
    for other in itertools.permutations(rows):
        if other != rows:
            assert decisions(question, other) != expected


def test_what_runs_is_the_function_of_the_row(monkeypatch: pytest.MonkeyPatch) -> None:
    graded = pair(90, unit=0.5)
    assert choose_test.difference(graded).method == "paired_number"
    # Without its row, graded scores are for the row below; nothing beside the table decides.
    monkeypatch.setattr(choose_test, "DIFFERENCES", (DIFFERENCES[0], DIFFERENCES[3]))
    assert choose_test.difference(graded).method == "clustered"
    monkeypatch.setattr(choose_test, "DIFFERENCES", DIFFERENCES[:1])
    with pytest.raises(StopIteration):
        choose_test.difference(graded)


def test_the_printed_table_is_made_of_the_rows_that_decide() -> None:
    printed = as_rows({"clustered"})
    assert [row["reason"] for row in printed] == [row.reason for row in choose_test.ROWS]
    assert [row["data"] for row in printed if row["used"]] == [DIFFERENCES[3].data]
    questions = {*SCORES, *DIFFERENCES, *TOKENS}
    assert questions <= set(choose_test.ROWS)
    assert len(choose_test.TABLE) == len(choose_test.ROWS)


def test_the_table_of_the_document_is_the_table_that_decides() -> None:
    text = (Path(__file__).parents[2] / "docs" / "statistics.md").read_text()
    # To renew it: python -c "from results.analysis.choose_test import as_markdown; print(as_markdown())"
    assert choose_test.as_markdown() in text


def test_names_of_test_and_interval_in_a_row_are_those_of_what_it_returns() -> None:
    """A row that promises McNemar and runs another test would be found here."""
    words = {
        "paired_binary": ("McNemar", "Bonett-Price"),
        "paired_binary_large": ("McNemar", "BCa"),
        "paired_number": ("sign-flip permutation", "adjusted"),
        "clustered": ("permutation", "adjusted"),
    }
    for key, claimed in CASES["differences"]:
        row = choose(DIFFERENCES, claimed)
        fitted, (test, interval) = row.run(claimed), words[key]
        assert test in row.test and test in fitted.test.method
        assert interval in row.interval and interval in fitted.at(0.95).method
    for key, data in CASES["tokens"]:
        row = choose(TOKENS, data)
        assert ("linearised" in row.run(data).at(0.95).method) == (key == "large_number")
