"""What each distillation cost and when it pays back, as cells, and laid out for a terminal and Markdown."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

from results.records.roles import ALL_TASKS
from results.schema import DistillationRow, Leaderboard
from results.tables import cells as formats
from results.tables import layout
from results.tables.rows import LABELS

HEADERS = (
    "task",
    "variant",
    "teacher",
    "inputs kept",
    "dropped",
    "teacher tokens",
    "break-even (tokens)",
    "break-even (FLOPs)",
    "break-even ($)",
)
RIGHT = frozenset(HEADERS[5:])
LEGEND = (
    "Break-even: queries until the saving per item, compared with the teacher, has paid back teacher "
    "sampling and training; with the 95 % interval of that saving."
)


def terminal(leaderboard: Leaderboard, width: int) -> list[str]:
    """Lines for a terminal; none without distillations. Variant and teacher are in a sentence if they are the
    same on every task.
    """
    rows = cells(leaderboard, formats.plain, layout.GLUE)
    if not rows:
        return []
    headers, names, lines = list(HEADERS), 2, [""]
    taught = {(variant, teacher) for _, variant, teacher, *_ in rows}
    if len(taught) == 1:
        ((variant, teacher),) = taught
        lines += textwrap.wrap(f"Distillation of {variant}, taught by {teacher}:", width)
        headers, rows, names = [headers[0], *headers[3:]], [[row[0], *row[3:]] for row in rows], 1
    lines.append(layout.table(headers, rows, width, RIGHT, names))
    return lines + (textwrap.wrap(LEGEND, width) if _pays(leaderboard) else [])


def markdown(leaderboard: Leaderboard) -> list[str]:
    """Parts of leaderboard.md; none without distillations."""
    rows = cells(leaderboard, formats.markdown)
    return ["", "## Distillation", "", layout.grid(HEADERS, rows, RIGHT), "", LEGEND] if rows else []


def cells(leaderboard: Leaderboard, escape: Callable[[object], str], space: str = " ") -> list[list[str]]:
    """A row per distillation: counts and break-even. `space` is put between a count and its name."""
    table = []
    for row in leaderboard["distillation"]:
        kept = space.join([str(row["kept"]), "of", str(row["inputs"])])
        kept += ", not distilled" if row["status"] == "not_distilled" else ""
        dropped = [
            escape(f"{reason} {count:,}".replace("_", " ")).replace(" ", space)
            for reason, count in row["dropped"].items()
        ]
        paid = [formats.pays_after(row["break_even"][unit]) for unit in ("tokens", "flops", "usd")]
        names = [escape(named(row)), escape(row["variant"]), escape(teacher(row))]
        tokens = formats.compact(row["teacher_tokens"])
        table.append([*names, kept, ", ".join(dropped) or "0", tokens, *paid])
    return table


def named(row: DistillationRow) -> str:
    """Name of a distillation: its task (or all tasks), with its seed unless that is the first."""
    name = "all tasks" if row["task"] == ALL_TASKS else str(row["task"])
    return f"{name}, seed {row['seed']}" if row["seed"] else name


def teacher(row: DistillationRow) -> str:
    """The teacher: a variant, labels, or a method without a row in the run."""
    if row.get("teacher_method") == "labels":
        return LABELS
    if row["teacher"] is not None:
        return str(row["teacher"])
    return f"{row['teacher_method']} (no row)" if row.get("teacher_method") else "-"


def _pays(leaderboard: Leaderboard) -> bool:
    """Whether a break-even is known."""
    return any(any(row["break_even"].values()) for row in leaderboard["distillation"])
