"""Writes what belongs to a checkpoint: model card, data card, and its examples as a data set.

It collects what a run knows about each task's part, for cards.py and examples.py, which do not depend on a
run.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from distill.papers.cards import EXAMPLES, describe_task, write_papers
from distill.papers.examples import example_rows, write_examples
from distill.papers.parts import ExampleRow, ModelShown, TaskPart
from distill.teacher.labels import teacher
from distill.teacher.sample import TeacherAsk
from distill.teacher.select import Sampled
from harness.lm.task import TaskData
from harness.session import Session
from harness.types import Item
from results.schema import Distillation


def document(
    context: Session, folder: Path, parts: Sequence[tuple[TeacherAsk, Sampled, Distillation]]
) -> None:
    """Writes the papers of a checkpoint: per task the prompts, the results, and its record."""
    described: list[TaskPart] = []
    rows: list[ExampleRow] = []
    for ask, sampled, record in parts:
        task, method = ask.inputs.task, teacher(ask.method)
        sampling = context.sampling(task, teacher=True, votes=method.votes)
        described.append(
            describe_task(
                record,
                sampled.drawn,
                sampling={step: sampling(step) for step in method.steps},
                options=task.spec.method_options.get(method.options_name, {}),
                target=task.spec.target,
                vote=task.spec.vote if method.votes else None,
                sample=sampled.first,
            )
        )
        rows += example_rows(sampled.task, sampled.drawn, task.spec.target, partial(_label, task))
    write_examples(folder / EXAMPLES, rows)
    loaded = context.engine.model
    model: ModelShown = {
        "name": loaded.name,
        "fingerprint": loaded.fingerprint,
        "parameters": loaded.parameters,
        "dtype": loaded.dtype,
        "template_hash": loaded.template_hash,
        "context_length": loaded.context_length,
        "folder": loaded.folder,
        "revision": context.source.revision,
        "template_date": context.source.date,
    }
    write_papers(folder, {"model": model, "tasks": described})


def _label(task: TaskData, item: Item) -> str:
    """The task's own label, for people who look into the data; training and filters do not use it."""
    return str(task.task.doc_to_target(dict(item.fields)))
