"""What every engine promises; the contract tests under tests/contract/ hold each one to it.

An engine turns messages into prompt ids and requests into completions, and counts token ids where they are
generated.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from harness.errors import UserError
from harness.types import Completion, Message, Request
from results import schema

BY_IDS = "a budget of reasoning (cot/64) goes on from ids: use --engine hf or vllm"


def adapter_name(*parts: object) -> str:
    """A name that every engine accepts: PEFT's modules refuse dots."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", "-".join(map(str, parts)))


def too_long(prompt_tokens: int, context_length: int) -> str:
    """The error of a prompt that leaves no room for an answer."""
    return f"the prompt has {prompt_tokens} tokens and the context {context_length}: the model was not asked"


@dataclass(frozen=True)
class ModelInfo:
    """What the manifest and the call keys record about a loaded model."""

    name: str
    fingerprint: str
    """Hash of weights, tokenizer and template: equal models have equal call keys (rule 6)."""
    parameters: int
    dtype: str
    template_hash: str
    context_length: int
    folder: str | None = None
    """Where training finds the same weights; None if the weights are not on this machine."""


@dataclass(frozen=True)
class AdapterInfo:
    """An adapter that the engine can switch on, and the proof that it does something (rule 3)."""

    name: str
    hash: str
    probe_change: float
    """Largest absolute change of a logit at the last position of the probe prompt."""
    probe_noise: float
    """The same difference between two passes without the adapter."""


@dataclass
class Execution:
    """What execution cost beyond the methods' requests (rule 1), in tokens or rows."""

    padding_tokens: int = 0
    decode_rows: int = 0
    """Rows in all decode steps, useful or not."""
    useful_decode_rows: int = 0
    shared_prefix_tokens: int = 0
    """Prompt tokens that were not computed because another row of the batch had the same prefix."""
    retries: int = 0
    splits: int = 0
    """How often memory ran out and a batch was halved."""
    seconds: float = 0.0
    generated_tokens: int = 0
    prompt_tokens: int = 0

    def add(self, other: Execution) -> None:
        """Count what another engine of the same run did."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))

    def as_dict(self) -> schema.Execution:
        """For the manifest."""
        return {
            "padding_tokens": self.padding_tokens,
            "decode_rows": self.decode_rows,
            "useful_decode_rows": self.useful_decode_rows,
            "shared_prefix_tokens": self.shared_prefix_tokens,
            "retries": self.retries,
            "splits": self.splits,
            "seconds": self.seconds,
            "generated_tokens": self.generated_tokens,
            "prompt_tokens": self.prompt_tokens,
            "useful_decode_share": self.useful_decode_rows / self.decode_rows if self.decode_rows else 1.0,
        }


@dataclass
class Engine(ABC):
    """Base of all engines. One loaded model serves all variants; adapters are switched per request."""

    model: ModelInfo
    execution: Execution = field(default_factory=Execution)
    awake: bool = True

    name = "abstract"
    same_batches_same_text = True
    """False where batch composition can change texts and varies between runs (architecture.md, section 6)."""

    @abstractmethod
    def prompt_ids(self, messages: Sequence[Message], thinking: bool = False) -> tuple[int, ...]:
        """Ids of the templated conversation, generation prompt included; never two BOS ids (rule 2)."""

    @abstractmethod
    def target_ids(self, text: str) -> tuple[int, ...]:
        """Ids that the model should generate for `text` and then stop. The last one ends the turn."""

    def text_ids(self, text: str) -> tuple[int, ...]:
        """Ids of `text` in the middle of a turn, for prompts that go on from generated ids. UserError where
        the engine does not take prompts as ids."""
        raise UserError(f"--engine {self.name} takes no prompts as ids: {BY_IDS}")

    @abstractmethod
    def plan(self, requests: Sequence[Request]) -> list[list[Request]]:
        """Splits all waiting requests into batches. A pure function of its argument, so that a resumed run
        plans the same batches again."""

    @abstractmethod
    def generate(self, batch: Sequence[Request]) -> list[Completion]:
        """Completions in the order of `batch`. A request that cannot be served becomes a completion with
        `finish_reason` "error", never an exception and never a silent cut."""

    def under_way(self) -> tuple[int, int]:
        """Calls of the batch in progress that have ended, and tokens that its calls have generated so far. It
        is for progress lines, which another thread prints. (0, 0) where an engine cannot tell."""
        return 0, 0

    def require_served(self, name: str, adapter: str | Path) -> None:
        """UserError where the weights are on a server that does not serve `adapter`, its own name of it or a
        folder, for the variant `name`."""
        return None  # noqa: RET501

    @abstractmethod
    def add_adapter(self, name: str, folder: Path) -> AdapterInfo:
        """Loads an adapter under `name`. RunError if it changes the probe's logits by no more than noise."""

    def learn(self, lessons: Mapping[Path, Mapping[str, str]]) -> bool:
        """Stores `lessons` (folder -> prompt -> answer) as checkpoints, for an engine that has no weights
        to train. False: the caller trains the weights in a child process."""
        return False

    def sleep(self) -> None:
        """Gives device memory back while training runs. Engines that hold device memory override it."""
        self.awake = False

    def wake(self) -> None:
        """Takes device memory again after `sleep`."""
        self.awake = True

    def close(self) -> None:
        """Releases the model."""
        self.awake = False

    def facts(self) -> schema.Engine:
        """What the manifest records about the engine."""
        return {"engine": self.name, "same_batches_same_text": self.same_batches_same_text}
