"""The manifest's entry for a distillation: counts, tokens, compute, and warnings.

It asks the model only which targets it gives already; the rest is arithmetic on the samples and on the record
of the training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from distill.advice import plain_warnings
from distill.teacher.plan import ASKED_BEFORE
from distill.teacher.sample import TeacherAsk
from distill.teacher.select import Example, Sampled, label_accuracy
from distill.training.job import TrainingJob
from distill.training.settings import in_effect, passes
from harness.lm.task import TaskData
from harness.programs.base import get_method
from harness.recipes import Recipe
from harness.session import Session
from harness.types import Settings, stable_hash
from results.schema import Distillation, DistillationAccount, DistillationCounts


def already_given(
    context: Session, taught: Sequence[tuple[TaskData, Sequence[Example]]], seed: int, phase: str
) -> dict[str, float]:
    """Share of targets that System 1 gives before any training, by task, on a sample of kept inputs."""
    direct = get_method("direct")
    jobs, asked = [], []
    for task, examples in taught:
        chosen = sorted(examples, key=lambda each: stable_hash(["asked before", each.item.item_id]))
        for example in chosen[:ASKED_BEFORE]:
            turns = task.history(example.item.fields)
            jobs.append(context.job(task, example.item, direct, seed, history=turns))
            asked.append((task, example))
    same: dict[str, list[bool]] = {}
    responses = context.scheduler.run(jobs, f"{phase}, System 1 before") if jobs else []
    for (task, example), response in zip(asked, responses, strict=True):
        vote = None if response.error is not None else task.spec.vote_of(response.text, example.item.fields)
        equal = vote is not None and vote == task.spec.vote_key(example.answer)
        same.setdefault(task.name, []).append(equal)
    return {name: sum(found) / len(found) for name, found in same.items()}


def account(
    context: Session,
    ask: TeacherAsk,
    recipe: Recipe,
    settings: Settings,
    sampled: Sampled,
    job: TrainingJob | None,
    kept: int,
    already: float | None,
    unchecked: Mapping[str, str],
) -> DistillationAccount:
    """A task's entry in the manifest's `distillation`, without variant, seed and checkpoint."""
    parameters = context.engine.model.parameters
    used = dict(job.settings) if job else dict(settings)
    ids = sum(len(ids) for ids in [*job.prompts, *job.targets]) if job else 0
    trained = ids * passes(used, len(job.prompts) if job else 0)
    # Forward and backward take 6 FLOPs per parameter and token; LoRA computes no gradient of the frozen
    # weights.
    per_token = 6.0 if used.get("tuning") == "full" else 4.0
    counts: DistillationCounts = {
        "task": sampled.task,
        "status": "trained" if job else "not_distilled",
        "teacher_method": sampled.method,
        "taught": recipe.taught,
        "teacher_tokens": sampled.generated_tokens,
        "teacher_prompt_tokens": sampled.prompt_tokens,
        "teacher_flops": 2.0 * parameters * (sampled.generated_tokens + sampled.prompt_tokens),
        "samples_per_input": sampled.samples_per_input,
        "samples_drawn": sampled.samples_drawn,
        "samples_planned": sampled.samples_planned,
        "filter": sampled.filter.name,
        "majority_share": sampled.filter.threshold,
        "inputs": sampled.inputs,
        "kept": kept,
        "dropped": dict(sorted(sampled.dropped.items())),
        "overlap": ask.inputs.overlapping,
        "overlap_unchecked": sorted(unchecked),
        "allow_overlap": context.options.allow_overlap,
        "examples": len(sampled.examples),
        "train_tokens": int(trained),
        "train_flops": per_token * parameters * trained,
        "pseudo_label_accuracy": label_accuracy(ask.inputs.task, sampled.examples),
        "already_given": already,
        "settings": in_effect(used, recipe.settings),
    }
    if sampled.reply_tokens is not None:
        counts["reply_tokens"] = sampled.reply_tokens
    if ask.inputs.why_none:
        return {**counts, "reason": ask.inputs.why_none, "warnings": []}
    return {**counts, "warnings": plain_warnings(counts, sampled.drawn, already)}


def as_trained(records: Sequence[Distillation], tokens: int, apart: bool) -> None:
    """Sets the `tokens` that the training counted in the records of one checkpoint. The plan has more if
    examples are held out or too long, or training stops early. `apart`: the tasks have different examples,
    and each task gets its share of the tokens. Otherwise (the parts of judging) every task gets all of
    them."""
    whole = sum(record["train_tokens"] for record in records)
    for record in records if whole else ():
        share = tokens / (whole if apart else record["train_tokens"])
        record["train_flops"] *= share
        record["train_tokens"] = round(record["train_tokens"] * share)
