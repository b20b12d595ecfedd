"""A job is one program on one item; and what a program reads of a completion, and what counts of it.

The scheduler runs jobs. Nothing here asks a model or keeps a state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from harness.engines.base import AdapterInfo
from harness.programs.base import Method, Program, Vote
from harness.types import Completion, Item, Message, Sampling
from results.schema import CUT, SPENT
from tasks import thoughts

Finish = Callable[[str], tuple[str, bool]]
"""A program's last text -> the response, and whether a stop of the task left it without an answer."""


@dataclass(frozen=True, slots=True)
class Job:
    """One program on one item."""

    item: Item
    method: Method
    sampling: Callable[[str], Sampling]
    """Step kind -> sampling."""
    run_seed: int = 0
    sample_index: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)
    vote: Vote | None = None
    adapter: AdapterInfo | None = None
    repeat: int = 0
    """Jobs that differ only in this number make separate calls (the noise floor)."""
    history: tuple[Message, ...] = ()
    """Turns before each prompt, except in steps of `Method.without_turns`: a description or examples that
    lm-eval puts there for a task."""
    finish: Finish = lambda text: (text, False)
    """What to do with the text that the program ends with."""


class Call(NamedTuple):
    """The part of a request that is kept until its program continues: prompt ids are most of the memory of
    a wave."""

    key: str
    step: str
    messages: list[Message]
    budget: int | None = None
    """Tokens that the call may spend, where its maximum is a budget."""
    shared: int = 0
    """Ids at the beginning of its prompt that the call before counts already."""


def started(job: Job) -> Program:
    """The job's program, from its start."""
    turns = any(turn["role"] == "assistant" for turn in job.history)
    return job.method.start(job.item, job.options, job.vote, turns)


def counted(call: Call, completion: Completion) -> Completion:
    """A completion as its program's step counts it: a budget that was used up cut nothing, and ids that an
    earlier call has counted are not counted again (rule 1)."""
    spent = call.budget is not None and completion.generated_tokens >= call.budget
    if spent and completion.finish_reason == CUT:
        completion = replace(completion, finish_reason=SPENT)
    if call.shared:
        cached = completion.cached_tokens
        completion = replace(
            completion,
            prompt_tokens=completion.prompt_tokens - call.shared,
            cached_tokens=None if cached is None else max(0, cached - call.shared),
        )
    return completion


def without_ids(completion: Completion) -> Completion:
    """Ids are kept in the store; a large run must not hold them all in memory."""
    return replace(completion, prompt_ids=(), generated_ids=())


def without_thoughts(completion: Completion, thinking: bool) -> Completion:
    """The text of a completion that a program reads; its step keeps the whole text and all counts.

    If thinking was switched on and the text was cut without any mark, the opening mark is in the prompt.
    """
    opened = thinking and completion.finish_reason in (CUT, SPENT)
    reply = thoughts.split(completion.text, opened=opened).reply
    return completion if reply == completion.text else replace(completion, text=reply)
