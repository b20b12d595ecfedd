"""Notes: what a reader of the tables must know, as sentences.

Each function finds one thing that changes the meaning of the figures: a run that did not finish, a task not
distilled, warnings of distillation, a teacher that is not in the run, failures, metrics without rows. Doubts
about a single row (for example cut texts) are printed under the tables (`results.tables.rows`). Notes of the
manifest come first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from results.analysis.cost import CostModel
from results.records.load import RunData
from results.records.roles import Trio, distillations, not_distilled, standing, tasks_of
from results.schema import Comparison, Distillation, ScoreRow, overlap_sentence

NO_CACHED_COUNTS = (
    "The server does not report cached prompt tokens, so their column is empty (vllm serve reports "
    "them with --enable-prompt-tokens-details)."
)


def collect(
    run: RunData,
    rows: Sequence[ScoreRow],
    compared: Sequence[Comparison],
    costs: CostModel,
    apart: Sequence[tuple[str, str, str]] = (),
    of_task: Mapping[str, Sequence[Trio]] | None = None,
) -> list[str]:
    """All notes of a leaderboard, without repeats. `apart` are pairs (task, a, b) without a common seed;
    `of_task` has the trios.
    """
    found = [str(note) for note in run.manifest["notes"]]
    status = run.manifest.get("status")
    if status and status != "finished":
        found.append(f"The run is {status}, not finished: figures may change when it is resumed.")
    found += _looks(run)
    found += _missing(run)
    found += _distillation(run)
    found += _overlap(run)
    found += _spared(run)
    found += _warnings(run)
    found += [
        f"{task}: no seed was distilled for both {a} and {b}, so they are not compared."
        for task, a, b in apart
    ]
    found += _untaught(run, of_task or {})
    for row in rows:
        errors = row["failures"].get("error", 0)
        if row["primary"] and errors:
            found.append(
                f"{row['task']}, {row['variant']}: {errors:,} items failed with an error and score as wrong."
            )
        if row["score"] is not None and not 0 <= row["score"] <= 1:
            found.append(
                f"{row['task']}, {row['variant']}: {row['metric']!r} is {row['score']:g}, not a fraction "
                "from 0 to 1: percent, points and the margin are 100 times the task's own figures."
            )
        if row["status"] == "scored" and row["score"] is None:
            found.append(f"{row['task']}, {row['variant']}: no row has a score for {row['metric']!r}.")
    for one in compared:
        if one.get("rows_left_out"):
            found.append(
                f"{one['task']}: {one['rows_left_out']:,} rows have {one['metric']!r} for only one of "
                f"{one['a']} and "
                f"{one['b']}, and were left out of their comparison."
            )
    if not tells_cached(run):
        found.append(
            NO_CACHED_COUNTS + (" Costs count every prompt token as not cached." if costs.prices else "")
        )
    if costs.parameters is None:
        found.append("The manifest has no number of parameters, so FLOPs and their break-even are unknown.")
    return list(dict.fromkeys(found))


def tells_cached(run: RunData) -> bool:
    """Whether the engine reports cached prompt tokens. An engine that does may omit a zero."""
    return any(columns.cached_told for columns in run.columns.values())


def _looks(run: RunData) -> list[str]:
    """A note if a plan of looks was followed by another."""
    plan = run.manifest.get("looks")
    anew = plan["made_anew"] if plan else []
    return [
        f"--limit was raised after claims had been given up ({', '.join(anew)}): a new plan tests the new "
        "clusters alone, at the error that the old plan left (conditional error, Mueller and Schaefer 2001), "
        "so the error rates hold over both plans; scores and differences of these tasks are those of the new "
        "clusters where these were asked."
    ] if anew else []  # fmt: skip


def _missing(run: RunData) -> list[str]:
    skipped = not_distilled(run.manifest)
    return [
        f"{task}, {variant}: no samples: resume the run to get them."
        for task, variant in run.missing
        if (task, variant) not in skipped
    ]


def _untaught(run: RunData, of_task: Mapping[str, Sequence[Trio]]) -> list[str]:
    """Variants taught by a System 2 that is not in the run, if another System 2 is: they are not compared."""
    if "s2" not in standing(run.manifest):
        return []
    tasks: dict[str, list[str]] = {}
    for task, found in of_task.items():
        for trio in found:
            if trio.teacher is None and (task, trio.distilled) in run.columns:
                tasks.setdefault(trio.distilled, []).append(task)
    taught = {entry["variant"]: entry.get("teacher_method") for entry in distillations(run.manifest)}
    return [
        f"{name} was taught by {taught.get(name) or 'a System 2'} on {', '.join(of)}, which is not in this "
        "run, so it is not compared with its teacher. Add that teacher to --models to get these claims."
        for name, of in tasks.items()
    ]


def _distillation(run: RunData) -> list[str]:
    """One note on what was not distilled, by task, variant and, if there are several, seed."""
    without = not_distilled(run.manifest)
    cases, others, explained = [], False, True
    reasons: list[str] = []
    for name, entry in _named(run):
        if entry.get("status") != "not_distilled":
            continue
        if entry.get("reason"):
            reasons.append(f"{name} was not distilled. {entry['reason']}")
            continue
        cases.append(f"{name} ({entry.get('kept')} of {entry.get('inputs')})")
        tasks = tasks_of(run.manifest, entry)
        others = others or not all((task, entry["variant"]) in without for task in tasks)
        explained = explained and bool(entry.get("warnings"))
    if not cases:
        return reasons
    note = f"Not distilled, because too few inputs were kept: {'; '.join(cases)}."
    # The run's own warnings say why, and what would help.
    note += "" if explained else " Use more inputs or samples."
    if others:
        note += " Scores use the seeds that were distilled, and pairs the seeds that both have."
    return [*reasons, note]


def _overlap(run: RunData) -> list[str]:
    """A note for each task with training rows that overlap test items; its variants and seeds have the same
    rows."""
    said = [
        overlap_sentence(str(entry.get("task")), counts, bool(entry.get("allow_overlap")))
        for entry in distillations(run.manifest)
        # A note on what was not distilled for this reason has the figures already.
        if isinstance(counts := entry.get("overlap"), dict) and not entry.get("reason")
    ]
    return [sentence for sentence in dict.fromkeys(said) if sentence is not None]


def _spared(run: RunData) -> list[str]:
    """One note on the samples that curtailed votes saved."""
    said = []
    for name, entry in _named(run):
        drawn, planned = entry.get("samples_drawn"), entry.get("samples_planned")
        if drawn is not None and planned and drawn < planned:
            share = f"{100 * (1 - drawn / planned):.0f} %"
            said.append(f"{name} {drawn:,} of {planned:,} samples ({share} spared)")
    return [
        f"Teacher samples were drawn until each vote was certain: {'; '.join(said)}. More samples could "
        "not have changed what is kept; --all-samples draws them anyway."
    ] if said else []  # fmt: skip


def _warnings(run: RunData) -> list[str]:
    """Warnings of distillation: a note for each set of warnings, with all distillations that it applies
    to."""
    said: dict[str, list[str]] = {}
    for name, entry in _named(run):
        text = " ".join(str(warning) for warning in entry.get("warnings") or [])
        if text:
            said.setdefault(text, []).append(name)
    return [f"{'; '.join(names)}: {text}" for text, names in said.items()]


def _named(run: RunData) -> list[tuple[str, Distillation]]:
    """The manifest's distillations, each named by task, variant and, if there are several, seed."""
    entries = distillations(run.manifest)
    several = len({entry.get("seed") or 0 for entry in entries}) > 1
    found = []
    for entry in entries:
        tasks = tasks_of(run.manifest, entry)
        name = f"{tasks[0] if len(tasks) == 1 else 'all tasks'}, {entry['variant']}"
        found.append((f"{name}, seed {entry.get('seed') or 0}" if several else name, entry))
    return found
