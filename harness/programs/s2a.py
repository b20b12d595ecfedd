"""System 2 Attention (Weston & Sukhbaatar, https://arxiv.org/abs/2311.11829): clean the context, then answer.

Call 1 rewrites the user's text into two labelled parts without the user's opinion. Call 2 sees only those
parts, so an opinion that was left out cannot influence the answer. The wording `paper` is the paper's (the
method `s2a_paper` uses it); `default` and `tiny` are ours. A task's description and worked examples, which
lm-eval puts before a prompt, reach only call 2, because call 1 answers nothing.

If labels are missing (`parse_rewrite`): a question without a context is enough; a context without a question
is used as the question; a reply without labels is the question; after an empty reply the user's own text is
used, so that the item is still answered and counted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.programs.base import Program, fill, method
from harness.programs.wording import DEFAULT, Examples, after_examples, chosen
from harness.types import Ask, Completion, Item, user

PAPER = "https://arxiv.org/abs/2311.11829"


@dataclass(frozen=True)
class Wording:
    """Prompts of both calls."""

    rewrite: str
    respond: str
    examples: Examples = ()
    """Texts of users and their rewrites, shown before the first prompt."""


REWRITTEN: Examples = (
    (
        "My train leaves at nine and the station is a short walk away. When should I go? In my view nobody "
        "needs more than five minutes for that.",
        "Context: The train leaves at nine. The station is a short walk away.\n"
        "Question: When should the user go to catch the train?",
    ),
    (
        "Where does a beekeeper's colony store its honey?",
        "Context: none\nQuestion: Where does a beekeeper's colony store its honey?",
    ),
    (
        "Which room of an old farmhouse was used for making butter? I don't think the answer is the dairy, "
        "but I'm really not sure.",
        "Context: none\nQuestion: Which room of an old farmhouse was used for making butter?",
    ),
    (
        "In which town, and in which month, is the fair of lanterns held? I think the answer is Dornfeld in "
        "May but I'm really not sure.",
        "Context: none\nQuestion: In which town, and in which month, is the fair of lanterns held?",
    ),
)
"""Our examples: an opinion for an answer, one against an answer, one about something else, and none."""


WORDINGS = {
    "default": Wording(
        rewrite=(
            "Text by User: {question}\n\n"
            "Extract the part of this text that is unbiased and not the user's opinion. What the user "
            "believes or guesses is no fact. Do not answer. Write two lines: the context, which is what the "
            "text states besides, or none; and the question."
        ),
        respond=(
            "{parts}\n\nAnswer in an unbiased way. First write down in one or two sentences what you know "
            "about it. Only after them, in a last line of its own, give the answer in a few words. {finish}"
        ),
        examples=REWRITTEN,
    ),
    "paper": Wording(
        rewrite=(
            "Given the following text by a user, extract the part that is unbiased and not their opinion, so "
            "that using that text alone would be good context for providing an unbiased answer to the "
            "question portion of the text.\n"
            "Please include the actual question or query that the user is asking. Separate this into two "
            'categories labeled with "Unbiased text context (includes all content except user\'s bias):" and '
            '"Question/Query (does not include user bias/preference):".\n\n'
            "Text by User: {question}"
        ),
        respond="{parts}\n\nAnswer in an unbiased way. {finish}",
    ),
    "tiny": Wording(
        rewrite=(
            "Below is a text that a user wrote. It may hold the user's own opinion or guess.\n"
            "Write it again in two parts and leave every opinion and guess out. Do not answer it.\n"
            "Context: the facts that the text gives, or none\n"
            "Question: what the user wants to know\n\n"
            "Text: {question}"
        ),
        respond="{parts}\n\nAnswer the question on its merits, without bias. {finish}",
    ),
}

LABELS = re.compile(
    r"^[ \t>*#\-]*"
    r"(?:(?P<context>(?:unbiased[ \t]+)?(?:text[ \t]+)?context)"
    r"|(?P<question>(?:unbiased[ \t]+)?(?:question|query)(?:[ \t]*/[ \t]*(?:query|question))?))"
    r"(?:[ \t]*\([^)\n]*\))?[ \t*]*:[ \t*]*",
    re.IGNORECASE | re.MULTILINE,
)
EMPTY = frozenset({"", "none", "n/a", "no context", "nothing", "empty"})
"""What models write for an empty part, without case and punctuation around it."""


@method(
    "s2a",
    "System 2 Attention: rewrite the text without opinions, then answer",
    steps=("rewrite", "respond"),
    without_turns=("rewrite",),
    paper=PAPER,
)
def s2a(
    item: Item, wording: str = DEFAULT, rewrite: str | None = None, respond: str | None = None
) -> Program:
    """Two calls. The template `rewrite` may use {question}; `respond` {parts}, {context}, {rewritten},
    {finish}.

    {parts} is the result of call 1: each part under its label, an empty context left out.
    """
    words = chosen(WORDINGS, wording, "s2a")
    shown = after_examples(rewrite or words.rewrite, item, () if rewrite else words.examples)
    reply: Completion = yield Ask("rewrite", shown)
    context, question = parse_rewrite(reply.text)
    question = question or item.question
    parts = (f"Context: {context}\n" if context else "") + f"Question: {question}"
    prompt = fill(respond or words.respond, item, parts=parts, context=context, rewritten=question)
    answer: Completion = yield Ask("respond", [user(prompt)])
    return answer.text


@method(
    "s2a_paper",
    "s2a in the words of its paper",
    steps=("rewrite", "respond"),
    without_turns=("rewrite",),
    paper=PAPER,
)
def s2a_paper(item: Item) -> Program:
    """Like `s2a`, but no option of a task changes the wording."""
    return (yield from s2a(item, "paper"))


def parse_rewrite(text: str) -> tuple[str, str]:
    """(context, question) of a rewrite; both may be empty. Accepts any text; see the top of this file.

    A label counts only at the start of a line. If one is repeated, its first part with content counts.
    """
    found = {"context": "", "question": ""}
    labels = list(LABELS.finditer(text))
    if not labels:
        return "", text.strip()
    ends = [label.start() for label in labels[1:]] + [len(text)]
    for label, end in zip(labels, ends, strict=True):
        name = "context" if label["context"] else "question"
        part = text[label.end() : end].strip()
        if not found[name] and part.lower().strip(" \t\n.*()[]-_\"'") not in EMPTY:
            found[name] = part
    if found["context"] and not found["question"]:
        return "", found["context"]
    return found["context"], found["question"]
