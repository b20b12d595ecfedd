"""Warnings about a distillation that is likely to fail, printed before its training.

Each check looks at the result of sampling and returns a sentence or nothing: what was found, why it matters,
what to do. The thresholds are judgements, each with its reason. They do not stop the training.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from distill.teacher.filter_kinds import FILTERS, reasons
from results.schema import DistillationCounts

if TYPE_CHECKING:
    from distill.teacher.select import Drawn

LOW_KEPT = 0.5
"""Share of inputs. Below half, the kept inputs show which inputs are easy rather than what the task is."""
FEW_INPUTS = 100
"""Half of the smallest set of inputs in the paper (200, last letters)."""
LOW_MARGIN = 0.5
"""Margin of 6 to 2 among eight samples. Two equally likely random answers reach it in 29 of 100 cases."""
MOSTLY_GIVEN = 0.9
"""Share of targets. Above it, less than one example in ten teaches anything new."""
DOMINANT = 0.9
"""Share of one target. Always giving this answer is then wrong for one example in ten, and the easiest
thing to learn."""
SHORTER = 0.95
"""Length of the shortest replies over that of all. Above it, training on them saves less than one token in
twenty even where the model learns their length exactly."""
LOW_ACCURACY = 0.6
"""In the paper, math had .568 and was the one task for which distillation did not work."""


def plain_warnings(record: DistillationCounts, drawn: Sequence[Drawn], already: float | None) -> list[str]:
    """Sentences on what is wrong with this distillation; empty if nothing is.

    `record` has `inputs`, `kept`, `dropped`, `filter`, `samples_per_input`, `pseudo_label_accuracy`; `drawn`
    is every prompt that was asked, kept or not; `already` is the share of kept targets that the base model
    gives greedily before training (0 to 1), None if it was not asked.
    """
    kept = [entry for entry in drawn if entry.answer is not None]
    found = (
        _nothing_kept(record) or _low_kept(record),
        _few_inputs(record),
        _no_vote(record),
        _low_margins(record, kept),
        _given_already(already) if kept else None,
        _one_target(kept),
        _low_accuracy(record),
        _no_shorter(record),
    )
    return [sentence for sentence in found if sentence is not None]


def _nothing_kept(record: DistillationCounts) -> str | None:
    inputs = record["inputs"]
    if record["kept"]:
        return None
    if not inputs:
        return (
            "There was no input to ask the teacher about, so there is nothing to learn from: give the task a "
            "training split with rows that overlap no test item."
        )
    return f"None of {_inputs(inputs)} was kept, so there is nothing to learn from.{_commonest(record)}"


def _low_kept(record: DistillationCounts) -> str | None:
    inputs, kept = record["inputs"], record["kept"]
    if not inputs or kept / inputs >= LOW_KEPT:
        return None
    return (
        f"Only {kept} of {_inputs(inputs)} were kept ({_percent(kept / inputs)}): those that are easy for "
        f"the teacher.{_commonest(record)}"
    )


def _few_inputs(record: DistillationCounts) -> str | None:
    kept = record["kept"]
    if not kept or kept >= FEW_INPUTS:
        return None
    if record.get("status") == "not_distilled":
        return (
            f"{_inputs(kept)} {'is' if kept == 1 else 'are'} too few to train on (the paper's smallest set "
            "was 200): raise --distill-inputs."
        )
    return (
        f"There {'is' if kept == 1 else 'are'} {_inputs(kept)} to learn from, and the paper's smallest set "
        "was 200: the model may learn the form of the answers and little else; raise --distill-inputs."
    )


def _no_vote(record: DistillationCounts) -> str | None:
    if record.get("filter", "majority") != "majority" or record["samples_per_input"] > 1:
        return None
    return (
        "With one sample per input every answer is its own majority, so the filter removed only failures; "
        "raise --samples."
    )


def _low_margins(record: DistillationCounts, kept: Sequence[Drawn]) -> str | None:
    used = FILTERS.get(str(record.get("filter")))
    if not kept or (used is not None and not used.by_votes):
        return None
    middle = statistics.median(entry.margin_at_most for entry in kept)
    if middle >= LOW_MARGIN:
        return None
    return (
        f"Margins are low: in half of the kept examples the winner leads by {_percent(middle)} of the "
        "samples or less. Random guesses do as well, so many targets will be chance; raise --samples."
    )


def _given_already(already: float | None) -> str | None:
    if already is None or already < MOSTLY_GIVEN:
        return None
    return (
        f"The model already gives {_percent(already)} of the targets when asked directly: there is little "
        "left to learn, so expect no better scores, at most shorter answers."
    )


def _one_target(kept: Sequence[Drawn]) -> str | None:
    answers = Counter(str(entry.answer) for entry in kept)
    if len(kept) < 2 or not answers:
        return None
    answer, count = answers.most_common(1)[0]
    if count / len(kept) < DOMINANT:
        return None
    return (
        f"{_percent(count / len(kept))} of the targets are {_shown(answer)}: the model may learn to give "
        "this answer always; balance the inputs, or check whether the teacher gives other answers."
    )


def _low_accuracy(record: DistillationCounts) -> str | None:
    accuracy = record.get("pseudo_label_accuracy")
    if accuracy is None or accuracy >= LOW_ACCURACY:
        return None
    return (
        f"Of the kept targets {_percent(accuracy)} are right by the task's labels (used only for this): "
        "the rest teaches mistakes. In the paper, math had 56.8 %, and distilling it did not work."
    )


def _no_shorter(record: DistillationCounts) -> str | None:
    tokens = record.get("reply_tokens")
    if record.get("taught") != "shortest" or tokens is None or tokens["taught"] < SHORTER * tokens["fitting"]:
        return None
    return (
        f"The shortest replies have {tokens['taught']:.1f} tokens and those that they were picked from "
        f"{tokens['fitting']:.1f}: samples of one input hardly differ in length, so there is nothing shorter "
        "to learn; raise --samples or teacher_temperature."
    )


def _commonest(record: DistillationCounts) -> str:
    """Why most of the dropped inputs were dropped, and what to do about it."""
    dropped = record.get("dropped") or {}
    cause = max(dropped, key=lambda reason: dropped[reason], default=None)
    if cause is None:
        return ""
    known = reasons().get(cause)
    return f" Of the dropped, {dropped[cause]}: {known.advice or known.card if known else cause}."


def _inputs(count: int) -> str:
    return f"{count} input{'' if count == 1 else 's'}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _shown(answer: str) -> str:
    """An answer in quotes, on one line and shortened: it is a model's text."""
    return repr(answer if len(answer) <= 40 else f"{answer[:40]}...")
