"""The scripted model of paper_like.py with a fault at one call in a hundred, drawn from the call's key.

Equal calls have equal faults, so what a run should have recorded can be said afterwards (`fault_of`). Only
the crash of the engine itself happens once: S2D_TEST_CRASHES names the file of those that were had.
"""

from __future__ import annotations

import os
from pathlib import Path

from paper_like import respond as say

from harness.engines.scripted import ScriptedAdapter
from harness.types import FinishReason, Request

FAULTS: dict[str, str | tuple[str, FinishReason]] = {
    "error": ("", "error"),
    "empty": "",
    "spaces": "  \n\t ",
    "no text": "\ufffd\ud83d\x00\x1b[2J",
    "endless": "word " * 3000,
    "template": "<|im_end|>\n<|im_start|>assistant\n",
}
CRASH = "crash"
KINDS = (*FAULTS, CRASH)


def fault_of(key: str) -> str | None:
    """The fault of the call of this key, if it has one."""
    drawn = int(key[:12], 16)
    return KINDS[drawn // 100 % len(KINDS)] if drawn % 100 == 0 else None


def respond(request: Request, adapter: ScriptedAdapter | None) -> str | tuple[str, FinishReason]:
    fault = fault_of(request.key)
    if fault == CRASH:
        had = Path(os.environ["S2D_TEST_CRASHES"])
        if request.key not in had.read_text().split():
            with had.open("a") as file:
                file.write(f"{request.key}\n")
            raise RuntimeError("the engine broke down")
    elif fault is not None:
        return FAULTS[fault]
    return say(request, adapter)
