"""`--dry-run`: time, tokens, memory and disk by phase and task, from a short probe on this machine.

"At most" is an upper bound from limits and methods. Ranges come from the probe: lengths of replies from some
real ones, seconds from the speed of its last wave, with and without the gain of larger batches. Training is
estimated from the speed at which prompts are read, and is the roughest estimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from distill.plan import MIN_KEPT, Planned
from harness.command.estimate import estimate
from harness.command.needs import FULL_TRAINING
from harness.command.plan import BEFORE, DIRECT, USC, Held, Kind, Part, Plans, checkpoints
from harness.command.probe import Probe, Range, probed, to_fetch
from harness.lm.task import TaskData
from harness.options import RunOptions
from harness.progress import say
from harness.session import Session
from harness.variants import Variant, untrained_first

KEPT = (0.3, 1.0)
"""Share of the inputs that a filter keeps, least and most: it is not known in advance."""
TIMES_READING = {"full": (2.0, 8.0), "lora": (1.5, 6.0)}
"""Time to train on a token, as a multiple of the time to read one: forward and backward passes, batches,
padding and the optimizer."""
STARTS = (5.0, 40.0)
"""Seconds that a process takes to import torch and TRL, before it loads the model."""
ADAPTER_SHARE = 0.02
"""Weights of an adapter, as a share of the model's; rank 16 on all linear layers has fewer."""
TRAINING, LOADING = "training", "loading"


@dataclass(frozen=True)
class Row:
    """One phase on one task; ranges are (least, most)."""

    phase: str
    task: str
    calls: int = 0
    calls_at_most: int | None = 0
    """None: a user's own method, which has no bound."""
    prompt_tokens: Range = (0.0, 0.0)
    """For training: the tokens that it processes."""
    generated_tokens: Range = (0.0, 0.0)
    generated_at_most: int | None = 0
    seconds: Range = (0.0, 0.0)
    disk_bytes: Range = (0.0, 0.0)

    def plus(self, other: Row) -> Row:
        """Returns the sum of both, with the names of this row."""
        return Row(
            self.phase,
            self.task,
            self.calls + other.calls,
            _bound(self.calls_at_most, other.calls_at_most),
            _range(self.prompt_tokens, other.prompt_tokens),
            _range(self.generated_tokens, other.generated_tokens),
            _bound(self.generated_at_most, other.generated_at_most),
            _range(self.seconds, other.seconds),
            _range(self.disk_bytes, other.disk_bytes),
        )


def _range(one: Range, other: Range) -> Range:
    return one[0] + other[0], one[1] + other[1]


