"""Self-consistency (Wang et al., https://arxiv.org/abs/2203.11171): k samples of any method, then a vote.

The name `cot*5` means five samples of `cot`; `self_consistency` alone is DEFAULT_INNER with DEFAULT_SAMPLES,
and `self_consistency(rar_2step)*8` names both. The k programs run side by side, and their steps are called
`1/reason`, `2/reason`, ...: a call's seed is made from its step's name, so every sample has its own.

At inference the most frequent parsed answer wins, so that every item has a response: the text of the first
sample with that answer; of equally frequent answers, the first one wins. A sample that failed or has no
answer never votes. If none votes, the response is the first text that there is, and the task scores it as
having no answer. (Distillation requires a majority: see `distill.teacher.filters.majority`.)

The sampling temperature is set elsewhere: at temperature 0 all samples are equal.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from harness.errors import RunError, UserError
from harness.programs.base import Method, Program, Running, Vote, family, get_method, method
from harness.types import Ask, Completion, Item, Settings

DEFAULT_INNER = "cot"
DEFAULT_SAMPLES = 5
NAME = re.compile(r"(?:self_consistency\((?P<wrapped>[^()*]+)\)|(?P<plain>[^()*]+))(?:\*(?P<k>[0-9]{1,4}))?")


@method(
    "self_consistency",
    f"k samples of a method and a vote; write METHOD*K (default {DEFAULT_INNER}*{DEFAULT_SAMPLES})",
    steps=("reason",),
    paper="https://arxiv.org/abs/2203.11171",
    inner=DEFAULT_INNER,
    votes=True,
)
def self_consistency(
    item: Item,
    method: str = DEFAULT_INNER,
    k: int = DEFAULT_SAMPLES,
    vote: Vote | None = None,
    curtail: bool = False,
    **options: Any,
) -> Program:
    """`k` programs of `method`, each with `options`, side by side; then `vote`, the task's answer rule. With
    `curtail` they start in waves, and no more of them once the winner is certain.

    UserError if `vote` is missing or `k` is below 1; RunError if all samples failed.
    """
    if vote is None:
        raise UserError(f"Method {method}*{k} needs the task's answer rule: start it with vote=SPEC.answer.")
    if k < 1:
        raise UserError(f"Method {method}*{k} needs at least one sample: write {method}*{DEFAULT_SAMPLES}.")
    inner = get_method(method)
    samples: list[_Sample] = []
    while more := _wave([sample.text for sample in samples], k, vote) if curtail else k - len(samples):
        samples += [_Sample(inner, item, options) for _ in range(more)]
        while any(sample.asks for sample in samples):
            waiting = [(number, ask) for number, sample in enumerate(samples, 1) for ask in sample.asks]
            completions = iter((yield [replace(ask, step=f"{number}/{ask.step}") for number, ask in waiting]))
            for sample in samples:
                sample.send([next(completions) for _ in sample.asks])
    texts = [sample.text for sample in samples if sample.text is not None]
    if not texts:
        raise RunError(f"All {k} samples of {method} failed, the first with: {samples[0].error}")
    return elect(texts, vote)


def _wave(texts: Sequence[str | None], k: int, vote: Vote) -> int:
    """How many samples to start next of `k`: the fewest after which the winner may be certain; 0 where it is.
    `texts` are those of the samples so far, None for a failed one."""
    left = k - len(texts)
    votes = Counter(answer for text in texts if text is not None and (answer := vote(text)) is not None)
    if left == 0 or (votes and keeps_its_lead(votes, left)):
        return 0
    (_, first), (_, second) = [*votes.most_common(2), ("", 0), ("", 0)][:2]
    return min(max((second + left - first + 1) // 2, 1), left)


def keeps_its_lead(votes: Counter[str], left: int) -> bool:
    """Whether the winner stays the winner whatever `left` more votes say. `votes` holds answers in the order
    in which they were seen: of equal counts, the one seen first wins."""
    winner, most = votes.most_common(1)[0]
    seen = list(votes)
    return most >= left and all(
        most > count + left or (most == count + left and seen.index(winner) < seen.index(answer))
        for answer, count in votes.items()
        if answer != winner
    )


def elect(texts: Sequence[str], vote: Vote) -> str:
    """The first of `texts` with the most frequent answer; the first text if none has an answer."""
    answers = [vote(text) for text in texts]
    counts = Counter(answer for answer in answers if answer is not None)
    if not counts:
        return texts[0]
    # Among equal counts, most_common keeps the order of insertion.
    return texts[answers.index(counts.most_common(1)[0][0])]


class _Sample:
    """One of the k programs: like `Running`, but a failure ends this sample and not the others."""

    def __init__(self, method: Method, item: Item, options: Settings) -> None:
        self.error: str | None = None
        self._running = Running(method.start(item, options), method.name)

    @property
    def asks(self) -> list[Ask]:
        return [] if self.error is not None else self._running.asks

    @property
    def text(self) -> str | None:
        return None if self.error is not None else self._running.text

    def send(self, completions: list[Completion]) -> None:
        """Continues, unless this sample waits for nothing."""
        if not completions:
            return
        failed = [completion for completion in completions if completion.finish_reason == "error"]
        if failed:
            self.error = failed[0].error or "the engine gave no reason"
        else:
            self._running.send(completions)


@family
def by_name(name: str) -> Method | None:
    """`NAME*K` and `self_consistency(NAME)[*K]` as a method; None for any other name."""
    parsed = NAME.fullmatch(name.strip())
    if parsed is None or not (parsed["wrapped"] or parsed["k"]):
        return None
    k = int(parsed["k"] or DEFAULT_SAMPLES)
    inner = get_method((parsed["wrapped"] or parsed["plain"]).strip())
    if inner.name == "self_consistency":
        inner = get_method(DEFAULT_INNER)
    if k < 1:
        raise UserError(f"Method {name!r} draws no sample: write {inner.name}*{DEFAULT_SAMPLES}.")
    return Method(
        name=f"{inner.name}*{k}",
        description=f"{k} samples of {inner.name} and a vote",
        steps=inner.steps,
        function=self_consistency,
        paper="https://arxiv.org/abs/2203.11171",
        thinking=inner.thinking,
        votes=True,
        shows_examples=inner.shows_examples,
        inner=inner.name,
        without_turns=inner.without_turns,
        fixed={"method": inner.name, "k": k},
    )
