"""What one item waits for: calls side by side count once, by the longest."""

from __future__ import annotations

from typing import Any

import pytest

from results.page.latency import Wait, in_words, longest_way


def steps(*named: tuple[str, int]) -> list[dict[str, Any]]:
    return [{"name": name, "generated_tokens": tokens} for name, tokens in named]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([("direct", 7)], Wait(1, 7)),
        ([("rephrase", 20), ("respond", 5)], Wait(2, 25)),
        # Branch-Solve-Merge: five solve calls at once.
        ([("branch", 30), *((f"solve:{n}", 10 + n) for n in range(5)), ("merge", 8)], Wait(3, 52)),
        # Three samples of a program of two steps, voted on.
        ([("1/a", 5), ("2/a", 9), ("3/a", 2), ("1/b", 4), ("2/b", 1), ("3/b", 8)], Wait(2, 10)),
        # Votes over Branch-Solve-Merge: the slowest sample decides.
        ([("1/branch", 5), ("2/branch", 6), ("1/solve:1", 3), ("1/solve:2", 9), ("2/solve:1", 4)],
         Wait(2, 14)),
        # The same name again is asked later, and one without a number is asked alone.
        ([("solve:1", 3), ("solve:2", 4), ("solve:1", 5)], Wait(2, 9)),
        ([("draft", 3), ("draft", 4)], Wait(2, 7)),
        ([], Wait(0, 0)),
    ],
)  # fmt: skip
def test_longest_way_to_the_answer(given: list[tuple[str, int]], expected: Wait) -> None:
    assert longest_way(steps(*given)) == expected


def test_missing_counts_are_nothing() -> None:
    assert longest_way([{"name": None}, {"name": "b", "generated_tokens": None}]) == Wait(2, 0)


def test_in_words() -> None:
    waits = [Wait(1, tokens) for tokens in range(1, 101)]
    assert in_words(waits) == "50 (95), 1 call"
    assert in_words([Wait(2, 1200)]) == "1,200 (1,200), 2 calls"
    assert in_words([]) == ""
