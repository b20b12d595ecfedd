"""From --engine-args to vLLM's engine arguments, and the environment that vLLM starts in.

All arguments of vLLM's engine are passed through, except those that options of the run set. An error for a
wrong name lists the nearest right ones. Nothing here starts an engine.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from difflib import get_close_matches
from typing import Any

import psutil

from harness.engines.vllm.install import require
from harness.errors import UserError
from harness.models.source import ModelSource
from harness.types import Settings

ENVIRONMENT = {
    # Nothing is sent anywhere.
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
}
ENVIRONMENT_UNLESS_SET = {
    # Standard output belongs to the card and the last JSON line.
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
    "VLLM_LOGGING_LEVEL": "ERROR",
    # A fork would copy locked locks of the tokenizer's and torch's threads.
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
}

SET_BY_OPTIONS = {
    "model": "--pretrained",
    "tokenizer": "--pretrained",
    "served_model_name": "--pretrained",
    "revision": "--revision",
    "tokenizer_revision": "--revision",
    "dtype": "--dtype",
    "trust_remote_code": "--trust-remote-code",
    "seed": "--seed",
}
"""Arguments of vLLM -> the option of the run that sets them."""

FIXED = {
    "skip_tokenizer_init": "stop strings need the tokenizer",
    "enable_lora": "adapters are enabled when there are some; max_lora_rank and max_loras may be given",
    "generation_config": "--sampling sets how tokens are drawn, alike for all engines",
    "override_generation_config": "--sampling sets how tokens are drawn, alike for all engines",
}
"""Arguments that the engine sets itself, and why."""

DEFAULTS: Settings = {
    "enable_prefix_caching": True,
    "disable_log_stats": True,
    "load_format": "safetensors",
    "max_loras": 8,
}

DEFAULT_LORA_RANK = 16
"""The rank of an adapter from training with default settings."""

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""Values that vLLM accepts for `max_lora_rank`."""


def set_environment() -> None:
    """Prepares the environment before vLLM is imported: telemetry off, its log on standard error."""
    os.environ.update(ENVIRONMENT)
    for name, value in ENVIRONMENT_UNLESS_SET.items():
        os.environ.setdefault(name, value)


@contextmanager
def own_environment() -> Iterator[None]:
    """Undoes changes of the environment at the end. vLLM writes into it what its workers need (on CPUs a
    preloaded allocator). Workers start inside the block; later processes do not inherit it."""
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update({name: value for name, value in before.items() if os.environ.get(name) != value})


def check_arguments(arguments: Mapping[str, Any]) -> None:
    """UserError if vLLM is missing, and for an argument that it does not have or that an option of the run
    sets."""
    require()
    set_environment()
    from vllm.engine.arg_utils import AsyncEngineArgs

    known = {field.name: field.type for field in fields(AsyncEngineArgs)}
    for name, value in arguments.items():
        if name in SET_BY_OPTIONS:
            raise UserError(f"--engine-args {name}: use {SET_BY_OPTIONS[name]} instead")
        if name in FIXED:
            raise UserError(f"--engine-args {name}: leave it out; {FIXED[name]}")
        if name not in known:
            near = get_close_matches(name, known, n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else "see `vllm serve --help` for all"
            raise UserError(f"--engine-args {name}: vLLM's engine has no such argument; {hint}")
        _check_type(name, value, known[name])


def _check_type(name: str, value: Any, annotation: Any) -> None:
    """UserError for a value that does not match the argument's annotation: vLLM's error would not name the
    argument."""
    from pydantic import PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError

    try:
        TypeAdapter(annotation).validate_python(value)
    except ValidationError as error:
        reason = str(error.errors()[0]["msg"])
        raise UserError(f"--engine-args {name}={value}: {reason[:1].lower()}{reason[1:]}") from error
    except (PydanticSchemaGenerationError, PydanticUserError, NameError):
        return  # vLLM's own type: vLLM checks it when it starts


def least_rank(arguments: Mapping[str, Any]) -> int | None:
    """`max_lora_rank` before any adapter is known; None starts without adapters. An engine with sleep mode
    cannot make room for them later."""
    if arguments.get("enable_sleep_mode") or "max_lora_rank" in arguments:
        return int(arguments.get("max_lora_rank", DEFAULT_LORA_RANK))
    return None


def engine_config(
    source: ModelSource, dtype: str, arguments: Mapping[str, Any], rank: int | None, adapters: int = 0
) -> Any:
    """vLLM's configuration, checked by vLLM, with room for adapters of `rank` (None: no adapters);
    `adapters` is how many are known. UserError with vLLM's reason."""
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.platforms import current_platform
    from vllm.usage.usage_lib import UsageContext

    settings = {**DEFAULTS, **_on_cpus(arguments), **arguments}
    if rank is None:
        settings.pop("max_loras")
    else:
        settings.update(enable_lora=True, max_lora_rank=rank)
        if current_platform.is_cpu():
            settings["max_loras"] = max(settings["max_loras"], adapters) + 1
    try:
        asked = AsyncEngineArgs(
            model=source.location,
            revision=source.revision,
            tokenizer_revision=source.revision,
            trust_remote_code=source.trust_remote_code,
            dtype=dtype,
            generation_config="vllm",
            **settings,
        )
        # vLLM's default limits on rows and tokens of a step for work without a waiting user.
        return asked.create_engine_config(UsageContext.LLM_CLASS)
    except (ValueError, TypeError, AssertionError, NotImplementedError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"vLLM refuses the model or --engine-args: {reason}") from error


def adapters_that_fit(config: Any) -> int | None:
    """How many adapters may ever be loaded with this configuration; None: any number.

    vLLM's operations for CPUs (0.32) look up rows without an adapter at index -1, the last slot: an adapter
    there would be applied to the model's own rows. So the last slot must stay empty, and since slots are
    filled from the first, it stays empty until all others are taken.
    """
    from vllm.platforms import current_platform

    return int(config.lora_config.max_loras) - 1 if current_platform.is_cpu() else None


def _on_cpus(arguments: Mapping[str, Any]) -> Settings:
    """What vLLM (0.32) needs on CPUs, unless the user sets it.

    Memory for keys and values is an eighth of the machine, as in the `hf` engine: vLLM would take nine
    tenths, or fail if other processes use some. A prompt stays in one step: if vLLM splits that of a call
    that is sampled with a seed, it rewinds the call's random generator. torch cannot do that on CPUs, and
    the engine ends.
    """
    from vllm.platforms import current_platform

    if not current_platform.is_cpu():
        return {}
    found: Settings = {"enable_chunked_prefill": False}
    said = {"kv_cache_memory_bytes", "gpu_memory_utilization"} & arguments.keys()
    if not said and not os.environ.get("VLLM_CPU_KVCACHE_SPACE"):
        found["kv_cache_memory_bytes"] = psutil.virtual_memory().total // 8
    return found


def rank_that_fits(rank: int) -> int:
    """The smallest `max_lora_rank` for adapters of `rank`. UserError above vLLM's largest."""
    for allowed in RANKS:
        if rank <= allowed:
            return allowed
    raise UserError(f"an adapter of rank {rank}: vLLM takes at most {RANKS[-1]}; use --engine hf")
