"""`--engine-args` and `--dtype` for the `hf` engine, checked before a run folder exists."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from harness.engines.arguments import take_arguments
from harness.engines.hf.cache import ATTENTION, register
from harness.errors import UserError, first_line
from harness.types import Settings

DEFAULTS: Settings = {
    "batch_rows": 128,
    "batch_tokens": 0,
    "device": "auto",
    "attention": ATTENTION,
}
"""`batch_tokens` is the largest number of key-value positions in a batch; 0 uses what memory allows."""

_LEAST = {"batch_rows": 1, "batch_tokens": 0}


def check_arguments(arguments: Mapping[str, Any]) -> Settings:
    """The settings of `arguments` (--engine-args) over the defaults, with a `device` of this machine.
    UserError for settings that the engine cannot run with."""
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    settings = take_arguments(arguments, DEFAULTS, _LEAST)
    register()
    known = ["eager", *ALL_ATTENTION_FUNCTIONS.valid_keys()]
    attention = str(settings["attention"])
    # A name with a slash is a kernel on the hub, which transformers fetches.
    if attention not in known and "/" not in attention:
        raise UserError(
            f"--engine-args attention={attention}: transformers has no such attention; it has "
            f"{', '.join(sorted(known))}"
        )
    return {**settings, "device": _device(str(settings["device"]))}


def _device(asked: str) -> str:
    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=asked).item()
    except Exception as error:  # each backend of torch has its own errors
        raise UserError(
            f"--engine-args device={asked}: torch cannot use it on this machine ({first_line(error)}): leave "
            "it out, or give cpu, cuda or cuda:N"
        ) from error
    return asked


def pick_dtype(asked: str, device: str) -> torch.dtype:
    """`auto` is bfloat16 if the hardware multiplies it, else float32. UserError for other names."""
    names = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if asked in names:
        return names[asked]
    if asked != "auto":
        raise UserError(f"--dtype {asked} is not known: choose auto, {', '.join(names)}")
    if device.startswith("cuda"):
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    flags = Path("/proc/cpuinfo")
    has_bfloat16 = flags.is_file() and any(flag in flags.read_text() for flag in ("amx_bf16", "avx512_bf16"))
    return torch.bfloat16 if has_bfloat16 else torch.float32
