"""Rephrase and Respond (Deng et al., https://arxiv.org/abs/2311.04205), in one call or in two.

The structure is the paper's. The wording `paper` is the paper's too (and `rar_1step_paper`, `rar_2step_paper`
are methods, so that `--models s2:rar_2step_paper` runs it); `default` and `tiny` are ours. A task that needs
another wording passes templates as options.

A task's description and worked examples, which lm-eval puts before a prompt, reach only the second of the two
calls: they show answers, and the first call must not give one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.errors import UserError
from harness.programs.base import Program, fill, method
from harness.programs.wording import DEFAULT, REASON_FIRST, Examples, after_examples, chosen
from harness.types import Ask, Completion, Item, user

PAPER = "https://arxiv.org/abs/2311.04205"


@dataclass(frozen=True)
class TwoSteps:
    """Prompts of both calls; `respond_rephrased` is the second one if it shows only the rephrasing."""

    rephrase: str
    respond: str
    respond_rephrased: str
    examples: Examples = ()
    """Questions and their rephrasings, shown before the first prompt."""


REPHRASED: Examples = (
    (
        'Put the first letters of the words in "olive tent radio" in a row.',
        'The words are "olive", "tent" and "radio", in this order. Take the first letter of each of these '
        "words. Put these letters in a row, in the same order. What do you get?",
    ),
    (
        "A lamp is off. Ottokar presses the switch. Siobhan does not press the switch. Is the lamp off?",
        "A lamp is off at first. Then Ottokar presses the switch. Then Siobhan does not press the switch. "
        "Each press of the switch changes the lamp, from off to on or from on to off. Is the lamp off after "
        "all this?",
    ),
    (
        "A crate holds 24 bottles. Wystan buys 3 crates and gives 10 bottles away. How many are left?",
        "One crate holds 24 bottles. Wystan buys 3 of these crates. From all of these bottles he gives 10 "
        "away. How many bottles are left after that?",
    ),
)
"""Our examples: the rephrasing keeps every name, number and condition of the question, and gives no
answer."""


ONE_STEP = {
    "default": (
        "{question}\n\nFirst restate this question in more detail; keep every fact, name and number of it. "
        "Then think step by step and write down your reasoning in several sentences. Only after it, in a "
        "last line of its own, give the answer. {finish}"
    ),
    "paper": "{question}\n\nRephrase and expand the question, and respond. {finish}",
    "tiny": "{question}\n\nFirst restate this question in more detail, then answer it. {finish}",
}
"""Prompts of `rar_1step`. Each adds the task's answer form to the paper's words."""

TWO_STEPS = {
    "default": TwoSteps(
        rephrase=(
            "{question}\n\n"
            "Write this question again in more detail. Keep every name, number and condition. Work nothing "
            "out and do not answer it."
        ),
        respond=f"{{question}}\n\nThe same question in more detail:\n{{rephrased}}\n\n{REASON_FIRST}",
        respond_rephrased=f"{{rephrased}}\n\n{REASON_FIRST}",
        examples=REPHRASED,
    ),
    "paper": TwoSteps(
        rephrase=(
            "{question}\n\n"
            "Given the above question, rephrase and expand it to help you do better answering. Maintain all "
            "information in the original question."
        ),
        respond=(
            "(original) {question}\n"
            "(revised) {rephrased}\n"
            "Use your answer for the rephrased question to answer the original question. {finish}"
        ),
        respond_rephrased="{rephrased}\n\n{finish}",
    ),
    "tiny": TwoSteps(
        rephrase=(
            "{question}\n\n"
            "Do not answer yet. Write this question again in more detail, so that it is easier to answer. "
            "Keep every fact of it. Reply with the new question alone."
        ),
        respond=(
            "Original question: {question}\n"
            "The same question in more detail: {rephrased}\n\n"
            "Answer the detailed question, and so the original one. {finish}"
        ),
        respond_rephrased="{rephrased}\n\n{finish}",
    ),
}
"""Prompts of `rar_2step`."""

QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "‘": "’", "«": "»", "„": "“"}


@method("rar_1step", "Rephrase and Respond in one call", steps=("respond",), paper=PAPER)
def rar_1step(item: Item, wording: str = DEFAULT, respond: str | None = None) -> Program:
    """One call. `respond` is a template with {question}, {answer_form} and {finish} that replaces the
    wording's."""
    template = respond or chosen(ONE_STEP, wording, "rar_1step")
    answer: Completion = yield Ask("respond", [user(fill(template, item))])
    return answer.text


@method("rar_1step_paper", "rar_1step in the words of its paper", steps=("respond",), paper=PAPER)
def rar_1step_paper(item: Item) -> Program:
    """Like `rar_1step`, but no option of a task changes the wording."""
    return (yield from rar_1step(item, "paper"))


@method(
    "rar_2step",
    "Rephrase and Respond in two calls: rewrite the question, then answer it",
    steps=("rephrase", "respond"),
    without_turns=("rephrase",),
    paper=PAPER,
)
def rar_2step(
    item: Item,
    wording: str = DEFAULT,
    rephrase: str | None = None,
    respond: str | None = None,
    show_original: bool = True,
) -> Program:
    """Two calls. The templates `rephrase` and `respond` may use {question}, {answer_form}, {finish};
    `respond` also {rephrased}.

    `show_original` picks one of the wording's two prompts for call 2; it must not contradict a `respond` that
    is given. An empty rephrasing leaves the question unchanged.
    """
    words = chosen(TWO_STEPS, wording, "rar_2step")
    if respond is None:
        respond = words.respond if show_original else words.respond_rephrased
    elif not show_original and "{question}" in respond:
        raise UserError(
            "Method rar_2step: show_original is false, but the wording `respond` uses {question}: "
            "take {question} out, or leave show_original true."
        )
    shown = after_examples(rephrase or words.rephrase, item, () if rephrase else words.examples)
    reply: Completion = yield Ask("rephrase", shown)
    rephrased = strip_quotes(reply.text) or item.question
    answer: Completion = yield Ask("respond", [user(fill(respond, item, rephrased=rephrased))])
    return answer.text


@method(
    "rar_2step_paper",
    "rar_2step in the words of its paper",
    steps=("rephrase", "respond"),
    without_turns=("rephrase",),
    paper=PAPER,
)
def rar_2step_paper(item: Item, rephrase: str | None = None, show_original: bool = True) -> Program:
    """Like `rar_2step`; a task may use another rephrasing, as the paper does for last letters."""
    return (yield from rar_2step(item, "paper", rephrase, show_original=show_original))


def strip_quotes(text: str) -> str:
    """`text` without one pair of quotes around all of it. Never raises.

    `"Is it up?"` loses them; `"Heads" or "tails"?` and `"heads" or "tails"` keep theirs, because the first
    quote is closed inside.
    """
    text = text.strip()
    if len(text) < 2 or QUOTES.get(text[0]) != text[-1]:
        return text
    inside = text[1:-1]
    # A quote after a letter and not before one closes: then the first quote does not belong to the last.
    marks = re.search(rf"[{re.escape(text[0] + text[-1])}]", inside)
    if marks is not None:
        before, after = inside[: marks.start()][-1:], inside[marks.end() :][:1]
        if before.strip() and not after.isalnum():
            return text
    return inside.strip()
