"""Finds a task's rule: tries each filter and each form of an answer on rows of the task.

lm-eval knows how to score a text. Distillation also needs to extract the answer from a long text and to write
it as System 1 should. A form (forms.py) fits if the filter reads it back as the answer, the task's own metric
scores it as right, and a System 2 text, which mentions other answers before its own, is read as its last one.
The search takes the first filter with a form that System 1 can know (the bare answer, or a form that the task
shows). If no filter extracts, it takes the mark that System 2 is asked for. If nothing fits, the task is
refused with the reason.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.errors import UserError
from harness.lm import forms
from harness.lm.asked import NO_ANSWER, SENTENCE, asked_form, quoted, system2_text
from harness.lm.block import TaskBlock
from harness.lm.filters import Reader, readers
from harness.lm.gold import LONG, candidates, figure, scores, targets
from harness.lm.rule import Row, Rule, same
from tasks.answers import MARKER

GRADED = re.compile(r"bleu|chrf|rouge|bert|meteor|comet|bleurt|\b[tw]er\b", re.IGNORECASE)
"""Names of metrics for translations and summaries."""
ENOUGH = 0.5
"""Share of the tried rows on which a form must work. Some answers contain a stop or a bracket and fit no
form; such inputs are left out one by one (`target_not_readable`)."""


@dataclass(frozen=True)
class Known:
    """A row with texts that may be its answer."""

    row: Row
    answers: list[str]
    others: list[str]
    """Answers of other rows, and one that is always wrong."""


def choose_rule(
    task: Any,
    block: TaskBlock,
    rows: Sequence[Row],
    shown: Sequence[str],
    replies: Sequence[str],
    stops: tuple[str, ...],
    metrics: Sequence[str],
    marks: Sequence[str] = (),
) -> Rule:
    """The rule of a task, tried on `rows`. `shown` is all that System 1 sees, `replies` the worked replies
    in it, `metrics` the task's metrics of single items, the primary one first, `marks` other texts that
    may precede an answer. UserError for a filter that the task does not have."""
    search = _Search(task, block, rows, shown, replies, stops, metrics, marks)
    return search.rule()


class _Search:
    """The search on a few rows of one task."""

    def __init__(
        self,
        task: Any,
        block: TaskBlock,
        rows: Sequence[Row],
        shown: Sequence[str],
        replies: Sequence[str],
        stops: tuple[str, ...],
        metrics: Sequence[str],
        marks: Sequence[str],
    ) -> None:
        self.task, self.block, self.rows, self.stops, self.metrics = task, block, rows, stops, metrics
        self.shown = " ".join(shown).casefold()
        self.replies = replies
        self.marks = marks
        self.all = readers(task)
        self.upward = bool(task.higher_is_better().get(metrics[0], True)) if metrics else True
        self.tried: list[str] = []

    def rule(self) -> Rule:
        allowed = self._allowed()
        extracting = [reader for reader in allowed if any(reader.extracts(row) for row in self.rows[:3])]
        fitting = [rule for reader in extracting for rule in self._fitting(reader, True)]
        natural = next((rule for rule in fitting if rule.told), None)
        found = natural or next(iter(fitting), None)
        if found is None and (not extracting or self.block.answer_filter is None):
            rest = [reader for reader in allowed if reader not in extracting] or allowed[:1]
            if self._graded():
                rest = []
            found = next((rule for reader in rest for rule in self._fitting(reader, False)), None)
        if found is None:
            found = self._refused(extracting, allowed)
        return replace(found, tried=self.tried)

    def _allowed(self) -> list[Reader]:
        if self.block.answer_filter is None:
            return self.all
        found = [reader for reader in self.all if reader.name == self.block.answer_filter]
        if not found:
            raise UserError(
                f"task {self.task.config.task}: answer_filter is {self.block.answer_filter!r}, and it has no "
                f"such filter; there are {', '.join(reader.name for reader in self.all)}"
            )
        return found

    def _fitting(self, reader: Reader, extracts: bool) -> Iterator[Rule]:
        """The rules of a filter that pass the round trip: at most one."""
        known = self._known(reader)
        answers = [answer for each in known for answer in each.answers[:1]]
        words = sorted(len(answer.split()) for answer in answers)
        most = max(10, 3 * words[-1]) if words else None
        for target in self._targets(reader, known):
            rule = self._rule(reader, extracts, target, most)
            if rule is None:
                continue
            for each in (rule, replace(rule, behind=True)):
                # Without a filter, a bare answer is found only behind the mark.
                if each.behind or extracts or target != forms.BARE:
                    held = [self._holds(each, row) for row in known]
                    if held and sum(held) >= ENOUGH * len(held):
                        yield replace(each, also=tuple(self._also(each, known)))
                        return
        self.tried.append(f"filter {reader.name}: no form of the answer is read back and scored right")

    def _known(self, reader: Reader) -> list[Known]:
        """Rows with answers; if the metric can score them, only those that it scores as right."""
        others = [other for other in self.all if other is not reader]
        texts = [(row, candidates(self.task, reader, others, row)) for row in self.rows]
        firsts = list(dict.fromkeys(answers[0] for _, answers in texts if answers))
        return [
            Known(row, answers, [*(first for first in firsts if first not in answers), NO_ANSWER])
            for row, answers in texts
            if answers
        ]

    def _targets(self, reader: Reader, known: Sequence[Known]) -> list[str]:
        if self.block.target is not None:
            return [self.block.target]
        pairs = [
            (text, answer)
            for each in known
            for text in targets(self.task, each.row)
            for answer in each.answers[:1]
        ]
        listed = [entry for entry in self.task.config.filter_list or [] if entry.get("name") == reader.name]
        return forms.forms(self.replies, pairs, forms.regular_expressions(listed))

    def _rule(self, reader: Reader, extracts: bool, target: str, most: int | None) -> Rule | None:
        """The rule for one form; None if an answer in this form cannot be found in a text."""
        before, _ = forms.parts(target)
        own = [] if target == forms.BARE else [before]
        if own and not extracts and not forms.is_mark(before):
            return None
        begun = next((mark for mark in self.marks if SENTENCE.fullmatch(mark)), None)
        asked = self.block.answer_form or asked_form(target, begun)
        marks = [mark for mark in (*own, quoted(asked)[0], *self.marks) if forms.is_mark(mark)]
        return Rule(
            reader, extracts, target, asked, _mark(marks), False, self.stops,
            self._one_line(), _key(self.task), most, told=self._told(target),
        )  # fmt: skip

    def _one_line(self) -> bool:
        lines = [text for row in self.rows for text in targets(self.task, row)]
        return bool(lines) and not any("\n" in line.strip() for line in lines)

    def _holds(self, rule: Rule, known: Known) -> bool:
        """Whether target -> filter -> score and System 2's text -> filter -> score both come back right,
        and a System 2 text that ends with another answer is read, and scored, as wrong."""
        row, other = known.row, known.others[0]
        for answer in known.answers:
            target = rule.write(answer)
            right, wrong = self._score(rule, target, row), self._score(rule, rule.write(other), row)
            if not same(rule, target, answer, row) or not self._better(right, wrong):
                continue
            said = rule.finish(system2_text(rule, answer, answer, other), row)[0]
            if not same(rule, said, answer, row) or self._score(rule, said, row) != right:
                return False
            if other == NO_ANSWER and rule.extracts:
                return True
            mistaken = rule.finish(system2_text(rule, other, answer, other), row)[0]
            missed = not same(rule, mistaken, answer, row)
            return missed and self._better(right, self._score(rule, mistaken, row))
        return False

    def _also(self, rule: Rule, known: Sequence[Known]) -> Iterator[str]:
        for other in self.all:
            also = replace(rule, reader=other)
            both = [
                all(same(also, text, each.answers[0], each.row) for text in self._texts(rule, each))
                for each in known
            ]
            if other is not rule.reader and sum(both) >= ENOUGH * len(both):
                yield other.name

    def _texts(self, rule: Rule, known: Known) -> tuple[str, str]:
        """The target of a row's answer, and the scored part of a System 2 text with this answer."""
        answer = known.answers[0]
        said = system2_text(rule, answer, answer, known.others[0])
        return rule.write(answer), rule.finish(said, known.row)[0]

    def _score(self, rule: Rule, text: str, row: Row) -> float | None:
        given = scores(self.task, rule.reader, text, row)
        if given is None or not self.metrics:
            return None
        return figure(self.task, self.metrics[0], given.get(self.metrics[0]))

    def _better(self, score: float | None, than: float | None) -> bool:
        """Whether one score is better than the other; yes if the metric gives no number to compare."""
        if score is None or than is None:
            return True
        return score > than if self.upward else score < than

    def _graded(self) -> bool:
        """Whether the primary metric compares texts word by word, as for translations and summaries."""
        return bool(self.metrics) and GRADED.search(self.metrics[0]) is not None

    def _told(self, target: str) -> bool:
        before, _ = forms.parts(target)
        return target == forms.BARE or before.strip().casefold() in self.shown

    def _refused(self, extracting: Sequence[Reader], allowed: Sequence[Reader]) -> Rule:
        """The rule for reading texts if nothing can be distilled, with the reason."""
        reader = next(iter(extracting), allowed[0])
        rule = self._rule(reader, reader in extracting, self.block.target or forms.BARE, None)
        rule = rule or self._rule(reader, reader in extracting, forms.BARE, None)
        assert rule is not None  # the bare answer always makes one
        return replace(rule, behind=not rule.extracts, refused=self._reason(reader, extracting))

    def _reason(self, reader: Reader, extracting: Sequence[Reader]) -> str:
        named = ", ".join(each.name for each in self.all)
        if self.block.target is not None:
            return (
                f"The target {self.block.target!r} of its s2d block does not come back as the answer through "
                f"filter {reader.name} with the score of a right one: correct target or answer_filter."
            )
        if extracting:
            return (
                f"No form of an answer that was tried is read back by its filters ({named}) and scored as "
                "right: write one as target in its s2d block."
            )
        if self._graded():
            return (
                f"Its rule reads whole texts: no filter ({named}) extracts an answer, and its metric "
                f"{self.metrics[0]} grades a text by its words; no two samples have the same words."
            )
        words = sorted(len(text.split()) for row in self.rows for text in targets(self.task, row))
        if words and words[len(words) // 2] > LONG:
            return (
                f"Its rule reads whole texts: no filter ({named}) extracts an answer, and its own "
                f"answers have about {words[len(words) // 2]} words, so no two samples would be the same."
            )
        return (
            f"Its rule reads whole texts: no filter ({named}) extracts an answer, and none of its own "
            "answers, bare or in a usual form, is scored as right. If it has short answers, write their "
            "form as target in its s2d block."
        )


def _mark(marks: Sequence[str]) -> re.Pattern[str]:
    patterns = [MARKER.pattern, *(re.escape(mark.strip()) + r"[\s*_]*" for mark in marks)]
    return re.compile("|".join(patterns), re.IGNORECASE)


def _key(task: Any) -> Callable[[str], str]:
    """The key by which answers are equal: the task's exact match if it has one, else case and spaces."""
    settings = getattr(task, "_metric_fn_kwargs", {}).get("exact_match") or {}
    ignored = [re.compile(pattern) for pattern in settings.get("regexes_to_ignore") or []]

    def key(answer: str) -> str:
        for pattern in ignored:
            answer = pattern.sub("", answer)
        if settings.get("ignore_punctuation"):
            answer = answer.translate(_PUNCTUATION)
        return " ".join(answer.casefold().split()).rstrip(".")

    return key


_PUNCTUATION = str.maketrans("", "", string.punctuation)
