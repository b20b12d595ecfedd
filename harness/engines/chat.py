"""From messages to prompt ids and from generated ids to text, with the tokenizer of the model.

Every engine with a tokenizer uses this module, so all of them send the same ids, end at the same ids and cut
text at the same place (rules 1 and 2).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.errors import RunError, UserError
from harness.models.source import ModelSource
from harness.types import Message, stable_hash
from tasks import thoughts

PROBE: list[Message] = [{"role": "user", "content": "What is two plus two? Answer: "}]
"""An adapter must change the logits of this prompt (rule 3)."""

WORDS = " ".join(f"word{number}" for number in range(300))
"""A text that a chat template must render whole and unchanged."""

_TAIL = 32
"""How many ids at the end of a prompt are searched for the opening mark of a thought."""

_TAILS = 1000
"""How many ends of prompts are cached; most templates have one or two."""


def hub_options(source: ModelSource) -> dict[str, Any]:
    """Arguments for every `from_pretrained` of transformers."""
    return {"revision": source.revision, "trust_remote_code": source.trust_remote_code}


class Chat:
    """The tokenizer and template of one model."""

    def __init__(
        self, tokenizer: Any, end_ids: frozenset[int], date: datetime, marks: thoughts.Pair | None = None
    ) -> None:
        """`end_ids` end a turn. `date` is the date for templates that insert today's. `marks` open and
        close a thought, beside the known ones."""
        self.end_ids = end_ids
        self.tokenizer = tokenizer
        self._date = date
        self._marks = () if marks is None else (marks,)
        added = tokenizer.added_tokens_decoder
        special = {*tokenizer.all_special_ids, *(each for each, token in added.items() if token.special)}
        kept = {*thoughts.TOKENS, *(mark for pair in self._marks for mark in pair)}
        held = tokenizer.get_added_vocab()
        self._kept = {held[mark] for mark in kept & held.keys() if held[mark] in special} - end_ids
        """Special tokens that stay in the text: without them a thought looks like a reply."""
        self._dropped = special - self._kept
        self._tails: dict[tuple[int, ...], thoughts.Pair | None] = {}
        self._parts = False
        """Whether the template takes content as a list of parts."""
        end = tokenizer.eos_token_id
        self.turn_end: int | None = end if end is not None else min(end_ids, default=None)
        """The text that ends a turn of the model; targets end with it."""

    @classmethod
    def load(cls, source: ModelSource, generation_config: Any) -> Chat:
        """The tokenizer of `source`. `generation_config` may name more ids that end a turn. OSError or
        ValueError if there is no tokenizer, UserError if it has no usable chat template or no end of
        sequence."""
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
        chat = cls(tokenizer, ends, datetime.fromisoformat(source.date), source.thought_marks)
        try:
            chat._find_form(source.name)
            chat.prompt_ids(PROBE)
        except TemplateError as error:
            raise UserError(
                f"--pretrained {source.name}: its chat template cannot be used ({error}): "
                "fix tokenizer.chat_template"
            ) from error
        chat._find_end()
        return chat

    def _find_form(self, name: str) -> None:
        """Finds the form of content that the template renders: a string, or a list with one text part as
        in multimodal templates. UserError if it renders neither in full, TemplateError if it renders none."""
        from jinja2 import TemplateError

        refused: TemplateError | None = None
        for parts in (False, True):
            self._parts = parts
            try:
                rendered = self._rendered([{"role": "user", "content": WORDS}])
                # A template for strings prints a list as Python does.
                if WORDS in rendered and f"'{WORDS}'" not in rendered:
                    return
            except (TemplateError, TypeError) as error:
                # Most templates take strings, so the first error says more.
                refused = refused or (
                    error if isinstance(error, TemplateError) else TemplateError(str(error))
                )
        self._parts = False
        if refused:
            raise refused
        raise UserError(
            f"--pretrained {name}: its chat template leaves out or changes words of a user's message, so "
            "prompts would lack their question: fix tokenizer.chat_template"
        )

    def _find_end(self) -> None:
        """Finds the end of a turn: the template's text behind a reply, if that is one of the end ids."""
        from jinja2 import TemplateError

        try:
            turns = [*PROBE, {"role": "assistant", "content": WORDS}]
            behind = self._rendered(turns, add_generation_prompt=False).rpartition(WORDS)[2]
        except (TemplateError, TypeError):
            return
        ids = self.tokenizer(behind, add_special_tokens=False)["input_ids"]
        self.turn_end = next((each for each in ids if each in self.end_ids), self.turn_end)

    @property
    def template_hash(self) -> str:
        template = self.tokenizer.chat_template
        date = self._date.date().isoformat() if "strftime_now" in template else None
        return stable_hash([template, date])

    def prompt_ids(self, messages: Sequence[Message], thinking: bool = False) -> tuple[int, ...]:
        """Ids of the templated conversation, generation prompt included. RunError for two BOS ids."""
        encoded = self._templated(messages, tokenize=True, return_dict=True, enable_thinking=thinking)
        ids = tuple(encoded["input_ids"])
        bos = self.tokenizer.bos_token_id
        if bos is not None and ids[:2] == (bos, bos):
            raise RunError("the chat template puts two BOS ids before a prompt: remove one from the template")
        return ids

    def _rendered(self, messages: Sequence[Message], **more: Any) -> str:
        return str(self._templated(messages, tokenize=False, enable_thinking=False, **more))

    def _templated(self, messages: Sequence[Message], **more: Any) -> Any:
        form: Sequence[Any] = list(messages)
        if self._parts:
            form = [{**each, "content": [{"type": "text", "text": each["content"]}]} for each in messages]
        settings = {"add_generation_prompt": True, "strftime_now": self._date.strftime, **more}
        return self.tokenizer.apply_chat_template(form, **settings)

    def target_ids(self, text: str) -> tuple[int, ...]:
        """Ids of `text` and the end of turn. If the template opens a thought, the thought is closed first."""
        assert self.turn_end is not None
        ids = self.tokenizer(self._thought_end + text, add_special_tokens=False)["input_ids"]
        return (*ids, self.turn_end)

    def text_ids(self, text: str) -> tuple[int, ...]:
        """Ids of `text` in the middle of a turn: no beginning, no end."""
        return tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    @cached_property
    def _thought_end(self) -> str:
        """The closing mark before a direct answer, for templates that open a thought themselves."""
        opened = self._opened_by(self.prompt_ids(PROBE))
        return f"{opened[1]}\n\n" if opened else ""

    def text(self, ids: Sequence[int], stops: Sequence[str], prompt_ids: Sequence[int]) -> str:
        """The text of `ids`, cut before the first stop string. Special tokens are removed, except marks of
        thoughts. If the prompt ends with an opening mark, the text begins with it."""
        if self._kept.isdisjoint(ids):
            text: str = self.tokenizer.decode(ids, skip_special_tokens=True)
        else:
            text = self.tokenizer.decode([each for each in ids if each not in self._dropped])
        for stop in stops:
            text = text.split(stop, 1)[0]
        opened = self.opened_mark(prompt_ids)
        return f"{opened}\n{text}" if opened else text

    def opened_mark(self, prompt_ids: Sequence[int]) -> str:
        """The opening mark of a thought that the prompt leaves open; empty if there is none."""
        opened = self._opened_by(prompt_ids)
        return opened[0] if opened else ""

    def _opened_by(self, prompt_ids: Sequence[int]) -> thoughts.Pair | None:
        """The marks of a thought that the prompt leaves open."""
        tail = tuple(prompt_ids[-_TAIL:])
        if tail not in self._tails:
            if len(self._tails) >= _TAILS:
                self._tails.clear()
            self._tails[tail] = thoughts.opened_by(self.tokenizer.decode(tail), self._marks)
        return self._tails[tail]


def require_change(folder: Path, change: float, noise: float) -> None:
    """RunError if an adapter changed the probe by no more than float noise (rule 3), or to NaN or
    infinity."""
    if math.isnan(change):
        raise RunError(
            f"with the adapter in {folder} the model's logits are not finite: its training diverged; "
            "train it again with a lower --train-args learning_rate"
        )
    if change <= max(10 * noise, 1e-4):
        raise RunError(
            f"the adapter in {folder} does not change the model (largest change of a logit "
            f"{change:.1e}): it was trained for another model, or not at all"
        )
