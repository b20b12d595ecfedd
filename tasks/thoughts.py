"""Separates a model's thoughts from its reply: one rule for every method, engine and task.

A reasoning model writes its thoughts before its reply, between marks of its model family. Thoughts consider
several answers and repeat the form that was asked for, so nothing in them counts as an answer.

1. The reply is the text behind the last closing mark. All text before it is thought, even if the opening mark
   is missing (some templates put it into the prompt).
2. An opening mark without a closing one begins an unclosed thought: the model was cut before it replied. Then
   there is no reply, unless the model replied behind an earlier thought and began to think again.
3. Without any mark the text is the reply.

Tokens of thoughts are counted where they are generated; nothing here changes a count.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

Pair = tuple[str, str]
"""The mark that opens a thought and the one that closes it."""

MARKS: tuple[Pair, ...] = (
    ("<think>", "</think>"),  # DeepSeek-R1, Qwen3, Phi-4, GLM, MiniMax and most others
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("[THINK]", "[/THINK]"),  # Magistral
    ("<|channel>thought", "<channel|>"),  # Gemma 4
    ("<unused94>thought", "<unused95>"),  # MedGemma
    ("<seed:think>", "</seed:think>"),  # Seed-OSS
    ("◁think▷", "◁/think▷"),  # Kimi
    ("<|START_THINKING|>", "<|END_THINKING|>"),  # Command A
    ("<|begin_of_thought|>", "<|end_of_thought|>"),  # Sky-T1, OpenThinker
    ("<|inner_prefix|>", "<|inner_suffix|>"),  # Apertus
)
"""Marks of known models. For other marks, give the pair with `--thought-marks`."""

TOKENS = frozenset(
    {
        *(mark for pair in MARKS for mark in pair),
        *("<|channel>", "<unused94>", "<|channel|>", "<|message|>", "<|start|>", "<|end|>"),
    }
)
"""Marks that may be special tokens of a tokenizer. An engine that decodes without special tokens must keep
these: without its marks a thought looks like a reply."""

# gpt-oss writes channels; decoded without special tokens only their names are left, joined to the text.
_OPEN = (
    r"<\|channel\|>\s*(?:analysis|commentary)[^<\n]{0,80}(?:<\|constrain\|>\w*)?<\|message\|>",
    r"\A\s*(?-i:(?:assistant)?(?:analysis|commentary)(?=[A-Z\"“'(\d]))",
    # Gemma 4 decoded without its marks: the end of the thought cannot be found.
    r"\A\s*thought\n",
)
_CLOSE = (
    r"<\|channel\|>\s*final[^<\n]{0,80}(?:<\|constrain\|>\w*)?<\|message\|>",
    r"(?<=\S)(?-i:assistantfinal)",
    r"\A\s*(?-i:(?:assistant)?final(?=[A-Z\[\\*\"“\d$]))",
)


_ANY = re.compile(
    f"(?P<open>{'|'.join([*(re.escape(mark) for mark, _ in MARKS), *_OPEN])})"
    f"|(?P<close>{'|'.join([*(re.escape(mark) for _, mark in MARKS), *_CLOSE])})",
    re.IGNORECASE,
)

_SIGNS = ("<", "[", "◁", "assistantfinal")
_OPENINGS = ("assistant", "analysis", "commentary", "final", "thought")


class Split(NamedTuple):
    """A model's text without its thoughts."""

    reply: str
    """The text unchanged; stripped if thoughts were removed. Empty behind an unclosed thought."""
    unclosed: bool
    """The text ends in a thought: the model was cut before it replied."""


def split(text: str, *, opened: bool = False) -> Split:
    """The reply in `text`, see the top of this file. Never raises.

    `opened`: the prompt ended in an opening mark that `text` lacks, so it begins within a thought.
    """
    if not _may_hold_marks(text):
        return Split("", True) if opened else Split(text, False)
    reply_start, thought_start = 0, 0 if opened else None
    closed = False
    for mark in _ANY.finditer(text):
        if mark.lastgroup == "close":
            reply_start, thought_start, closed = mark.end(), None, True
        elif thought_start is None:
            thought_start = mark.start()
    if thought_start is None:
        return Split(text[reply_start:].strip(), False) if closed else Split(text, False)
    replied = text[reply_start:thought_start].strip() if closed else ""
    return Split(replied, not replied)


def opened_by(prompt: str, marks: Sequence[Pair] = ()) -> Pair | None:
    """The marks of a thought at the end of a prompt, as from templates that begin the thought themselves;
    None if the prompt does not end in one."""
    prompt = prompt.rstrip()
    for pair in (*marks, *MARKS):
        if prompt.endswith(pair[0]):
            return pair
    return None


def known(text: str, pair: Pair | None) -> str:
    """`text` with `pair`, the marks of an unlisted model, replaced by listed ones."""
    if pair is None:
        return text
    for own, listed in zip(pair, MARKS[0], strict=True):
        text = text.replace(own, listed)
    return text


def _may_hold_marks(text: str) -> bool:
    """A quick check: most replies contain no character sequence of a known mark."""
    return any(sign in text for sign in _SIGNS) or text.lstrip().startswith(_OPENINGS)