def _bound(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


@dataclass(frozen=True)
class Forecast:
    """The result of a dry run."""

    rows: list[Row]
    memory_gb: dict[str, float]
    fetch_bytes: int = 0
    """Above 0: the model is not on this machine yet, so nothing was probed and only bounds are known."""

    @property
    def total(self) -> Row:
        """The sum of all rows."""
        total = Row("all", "")
        for row in self.rows:
            total = total.plus(row)
        return total


def forecast(
    options: RunOptions,
    variants: Sequence[Variant],
    tasks: list[TaskData],
    held: Held,
    evaluates: bool = True,
) -> Forecast:
    """Probes, says the size in one line, and estimates. `held` is what the run has already; `evaluates` is
    False if only checkpoints are made. UserError for a model or an adapter that is not available, and for a
    wrong argument."""
    source, missing = to_fetch(options)
    if missing:  # only a loaded model tells which checkpoints are there
        said = estimate(options, variants, tasks, held, {}, evaluates)
        say(said.line)
        return Forecast(_joined([_unprobed(part) for part in said.parts]), {}, missing)
    plans: Plans = {}
    parts: list[Part] = []

    def needed(session: Session) -> list[Kind]:
        nonlocal plans, parts
        plans = checkpoints(session, variants)
        size = estimate(options, variants, tasks, held, plans, evaluates)
        say(size.line)
        parts = size.parts
        return _measurements(parts, plans)

    with probed(options, source, variants, tasks, needed) as probe:
        rows: list[Row] = []
        for variant in untrained_first(variants):
            mine = [part for part in parts if part.variant == variant.name]
            rows += [_row(part, probe) for part in mine if not part.scored]
            rows += _trainings(variant, [plan for _, plan in plans.get(variant.name, ())], probe)
            rows += [_row(part, probe) for part in mine if part.scored]
        full = any(plan.settings["tuning"] == "full" for found in plans.values() for _, plan in found)
        rows.append(Row(LOADING, "model", seconds=(probe.load_seconds, 2 * probe.load_seconds)))
        return Forecast(_joined(rows), _memory(probe, rows, full))


def _measurements(parts: Sequence[Part], plans: Plans) -> list[Kind]:
    """Returns what the probe measures: what is still to be asked, and the answers that are trained on."""
    asked = [part for part in parts if part.items]
    kinds = {(part.task.name, DIRECT, False) if part.method == USC else part.kind: None for part in asked}
    missing = [plan for found in plans.values() for _, plan in found if not plan.is_there]
    return list(kinds | {(plan.task.name, DIRECT, False): None for plan in missing})


def _row(part: Part, probe: Probe) -> Row:
    """Returns the row of a part, from the measurements of its method."""
    items, bounded = part.items, part.each.bounded
    calls, tokens = (part.calls, part.generated_tokens) if bounded else (None, None)
    row = Row(part.phase, part.task.name, calls_at_most=calls, generated_at_most=tokens)
    if not items:
        return row
    if part.method == USC:  # not probed: it shows the model its own texts, and the reply is short
        like = probe.measured[part.task.name, DIRECT, False]
        generated = (0.0, float(part.generated_tokens))
        return replace(
            row, calls=part.calls, generated_tokens=generated, seconds=like.seconds(items, probe.at_once)
        )
    measured = probe.measured[part.kind]
    # System 1 is asked about kept inputs, of which there may be none.
    least = 0.0 if part.phase.endswith(BEFORE) else 1.0
    expected = round(items * measured.calls.mean)
    stored = measured.store_bytes.times(items)
    return replace(
        row,
        calls=expected if calls is None else min(expected, calls),
        prompt_tokens=_from(least, measured.prompt_tokens.times(items)),
        generated_tokens=_from(least, measured.generated_tokens.times(items, tokens)),
        seconds=_from(least, measured.seconds(items, probe.at_once)),
        disk_bytes=_range(stored, measured.row_bytes.times(items)) if part.scored else stored,
    )


def _from(share: float, values: Range) -> Range:
    return share * values[0], values[1]


def _unprobed(part: Part) -> Row:
    """Returns the row of a part with its bounds only."""
    calls, tokens = (part.calls, part.generated_tokens) if part.each.bounded else (None, None)
    most = (0.0, float(part.generated_tokens))
    return Row(part.phase, part.task.name, part.calls, calls, (0, 0), most, tokens)


def _trainings(variant: Variant, plans: Sequence[Planned], probe: Probe) -> list[Row]:
    """Returns the trainings of a variant. Judge tasks share a checkpoint; one for all has a row per task."""
    if not probe.read_rate:  # the engine has no weights to train
        return []
    folders: dict[str, list[Row]] = {}
    for plan in plans:
        if not plan.is_there and plan.inputs >= MIN_KEPT:
            folders.setdefault(str(plan.folder), []).append(_training(variant, plan, probe, probe.read_rate))
    rows = [row for found in folders.values() for row in (found if variant.recipe.together else found[:1])]
    start = STARTS[0] + probe.load_seconds, STARTS[1] + 2 * probe.load_seconds
    return [*rows, Row(TRAINING, "start", seconds=start)] if rows else []


def _training(variant: Variant, plan: Planned, probe: Probe, rate: float) -> Row:
    """Returns tokens and time of training on `plan`; `rate` is prompt tokens per second."""
    measured, settings = probe.measured[plan.task.name, DIRECT, False], plan.settings
    if variant.recipe.asked == "teacher":  # whole replies are taught: as long as the teacher's
        taught = plan.task.name, variant.teacher_for(plan.task.spec.s2_method), True
        measured = probe.measured.get(taught, measured)
    each = measured.prompt_tokens.mean + measured.generated_tokens.mean
    inputs = plan.inputs * (2 if plan.task.spec.swap else 1)
    steps = int(settings.get("max_steps") or 0)
    whole = (steps * int(settings["batch"]) if steps else inputs * float(settings["epochs"])) * each
    least, most = (1.0, 1.0) if steps else KEPT
    quick, slow = TIMES_READING[str(settings["tuning"])]
    weights = probe.weights_gb * 1e9 * (1.0 if settings["tuning"] == "full" else ADAPTER_SHARE)
    return Row(
        TRAINING,
        plan.task.name,
        prompt_tokens=(least * whole, most * whole),
        seconds=(least * whole * quick / rate, most * whole * slow / rate),
        disk_bytes=(weights, 2 * weights),
    )


def _joined(rows: Sequence[Row]) -> list[Row]:
    """Returns one row per phase and task that has something to do; seeds are summed."""
    found: dict[tuple[str, str], Row] = {}
    for row in rows:
        before = found.get((row.phase, row.task))
        found[row.phase, row.task] = row if before is None else before.plus(row)
    return [row for row in found.values() if row.calls or row.seconds[1]]


def _memory(probe: Probe, rows: Sequence[Row], full: bool) -> dict[str, float]:
    """Returns GB by purpose; empty if the weights are not on this machine."""
    if not probe.weights_gb:
        return {}
    found = {"weights": probe.weights_gb, "probe": probe.peak_gb}
    if any(row.phase == TRAINING for row in rows):
        states = probe.engine.model.parameters * FULL_TRAINING / 1e9
        found["training"] = states if full else probe.weights_gb + ADAPTER_SHARE * states
    return found
