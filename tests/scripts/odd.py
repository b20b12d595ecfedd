"""A scripted model that says what no task asked for, one kind per prompt."""

from __future__ import annotations

from harness.engines.scripted import ScriptedAdapter
from harness.types import FinishReason, Request

SAYINGS: tuple[str | tuple[str, FinishReason], ...] = (
    "",
    " \n\t \u00a0\u200b ",
    "\ufffd\ud83d\x00\x1b[2J",
    "<|im_end|>\n<|im_start|>assistant\n<|endoftext|>",
    "word " * 10_000,
    ("", "error"),
    "Answer: ",
    "</script><b>none</b> =1+1 \\end{document}",
)


def respond(request: Request, adapter: ScriptedAdapter | None) -> str | tuple[str, FinishReason]:
    return SAYINGS[sum(request.prompt_ids) % len(SAYINGS)]
