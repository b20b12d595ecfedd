"""Which teacher answers are kept: consistency checks that need no label. Pure functions.

"Distilling System 2 into System 1" (https://arxiv.org/abs/2407.06023) trains only on answers that pass an
unsupervised check. Its three checks are here: the majority of several samples, agreement under swapped order,
and Universal Self-Consistency (https://arxiv.org/abs/2311.17311), where the model itself picks the candidate
that agrees most with the others. The wording of the USC prompt is ours.

The input is parsed answers and texts. (Voting at inference, which must always give a response, is
`harness.programs.self_consistency`.)
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from harness.errors import UserError

USC = (
    "Question:\n{question}\n\n"
    "Here are {count} candidate answers to this question.\n\n"
    "{candidates}\n\n"
    "Compare the candidates. Which one agrees best with what most of them say? "
    'Reply with one line, "Candidate:" and the number of that candidate.'
)
CANDIDATE = "Candidate {number}:\n{text}"


@dataclass(frozen=True)
class Vote:
    """The result of a check of one input's samples."""

    answer: str | None
    """The answer that passed; None if the input is dropped."""
    count: int
    """Samples with the leading answer, whether it passed or not."""
    total: int
    """Samples drawn, failures included."""
    margin: float
    """The lead of the leading answer over the next one, as a share of all samples drawn (0 to 1)."""
    reason: str | None
    """Why the input is dropped: `no_majority`, `all_failed`, `order_inconsistent`, `tie`; None if kept."""


def majority(answers: Sequence[str | None], threshold: float = 0.5) -> Vote:
    """The answer of more than `threshold` of all samples drawn (paper, self-consistency of outputs).

    `answers` has one parsed answer per sample, None for a sample that failed or had no answer: it counts
    among the samples drawn and never votes. So 4 of 8 is not a majority, whatever the other 4 say; answers
    that tie for the lead are dropped at any threshold. UserError unless 0 <= threshold < 1.
    """
    if not 0 <= threshold < 1:
        raise UserError(
            f"A majority threshold of {threshold} cannot be used: give a share from 0 to below 1."
        )
    total = len(answers)
    ranked = Counter(answer for answer in answers if answer is not None).most_common(2)
    if not ranked:
        return Vote(None, 0, total, 0.0, "all_failed")
    answer, count = ranked[0]
    behind = ranked[1][1] if len(ranked) > 1 else 0
    margin = (count - behind) / total
    # In floats 0.29 * 100 is below 29, and 29 of 100 would pass as more than .29.
    if count == behind or Fraction(count, total) <= Fraction(str(threshold)):
        return Vote(None, count, total, margin, "no_majority")
    return Vote(answer, count, total, margin, None)


def swap_consistent(
    answer_first: str | None,
    answer_swapped: str | None,
    swap: Callable[[str], str],
    keep_ties: bool = True,
) -> Vote:
    """Whether both orders of a pair name the same winner (paper, consistency under input perturbation).

    `answer_first` is the answer to the pair, `answer_swapped` the answer to the pair with exchanged
    responses, each the majority of its order or None; `swap` returns the answer with the same meaning in the
    other order. The vote's answer is the one for the pair itself. An answer that is its own swap is a tie:
    two ties agree, and are kept unless `keep_ties` is false. Without an answer to one of the orders the
    reason is `no_majority`, to both `all_failed`.
    """
    given = [answer for answer in (answer_first, answer_swapped) if answer is not None]
    if answer_first is None or answer_swapped is None:
        return Vote(None, len(given), 2, len(given) / 2, "no_majority" if given else "all_failed")
    if swap(answer_swapped) != answer_first:
        return Vote(None, 1, 2, 0.0, "order_inconsistent")
    if not keep_ties and swap(answer_first) == answer_first:
        return Vote(None, 2, 2, 1.0, "tie")
    return Vote(answer_first, 2, 2, 1.0, None)


def usc_prompt(question: str, candidates: Sequence[str]) -> str:
    """The prompt that shows all candidates, numbered from 1, and asks for the most consistent one."""
    shown = (CANDIDATE.format(number=number, text=text.strip()) for number, text in enumerate(candidates, 1))
    return USC.format(question=question, count=len(candidates), candidates="\n\n".join(shown))


def usc_fit(question: str, candidates: Sequence[str], fits: Callable[[str], bool]) -> list[str]:
    """The candidates to show: all, else the first half, else one; `fits` says whether a prompt fits.

    The paper shows 20, or 10 if 20 overflow the context, and else takes one at random. Samples come in random
    order, so the first one is a random choice without a model call: a list of length 1 is the choice.
    """
    for count in (len(candidates), len(candidates) // 2):
        shown = list(candidates[:count])
        if len(shown) > 1 and fits(usc_prompt(question, shown)):
            return shown
    return list(candidates[:1])


def parse_usc(text: str, count: int) -> int | None:
    """Index (from 0) of the candidate that the model picked of `count`; None if it names none.

    The last number after `Candidate` counts (`Response` and `Answer` are accepted as well), else a single
    number in the text. Accepts any text; a number out of range is not a choice.
    """
    named = re.findall(r"(?:candidate|response|answer)[^\w\n]{0,8}(\d{1,4})(?!\d)", text, re.IGNORECASE)
    numbers = named[-1:] or re.findall(r"\d+", text)
    if len(numbers) != 1 or len(numbers[0]) > 4:
        return None
    picked = int(numbers[0])
    return picked - 1 if 1 <= picked <= count else None
