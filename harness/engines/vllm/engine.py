"""The `vllm` engine: vLLM's asynchronous engine in this process, its workers in child processes.

Calls stream in and out (continuous.py); prefix caching computes the shared part of samples of one prompt
once. vLLM starts at the first call, and starts again if new adapters do not fit. So a run without adapters
does not pay for them. Tensor, pipeline and data parallel are vLLM's own, by --engine-args.
"""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from harness.engines.base import AdapterInfo, ModelInfo, too_long
from harness.engines.chat import PROBE, Chat, require_change
from harness.engines.continuous import ContinuousEngine, Result
from harness.engines.hf.adapters import adapter_hash, check_adapter
from harness.engines.vllm.adapters import Adapters
from harness.engines.vllm.guard import Guard
from harness.engines.vllm.model import describe
from harness.engines.vllm.settings import (
    adapters_that_fit,
    check_arguments,
    engine_config,
    least_rank,
    own_environment,
)
from harness.errors import RunError, UserError, first_line
from harness.models.source import ModelSource
from harness.types import Completion, FinishReason, Message, Request, Settings
from results import schema

CALLS_PER_ROW = 4
"""Calls in vLLM's queue for each one that it can run at once: enough that the queue is never empty."""


DIED = (
    "vLLM stopped working (its own lines above say why): repeat the command to go on; where memory ran out, "
    "lower max_num_seqs or gpu_memory_utilization in --engine-args"
)


