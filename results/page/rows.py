"""Rows of the page's tables: leaderboard, claims, and what distillation cost.

A cell is a dict of `value` (for sorting) and `text`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypedDict

from results.analysis.verdicts import against, confidence, could_have_shown, is_primary, settles, word
from results.page.words import MINUS, Cell, Figure, badge_of, cell, claim_words, estimate_of, figure_of
from results.schema import USAGE, Comparison, Leaderboard, ScoreRow, Unit
from results.tables import cells, looks
from results.tables import distillation as tables
from results.tables.columns import PageColumn, on_page
from results.tables.rows import doubts

NO_BREAK = "\N{NO-BREAK SPACE}"
UNITS: dict[Unit, str] = {"tokens": "tokens", "flops": "FLOPs", "usd": "dollars"}


class BoardRow(TypedDict):
    """A row of the leaderboard table."""

    task: str
    first: bool
    """Whether it is the first row of its task."""
    variant: str
    doubts: str
    method: str
    metric: str
    primary: bool
    find: str
    """Text for the search field."""
    style: int
    """Number of the variant's colour, from 1."""
    n: Cell
    score: Cell
    interval: str
    best: bool
    tie: bool
    cells: list[Cell]
    """Tokens, calls and costs."""
    failures: Cell


class BoardTable(TypedDict):
    """The leaderboard table; `others` says whether there are secondary metrics."""

    rows: list[BoardRow]
    costs: list[PageColumn]
    others: bool


class Strip(TypedDict):
    """An interval to draw: positions from 0 to 160, None for no margin, and its text."""

    low: float
    value: float
    high: float
    zero: float
    margin: float | None
    label: str


class ClaimLine(TypedDict):
    """A row of the claims table."""

    task: str
    first: bool
    """Whether it is the first row of its task."""
    words: str
    primary: bool
    named: bool
    pair: str
    how: str
    """The measurement, and doubts about the verdict."""
    verdict: str
    word: str
    figure: Figure
    strip: Strip | None
    p: Cell
    p_adjusted: Cell
    n: Cell


class ClaimLines(TypedDict):
    """The claims table, the scale of its strips, and the choices of its filters."""

    rows: list[ClaimLine]
    scale: str
    tasks: list[str]
    pairs: list[str]
    named: bool
    others: bool


class CostLine(TypedDict):
    """What one distillation cost."""

    task: str
    variant: str
    cells: list[str]


class CostLines(TypedDict):
    """The table of what distillation cost."""

    columns: list[str]
    rows: list[CostLine]


def board(leaderboard: Leaderboard, styles: Mapping[str, int]) -> BoardTable:
    """Rows of the leaderboard table. The first row of a task and variant is its primary metric."""
    marks = cells.marks(leaderboard["rows"], leaderboard.get("comparisons", []))
    columns = on_page(leaderboard["rows"])
    rows: list[BoardRow] = []
    for row in leaderboard["rows"]:
        low, high = row.get("ci_low"), row.get("ci_high")
        mark = marks.get((row["task"], row["variant"], row["metric"]), "")
        costs = [cell(column.value(row), page.format) for column, page in columns]
        failures = {kind: count for kind, count in (row.get("failures") or {}).items() if count}
        rows.append(
            {
                "task": row["task"],
                "first": not rows or rows[-1]["task"] != row["task"],
                "variant": row["variant"],
                "doubts": " ".join(doubts(row)),
                "method": row["method"],
                "metric": row["metric"],
                "primary": row["primary"],
                "find": f"{row['variant']} {row['method']} {row['metric']}".lower(),
                "style": styles[row["variant"]] + 1,
                "n": _n(row),
                "score": _score(row),
                "interval": "" if low is None or high is None else f"[{100 * low:.1f}, {100 * high:.1f}]",
                "best": mark == cells.BEST,
                "tie": mark == cells.TIE,
                "cells": costs,
                "failures": {
                    "value": sum(failures.values()),
                    "text": ", ".join(_count(count, kind) for kind, count in failures.items()) or "none",
                },
            }
        )
    return {
        "rows": rows,
        "costs": [page for _, page in columns],
        "others": any(not row["primary"] for row in rows),
    }


def _n(row: ScoreRow) -> Cell:
    """Clusters, with the planned number if there are planned looks."""
    shown = cell(row["n"], ",d")
    if "planned_n" in row:
        shown["text"] += f" of {row['planned_n']:,}{looks.MARK}"
    return shown


def claims(leaderboard: Leaderboard) -> ClaimLines:
    """Rows of the claims table, with the ends of each interval on a strip of 160 units."""
    compared = leaderboard.get("comparisons", [])
    ends = [
        abs(end)
        for claim in compared
        for end in (claim["ci_low"], claim["ci_high"])
        if claim["claim"] != "cheaper" and end is not None
    ]
    reach = max(10, 10 * math.ceil(10 * max(ends, default=0.1)))
    ratios = [
        abs(math.log2(ratio))
        for claim in compared
        if claim["claim"] == "cheaper"
        for ratio in estimate_of(claim)
        if ratio
    ]
    octaves = max(1, math.ceil(max(ratios, default=1)))
    rows: list[ClaimLine] = [
        {
            "task": claim["task"],
            "first": number == 0 or compared[number - 1]["task"] != claim["task"],
            "words": claim_words(claim),
            "primary": is_primary(claim),
            "named": claim.get("named", False),
            "pair": f"{claim['a']} and {claim['b']}",
            "how": "; ".join(
                part for part in (_measured(claim), _kept(claim), _why(claim), _looked(claim)) if part
            ),
            "verdict": badge_of(claim),
            "word": word(claim),
            "figure": figure_of(claim),
            "strip": _strip(claim, reach, octaves),
            # The ratio's interval decides `cheaper`: a p of the difference could contradict it.
            "p": cell(None if claim["claim"] == "cheaper" else claim.get("p"), "p"),
            "p_adjusted": cell(claim.get("p_adjusted"), "p"),
            "n": cell(claim["n"], ",d"),
        }
        for number, claim in enumerate(compared)
    ]
    scale = f"points from {MINUS}{reach} to +{reach}; tokens from 1/{2**octaves} to {2**octaves} times"
    return {
        "rows": rows,
        "scale": scale,
        "tasks": list(dict.fromkeys(row["task"] for row in rows)),
        "pairs": list(dict.fromkeys(row["pair"] for row in rows)),
        "named": any(row["named"] for row in rows),
        "others": any(not row["primary"] for row in rows),
    }


