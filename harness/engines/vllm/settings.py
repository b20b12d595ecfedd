"""From --engine-args to vLLM's own engine arguments, and the environment that vLLM starts in.

Everything that vLLM's engine takes passes through, except what the options of a run already say. A wrong
name is told with the nearest right ones. Nothing here starts an engine.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from difflib import get_close_matches
from typing import Any

import psutil

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
    # A fork would copy the threads' locks of the tokenizer and of torch as they happen to be.
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
}

SAID_ELSEWHERE = {
    "model": "--pretrained",
    "tokenizer": "--pretrained",
    "served_model_name": "--pretrained",
    "revision": "--revision",
    "tokenizer_revision": "--revision",
    "dtype": "--dtype",
    "trust_remote_code": "--trust-remote-code",
    "seed": "--seed",
}
"""Arguments of vLLM that an option of the run decides."""

FIXED = {
    "skip_tokenizer_init": "stop strings need the tokenizer",
    "enable_lora": "adapters are enabled when there are some; max_lora_rank and max_loras may be given",
    "generation_config": "how tokens are drawn is said by --sampling, alike for all engines",
    "override_generation_config": "how tokens are drawn is said by --sampling, alike for all engines",
}
"""Arguments that the engine sets itself, and why."""

DEFAULTS: Settings = {
    "enable_prefix_caching": True,
    "disable_log_stats": True,
    "load_format": "safetensors",
    "max_loras": 8,
}

RANK_OF_A_SLEEPER = 16
"""What training makes unless asked otherwise."""

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""Values that vLLM takes for `max_lora_rank`."""


def set_environment() -> None:
    """Before vLLM is imported: telemetry off, its log on standard error."""
    os.environ.update(ENVIRONMENT)
    for name, value in ENVIRONMENT_UNLESS_SET.items():
        os.environ.setdefault(name, value)


@contextmanager
def own_environment() -> Iterator[None]:
    """vLLM writes into the environment what its workers need (on CPUs a preloaded allocator); they are
    started inside, and nothing else that this process starts later inherits it."""
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update({name: value for name, value in before.items() if os.environ.get(name) != value})


def check(arguments: Mapping[str, Any]) -> None:
    """UserError for an argument that vLLM does not have or that is said elsewhere."""
    from vllm.engine.arg_utils import AsyncEngineArgs

    known = {field.name: field.type for field in fields(AsyncEngineArgs)}
    for name, value in arguments.items():
        if name in SAID_ELSEWHERE:
            raise UserError(f"--engine-args {name}: say it with {SAID_ELSEWHERE[name]}")
        if name in FIXED:
            raise UserError(f"--engine-args {name}: leave it out; {FIXED[name]}")
        if name not in known:
            near = get_close_matches(name, known, n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else "see `vllm serve --help` for all"
            raise UserError(f"--engine-args {name}: vLLM's engine has no such argument; {hint}")
        _check_type(name, value, known[name])


def _check_type(name: str, value: Any, annotation: Any) -> None:
    """UserError for a value that the argument's own annotation does not hold: vLLM's error would not name
    the argument."""
    from pydantic import PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError

    try:
        TypeAdapter(annotation).validate_python(value)
    except ValidationError as error:
        reason = str(error.errors()[0]["msg"])
        raise UserError(f"--engine-args {name}={value}: {reason[:1].lower()}{reason[1:]}") from error
    except (PydanticSchemaGenerationError, PydanticUserError, NameError):
        return  # a type of vLLM's own: vLLM checks it when it starts


def least_rank(arguments: Mapping[str, Any]) -> int | None:
    """`max_lora_rank` before any adapter is known; None starts without adapters. A sleeping engine cannot
    make room for them later."""
    if arguments.get("enable_sleep_mode") or "max_lora_rank" in arguments:
        return int(arguments.get("max_lora_rank", RANK_OF_A_SLEEPER))
    return None


def engine_config(
    source: ModelSource, dtype: str, arguments: Mapping[str, Any], rank: int | None, adapters: int = 0
) -> Any:
    """vLLM's configuration, checked by vLLM, with room for adapters of `rank` (None: no adapters);
    `adapters` is how many are known. UserError with vLLM's reason."""
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.platforms import current_platform
    from vllm.usage.usage_lib import UsageContext

    settings = {**DEFAULTS, **_memory_on_cpus(arguments), **arguments}
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
        # The limits on rows and tokens of a step that vLLM gives to work without a user who waits.
        return asked.create_engine_config(UsageContext.LLM_CLASS)
    except (ValueError, TypeError, AssertionError, NotImplementedError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"vLLM refuses the model or --engine-args: {reason}") from error


def adapters_that_fit(config: Any) -> int | None:
    """How many adapters may ever be loaded with this configuration; None where any number may.

    vLLM's operations for CPUs (0.32) look up rows without an adapter at index -1, the last slot: an adapter
    there would be applied to the model's own rows. So the last slot stays empty, and since slots are
    filled from the first, that holds until all others are taken."""
    from vllm.platforms import current_platform

    return int(config.lora_config.max_loras) - 1 if current_platform.is_cpu() else None


def _memory_on_cpus(arguments: Mapping[str, Any]) -> Settings:
    """vLLM would take nine tenths of the machine for keys and values, or fail where others use some. An
    eighth, as the `hf` engine plans with, unless the user says."""
    from vllm.platforms import current_platform

    said = {"kv_cache_memory_bytes", "gpu_memory_utilization"} & arguments.keys()
    if not current_platform.is_cpu() or said or os.environ.get("VLLM_CPU_KVCACHE_SPACE"):
        return {}
    return {"kv_cache_memory_bytes": psutil.virtual_memory().total // 8}


def rank_that_fits(rank: int) -> int:
    """The least `max_lora_rank` that holds adapters of `rank`. UserError above vLLM's greatest."""
    for allowed in RANKS:
        if rank <= allowed:
            return allowed
    raise UserError(f"an adapter of rank {rank}: vLLM takes at most {RANKS[-1]}; use --engine hf")
