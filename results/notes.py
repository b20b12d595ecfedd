"""Plain sentences that a reader of the tables must not miss.

Each rule of this file looks at one thing that changes how the figures are to be read: a run that did not
finish, a task not distilled, failures, cut texts, metrics without rows. Sentences of the manifest come first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from results.cost import CostModel
from results.load import RunData

Row = dict[str, Any]
MANY_CUT = 0.05
"""Share of cut rows from which a note is due."""


def collect(run: RunData, rows: Sequence[Row], compared: Sequence[Row], costs: CostModel) -> list[str]:
    """All notes of a leaderboard, without repeats."""
    found = [str(note) for note in run.manifest.get("notes") or []]
    status = run.manifest.get("status")
    if status and status != "finished":
        found.append(f"The run is {status}, not finished: figures may change when it is resumed.")
    found += _missing(run)
    found += _distillation(run)
    for row in rows:
        if row["primary"] and row["n_rows"] and row["truncated"] > MANY_CUT * row["n_rows"]:
            found.append(
                f"{row['task']}, {row['variant']}: {row['truncated']:,} of {row['n_rows']:,} texts were "
                f"cut at the "
                "maximum of tokens; their scores may be too low."
            )
        errors = row["failures"].get("error", 0)
        if row["primary"] and errors:
            found.append(
                f"{row['task']}, {row['variant']}: {errors:,} items failed with an error and score as wrong."
            )
        if row["status"] == "scored" and row["score"] is None:
            found.append(f"{row['task']}, {row['variant']}: no row has a score of {row['metric']!r}.")
    for row in compared:
        if row.get("rows_left_out"):
            found.append(
                f"{row['task']}: {row['rows_left_out']:,} rows have {row['metric']!r} for only one of "
                f"{row['a']} and "
                f"{row['b']}, and were left out of their comparison."
            )
    if costs.parameters is None:
        found.append("The manifest names no number of parameters, so FLOPs and their break-even are unknown.")
    return list(dict.fromkeys(found))


def _missing(run: RunData) -> list[str]:
    skipped = {
        (entry.get("task"), entry.get("variant", "distilled"))
        for entry in run.manifest.get("distillation") or []
        if entry.get("status") == "not_distilled"
    }
    return [
        f"{task}, {variant}: no samples; resume the run to get them."
        for task, variant in run.missing
        if (task, variant) not in skipped
    ]


def _distillation(run: RunData) -> list[str]:
    found = []
    for entry in run.manifest.get("distillation") or []:
        if entry.get("status") == "not_distilled":
            found.append(
                f"{entry.get('task')}: not distilled, the filter kept {entry.get('kept')} of "
                f"{entry.get('inputs')} inputs; "
                "more inputs or samples would help."
            )
    return found
