"""The filters of teacher answers, each one object: what it keeps, why it drops, and the texts about both.

A new filter is an entry of `FILTERS`; the option, its help, the cards and the advice follow from it. Yu et
al. (arXiv 2407.06023) keep answers by majority, by agreement of swapped orders and by USC.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from distill.teacher.filters import Vote, majority, swap_consistent
from tasks.spec import TaskSpec


class Reason(NamedTuple):
    """Why inputs are dropped."""

    card: str
    """What happened, shown in the cards."""
    advice: str = ""
    """What to do about it, shown in warnings."""


Agree = Callable[[Sequence[Vote], TaskSpec], str | None]
"""Votes on the prompts of one input (its one prompt, both orders of a pair, all forms of a question) -> a
code that says why the input is dropped; None if it is kept."""


@dataclass(frozen=True)
class Filter:
    """A check of the teacher's answers that needs no label."""

    name: str
    keeps: str
    """Which answers are kept, shown in the cards."""
    agree: Agree
    reasons: Mapping[str, Reason]
    """Codes that `agree` and `vote` may return."""
    vote: Callable[[Sequence[str | None], float], Vote] = majority
    """Answers to one prompt (None for a failure) and the share of `--filter NAME:SHARE` -> their vote."""
    asked_for: bool = True
    """Whether `--filter` may name it; the other filters follow from task and variant."""
    by_votes: bool = True
    """Whether the margin of the votes measures how sure a target is."""
    curtailed: bool = False
    """Whether an input is settled once the majority of its samples, of one of its prompts, is certain."""
    other_forms: bool = False
    """Whether other forms of each question are asked as well."""
    model_chooses: bool = False
    """Whether the model chooses among its own texts."""


def _answered(votes: Sequence[Vote], spec: TaskSpec) -> str | None:
    return None if any(vote.answer is not None for vote in votes) else votes[0].reason


def _orders_agree(votes: Sequence[Vote], spec: TaskSpec) -> str | None:
    if len(votes) == 1 or spec.swap is None:
        return _answered(votes, spec)
    return swap_consistent(votes[0].answer, votes[1].answer, spec.swap).reason


def _forms_agree(votes: Sequence[Vote], spec: TaskSpec) -> str | None:
    keys = {None if vote.answer is None else spec.vote_key(vote.answer) for vote in votes}
    if None in keys:
        return next(vote.reason for vote in votes if vote.answer is None)
    return None if len(keys) == 1 else "perturbation_inconsistent"


NO_MAJORITY = {
    "no_majority": Reason(
        "no answer came from more than half of all samples",
        "no answer had a majority; draw more (--samples), ask for less (--filter majority:SHARE), lower "
        "teacher_temperature, or name another System 2 method",
    )
}
OTHER_REASONS = {
    "all_failed": Reason(
        "no sample had an answer that the task's rule could read",
        "no answer could be read; look at the samples, and at max_tokens if they were cut",
    ),
    "other_form": Reason("another form of a question, asked to compare its answer and not to train on"),
    "no_reply": Reason(
        "no reply with the kept answer ended by itself within the bound",
        "no reply could be taught whole; raise max_tokens or --train-args longest_reply",
    ),
    "target_not_readable": Reason(
        "the task's rule does not read the answer back from the target",
        "the task's rule does not read its own targets; correct the rule",
    ),
}
"""Reasons that do not come from a filter."""

FILTERS: dict[str, Filter] = {
    each.name: each
    for each in (
        Filter(
            "majority",
            "an answer is kept where more than half of all samples give it; a failed sample counts and never "
            "votes",
            _answered,
            NO_MAJORITY,
            curtailed=True,
        ),
        Filter(
            "usc",
            "the model is shown its own candidates and picks the one that agrees best with the others "
            "(Universal Self-Consistency)",
            _answered,
            {
                "usc_no_choice": Reason(
                    "asked which candidate agrees best with the others, the model named none",
                    "the model named none of its candidates; the filter majority needs no such reply",
                )
            },
            by_votes=False,
            model_chooses=True,
        ),
        Filter(
            "perturbation",
            "an input is kept where other forms of the same question get the same answer",
            _forms_agree,
            {
                **NO_MAJORITY,
                "perturbation_inconsistent": Reason(
                    "another form of the same question got another answer",
                    "another form of the question got another answer; --filter majority looks at one form "
                    "alone",
                ),
            },
            other_forms=True,
            curtailed=True,
        ),
        Filter(
            "swap",
            "a pair is kept where the majorities of its two orders name the same winner",
            _orders_agree,
            {
                **NO_MAJORITY,
                "order_inconsistent": Reason(
                    "the two orders of the pair named different winners",
                    "the order of the two responses decided; name another System 2 method",
                ),
                "tie": Reason("both orders ended in a tie"),
            },
            asked_for=False,
            curtailed=True,
        ),
        Filter(
            "none",
            "every answer that could be read is kept: the ablation without a filter",
            _answered,
            {},
            asked_for=False,
            by_votes=False,
        ),
        Filter(
            "labels",
            "every input is kept whose label, written as a target, the task's rule reads back and scores as "
            "right; the targets are the labels",
            _answered,
            {
                "no_label": Reason(
                    "the row has no label that the task's rule reads back", "use rows with labels"
                )
            },
            asked_for=False,
            by_votes=False,
        ),
    )
}


def asked_for() -> tuple[str, ...]:
    """Names that `--filter` accepts."""
    return tuple(name for name, each in FILTERS.items() if each.asked_for)


def reasons() -> dict[str, Reason]:
    """Every code with its texts."""
    return {
        code: reason for each in FILTERS.values() for code, reason in each.reasons.items()
    } | OTHER_REASONS
