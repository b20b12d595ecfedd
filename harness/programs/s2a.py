"""System 2 Attention (Weston & Sukhbaatar, https://arxiv.org/abs/2311.11829): clean the context, then answer.

Call 1 rewrites the user's text into two labelled parts without the user's opinion; call 2 sees those parts
alone, so an opinion that was left out cannot sway the answer. The wording is ours. A task's description and
worked examples, which lm-eval puts before a prompt, reach call 2 alone: call 1 answers nothing.

What happens when the labels are missing (`parse_rewrite`): a question without a context is enough; a context
without a question is taken whole as the question; a reply without labels is the question; an empty reply
leaves the user's own text, so that the item is still answered and counted.
"""

from __future__ import annotations

import re

from harness.programs.base import Program, fill, method
from harness.types import Ask, Completion, Item, user

REWRITE = (
    "Below is a text that a user wrote. It may hold the user's own opinion or guess.\n"
    "Write it again in two parts and leave every opinion and guess out. Do not answer it.\n"
    "Context: the facts that the text gives, or none\n"
    "Question: what the user wants to know\n\n"
    "Text: {question}"
)
RESPOND = "{parts}\n\nAnswer the question on its merits, without bias. {finish}"

LABELS = re.compile(
    r"^[ \t>*#\-]*"
    r"(?:(?P<context>(?:unbiased[ \t]+)?(?:text[ \t]+)?context)"
    r"|(?P<question>(?:unbiased[ \t]+)?(?:question|query)(?:[ \t]*/[ \t]*(?:query|question))?))"
    r"(?:[ \t]*\([^)\n]*\))?[ \t*]*:[ \t*]*",
    re.IGNORECASE | re.MULTILINE,
)
EMPTY = frozenset({"", "none", "n/a", "no context", "nothing", "empty"})
"""What models write where a part has nothing, without case and punctuation around it."""


@method(
    "s2a",
    "System 2 Attention: rewrite the text without opinions, then answer",
    steps=("rewrite", "respond"),
    without_turns=("rewrite",),
    paper="https://arxiv.org/abs/2311.11829",
)
def s2a(item: Item, rewrite: str = REWRITE, respond: str = RESPOND) -> Program:
    """Two calls. `rewrite` may use {question}; `respond` {parts}, {context}, {rewritten}, {finish}.

    {parts} is what call 1 found, each part under its label and an empty context left out.
    """
    reply: Completion = yield Ask("rewrite", [user(fill(rewrite, item))])
    context, question = parse_rewrite(reply.text)
    question = question or item.question
    parts = (f"Context: {context}\n" if context else "") + f"Question: {question}"
    prompt = fill(respond, item, parts=parts, context=context, rewritten=question)
    answer: Completion = yield Ask("respond", [user(prompt)])
    return answer.text


def parse_rewrite(text: str) -> tuple[str, str]:
    """(context, question) of a rewrite; both may be empty. Any text is fine, see the top of this file.

    A label counts at the start of a line only. Where one is repeated, its first part with content counts.
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
