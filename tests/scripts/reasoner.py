"""A scripted model that is right on 90 % of the questions where it reasons and on 40 % where it does not.

It reasons where it is asked for steps: several sentences that name other answers first, then the answer in
the form that the prompt asks for. Asked directly it answers in the form of the examples before the prompt, or
says the answer alone. What it was trained on shows the form of its targets, and it is then right on 90 %.
"""

import json
import re
from pathlib import Path

KNOWN = json.loads((Path(__file__).parent / "answers.json").read_text())
KEY = re.compile(r"K\d{3}")

REASONED = (
    "Let's look at what is given, sentence by sentence, 1. the shop and 2. what it keeps.\n\n"
    "At first sight one may think of {other}, as some do. That is not it, however, since it was said "
    "otherwise (see above). So we go on, and check the rest; it fits.\n\n"
    "Nothing else is left. {end}"
)


def right(key, of_ten):
    return (int(key[1:]) * 7) % 10 < of_ten


def respond(request, adapter):
    asked = request.messages[-1]["content"]
    key = KEY.findall(asked)[-1]
    good, bad = KNOWN[key]
    steps = "step by step" in asked.casefold()
    # Of several samples one in ten is wrong, whatever the question.
    unlucky = request.sampling.temperature > 0 and request.seed % 10 == 0
    knows = not unlucky if request.sampling.temperature > 0 else right(key, 9 if steps or adapter else 4)
    answer, other = (good, bad) if knows else (bad, good)
    if adapter:
        return taught(adapter).replace("{answer}", answer)
    if steps:
        return REASONED.format(other=other, end=asked_form(asked).replace("{answer}", answer))
    return shown(request.messages[:-1]).replace("{answer}", answer)


def taught(adapter):
    """The form of a target, from an example and what is known of its answer."""
    prompt, target = next(iter(adapter.examples.items()))
    for answer in KNOWN[KEY.findall(prompt)[-1]]:
        if answer in target:
            return target.replace(answer, "{answer}")
    return target


def asked_form(prompt):
    finish = re.search(r"Finish with (.*?)\.?\s*$", prompt, re.DOTALL)
    if finish is None:
        return "The answer is {answer}."
    quoted = re.search(r'"([^"]+)"', finish[1])[1]
    return quoted.replace("X", "{answer}") if "X" in quoted else quoted + "{answer}"


def shown(turns):
    """The form of the last worked example's end, or the answer alone."""
    replies = [turn["content"] for turn in turns if turn["role"] == "assistant"]
    if not replies:
        return "{answer}"
    line = replies[-1].strip().splitlines()[-1]
    end = re.split(r"(?<=[.!?])\s+(?=The answer)", line)[-1]
    worked = "It is worked out as before. "
    if "$" in end:
        return worked + "\n" + re.sub(r"\$[^$]*\$", "${answer}$", end, count=1)
    return worked + "\n" + re.sub(r"-?\d+", "{answer}", end)
