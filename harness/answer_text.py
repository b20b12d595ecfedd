"""Where an answer stands in a text: what a task's stops end, and how much was written before it.

A task's `until` ends an answer. It must not end the reasoning before it: a stop such as "." or a line break
would cut a chain of thought at its first sentence. So the engine gets a task's stops where System 1 answers;
of every other method the finished text is cut here, behind the answer's mark.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from harness.types import Step

TURN_MARK = re.compile(r"\s*(?:<[^<>\s]+>|\[/?INST\])\s*")
"""`<|im_end|>`, `</s>`, `[/INST]`: such a stop ends the turn, so it may end any text."""

WORD = re.compile(r"\w+")


def turn_marks(stops: Sequence[str]) -> tuple[str, ...]:
    """Those of a task's stops that end a turn and not only an answer."""
    return tuple(stop for stop in stops if TURN_MARK.fullmatch(stop))


def final_text(
    text: str, stops: Sequence[str], mark: re.Pattern[str], answer: Callable[[str], str | None]
) -> tuple[str, bool]:
    """(`text` cut at the first stop behind its answer, whether a stop left it without one).

    The answer stands behind the first `mark` where `answer` reads one before a stop comes: "Answer: it
    depends.", a stop at the full stop, is not it. Space behind a mark is no part of the answer, so a line
    break there ends nothing. A text without a mark, or without a stop behind it, is left whole.
    """
    if not any(stop in text for stop in stops):
        return text, False  # as with most texts: no rule has to read this one for each of its marks
    stopped = None
    for found in mark.finditer(text):
        cut = text[: found.end()] + cut_at_stop(text[found.end() :], stops)
        if answer(cut) is not None:
            return cut, False
        stopped = cut if len(cut) < len(text) else None
    return (text, False) if stopped is None else (stopped, True)


def cut_at_stop(text: str, stops: Sequence[str]) -> str:
    """`text` up to its first stop, as an engine cuts a direct answer; space before the answer has none."""
    start = len(text) - len(text.lstrip())
    return text[: min((end for stop in stops if (end := text.find(stop, start)) >= 0), default=len(text))]


def reasoning_words(steps: Sequence[Step], mark: re.Pattern[str]) -> int:
    """Words that a model wrote over all calls of a program, in each up to the last `mark`."""
    count = 0
    for step in steps:
        end = len(step.completion.text)
        for found in mark.finditer(step.completion.text):
            end = found.start()
        count += len(WORD.findall(step.completion.text[:end]))
    return count
