"""Overlap of training inputs with test items: planted overlaps of each kind are found, others are not."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.teacher.overlap import (
    KINDS,
    NGRAM,
    OverlapItem,
    find_overlaps,
    require_disjoint,
    shared_symbols,
    split_overlapping,
    words,
)
from harness.errors import RunError, UserError

LONG = "a farmer sells nine baskets of plums on monday and twice as many baskets on the next day"
TESTS = [
    OverlapItem("t0", "What is the tallest hill?", prompt="Q: What is the tallest hill?\nA:"),
    OverlapItem("t1", f"Story: {LONG}. How many?", prompt="p1"),
    OverlapItem("t2", "Ann flips, Bob waits", symbols=("Ann", "Bob"), prompt="p2"),
]
CLEAN = OverlapItem("clean", "Name a river that runs north.", symbols=("Cleo", "Ann"), prompt="Name a river")
PLANTED = {
    "exact": OverlapItem("exact", "other words", prompt="Q: What is the tallest hill?\nA:"),
    "normalised": OverlapItem("normalised", "  what is - the TALLEST hill", prompt="Tell me."),
    "ngram": OverlapItem("ngram", f"Yesterday, {LONG.title()}! And then?", prompt="Solve."),
    "symbols": OverlapItem("symbols", "Bob waits and Ann too", symbols=("bob", "Ann"), prompt="Coin."),
}
HIT = {"exact": "t0", "normalised": "t0", "ngram": "t1", "symbols": "t2"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_planted_overlap_of_each_kind_is_found_and_nothing_else(kind):
    [overlap] = find_overlaps([CLEAN, PLANTED[kind]], TESTS)
    assert (overlap.kind, overlap.candidate_id, overlap.test_id) == (kind, kind, HIT[kind])
    assert overlap.evidence
    others = [other for other in KINDS if other != kind]
    assert find_overlaps([PLANTED[kind]], TESTS, kinds=others) == []


def test_split_keeps_the_clean_and_counts_by_kind():
    kept, dropped = split_overlapping([*PLANTED.values(), CLEAN], TESTS)
    assert kept == [CLEAN]
    assert dropped == dict.fromkeys(KINDS, 1)
    assert split_overlapping([CLEAN], TESTS, kinds=["exact", "ngram"]) == ([CLEAN], {"exact": 0, "ngram": 0})


def test_a_candidate_that_overlaps_in_all_ways_is_counted_once_under_the_plainest():
    copy = OverlapItem("copy", TESTS[1].text, symbols=("Ann", "Bob"), prompt=TESTS[1].prompt)
    assert [overlap.kind for overlap in find_overlaps([copy], TESTS)] == list(KINDS)
    assert split_overlapping([copy], TESTS) == ([], {"exact": 1, "normalised": 0, "ngram": 0, "symbols": 0})


def test_the_ngram_itself_is_the_evidence():
    [overlap] = find_overlaps([PLANTED["ngram"]], TESTS)
    assert overlap.evidence == " ".join(LONG.split()[:NGRAM])


def test_twelve_words_in_a_row_are_no_overlap_and_neither_are_runs_over_two_items():
    twelve = OverlapItem("c", " ".join(LONG.split()[: NGRAM - 1]) + " end")
    assert find_overlaps([twelve], TESTS) == []
    parts = [OverlapItem("a", " ".join(LONG.split()[:8])), OverlapItem("b", " ".join(LONG.split()[8:]))]
    assert find_overlaps(parts, TESTS) == []


def test_one_shared_name_is_counted_and_dropped_only_when_strict():
    assert find_overlaps([CLEAN], TESTS) == []
    assert shared_symbols([CLEAN, PLANTED["symbols"], PLANTED["exact"]], TESTS) == 2
    [overlap] = find_overlaps([CLEAN], TESTS, strict_symbols=True)
    assert (overlap.kind, overlap.test_id, overlap.evidence) == ("symbols", "t2", "Ann")


def test_empty_texts_prompts_and_symbols_match_nothing():
    blank = [OverlapItem("b", "", (), ""), OverlapItem("p", "?!", (), "...")]
    [overlap] = find_overlaps(blank, blank)
    assert (overlap.kind, overlap.candidate_id) == ("exact", "p")
    assert find_overlaps([], TESTS) == find_overlaps(TESTS, []) == []


def test_an_item_without_text_is_normalised_by_its_prompt():
    [overlap] = find_overlaps([OverlapItem("c", "", prompt="What is the tallest hill")], TESTS)
    assert overlap.kind == "normalised"


def test_the_run_stops_on_a_remaining_overlap_and_names_it():
    require_disjoint([CLEAN], TESTS)
    with pytest.raises(RunError, match=r"1 training inputs overlap.*exact with t0.*--allow-overlap"):
        require_disjoint([CLEAN, PLANTED["exact"]], TESTS)


def test_unknown_kind_is_named():
    with pytest.raises(UserError, match=r"bigram.*exact, normalised"):
        find_overlaps([], [], kinds=["bigram"])


TEXTS = st.lists(st.lists(st.sampled_from("abc"), max_size=30).map(" ".join), max_size=6)


@given(TEXTS, TEXTS)
def test_ngrams_agree_with_a_plain_comparison_of_word_runs(candidates, tests):
    def runs(text: str) -> set[tuple[str, ...]]:
        found = words(text)
        return {tuple(found[start : start + NGRAM]) for start in range(len(found) - NGRAM + 1)}

    in_tests = set().union(*map(runs, tests))
    items = [OverlapItem(str(number), text) for number, text in enumerate(candidates)]
    others = [OverlapItem(str(number), text) for number, text in enumerate(tests)]
    for overlap in (found := find_overlaps(items, others, kinds=["ngram"])):
        assert tuple(overlap.evidence.split()) in runs(tests[int(overlap.test_id)])
    expected = [str(number) for number, text in enumerate(candidates) if runs(text) & in_tests]
    assert [overlap.candidate_id for overlap in found] == expected


@given(st.text())
def test_any_text_overlaps_itself_or_has_no_words(text):
    found = find_overlaps([OverlapItem("c", text)], [OverlapItem("t", text)])
    assert bool(found) == bool(words(text))


def test_time_grows_with_the_items_and_not_with_their_product():
    draw = random.Random(0)
    vocabulary = [f"word{number}" for number in range(3000)]

    def made(prefix: str, count: int) -> list[OverlapItem]:
        return [
            OverlapItem(f"{prefix}{number}", " ".join(draw.choices(vocabulary, k=40)), (f"{prefix}{number}",))
            for number in range(count)
        ]

    def seconds(count: int) -> float:
        candidates, tests = made("c", count), made("t", count)
        start = time.process_time()
        assert find_overlaps(candidates, tests) == []
        return time.process_time() - start

    seconds(200)  # imports
    # Ten times the items: about 10 times the work here, 100 times if pairs were compared.
    assert seconds(10_000) < 40 * max(seconds(1_000), 0.02)
