"""What the manifest says about model, tasks and variants: all that `results` needs to read a run.

It describes what is loaded and decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.engines.base import Engine
from harness.fingerprint import without_functions
from harness.lm.task import TaskData
from harness.options import RunOptions
from harness.programs.base import get_method
from harness.store import CallStore
from harness.types import stable_hash
from harness.variants import AGAIN, Variant, teacher_row
from results import schema

BATCHES_VARIED = (
    "Memory did not suffice for some batches, which ran in smaller parts: in bfloat16 or float16 another run "
    "may give other texts (in float32 not)."
)

REGROUPED = (
    "Items were added to this run after others had been asked: in bfloat16 or float16 a run that asks all of "
    "them at once may give other texts (in float32 not)."
)

NOT_REPEATED = (
    "The engine does not promise equal texts for equal calls. By how much base differs from itself was not "
    "measured: --noise-floor runs it twice."
)


def named_pairs(variants: Sequence[Variant], teachers: Mapping[str, str | None]) -> list[list[str]]:
    """Returns pairs beyond the usual ones (base, s2, distilled): each other variant against base and s2, or
    against its teacher (`teachers`) if it was distilled; a control or an ablation against distilled too; the
    noise floor, a second run of base, against base only."""
    names = [variant.name for variant in variants]
    pairs = []
    for variant in variants:
        if variant.name not in {"base", "s2", "distilled"}:
            against = ["base"] if variant.name == AGAIN else ["base", teachers.get(variant.name) or "s2"]
            pairs += [[first, variant.name] for first in against if first in names]
            if variant.kind == "distilled" and "distilled" in names:
                pairs.append([variant.name, "distilled"])
    return pairs


def _teacher(variant: Variant, variants: Sequence[Variant], tasks: Sequence[TaskData]) -> str | None:
    """Returns the row of the run that taught a distilled variant on every task; None if there is none."""
    rows = {teacher_row(variant, variants, task.spec.s2_method) for task in tasks}
    row = rows.pop() if len(rows) == 1 else None
    return None if row is None else row.name


def run_facts(
    engine: Engine, tasks: Sequence[TaskData], variants: Sequence[Variant], options: RunOptions
) -> schema.RunEntries:
    """Returns the entries `model`, `engine`, `tasks`, `variants`, `comparisons`, `notes` of the manifest."""
    described: dict[str, schema.Task] = {}
    for task in tasks:
        items = task.scored_items()
        entry: schema.Task = {
            "primary": task.spec.primary.name,
            "s2_method": task.spec.s2_method,
            "n_items": len(items),
            "n_clusters": len({item.cluster_id for item in items}),
            "metrics": {
                metric.name: {
                    "kind": metric.kind,
                    "direction": schema.DIRECTIONS[metric.higher_is_better],
                    "aggregation": "mean",
                    "description": metric.description,
                }
                for metric in task.spec.metrics
            },
            "items_hash": stable_hash(sorted(item.item_id for item in items)),
            "task_hash": stable_hash(
                [without_functions(task.task.dump_config()), dict(task.spec.max_tokens)]
            ),
            "data": options.data,
            "turns": any(task.history(row) for row in task.rows("test")[:1]),
        }
        if task.foreign:
            entry["s2d"] = task.block
        described[task.name] = entry
    teachers = {variant.name: _teacher(variant, variants, tasks) for variant in variants}
    return {
        "model": {
            "name": engine.model.name,
            "fingerprint": engine.model.fingerprint,
            "parameters": engine.model.parameters,
            "dtype": engine.model.dtype,
            "template_hash": engine.model.template_hash,
            "context_length": engine.model.context_length,
            "folder": engine.model.folder,
        },
        "engine": engine.facts(),
        "tasks": described,
        "variants": {
            variant.name: {
                "kind": variant.kind,
                "weights": variant.location
                or ("adapter per task" if variant.kind == "distilled" else "model"),
                "method": variant.method_for("task's"),
                "teacher": teachers[variant.name],
                "taught_by": variant.recipe.taught_by if variant.kind == "distilled" else None,
            }
            for variant in variants
        },
        "methods": {
            method.name: {"without_turns": list(method.without_turns)}
            for variant in variants
            for method in (get_method(variant.method_for(task.spec.s2_method)) for task in tasks)
        },
        "comparisons": named_pairs(variants, teachers),
        "notes": [f"{task.name}: {note}." for task in tasks for note in task.notes],
    }


def with_notes(facts: schema.Engine, earlier: schema.Engine | None) -> schema.Engine:
    """Returns an engine's `facts` with the notes of an `earlier` state or process, except those above."""
    ours = (BATCHES_VARIED, REGROUPED, NOT_REPEATED)
    before = [] if earlier is None else earlier.get("notes") or []
    said = [note for note in before if note not in ours]
    notes = list(dict.fromkeys([*said, *facts.get("notes", [])]))
    return {**facts, "notes": notes} if notes else facts


def engine_facts(
    facts: schema.Engine, store: CallStore, noise_floor: bool, regrouped: bool = False
) -> schema.Engine:
    """Returns the engine's facts, with a note if batches differed from the plan in any process of the run:
    smaller for lack of memory, or `regrouped` because items were added later."""
    notes = [*facts.get("notes", [])]
    promised = facts["same_batches_same_text"]
    if store.batches_varied:
        facts["same_batches_same_text"] = False
        notes.append(BATCHES_VARIED)
    if regrouped and promised:
        facts["same_batches_same_text"] = False
        notes.append(REGROUPED)
    if store.batches_varied or (regrouped and promised):
        return {**facts, "notes": notes}
    if not facts["same_batches_same_text"] and not noise_floor:
        notes.append(NOT_REPEATED)
    return {**facts, "notes": notes} if notes else facts
