"""Where an answer is in a text: where a task's stops end it, and how much was written before it.

A task's `until` ends an answer. It must not end the reasoning before it: a stop such as "." or a line break
would cut a chain of thought at its first sentence. So the engine gets a task's stops only for System 1. For
every other method the finished text is cut here, behind the answer's mark.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from harness.types import Step

TURN_MARK = re.compile(r"\s*(?:<[^<>\s]+>|\[/?INST\])\s*")
"""`<|im_end|>`, `</s>`, `[/INST]`: such a stop ends the turn, so it may end any text."""

WORD = re.compile(r"\w+")


def turn_marks(stops: Sequence[str]) -> tuple[str, ...]:
    """The stops that end a turn and not only an answer."""
    return tuple(stop for stop in stops if TURN_MARK.fullmatch(stop))


def final_text(
    text: str, stops: Sequence[str], mark: re.Pattern[str], answer: Callable[[str], str | None]
) -> tuple[str, bool]:
    """(`text` cut at the first stop behind its answer, whether a stop left it without an answer).

    The answer is behind the first `mark` after which `answer` reads one before a stop comes. ("Answer: it
    depends." with a stop at "." gives no answer.) Space behind a mark does not belong to the answer, so a
    line break there ends nothing. A text without a mark, or without a stop behind it, is returned whole.
    """
    if not any(stop in text for stop in stops):
        return text, False  # the usual case, decided without reading an answer behind each mark
    stopped = None
    for found in mark.finditer(text):
        cut = text[: found.end()] + cut_at_stop(text[found.end() :], stops)
        if answer(cut) is not None:
            return cut, False
        stopped = cut if len(cut) < len(text) else None
    return (text, False) if stopped is None else (stopped, True)


def cut_at_stop(text: str, stops: Sequence[str]) -> str:
    """`text` up to its first stop, as an engine cuts a direct answer. Stops in the space before the answer
    do not count."""
    start = len(text) - len(text.lstrip())
    return text[: min((end for stop in stops if (end := text.find(stop, start)) >= 0), default=len(text))]


def reasoning_words(steps: Sequence[Step], mark: re.Pattern[str]) -> int:
    """Number of words that a model wrote over all calls of a program, in each call up to the last `mark`."""
    count = 0
    for step in steps:
        end = len(step.completion.text)
        for found in mark.finditer(step.completion.text):
            end = found.start()
        count += len(WORD.findall(step.completion.text[:end]))
    return count
