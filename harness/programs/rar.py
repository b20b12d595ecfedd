"""Rephrase and Respond (Deng et al., https://arxiv.org/abs/2311.04205), in one call or in two.

The structure is the paper's, the wording is ours. A task that needs another wording (last-letter has call 1
separate the words, and shows call 2 only the rephrased question) passes templates as options. Of the two
calls, a task's description and worked examples, which lm-eval puts before a prompt, reach the second alone:
they show answers, and the first must not give one.
"""

from __future__ import annotations

import re

from harness.errors import UserError
from harness.programs.base import Program, fill, method
from harness.types import Ask, Completion, Item, user

ONE_STEP = "{question}\n\nFirst restate this question in more detail, then answer it. {finish}"
REPHRASE = (
    "{question}\n\n"
    "Do not answer yet. Write this question again in more detail, so that it is easier to answer. "
    "Keep every fact of it. Reply with the new question alone."
)
RESPOND = (
    "Original question: {question}\n"
    "The same question in more detail: {rephrased}\n\n"
    "Answer the detailed question, and so the original one. {finish}"
)
RESPOND_REPHRASED = "{rephrased}\n\n{finish}"

QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "‘": "’", "«": "»", "„": "“"}


@method(
    "rar_1step",
    "Rephrase and Respond in one call",
    steps=("respond",),
    paper="https://arxiv.org/abs/2311.04205",
)
def rar_1step(item: Item, respond: str = ONE_STEP) -> Program:
    """One call. `respond` may use {question}, {answer_form} and {finish}."""
    answer: Completion = yield Ask("respond", [user(fill(respond, item))])
    return answer.text


@method(
    "rar_2step",
    "Rephrase and Respond in two calls: rewrite the question, then answer it",
    steps=("rephrase", "respond"),
    without_turns=("rephrase",),
    paper="https://arxiv.org/abs/2311.04205",
)
def rar_2step(
    item: Item, rephrase: str = REPHRASE, respond: str | None = None, show_original: bool = True
) -> Program:
    """Two calls. Templates may use {question}, {answer_form}, {finish}, and `respond` {rephrased}.

    `show_original` picks one of the two built-in wordings of call 2; with a `respond` of one's own, it must
    not contradict it. An empty rephrasing leaves the question as it was.
    """
    if respond is None:
        respond = RESPOND if show_original else RESPOND_REPHRASED
    elif not show_original and "{question}" in respond:
        raise UserError(
            "Method rar_2step: show_original is false, but the wording `respond` uses {question}: "
            "take {question} out, or leave show_original true."
        )
    reply: Completion = yield Ask("rephrase", [user(fill(rephrase, item))])
    rephrased = strip_quotes(reply.text) or item.question
    answer: Completion = yield Ask("respond", [user(fill(respond, item, rephrased=rephrased))])
    return answer.text


def strip_quotes(text: str) -> str:
    """`text` without one pair of quotes around the whole of it. Never raises.

    `"Is it up?"` loses them; `"Heads" or "tails"?` and `"heads" or "tails"` keep theirs, because the first
    quote is closed inside.
    """
    text = text.strip()
    if len(text) < 2 or QUOTES.get(text[0]) != text[-1]:
        return text
    inside = text[1:-1]
    # A mark after a letter and before none closes: then the first quote is not the partner of the last.
    marks = re.search(rf"[{re.escape(text[0] + text[-1])}]", inside)
    if marks is not None:
        before, after = inside[: marks.start()][-1:], inside[marks.end() :][:1]
        if before.strip() and not after.isalnum():
            return text
    return inside.strip()
