"""From messages to prompt ids and from generated ids to text, with the tokenizer of the model.

Every engine that holds a tokenizer goes through here, so all of them ask the same ids, end at the same
ids and cut text at the same place (rules 1 and 2). Nothing here knows weights or an engine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from harness.errors import RunError, UserError
from harness.models import ModelSource
from harness.types import Message, stable_hash

PROBE: list[Message] = [{"role": "user", "content": "What is two plus two? Answer: "}]
"""The prompt on which an adapter must change something (rule 3)."""


def hub_options(source: ModelSource) -> dict[str, Any]:
    """What every `from_pretrained` of transformers gets."""
    return {"revision": source.revision, "trust_remote_code": source.trust_remote_code}


class Chat:
    """The tokenizer and template of one model."""

    def __init__(self, tokenizer: Any, end_ids: frozenset[int], date: datetime) -> None:
        """`end_ids` end a turn; `date` is what templates that insert today's date insert."""
        self.end_ids = end_ids
        self.tokenizer = tokenizer
        self._date = date

    @classmethod
    def load(cls, source: ModelSource, generation_config: Any) -> Chat:
        """The tokenizer of `source`; `generation_config` names ids that end a turn beside the tokenizer's.
        OSError or ValueError where there is none, UserError where it cannot chat or end."""
        from jinja2 import TemplateError
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(source.location, **hub_options(source))
        if not tokenizer.chat_template:
            raise UserError(
                f"--pretrained {source.name} has no chat template: "
                "add one (tokenizer.chat_template) or use its instruction-tuned version"
            )
        configured = generation_config.eos_token_id
        several = configured if isinstance(configured, list) else [configured]
        ends = frozenset(end for end in [*several, tokenizer.eos_token_id] if end is not None)
        if not ends:
            raise UserError("the tokenizer has no end-of-sequence token: set tokenizer.eos_token")
        chat = cls(tokenizer, ends, datetime.fromisoformat(source.date))
        try:
            chat.prompt_ids(PROBE)
        except TemplateError as error:
            raise UserError(
                f"--pretrained {source.name}: its chat template cannot be used ({error}): "
                "mend tokenizer.chat_template"
            ) from error
        return chat

    @property
    def template_hash(self) -> str:
        template = self.tokenizer.chat_template
        date = self._date.date().isoformat() if "strftime_now" in template else None
        return stable_hash([template, date])

    def prompt_ids(self, messages: Sequence[Message], thinking: bool = False) -> tuple[int, ...]:
        """Ids of the templated conversation, generation prompt included. RunError for two BOS ids."""
        encoded = self.tokenizer.apply_chat_template(
            list(messages),
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            enable_thinking=thinking,
            strftime_now=self._date.strftime,
        )
        ids = tuple(encoded["input_ids"])
        bos = self.tokenizer.bos_token_id
        if bos is not None and ids[:2] == (bos, bos):
            raise RunError("the chat template puts two BOS ids before a prompt: remove one from the template")
        return ids

    def target_ids(self, text: str) -> tuple[int, ...]:
        """Ids of `text` and the end of turn."""
        end = self.tokenizer.eos_token_id
        last = end if end is not None else min(self.end_ids)
        return (*self.tokenizer(text, add_special_tokens=False)["input_ids"], last)

    def text(self, ids: Sequence[int], stops: Sequence[str]) -> str:
        """What `ids` say, without special tokens, cut before the first stop string."""
        text: str = self.tokenizer.decode(ids, skip_special_tokens=True)
        for stop in stops:
            text = text.split(stop, 1)[0]
        return text


def require_change(folder: Path, change: float, noise: float) -> None:
    """RunError where an adapter changed the probe by no more than float noise (rule 3), or to no numbers."""
    if math.isnan(change):
        raise RunError(
            f"with the adapter in {folder} the model's logits are no numbers: its training went astray, "
            "train it with a lower --train-args learning_rate"
        )
    if change <= max(10 * noise, 1e-4):
        raise RunError(
            f"the adapter in {folder} does not change the model (largest change of a logit "
            f"{change:.1e}): it was trained for another model, or not at all"
        )
