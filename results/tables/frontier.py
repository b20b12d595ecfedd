"""The frontier as cells and sentences: score against tokens of every variant, fewest tokens first.

Each format does its own layout; the figures are those of `frontier[]`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable

from results.schema import FrontierPoint, Leaderboard
from results.tables import cells as formats
from results.tables import layout
from results.tables.rows import LABELS

HEADERS = ("task", "variant", "tokens", "score %", "front", "P(front) %", "as good")
RIGHT = frozenset({"tokens", "score %", "P(front) %"})
LEGEND = (
    "Front: no other variant scores as well with as few generated tokens. P(front): share of bootstrap draws "
    "of the items (joint, whole clusters) in which this is so. As good: paired non-inferiority test at the "
    "margin, unadjusted, for variants that generate fewer tokens than System 2."
)
STANDING = 3
"""Base, System 2 and distilled: with only these, the claims already say what the frontier says."""


def terminal(leaderboard: Leaderboard, width: int) -> list[str]:
    """Lines for a terminal; none if the claims say the same."""
    if not has_more(leaderboard):
        return []
    said = [line for text in sentences(leaderboard) for line in textwrap.wrap(text, width)]
    table = layout.table(HEADERS, cells(leaderboard), width, RIGHT)
    return ["", *said, table, *textwrap.wrap(LEGEND, width)]


def markdown(leaderboard: Leaderboard) -> list[str]:
    """Parts of leaderboard.md; none if no task has two variants."""
    rows = cells(leaderboard, formats.markdown)
    if not rows:
        return []
    said = [f"- {formats.markdown(text)}" for text in sentences(leaderboard)]
    return ["", "## Frontier", "", *said, "", layout.grid(HEADERS, rows, RIGHT), "", formats.markdown(LEGEND)]


def cells(leaderboard: Leaderboard, escape: Callable[[object], str] = str) -> list[list[str]]:
    """A row per task and variant; only a task's first row has its name."""
    table = []
    for entry in leaderboard["frontier"]:
        for place, point in enumerate(entry["points"]):
            name = point["variant"] + (f" {LABELS}" if point["uses_labels"] else "")
            table.append(
                [
                    escape(entry["task"] if place == 0 else ""),
                    escape(name),
                    f"{point['tokens']:,.1f}",
                    f"{100 * point['score']:.1f}",
                    "yes" if point["on_front"] else "",
                    "-" if point["p_on_front"] is None else f"{100 * point['p_on_front']:.0f}",
                    _as_good(point),
                ]
            )
    return table


def _as_good(point: FrontierPoint) -> str:
    return (point["as_good"] or "").replace("_", " ")


def sentences(leaderboard: Leaderboard) -> list[str]:
    """A sentence for each task with a cheapest variant that is as good as System 2."""
    return [entry["sentence"] for entry in leaderboard["frontier"] if entry["sentence"]]


def has_more(leaderboard: Leaderboard) -> bool:
    """Whether a task has variants besides base, System 2 and distilled."""
    return any(len(entry["points"]) > STANDING for entry in leaderboard["frontier"])