class VllmEngine(ContinuousEngine):
    """See the module. Build it with `load`."""

    name = "vllm"

    def __init__(
        self, info: ModelInfo, chat: Chat, skeleton: Any, source: ModelSource, arguments: Mapping[str, Any]
    ) -> None:
        """`skeleton` is the model's modules without weights; `arguments` are the user's."""
        with own_environment():
            config = engine_config(source, info.dtype, arguments, least_rank(arguments))
        self._rows = int(config.scheduler_config.max_num_seqs)
        super().__init__(
            replace(info, context_length=int(config.model_config.max_model_len)),
            limit=CALLS_PER_ROW * self._rows * config.parallel_config.data_parallel_size,
        )
        self._chat = chat
        self._skeleton = skeleton
        self._source = source
        self._arguments = dict(arguments)
        self._adapters = Adapters()
        self._engine: Any = None
        self._guard: Guard | None = None
        self._rank: int | None = None
        self._fitting: int | None = None
        self._newest_at_start = 0
        self._numbers = count()

    @classmethod
    def load(cls, source: ModelSource, arguments: Settings) -> VllmEngine:
        """Loads all but the weights, which are loaded at the first call. UserError if vLLM is missing, an
        argument is wrong, or the model cannot be loaded."""
        check_arguments(arguments)
        return cls(*describe(source), source, arguments)

    def prompt_ids(self, messages: Sequence[Message], thinking: bool = False) -> tuple[int, ...]:
        return self._chat.prompt_ids(messages, thinking)

    def target_ids(self, text: str) -> tuple[int, ...]:
        return self._chat.target_ids(text)

    def text_ids(self, text: str) -> tuple[int, ...]:
        return self._chat.text_ids(text)

    # Calls

    async def complete(self, request: Request) -> Completion:
        from vllm.exceptions import VLLMClientError

        length = len(request.prompt_ids)
        room = self.model.context_length - length
        if room <= 0:
            return _refused(request, too_long(length, self.model.context_length))
        try:
            output = await self._ask(
                request.prompt_ids, self._sampling(request, room), self._adapters.request(request.adapter)
            )
        except VLLMClientError as error:
            return _refused(request, " ".join(f"vLLM refused the call: {error}".split()))
        said = output.outputs[0]
        ids = tuple(said.token_ids)
        if said.finish_reason not in {"stop", "length"}:
            raise RunError(f"vLLM gave a call up ({said.finish_reason}): repeat the command to continue")
        ended = said.finish_reason == "stop" or ids[-1] in self._chat.end_ids
        reason: FinishReason = "stop" if ended else "length"
        cached = min(output.num_cached_tokens or 0, length)
        self.execution.shared_prefix_tokens += cached
        text = self._chat.text(ids, request.sampling.stop, request.prompt_ids)
        return Completion(text, reason, length, len(ids), cached, request.prompt_ids, ids)

    def _sampling(self, request: Request, room: int) -> Any:
        """vLLM's parameters. vLLM's own text is used only to find stop strings. It contains special
        tokens, because tasks use some of them as stops."""
        from vllm import SamplingParams

        asked = request.sampling
        return SamplingParams(
            temperature=asked.temperature,
            top_p=asked.top_p,
            top_k=asked.top_k,
            seed=request.seed if asked.temperature > 0 else None,
            max_tokens=min(asked.max_tokens, room),
            stop=list(asked.stop),
            stop_token_ids=sorted(self._chat.end_ids),
            detokenize=bool(asked.stop),
            skip_special_tokens=False,
        )

    async def _ask(self, ids: Sequence[int], parameters: Any, adapter: Any) -> Any:
        """vLLM's output of one call. RunError if vLLM has died."""
        from vllm.exceptions import VLLMClientError, VLLMError
        from vllm.inputs import tokens_input
        from vllm.sampling_params import RequestOutputKind

        parameters.output_kind = RequestOutputKind.FINAL_ONLY
        answers = self._engine.generate(
            tokens_input(list(ids)), parameters, str(next(self._numbers)), lora_request=adapter
        )
        try:
            return [answer async for answer in answers][-1]
        except VLLMClientError:
            raise
        except VLLMError as error:
            raise RunError(DIED) from error

    async def _unless_dead(self, work: Coroutine[Any, Any, Result]) -> Result:
        """The result of one of vLLM's own commands, which a dead engine never answers: then RunError."""
        under_way = asyncio.ensure_future(work)
        while not under_way.done():
            await asyncio.wait({under_way}, timeout=1.0)
            if not under_way.done() and self._engine.errored:
                under_way.cancel()
                raise RunError(DIED)
        return under_way.result()

    # Adapters

    def add_adapter(self, name: str, folder: Path) -> AdapterInfo:
        """Adds an adapter as every engine does. Changes are measured on the log-probabilities of the probe
        prompt's tokens."""
        check_adapter(folder, self._skeleton)
        request = self._adapters.add(name, folder)
        try:
            self.prepare()
            self.call(self._load(request, folder))
            first, again, changed = (self.call(self._probe(each)) for each in (None, None, request))
            info = AdapterInfo(name, adapter_hash(folder), _apart(first, changed), _apart(first, again))
            require_change(folder, info.probe_change, info.probe_noise)
        except BaseException:
            self._adapters.drop(name)
            raise
        return info

    async def _load(self, request: Any, folder: Path) -> None:
        try:
            await self._unless_dead(self._engine.add_lora(request))
        except RunError:
            raise
        except Exception as error:  # vLLM passes on whatever its worker raised
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise UserError(
                f"{folder}: vLLM cannot load it ({reason[-1]}): make the adapter again with plain LoRA, "
                "or use --engine hf"
            ) from error

    async def _probe(self, adapter: Any) -> list[float]:
        """Log-probabilities of the probe prompt's tokens after the first. They are never cached."""
        from vllm import SamplingParams

        ids = self.prompt_ids(PROBE)
        parameters = SamplingParams(temperature=0.0, max_tokens=1, prompt_logprobs=1, detokenize=False)
        output = await self._ask(ids, parameters, adapter)
        found = output.prompt_logprobs[1:]
        return [entry[token].logprob for token, entry in zip(ids[1:], found, strict=True)]

    # Starting and stopping

    def prepare(self) -> None:
        """Starts vLLM, or restarts it if it has died or has no room for the adapters."""
        rank = max(least_rank(self._arguments) or 0, self._adapters.rank or 0) or None
        if self._engine is not None and (self._engine.errored or not self._has_room(rank)):
            self._stop()
        if self._engine is None:
            self._start(rank)

    def _has_room(self, rank: int | None) -> bool:
        if rank is None:
            return True
        if self._rank is None or self._rank < rank:
            return False
        return self._fitting is None or self._adapters.newest - self._newest_at_start <= self._fitting

    def _start(self, rank: int | None) -> None:
        with own_environment():
            config = engine_config(self._source, self.model.dtype, self._arguments, rank, len(self._adapters))
            self._guard = Guard()  # before the start, which takes minutes and may be killed too
            os.environ.update(self._guard.environment)
            try:
                self._engine = self.call(_started(config))
            except Exception as error:  # whatever the start of a worker can raise
                self._stop()
                raise RunError(
                    f"vLLM did not start ({first_line(error)}); its own lines above say why. Where memory is "
                    "short, try --engine-args max_model_len=4096 or another gpu_memory_utilization"
                ) from error
        self._guard.tell()
        self._rank = rank
        self._fitting = adapters_that_fit(config) if rank is not None else None
        # Adapters that are known now may be loaded again; later ones get later numbers.
        self._newest_at_start = self._adapters.newest - len(self._adapters)

    def _stop(self) -> None:
        """Ends vLLM's processes, which frees all of their memory."""
        engine, self._engine = self._engine, None
        if engine is not None:
            self.call(_shut_down(engine))
        if self._guard is not None:
            self._guard.dismiss()
            self._guard = None
        del engine
        gc.collect()

    def sleep(self) -> None:
        """With `enable_sleep_mode`, weights wait in host memory. Otherwise vLLM is stopped, since it must
        restart anyway to make room for the adapters from training."""
        super().sleep()
        if self._engine is not None and self._arguments.get("enable_sleep_mode"):
            self.call(self._unless_dead(self._engine.sleep(level=1)))
        else:
            self._stop()

    def wake(self) -> None:
        super().wake()
        if self._engine is not None:
            self.call(self._unless_dead(self._engine.wake_up()))

    def close(self) -> None:
        self.cancel()
        self._stop()
        super().close()

    def facts(self) -> schema.Engine:
        import vllm

        return {
            **super().facts(),
            "vllm": vllm.__version__,
            "arguments": self._arguments,
            "max_num_seqs": self._rows,
            "max_model_len": self.model.context_length,
        }


async def _started(config: Any) -> Any:
    """vLLM's engine, created on the event loop that it will use."""
    from vllm.usage.usage_lib import UsageContext
    from vllm.v1.engine.async_llm import AsyncLLM

    return AsyncLLM.from_vllm_config(config, usage_context=UsageContext.LLM_CLASS, disable_log_stats=True)


async def _shut_down(engine: Any) -> None:
    engine.shutdown()


def _refused(request: Request, reason: str) -> Completion:
    return Completion(
        "", "error", len(request.prompt_ids), 0, prompt_ids=request.prompt_ids, error=reason
    )  # fmt: skip


def _apart(first: Sequence[float], second: Sequence[float]) -> float:
    return max(abs(one - other) for one, other in zip(first, second, strict=True))
