"""A loaded task with its rows: how each becomes an item, which turns come before it, how a text is scored.

Our tasks have items in their rows. For lm-eval's and users' tasks, foreign.py works out prompts, rule and
training rows when the task is loaded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from harness.lm.data import Training
from harness.lm.gold import figure, scores
from harness.lm.own_words import Run, own_words
from harness.lm.prompt import Prompts
from harness.lm.replaced import replaced
from harness.lm.rule import Rule
from harness.types import Item, Message, stable_hash
from results.schema import JsonObject
from tasks import registry
from tasks.spec import TaskRow, TaskSpec


@dataclass(frozen=True)
class Foreign:
    """What is known about a task that is not ours."""

    prompts: Prompts
    rule: Rule
    training: Training
    notes: tuple[str, ...] = ()
    """Sentences about each point where the task runs differently than in lm-eval."""


@dataclass
class TaskData:
    """A loaded task with the rows of a run."""

    name: str
    """Short name."""
    lm_name: str
    spec: TaskSpec
    task: Any
    """lm-eval's task object."""
    indices: list[int]
    """Positions of the scored rows in the test split, sorted."""
    stops: tuple[str, ...]
    foreign: Foreign | None = None
    shared: frozenset[Run] = frozenset()
    """Runs of words that all prompts of a task share, for tasks that are not ours."""
    requests: list[Any] | None = field(default=None, repr=False)
    """lm-eval's requests, one per scored row, once they are built (score.py)."""
    _rows: dict[str, list[TaskRow]] = field(default_factory=dict, repr=False)
    _items: dict[str, list[Item]] = field(default_factory=dict, repr=False)

    @property
    def own(self) -> bool:
        """Whether it is one of our tasks."""
        return self.lm_name in registry.builtin()

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences that readers of the results must know."""
        return self.foreign.notes if self.foreign else ()

    @property
    def block(self) -> JsonObject:
        """The whole `s2d` block of a task that is not ours: its prompt, answer rule and training."""
        found: JsonObject = self.task.config.metadata["s2d"]
        return found

    @property
    def undistillable(self) -> str | None:
        """Why nothing can be distilled, as sentences; None if it can."""
        return self.spec.undistillable or (self.foreign.training.why_none if self.foreign else None)

    def rows(self, split: str) -> list[TaskRow]:
        """All rows of `train`, `validation` or `test`; empty if the task has no such split."""
        if split not in self._rows:
            source = {
                "train": lambda: self.foreign.training.rows if self.foreign else self.task.training_docs(),
                "validation": self.task.validation_docs,
                "test": lambda: self.task.eval_docs,
            }[split]
            # A data set decodes its rows again on each pass, and several phases read them.
            self._rows[split] = list(source() or [])
        return self._rows[split]

    def items(self, split: str) -> list[Item]:
        """The items of all rows of a split, made once."""
        if split not in self._items:
            self._items[split] = [self.item(row) for row in self.rows(split)]
        return self._items[split]

    def scored_items(self) -> list[Item]:
        """Items of the rows that this run scores, in the order of `indices`."""
        items = self.items("test")
        return [items[index] for index in self.indices]

    def test_items(self) -> list[Item]:
        """Items of test rows that may be scored: all but those kept apart for training."""
        apart = self.foreign.training.apart if self.foreign else frozenset()
        return [item for item in self.items("test") if item.cluster_id not in apart]

    def item(self, row: Mapping[str, Any]) -> Item:
        """The item of a row. A column `cluster_id` in a user's own task is ignored; its ids are hashes of
        the content."""
        if self.foreign is None:
            return Item(
                item_id=str(row["item_id"]),
                cluster_id=str(row["cluster_id"]),
                prompt=str(row["prompt"]),
                question=str(row.get("question")),
                answer_form=str(row.get("answer_form") or ""),
                fields=row,
            )
        prompts = self.foreign.prompts
        prompt = prompts.direct(row)
        content = content_id(self.name, prompt, self.task.doc_to_target(dict(row)))
        question = prompts.question(row)
        return Item(
            item_id=content,
            cluster_id=str(row.get("cluster_id") or content),
            prompt=prompt,
            question=question,
            answer_form=self.foreign.rule.answer_form,
            fields=row,
            own_words=own_words(question, self.shared),
        )

    def history(self, row: Mapping[str, Any]) -> tuple[Message, ...]:
        """Turns before a row's prompt, as lm-eval makes them from a user's description and examples. The
        examples of training rows are drawn by content, so a resumed run draws the same."""
        if self.own:
            return ()
        turns = self._turns(row)
        if self._shows(turns, row):
            # lm-eval excludes the row itself only for test rows; otherwise a training row would show its
            # answer.
            without = partial(self.task.sampler.sample, eval_doc=dict(row))
            with replaced(self.task.sampler, "sample", lambda n, eval_doc=None: without(n)):
                turns = self._turns(row)
        return turns

    def score_of(self, text: str, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """The scores of the task's own rule for a text on a row, by metric; may be empty."""
        if self.foreign is None:
            given: Mapping[str, Any] = self.task.process_results(dict(row), [text])
            return given
        return scores(self.task, self.foreign.rule.reader, text, row) or {}

    def figure(self, metric: str, value: Any) -> Any:
        """The score of one item from the result of the task's rule; our tasks return it unchanged."""
        return value if self.foreign is None else figure(self.task, metric, value)

    def _shows(self, turns: Sequence[Message], row: Mapping[str, Any]) -> bool:
        prompt = str(self.task.doc_to_text(dict(row)))
        return prompt in [turn["content"] for turn in turns if turn["role"] == "user"]

    def _turns(self, row: Mapping[str, Any]) -> tuple[Message, ...]:
        return turns_before(self.task, row, self.item(row).item_id)


def content_id(name: str, prompt: str, target: Any) -> str:
    """The id of an item of a task that is not ours: equal for equal content."""
    return stable_hash([name, prompt, target])


def turns_before(task: Any, row: Mapping[str, Any], seed: str) -> tuple[Message, ...]:
    """The turns that lm-eval puts before the prompt of a row; `seed` draws the examples."""
    task.set_fewshot_seed(seed=int(stable_hash(seed, 8), 16))
    context = task.fewshot_context(
        dict(row),
        num_fewshot=task.config.num_fewshot or 0,
        apply_chat_template=True,
        fewshot_as_multiturn=True,
        chat_template=turns_as_text,
    )
    return tuple(json.loads(context)[:-1])


def turns_as_text(turns: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
    """A chat template whose text can be parsed back into turns."""
    return json.dumps(turns, ensure_ascii=False)
