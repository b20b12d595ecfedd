"""Warnings in plain words: each where it is due, none where nothing speaks against it."""

from __future__ import annotations

from typing import Any

import pytest
from drawn_fixtures import entry, record_of

from distill import advice as warnings
from distill.advice import plain_warnings
from distill.teacher.select import Drawn


def good(count: int = 200, margin: float = 1.0) -> list[Drawn]:
    """As many yes as no, all kept."""
    return [
        entry(n, [answer] * 3, kept=answer, margin=margin)
        for n, answer in enumerate(["yes", "no"] * (count // 2))
    ]


def warned(drawn: list[Drawn], already: float | None = None, **changes: Any) -> list[str]:
    return plain_warnings(record_of(drawn, **changes), drawn, already)


def test_nothing_is_said_where_nothing_speaks_against_it() -> None:
    assert warned(good(), already=0.5) == []


def test_few_kept_inputs_are_named_with_the_commonest_cause() -> None:
    drawn = [
        *good(200),
        *[entry(n, ["yes", "no", None]) for n in range(200, 350)],
        *[entry(n, [None] * 3, reason="all_failed") for n in range(350, 410)],
    ]
    (sentence,) = warned(drawn)
    assert "Only 200 of 410 inputs were kept (49 %)" in sentence
    assert "Of the dropped, 150: no answer had a majority" in sentence
    assert warned([*good(200), *[entry(n, ["yes", "no", None]) for n in range(200, 400)]]) == []


def test_a_reason_that_nobody_explained_is_named_as_it_is() -> None:
    (sentence,) = warned([*good(200), *[entry(n, ["yes"], reason="moon_phase") for n in range(200, 500)]])
    assert "300: moon_phase" in sentence


def test_a_small_set_is_compared_with_the_paper_s_smallest() -> None:
    (sentence,) = warned(good(warnings.FEW_INPUTS - 2))
    assert "98 inputs" in sentence and "200" in sentence and "--distill-inputs" in sentence
    assert warned(good(warnings.FEW_INPUTS)) == []


@pytest.mark.parametrize(("margin", "said"), [(1 / 3, 1), (0.49, 1), (0.5, 0), (1.0, 0)])
def test_low_margins_are_said_in_percent(margin: float, said: int) -> None:
    found = warned(good(margin=margin))
    assert len(found) == said
    assert not said or f"{100 * margin:.0f} %" in found[0]


def test_margins_count_over_what_was_kept_alone() -> None:
    drawn = [*good(200), *[entry(n, ["yes", "no"], margin=0.0) for n in range(200, 390)]]
    assert warned(drawn) == []


@pytest.mark.parametrize("name", ["usc", "none"])
def test_margins_mean_nothing_where_nothing_was_voted(name: str) -> None:
    assert warned(good(margin=0.1), filter=name) == []


@pytest.mark.parametrize(("already", "said"), [(None, 0), (0.89, 0), (0.9, 1), (1.0, 1)])
def test_targets_that_the_model_gives_already_teach_nothing(already: float | None, said: int) -> None:
    found = warned(good(), already=already)
    assert len(found) == said
    assert not said or f"already gives {100 * already:.0f} % of the targets" in found[0]


@pytest.mark.parametrize(("no", "said"), [(179, 0), (180, 1), (200, 1)])
def test_one_target_that_dominates_is_named(no: int, said: int) -> None:
    drawn = [entry(n, ["x"] * 3, kept="no" if n < no else "yes") for n in range(200)]
    found = warned(drawn)
    assert len(found) == said
    assert not said or ("'no'" in found[0] and f"{no / 2:.0f} %" in found[0])


def test_a_dominant_text_of_a_model_stays_one_short_line() -> None:
    drawn = [entry(n, ["x"], kept="a\nb" * 500) for n in range(200)]
    (sentence,) = warned(drawn)
    assert "\n" not in sentence and len(sentence) < 250


@pytest.mark.parametrize(("accuracy", "said"), [(None, 0), (0.6, 0), (0.59, 1), (0.0, 1)])
def test_targets_that_are_wrong_by_the_labels_are_said(accuracy: float | None, said: int) -> None:
    found = warned(good(), pseudo_label_accuracy=accuracy)
    assert len(found) == said
    assert not said or "math" in found[0]


@pytest.mark.parametrize(
    ("name", "samples", "said"), [("majority", 1, 1), ("majority", 2, 0), ("none", 1, 0)]
)
def test_a_vote_of_one_is_no_vote(name: str, samples: int, said: int) -> None:
    assert len(warned(good(), filter=name, samples_per_input=samples)) == said


def test_nothing_kept_is_one_sentence_that_says_what_to_do() -> None:
    drawn = [entry(n, ["yes", "no", None]) for n in range(20)]
    drawn += [entry(n, [None] * 3, reason="all_failed", margin=0.0) for n in range(20, 32)]
    (sentence,) = warned(drawn, pseudo_label_accuracy=None, status="not_distilled")
    assert sentence.startswith("None of 32 inputs was kept, so there is nothing to learn from.")
    assert "Of the dropped, 20: no answer had a majority" in sentence
    assert "--samples" in sentence and "--filter majority:SHARE" in sentence


def test_no_input_at_all_asks_for_training_data() -> None:
    (sentence,) = warned([], inputs=0, kept=0, pseudo_label_accuracy=None)
    assert "nothing to learn from" in sentence and "training split" in sentence


@pytest.mark.parametrize(("kept", "said"), [(1, "1 input is too few"), (7, "7 inputs are too few")])
def test_too_few_to_train_on_is_not_called_a_small_lesson(kept: int, said: str) -> None:
    found = warned(good()[:kept], status="not_distilled")
    assert found[0].startswith(said) and "--distill-inputs" in found[0]
    assert not any("may learn the form" in sentence for sentence in found)


def test_one_input_is_counted_in_the_singular() -> None:
    assert warned(good()[:1])[0].startswith("There is 1 input to learn from")


def test_several_findings_are_several_sentences_in_one_line_each() -> None:
    drawn = [entry(n, ["no", "yes", "no"], kept="no", margin=1 / 3) for n in range(9)]
    drawn += [entry(n, ["no", "yes", None], margin=0.0) for n in range(9, 30)]
    found = warned(drawn, already=1.0, pseudo_label_accuracy=0.4)
    assert len(found) == 6
    assert all("\n" not in sentence and sentence.endswith(".") for sentence in found)
