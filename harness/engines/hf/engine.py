"""The `hf` engine: transformers with PEFT adapters, in one process.

It plans batches from the full list of waiting requests and puts rows of similar length and with shared
beginnings together. Finished rows cost no decode steps (decode.py). Adapters are PEFT adapters on the one
loaded model, switched per batch.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from harness.engines.base import AdapterInfo, Engine, ModelInfo, too_long
from harness.engines.chat import PROBE, Chat, require_change
from harness.engines.hf.adapters import adapter_hash, check_adapter
from harness.engines.hf.alone import decode_alone
from harness.engines.hf.decode import decode_batch
from harness.engines.hf.guard import STOCK, Verdict, Way, look
from harness.engines.hf.linear import exchange_operands, multiply_at_once
from harness.engines.hf.load import attentions, context_length, load_config, load_model, loading
from harness.engines.hf.memory import Halving, budget_from_memory, is_out_of_memory
from harness.engines.hf.passes import Passes
from harness.engines.hf.prefixes import plan_batches
from harness.engines.hf.rows import Row
from harness.engines.hf.settings import check_arguments, pick_dtype
from harness.errors import RunError, UserError, first_line, one_line
from harness.models.source import ModelSource, weights_fingerprint
from harness.progress import say
from harness.types import Completion, FinishReason, Message, Request, Settings, stable_hash
from results import schema

_STOP_WINDOW = 8
"""Ids to check beyond the byte length of a stop string; an id holds at least one byte."""


class HuggingFaceEngine(Engine):
    """See the module. Build it with `load`."""

    name = "hf"

    def __init__(
        self, info: ModelInfo, model: Any, chat: Chat, arguments: Settings, verdict: Verdict
    ) -> None:
        """`verdict` says how the model may be batched (guard.py)."""
        super().__init__(info)
        self._model = model
        self._chat = chat
        self._tokenizer = chat.tokenizer
        self._arguments = arguments
        self._verdict = verdict
        self._end_ids = chat.end_ids
        self._pad_id = _pad_id(chat)
        self._token_budget = int(arguments["batch_tokens"]) or budget_from_memory(model)
        self._halving = Halving()
        self._adapters: list[str] = []
        self._rows: list[Row] = []
        """Rows of the batch in progress."""

    @classmethod
    def load(cls, source: ModelSource, arguments: Settings) -> HuggingFaceEngine:
        """Loads weights and tokenizer, and finds out how the model may be batched. UserError if it cannot
        be loaded, has no chat template, or cannot generate."""
        from transformers.utils import logging as transformers_logging

        settings = check_arguments(arguments)
        transformers_logging.disable_progress_bar()
        device = str(settings["device"])
        dtype = pick_dtype(source.dtype, device)
        with loading(source):
            config = load_config(source)
            choice = attentions(config, str(settings["attention"]), source.trust_remote_code)
            model = load_model(source, config, dtype, device, choice[0])
            chat = Chat.load(source, model.generation_config)
        if device == "cpu":
            exchange_operands(model)
            multiply_at_once(model.get_output_embeddings())
        longest = context_length(model.config, chat.tokenizer)
        try:
            verdict = look(model, chat.prompt_ids(STOCK), _pad_id(chat), longest, choice)
        except UserError as error:
            raise UserError(f"--pretrained {source.name}: {error}") from error
        if verdict.note:
            say(f"{source.name}: {verdict.note}")
        commit = getattr(model.config, "_commit_hash", None)
        info = ModelInfo(
            name=source.name,
            fingerprint=stable_hash([weights_fingerprint(source, commit), str(dtype)]),
            parameters=sum(parameter.numel() for parameter in model.parameters()),
            dtype=str(dtype).removeprefix("torch."),
            template_hash=chat.template_hash,
            context_length=longest,
            folder=source.location,
        )
        return cls(info, model, chat, settings, verdict)

    def prompt_ids(self, messages: Sequence[Message], thinking: bool = False) -> tuple[int, ...]:
        return self._chat.prompt_ids(messages, thinking)

    def target_ids(self, text: str) -> tuple[int, ...]:
        return self._chat.target_ids(text)

    def text_ids(self, text: str) -> tuple[int, ...]:
        return self._chat.text_ids(text)

    def plan(self, requests: Sequence[Request]) -> list[list[Request]]:
        alone = self._verdict.way is Way.ALONE
        return plan_batches(
            requests,
            1 if alone else int(self._arguments["batch_rows"]),
            self._token_budget,
            separate=lambda request: _length_class(request.sampling.max_tokens),
        )

    def generate(self, batch: Sequence[Request]) -> list[Completion]:
        began = time.perf_counter()
        rows = [
            Row(
                request.prompt_ids,
                request.sampling,
                request.seed,
                min(request.sampling.max_tokens, self.model.context_length - len(request.prompt_ids)),
            )
            for request in batch
        ]
        fitting = [row for row in rows if row.limit > 0]
        if fitting:
            self._switch(batch[0].adapter)
            self._rows = fitting
            try:
                self._halving.decode(fitting, self._decode, self.execution)
            finally:
                self._rows = []
        completions = [self._completion(row) for row in rows]
        self.execution.seconds += time.perf_counter() - began
        self.execution.generated_tokens += sum(done.generated_tokens for done in completions)
        self.execution.prompt_tokens += sum(done.prompt_tokens for done in completions)
        return completions

    def under_way(self) -> tuple[int, int]:
        rows = self._rows
        return sum(row.ended for row in rows), sum(len(row.generated) for row in rows)

    def _decode(self, rows: Sequence[Row]) -> None:
        if self._verdict.way is Way.ALONE:
            decode_alone(self._model, rows, self._end_ids, self._has_stop, self.execution)
        else:
            passes = Passes(self._model, self._pad_id, shares=self._verdict.way is Way.SHARED)
            decode_batch(passes, rows, self._end_ids, self._has_stop, self.execution)

    def _completion(self, row: Row) -> Completion:
        if row.limit <= 0:
            row.error = too_long(len(row.prompt_ids), self.model.context_length)
        if row.error is not None:
            return Completion(
                "", "error", len(row.prompt_ids), len(row.generated),
                prompt_ids=row.prompt_ids, generated_ids=tuple(row.generated), error=row.error,
            )  # fmt: skip
        text = self._chat.text(row.generated, row.sampling.stop, row.prompt_ids)
        reason: FinishReason = "stop" if row.ended_by_stop else "length"
        return Completion(
            text, reason, len(row.prompt_ids), len(row.generated),
            prompt_ids=row.prompt_ids, generated_ids=tuple(row.generated),
        )  # fmt: skip

    def _has_stop(self, row: Row) -> bool:
        window = max(len(stop.encode()) for stop in row.sampling.stop) + _STOP_WINDOW
        # Marks of a turn are special tokens in most templates, and tasks use them as stops.
        tail = self._tokenizer.decode(row.generated[-window:], skip_special_tokens=False)
        return any(stop in tail for stop in row.sampling.stop)

    def add_adapter(self, name: str, folder: Path) -> AdapterInfo:
        from peft import PeftModel

        check_adapter(folder, self._model)
        before = {each: self._probe_logits(each) for each in (None, *self._adapters)}
        noise = float((before[None] - self._probe_logits(None)).abs().max())
        try:
            # PEFT's warnings, such as missing tensors, were checked before.
            with warnings.catch_warnings(action="ignore"):
                # PEFT would compute adapters of a bfloat16 model in float32, which is slower than the model
                # itself on a CPU. Training and vLLM compute them in the model's dtype.
                if isinstance(self._model, PeftModel):
                    self._model.load_adapter(str(folder), adapter_name=name, autocast_adapter_dtype=False)
                else:
                    self._model = PeftModel.from_pretrained(
                        self._model, str(folder), adapter_name=name, autocast_adapter_dtype=False
                    )
        except Exception as error:  # PEFT raises many kinds for settings that it did not write
            if is_out_of_memory(error):
                raise RunError(
                    f"memory is too small for the adapter {folder} beside the model: evaluate fewer "
                    "variants at once, or use a machine with more, then repeat the command"
                ) from error
            raise UserError(
                f"{folder}: PEFT cannot load it ({one_line(first_line(error))}): check adapter_config.json, "
                "or make it again"
            ) from error
        self._model.eval()
        change = float((self._probe_logits(name) - before[None]).abs().max())
        require_change(folder, change, noise)
        for other, logits in before.items():
            self._require_unchanged(folder, other, logits, noise)
        self._adapters.append(name)
        return AdapterInfo(name, adapter_hash(folder), change, noise)

    def _require_unchanged(self, folder: Path, other: str | None, before: torch.Tensor, noise: float) -> None:
        """UserError if loading an adapter changed the model without it, or with another adapter."""
        moved = float((self._probe_logits(other) - before).abs().max())
        if not moved <= max(10 * noise, 1e-3 * float(before.std())):
            changed = "the model itself" if other is None else f"the adapter {other}"
            raise UserError(
                f"{folder}: loading it changed {changed} (a logit of the probe moved by {moved:.2g}), so "
                "other variants would be scored wrongly: merge it into a model (merge_and_unload) and name "
                "that folder"
            )

    def _probe_logits(self, adapter: str | None) -> torch.Tensor:
        self._switch(adapter)
        ids = torch.tensor([self.prompt_ids(PROBE)], device=self._model.device)
        with torch.inference_mode():
            logits: torch.Tensor = self._model(input_ids=ids, logits_to_keep=1).logits[0, -1]
        return logits.float().cpu()

    def _switch(self, adapter: str | None) -> None:
        from peft import PeftModel

        if not isinstance(self._model, PeftModel):
            return
        if adapter is None:
            self._model.base_model.disable_adapter_layers()
        else:
            self._model.base_model.enable_adapter_layers()
            self._model.set_adapter(adapter)

    def sleep(self) -> None:
        super().sleep()
        if self._model.device.type == "cuda":
            self._home = self._model.device
            self._model.to("cpu")
            torch.cuda.empty_cache()

    def wake(self) -> None:
        super().wake()
        if hasattr(self, "_home"):
            self._model.to(self._home)

    def facts(self) -> schema.Engine:
        facts: schema.Engine = {
            **super().facts(),
            "device": str(self._model.device),
            "batch_rows": self._arguments["batch_rows"],
            "batch_tokens": self._token_budget,
            "attention": self._verdict.attention,
            "batches": self._verdict.as_dict(),
        }
        if self._verdict.note:
            facts["notes"] = [self._verdict.note]
        return facts


def _pad_id(chat: Chat) -> int:
    pad: int | None = chat.tokenizer.pad_token_id
    return pad if pad is not None else min(chat.end_ids)


def _length_class(max_tokens: int) -> int:
    """Requests with very different maximum lengths do not share a batch: the short ones would hold memory
    for the long ones."""
    return (max_tokens - 1).bit_length()