def _looked(claim: Comparison) -> str:
    """Text for a figure that is adjusted for planned looks."""
    count = len(claim.get("looks") or [])
    return f"{looks.MARK} adjusted for {count} planned look{'' if count == 1 else 's'}" if count else ""


def distillation(leaderboard: Leaderboard) -> CostLines | None:
    """Rows of the table of what distillation cost; None if nothing was distilled."""
    entries = leaderboard.get("distillation") or []
    if not entries:
        return None
    columns = ["teacher", "inputs kept", "dropped", "samples", "teacher tokens", "training tokens"]
    columns += ["pseudo-labels right", *(f"break-even, {name}" for name in UNITS.values())]
    rows: list[CostLine] = []
    for entry in entries:
        dropped = [_count(count, reason) for reason, count in (entry.get("dropped") or {}).items() if count]
        right, paid = entry["pseudo_label_accuracy"], entry["break_even"]
        found = [
            tables.teacher(entry),
            f"{entry.get('kept')} of {entry.get('inputs')}"
            + (", not distilled" if entry.get("status") == "not_distilled" else ""),
            ", ".join(dropped) or "none",
            *(
                cell(figure, ",.0f")["text"]
                for figure in (entry["samples_per_input"], entry["teacher_tokens"], entry["train_tokens"])
            ),
            "unknown" if right is None else f"{100 * right:.1f} %",
            *(cells.pays_after(paid[unit]) for unit in UNITS),
        ]
        rows.append({"task": tables.named(entry), "variant": entry["variant"], "cells": found})
    known = [place for place, _ in enumerate(columns) if any(row["cells"][place] != "-" for row in rows)]
    for row in rows:
        row["cells"] = [row["cells"][place] for place in known]
    return {"columns": [columns[place] for place in known], "rows": rows}


def steps(leaderboard: Leaderboard) -> list[list[str]]:
    """task, variant, step, then calls, prompt, cached and generated tokens per item."""
    return [
        [row["task"], row["variant"], step, *(cells.number(means[name]) for name in USAGE)]
        for row in leaderboard["rows"]
        if row["primary"]
        for step, means in (row.get("steps") or {}).items()
    ]


def _score(row: ScoreRow) -> Cell:
    if row.get("status") == "not_distilled":
        return {"value": "", "text": "not distilled"}
    return cell(row["score"], "percent")


def _count(count: int, name: str) -> str:
    """A count with its name, without a line break."""
    return f"{count:,} {name}".replace("_", " ").replace(" ", NO_BREAK)


def _measured(claim: Comparison) -> str:
    """Metric and test of a claim."""
    metric = "" if claim["claim"] == "cheaper" else claim["metric"]
    if metric and claim.get("direction") == "lower":
        metric += " (lower is better)"
    chance = "noise floor: one variant run twice" if claim.get("noise_floor") else ""
    level = "" if claim["claim"] == "cheaper" else f"{confidence(claim)} interval"
    return ", ".join(part for part in (metric, claim.get("test"), level, chance) if part)


def _kept(claim: Comparison) -> str:
    return f"gain kept: {cells.kept(claim)}" if "gain_kept" in claim else ""


def _why(claim: Comparison) -> str:
    """Doubts about the claim's verdict. If the data cannot tell: what this n could have shown, and how many
    items would decide.
    """
    parts = [part.strip().rstrip(".") for part in against(claim)]
    if claim["verdict"] != "cannot_tell" or claim["claim"] == "cheaper" or claim.get("turned_by_cut"):
        return "; ".join(parts)
    parts.append(could_have_shown(claim).rstrip("."))
    if settles(claim):
        equal = " if the two are equally good" if claim["claim"] == "non_inferior" else ""
        parts.append(f"about {claim['needed_n']:,} would be needed{equal}")
    return "; ".join(parts)


def _strip(claim: Comparison, reach: float, octaves: float) -> Strip | None:
    cheaper = claim["claim"] == "cheaper"
    value, low, high = estimate_of(claim)
    if value is None or low is None or high is None or (cheaper and min(value, low, high) <= 0):
        return None

    def place(figure: float) -> float:
        share = math.log2(figure) / octaves if cheaper else 100 * figure / reach
        return round(80 + 78 * max(-1.0, min(1.0, share)), 1)

    margin = claim["margin"] if claim["claim"] == "non_inferior" else None
    label = "{text} {interval}".format(**figure_of(claim))
    return {
        "low": place(low),
        "value": place(value),
        "high": place(high),
        "zero": 80,
        "margin": None if margin is None else place(-margin),
        "label": label,
    }
