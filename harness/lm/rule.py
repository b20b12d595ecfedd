"""How the answers of one lm-eval task are read and written, the same for all variants.

Either a task's filter extracts the answer from a text, or the answer is the text behind a mark that System 2
is asked for. search.py tries which of the two works, and how to write a target.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.answer_text import cut_at_stop
from harness.lm import forms
from harness.lm.filters import Reader

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Rule:
    """How the answers of one task are read and written."""

    reader: Reader
    extracts: bool
    """Whether the filter extracts the answer; else the answer is the text behind `mark`."""
    target: str
    """The form of System 1's reply, with `{answer}`."""
    answer_form: str
    """The form that System 2 is asked to finish with."""
    mark: re.Pattern[str]
    """The text before an answer in a System 2 text."""
    behind: bool
    """Whether only the text behind the mark is scored, because the task's rule would read the reasoning
    too."""
    stops: tuple[str, ...]
    one_line: bool = False
    """Whether all answers of the task are one line: then the end of the line behind the mark ends the
    answer."""
    key: Callable[[str], str] = str
    """Makes a key of an answer. Equal keys are one answer in a vote, if the task's metric treats them as
    equal."""
    most_words: int | None = None
    """Most words of a text without a mark that still counts as an answer; None: any number."""
    refused: str | None = None
    """Why nothing can be distilled, as a sentence; None if it can."""
    told: bool = True
    """Whether System 1 can know the form of the target: the bare answer, or a form that the task shows."""
    also: tuple[str, ...] = ()
    """Other filters that read the same answers from the same texts, so that their scores are meaningful."""
    tried: list[str] = field(default_factory=list, compare=False)
    """Notes from the search, shown by `check`."""

    def finish(self, text: str, row: Row) -> tuple[str, bool]:
        """The part of a program's last text to score, and whether a stop left it without an answer. `row`
        is not used here; other rules read it."""
        before, span = self._parted(text)
        if before is None:
            return text, False
        return (span if self.behind else before + span), not span.strip()

    def read(self, text: str, row: Row) -> str | None:
        """The answer in a text, or None."""
        before, span = self._parted(text)
        if self.extracts:
            return self.reader.answer(span if self.behind else (before or "") + span, row)
        if before is None and (not self.behind or self._is_more_than_an_answer(text)):
            return None
        behind = forms.parts(self.target)[1].strip()
        if behind and behind in span:
            span = span[: span.rindex(behind)]
        return self.reader.answer(span, row)

    def write(self, answer: str) -> str:
        """The training target."""
        return forms.write(self.target, answer)

    def _parted(self, text: str) -> tuple[str | None, str]:
        """A text up to the end of its last mark, and the text behind that, up to a stop. None and the
        whole text if there is no mark."""
        marks = list(self.mark.finditer(text))
        if not marks:
            return None, text
        # A model that continues asks and answers a next question: a stop with words ends all behind the
        # first.
        worded = [stop for stop in self.stops if any(sign.isalpha() for sign in stop)]
        first = marks[0].end()
        text = text[:first] + cut_at_stop(text[first:], worded)
        stops = (*self.stops, "\n") if self.one_line else self.stops
        parted = [
            (text[: mark.end()], cut_at_stop(text[mark.end() :], stops))
            for mark in marks
            if mark.end() <= len(text)
        ]
        return next((pair for pair in reversed(parted) if pair[1].strip()), parted[-1])

    def _is_more_than_an_answer(self, text: str) -> bool:
        """Whether a text without a mark is reasoning. System 1's own was cut at the stops already."""
        return len(cut_at_stop(text, self.stops)) < len(text) or (
            self.most_words is not None and len(text.split()) > self.most_words
        )


def same(rule: Rule, text: str, answer: str, row: Row) -> bool:
    """Whether a text is read as that answer, or as an equivalent one."""
    read = rule.read(text, row)
    return read is not None and rule.key(read) == rule.key(answer)
