"""From kept examples to training jobs: the ids, the settings, and which examples share a checkpoint.

Prompt ids are exactly those of System 1's evaluation (rule 2). child.py does the training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from distill.teacher.select import Example
from distill.training.job import TrainingJob
from distill.training.stages import staged
from harness.lm.task import TaskData
from harness.session import Session
from harness.types import Item, Settings, user


def paper_settings(task: TaskData) -> Settings:
    """The training settings of `--preset paper`, as far as the paper gives them; tokens per step become
    examples once their lengths are known (`training_job`)."""
    paper = task.spec.paper
    if paper is None:
        return {}
    return {
        "learning_rate": paper.learning_rate,
        "dropout": paper.dropout,
        "max_steps": paper.steps,
        "tuning": "full",
    }


def training_job(
    context: Session,
    task: TaskData,
    examples: Sequence[Example],
    folder: Path,
    settings: Mapping[str, Any],
    seed: int,
) -> TrainingJob:
    """The job for the kept examples of a task; a target ends with the end of the turn (rule 2)."""
    model = context.engine.model
    prompts, targets = [], []
    for example in examples:
        prompt, target = _ids(context, task, example)
        prompts.append(list(prompt))
        targets.append(list(target))
    used = dict(settings)
    paper = task.spec.paper
    # One adapter for all tasks does not use one task's steps.
    if context.options.preset == "paper" and paper is not None and used["max_steps"] and examples:
        mean = sum(map(len, [*prompts, *targets])) / len(examples)
        # The task's batch is what fits into memory; a step of the paper is many of them.
        parts = max(1, round(paper.tokens_per_step / mean / used["batch"]))
        used |= {"batch": parts * used["batch"], "gradient_accumulation": parts}
    job = TrainingJob(
        name=task.name,
        model_folder=model.folder or "",
        dtype=model.dtype,
        output=str(folder),
        prompts=prompts,
        targets=targets,
        # Whole clusters: a question in other words would reveal the answer of one that is held out.
        groups=[example.item.cluster_id for example in examples],
        seed=seed,
        trust_remote_code=context.source.trust_remote_code,
        revision=context.source.revision,
        settings=used,
    )
    if not any(example.reasoning for example in examples):
        return job
    return staged(job, [context.engine.text_ids(example.reasoning) for example in examples])


def add_job(jobs: dict[Path, TrainingJob], job: TrainingJob, name: str) -> None:
    """Adds a job; a checkpoint of several tasks gets each example once."""
    folder = Path(job.output)
    if folder not in jobs:
        jobs[folder] = replace(job, name=name, prompts=[], targets=[], groups=[], stages=[])
    whole = jobs[folder]
    known = {tuple(prompt) for prompt in whole.prompts}
    new = [place for place, prompt in enumerate(job.prompts) if tuple(prompt) not in known]
    whole.prompts.extend(job.prompts[place] for place in new)
    whole.targets.extend(job.targets[place] for place in new)
    whole.groups.extend(job.groups[place] for place in new)
    whole.stages.extend(job.stages[place] for place in new if job.stages)


def _ids(context: Session, task: TaskData, example: Example) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Prompt and target of an example: a reply behind the prompt that it was given to, which is the one that
    its method is evaluated with, or the answer behind System 1's."""
    if example.reply is not None:
        return example.reply.prompt_ids, example.reply.ids
    target = context.engine.target_ids(task.spec.target(example.answer))
    return _system1_ids(context, task, example.item), target


def _system1_ids(context: Session, task: TaskData, item: Item) -> tuple[int, ...]:
    """The prompt ids with which `direct` is evaluated (rule 2)."""
    return context.engine.prompt_ids([*task.history(item.fields), user(item.prompt)])


def unit_name(task: TaskData, item: Item) -> str:
    """The unit that an input belongs to: both orders of a pair are one."""
    return item.cluster_id if task.spec.swap else item.item_id
