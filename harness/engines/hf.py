"""The `hf` engine: transformers with PEFT adapters, in one process.

Batches are planned from the full list of waiting requests, rows of like length and shared beginnings
together; finished rows cost no decode steps (hf_decode.py). Adapters are PEFT adapters on the one
loaded model, switched per batch. It knows nothing of tasks or programs.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from harness.engines.base import AdapterInfo, Engine, ModelInfo, too_long
from harness.engines.chat import PROBE, Chat, hub_options, require_change
from harness.engines.hf_adapters import adapter_hash, check_adapter
from harness.engines.hf_decode import Row, decode_batch
from harness.engines.hf_linear import exchange_operands
from harness.engines.hf_memory import Halving, budget_from_memory, is_out_of_memory
from harness.engines.hf_settings import check_arguments, pick_dtype
from harness.engines.sharing import plan_batches
from harness.errors import RunError, UserError
from harness.models import ModelSource, cache_folder, weights_fingerprint
from harness.types import Completion, FinishReason, Message, Request, stable_hash

_STOP_WINDOW = 8
"""Ids looked at beyond a stop string's length in bytes, of which an id holds at least one."""


class HuggingFaceEngine(Engine):
    """See the module. Build it with `load`."""

    name = "hf"

    def __init__(self, info: ModelInfo, model: Any, chat: Chat, arguments: dict[str, Any]) -> None:
        super().__init__(info)
        self._model = model
        self._chat = chat
        self._tokenizer = chat.tokenizer
        self._arguments = arguments
        self._end_ids = chat.end_ids
        pad = chat.tokenizer.pad_token_id
        self._pad_id = pad if pad is not None else min(chat.end_ids)
        self._token_budget = int(arguments["batch_tokens"]) or budget_from_memory(model)
        self._halving = Halving()

    @classmethod
    def load(cls, source: ModelSource, arguments: dict[str, Any]) -> HuggingFaceEngine:
        """Load weights and tokenizer. UserError where the model cannot be had or has no chat template."""
        from transformers import AutoModelForCausalLM
        from transformers.utils import logging as transformers_logging

        settings = check_arguments(arguments)
        transformers_logging.disable_progress_bar()
        device = str(settings["device"])
        dtype = pick_dtype(source.dtype, device)
        try:
            model, report = AutoModelForCausalLM.from_pretrained(
                source.location,
                dtype=dtype,
                attn_implementation=settings["attention"],
                use_safetensors=True,
                output_loading_info=True,
                **hub_options(source),
            )
            model.to(device).eval()
            chat = Chat.load(source, model.generation_config)
        except (UserError, RunError):
            raise
        except Exception as error:  # whatever transformers makes of a broken or foreign folder
            if is_out_of_memory(error):
                raise RunError(
                    f"memory does not suffice for the weights of {source.name}: choose a smaller model or a "
                    "machine with more, then repeat the command"
                ) from error
            reason = str(error).strip().splitlines() or [type(error).__name__]
            advice = _advice(source)
            if "trust_remote_code" in str(error):
                advice = "give --trust-remote-code if you trust its author with this machine"
            raise UserError(
                f"--pretrained {source.name} could not be loaded: {reason[0]} ({advice})"
            ) from error
        if missing := sorted(report["missing_keys"]):
            raise UserError(
                f"--pretrained {source.name} lacks {len(missing)} weights, first {missing[0]}: "
                "they would be random; fetch or save the model again"
            )
        if device == "cpu":
            exchange_operands(model)
        commit = getattr(model.config, "_commit_hash", None)
        info = ModelInfo(
            name=source.name,
            fingerprint=stable_hash([weights_fingerprint(source, commit), str(dtype)]),
            parameters=sum(parameter.numel() for parameter in model.parameters()),
            dtype=str(dtype).removeprefix("torch."),
            template_hash=chat.template_hash,
            context_length=_context_length(model, chat.tokenizer),
            folder=source.location,
        )
        return cls(info, model, chat, settings)

    def prompt_ids(self, messages: Sequence[Message], thinking: bool = False) -> tuple[int, ...]:
        return self._chat.prompt_ids(messages, thinking)

    def target_ids(self, text: str) -> tuple[int, ...]:
        return self._chat.target_ids(text)

    def plan(self, requests: Sequence[Request]) -> list[list[Request]]:
        return plan_batches(
            requests,
            int(self._arguments["batch_rows"]),
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
            self._halving.decode(fitting, self._decode, self.execution)
        completions = [self._completion(row) for row in rows]
        self.execution.seconds += time.perf_counter() - began
        self.execution.generated_tokens += sum(done.generated_tokens for done in completions)
        self.execution.prompt_tokens += sum(done.prompt_tokens for done in completions)
        return completions

    def _decode(self, rows: Sequence[Row]) -> None:
        decode_batch(self._model, rows, self._end_ids, self._has_stop, self._pad_id, self.execution)

    def _completion(self, row: Row) -> Completion:
        if row.limit <= 0:
            row.error = too_long(len(row.prompt_ids), self.model.context_length)
        if row.error is not None:
            return Completion(
                "", "error", len(row.prompt_ids), len(row.generated),
                prompt_ids=row.prompt_ids, generated_ids=tuple(row.generated), error=row.error,
            )  # fmt: skip
        text = self._chat.text(row.generated, row.sampling.stop)
        reason: FinishReason = "stop" if row.ended_by_stop else "length"
        return Completion(
            text, reason, len(row.prompt_ids), len(row.generated),
            prompt_ids=row.prompt_ids, generated_ids=tuple(row.generated),
        )  # fmt: skip

    def _has_stop(self, row: Row) -> bool:
        window = max(len(stop.encode()) for stop in row.sampling.stop) + _STOP_WINDOW
        # Marks of a turn are special tokens in most templates, and tasks name them as stops.
        tail = self._tokenizer.decode(row.generated[-window:], skip_special_tokens=False)
        return any(stop in tail for stop in row.sampling.stop)

    def add_adapter(self, name: str, folder: Path) -> AdapterInfo:
        from peft import PeftModel

        check_adapter(folder, self._model)
        without = [self._probe_logits(None) for _ in range(2)]
        try:
            if isinstance(self._model, PeftModel):
                self._model.load_adapter(str(folder), adapter_name=name)
            else:
                self._model = PeftModel.from_pretrained(self._model, str(folder), adapter_name=name)
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, MemoryError) as error:
            if is_out_of_memory(error):
                raise RunError(
                    f"memory does not suffice for the adapter {folder} beside the model: evaluate fewer "
                    "variants at once, or use a machine with more, then repeat the command"
                ) from error
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise UserError(
                f"{folder}: PEFT cannot load it ({reason[0]}): check adapter_config.json, or make it again"
            ) from error
        self._model.eval()
        noise = float((without[0] - without[1]).abs().max())
        change = float((self._probe_logits(name) - without[0]).abs().max())
        require_change(folder, change, noise)
        return AdapterInfo(name, adapter_hash(folder), change, noise)

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

    def facts(self) -> dict[str, Any]:
        return {
            **super().facts(),
            "device": str(self._model.device),
            "batch_rows": self._arguments["batch_rows"],
            "batch_tokens": self._token_budget,
            "attention": self._arguments["attention"],
        }


def _advice(source: ModelSource) -> str:
    if Path(source.location).is_relative_to(cache_folder()):
        return f"remove {source.location}, and the same command makes it again"
    return "give a hub id that can be reached, or a folder with config.json and safetensors"


def _context_length(model: Any, tokenizer: Any) -> int:
    text = model.config.get_text_config(decoder=True)
    configured = getattr(text, "max_position_embeddings", None)
    return int(configured or min(tokenizer.model_max_length, 1 << 20))


def _length_class(max_tokens: int) -> int:
    """Requests of unlike maximum length do not share a batch: the short ones would wait at its memory."""
    return (max_tokens - 1).bit_length()
