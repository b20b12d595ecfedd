"""The `distillation[]` of a leaderboard: cost and break-even of each distillation."""

from __future__ import annotations

from pathlib import Path

from results.analysis import looks
from results.analysis.cost import CostModel, break_even
from results.analysis.pairing import of_seed, paired
from results.records.columns import Columns
from results.records.load import RunData
from results.records.roles import distillations, tasks_of, teacher_of
from results.schema import Distillation, DistillationRow


def methods_on(run: RunData, task: str) -> dict[str, str]:
    """Methods of the variants that have samples of a task."""
    return {name: of.method for (of_task, name), of in run.columns.items() if of_task == task}


def distillation_rows(run: RunData, costs: CostModel) -> list[DistillationRow]:
    """The manifest's distillations with their break-even against the variant that taught them."""
    rows: list[DistillationRow] = []
    for entry in distillations(run.manifest):
        teachers = {
            teacher_of(run.manifest, entry, methods_on(run, task)) for task in tasks_of(run.manifest, entry)
        }
        checkpoint = entry.get("checkpoint")
        both = taught(run, entry) if entry.get("status") != "not_distilled" else []
        rows.append(
            {
                "task": entry.get("task"), "variant": entry["variant"], "seed": entry.get("seed"),
                "status": entry.get("status"), "teacher_method": entry.get("teacher_method"),
                "teacher_tokens": entry.get("teacher_tokens"),
                "teacher_prompt_tokens": entry.get("teacher_prompt_tokens"),
                "samples_per_input": entry.get("samples_per_input"), "inputs": entry.get("inputs"),
                "kept": entry.get("kept"), "dropped": entry.get("dropped") or {},
                "train_tokens": entry.get("train_tokens"), "train_flops": entry.get("train_flops"),
                "teacher_flops": entry.get("teacher_flops"),
                "pseudo_label_accuracy": entry.get("pseudo_label_accuracy"),
                # The last part of the path is a hash of the content; the rest depends on the machine.
                "checkpoint": Path(checkpoint).name if checkpoint else None,
                "reason": entry.get("reason"),
                "teacher": teachers.pop() if len(teachers) == 1 else None,
                "break_even": break_even(
                    costs, entry, both, looks.confidence(run, [teacher for teacher, _ in both])
                ),
            }
        )  # fmt: skip
    return rows


def taught(run: RunData, entry: Distillation) -> list[tuple[Columns, Columns]]:
    """Rows of teacher and student with the distillation's seed, for every task that it taught."""
    found = []
    for task in tasks_of(run.manifest, entry):
        teacher = teacher_of(run.manifest, entry, methods_on(run, task))
        both = paired(run, task, teacher, entry["variant"]) if teacher else None
        if both is not None and entry.get("seed") is not None:
            both = of_seed(both[0], entry["seed"]), of_seed(both[1], entry["seed"])
        if both is not None and both[0].n_rows:
            plan = looks.plan_of(run.manifest, task)
            found.append((looks.newest(both[0], plan), looks.newest(both[1], plan)))
    return found
