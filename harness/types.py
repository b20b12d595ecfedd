"""The few types that everything in `harness` and `distill` shares, from item to completion.

Item -> program -> Ask -> Request -> engine -> Completion -> program -> response text. A large run holds a
million of these, so they have slots.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from results.schema import FinishReason, Settings

Message = dict[str, str]
"""A chat message: `{"role": ..., "content": ...}`."""


def _plain(value: Any) -> str:
    # The text of most other objects contains their address.
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no stable hash")


_CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_plain)


def user(text: str) -> Message:
    """A user turn. Programs put all their text here: templates without a system role drop system turns."""
    return {"role": "user", "content": text}


def stable_hash(value: Any, length: int = 16) -> str:
    """Hex digest of JSON-able `value`; equal for equal content on every machine. TypeError for a value
    without a JSON form."""
    return hashlib.sha256(_CANONICAL.encode(value).encode()).hexdigest()[:length]


def derive_seed(run_seed: int, item_id: str, step: str, sample_index: int) -> int:
    """Seed of one call, in [0, 2**31), from (run seed, item, step, sample): rule 10."""
    return int(stable_hash([run_seed, item_id, step, sample_index], 16), 16) % 2**31


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn. `temperature` 0 is greedy."""

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    """0: no limit."""
    max_tokens: int = 128
    stop: tuple[str, ...] = ()
    """Strings that end a completion; the text is cut before the first, the ids keep it."""

    def as_dict(self) -> Settings:
        return dict(vars(self))  # `asdict` copies deeply, which took a fifth of a call's accounting time


@dataclass(frozen=True, slots=True)
class Item:
    """One scored prompt: a question, one order of a pair, one template of a question."""

    item_id: str
    """Hash of the content."""
    cluster_id: str
    """Equal for items that share a question or a pair."""
    prompt: str
    """The user turn that System 1 gets."""
    question: str
    """The user's own text, without the instruction about the form of the answer."""
    answer_form: str
    """The form of an answer, as a noun phrase: `"Answer: " and then yes or no`; empty if the task has
    none."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """The whole row of the task, for programs that need its parts (judging: question, two responses)."""
    own_words: str = ""
    """What distinguishes the item from others of its task, if the row does not have it (`text`): the
    prompt without what all prompts share."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What a program yields: one call to the model."""

    step: str
    """Name of the step, unique among the asks that one program yields together."""
    messages: list[Message]
    max_tokens: int | None = None
    """None: the task's limit for this step."""
    stop: tuple[str, ...] = ()
    after: str | None = None
    """Name of the call just before, in this program, whose text goes on: the prompt is that call's prompt and
    generated ids and then `closing`. For engines that take prompt ids."""
    closing: str = ""
    """Behind the closing mark of a thought that is still open, which need not be named."""
    spends: bool = False
    """Whether `max_tokens` is a budget: where it is used up, the finish reason is `budget`."""


@dataclass(frozen=True, slots=True)
class Completion:
    """The result of one call. Token counts are of ids, up to and including the stop (rule 1)."""

    text: str
    """Decoded without special tokens, cut before a stop string."""
    finish_reason: FinishReason
    prompt_tokens: int
    generated_tokens: int
    cached_tokens: int | None = 0
    """Prompt tokens whose keys and values the engine already had, as the engine reports it; None if it
    does not."""
    prompt_ids: tuple[int, ...] = ()
    generated_ids: tuple[int, ...] = ()
    error: str | None = None
    """Why `finish_reason` is `error`, one line."""


@dataclass(frozen=True, slots=True)
class Request:
    """One call for the engine; `key` names it in the call store (rule 6)."""

    item_id: str
    step: str
    sample_index: int
    messages: list[Message]
    prompt_ids: tuple[int, ...]
    sampling: Sampling
    seed: int
    adapter: str | None = None
    """The engine's name for the adapter; None is the model itself."""
    key: str = ""


@dataclass(slots=True)
class Step:
    """A finished call as in the samples file."""

    name: str
    messages: list[Message]
    completion: Completion


@dataclass(slots=True)
class Response:
    """How one program ended on one item."""

    text: str
    steps: list[Step]
    error: str | None = None
    stopped: bool = False
    """Whether a stop of the task came before any answer."""

    @property
    def finish_reason(self) -> FinishReason:
        """Finish reason of the last call; `error` if the program or the engine failed."""
        if self.error is not None or not self.steps:
            return "error"
        return self.steps[-1].completion.finish_reason
