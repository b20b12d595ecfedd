"""A scripted model that behaves as the paper found: direct answers poor, System 2 good, distilled good.

It knows the right answers from the questions themselves: the letters of the words, the parity of flips.
"""

from __future__ import annotations

import re

from harness.engines.scripted import ScriptedAdapter
from harness.types import Request


def respond(request: Request, adapter: ScriptedAdapter | None) -> str:
    text = request.messages[-1]["content"]
    if request.step.endswith("rephrase"):
        # The flips stand in the original question already; shown twice they would be counted twice.
        return "Take the steps one by one." if "coin" in text else text.splitlines()[0]
    right = _right(text)
    if request.step == "direct":
        lucky = request.prompt_ids[-3] % 3 == 0 or sum(request.prompt_ids) % 3 == 0
        if adapter is not None:
            return f"Answer: {right}" if sum(request.prompt_ids) % 10 else "Answer: zz"
        return f"Answer: {right}" if lucky else "I am not sure about that one."
    if request.sampling.temperature > 0 and request.seed % 5 == 0:
        return "Let me see. Answer: zz"
    return f"Step by step, one after another, with some more words to count. Answer: {right}"


def _right(text: str) -> str:
    quoted = re.findall(r'"([A-Za-z]+(?: [A-Za-z]+)+)"', text)
    if "oncatenate" in text and quoted:
        return "".join(word[-1] for word in quoted[0].split()).lower()
    flips = len(re.findall(r"(?<!not )flips the coin", text))
    return "yes" if flips % 2 == 0 else "no"
