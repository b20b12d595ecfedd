"""Rows of the page's tables: leaderboard, claims, and what distillation cost.

Like `page_words.py`, it turns a leaderboard into plain text and numbers, and knows neither HTML nor escaping.
A cell is a dict of `value`, by which the table sorts, and `text`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from results.page_words import MINUS, Board, cell, claim_words, estimate_of, figure_of


def board(leaderboard: Board, manifest: Mapping[str, Any], styles: Mapping[str, int]) -> dict[str, Any]:
    """Rows of the leaderboard table. The first row of a task and variant is its primary metric."""
    primary = {task: entry["primary"] for task, entry in manifest["tasks"].items()}
    best = _best(leaderboard, manifest)
    priced = any(row.get("usd_per_1k_items") is not None for row in leaderboard["rows"])
    rows: list[dict[str, Any]] = []
    for row in leaderboard["rows"]:
        low, high = row.get("ci_low"), row.get("ci_high")
        top = best.get((row["task"], row["metric"]))
        cells = [
            cell(row[key], ",.1f") for key in ("generated_tokens", "prompt_tokens", "cached_tokens", "calls")
        ]
        cells.append(cell(row.get("flops_per_item"), "si"))
        if priced:
            cells.append(cell(row.get("usd_per_1k_items"), ",.4g"))
        failures = {kind: count for kind, count in (row.get("failures") or {}).items() if count}
        rows.append(
            {
                "task": row["task"],
                "first": not rows or rows[-1]["task"] != row["task"],
                "variant": row["variant"],
                "method": row["method"],
                "metric": row["metric"],
                "primary": row["metric"] == primary.get(row["task"], row["metric"]),
                "find": f"{row['variant']} {row['method']} {row['metric']}".lower(),
                "style": styles[row["variant"]] + 1,
                "n": cell(row["n"], ",d"),
                "score": cell(row["score"], "percent"),
                "interval": "" if low is None or high is None else f"[{100 * low:.1f}, {100 * high:.1f}]",
                "best": row["variant"] == top,
                "tie": top is not None and row["variant"] != top and _tied(leaderboard, row, top),
                "cells": cells,
                "failures": {
                    "value": sum(failures.values()),
                    "text": ", ".join(
                        f"{count:,} {kind.replace('_', ' ')}" for kind, count in failures.items()
                    )
                    or "none",
                },
            }
        )
    return {"rows": rows, "priced": priced, "others": any(not row["primary"] for row in rows)}


def claims(leaderboard: Board) -> dict[str, Any]:
    """Rows of the claims table, with the ends of each interval on a strip of 160 units."""
    compared = leaderboard.get("comparisons", [])
    ends = [
        abs(c[key])
        for c in compared
        for key in ("ci_low", "ci_high")
        if c["claim"] != "cheaper" and c.get(key) is not None
    ]
    reach = max(10, 10 * math.ceil(10 * max(ends, default=0.1)))
    ratios = [abs(math.log2(r)) for c in compared if c["claim"] == "cheaper" for r in estimate_of(c) if r]
    octaves = max(1, math.ceil(max(ratios, default=1)))
    rows = [
        {
            "task": claim["task"],
            "first": number == 0 or compared[number - 1]["task"] != claim["task"],
            "words": claim_words(claim),
            "how": "; ".join(part for part in (_measured(claim), _why(claim)) if part),
            "verdict": claim["verdict"],
            "figure": figure_of(claim),
            "strip": _strip(claim, reach, octaves),
            "p": cell(claim.get("p"), "p"),
            "p_adjusted": cell(claim.get("p_adjusted"), "p"),
            "n": cell(claim["n"], ",d"),
        }
        for number, claim in enumerate(compared)
    ]
    scale = f"points from {MINUS}{reach} to +{reach}; tokens from 1/{2**octaves} to {2**octaves} times"
    return {"rows": rows, "scale": scale, "tasks": list(dict.fromkeys(row["task"] for row in rows))}


def distillation(leaderboard: Board) -> dict[str, Any] | None:
    """Rows of the table of what distillation cost; None where nothing was distilled."""
    entries = leaderboard.get("distillation") or []
    if not entries:
        return None
    columns = [
        "inputs kept",
        "dropped",
        "samples per input",
        "teacher tokens",
        "training tokens",
        "pseudo-labels right",
    ]
    units = list(dict.fromkeys(unit for entry in entries for unit in (entry.get("break_even") or {})))
    names = {"flops": "FLOPs", "tokens": "tokens", "usd": "dollars"}
    rows = []
    for entry in entries:
        dropped = ", ".join(
            f"{count:,}\N{NO-BREAK SPACE}{reason.replace('_', ' ')}"
            for reason, count in (entry.get("dropped") or {}).items()
            if count
        )
        right = entry.get("pseudo_label_accuracy")
        cells = [
            f"{entry['kept']:,} of {entry['inputs']:,}",
            dropped or "none",
            cell(entry.get("samples_per_input"), "g")["text"],
        ]
        cells += [cell(entry.get(key), ",.0f")["text"] for key in ("teacher_tokens", "train_tokens")]
        cells.append("unknown" if right is None else f"{100 * right:.1f} %")
        cells += [_break_even((entry.get("break_even") or {}).get(unit), unit) for unit in units]
        label = entry["task"] + (f", {entry['variant']}" if entry.get("variant") else "")
        rows.append(
            {"task": label + (f", seed {entry['seed']}" if entry.get("seed") else ""), "cells": cells}
        )
    return {
        "columns": columns + [f"queries to break even, {names.get(unit, unit)}" for unit in units],
        "rows": rows,
    }


def _break_even(found: Mapping[str, Any] | None, unit: str) -> str:
    if found is None:
        return "no prices" if unit == "usd" else "never"
    if found.get("value") is None:
        return "never"
    ends = ["never" if found.get(end) is None else f"{found[end]:,.0f}" for end in ("low", "high")]
    return f"{found['value']:,.0f} [{ends[0]}, {ends[1]}]"


def _measured(claim: Board) -> str:
    """What was compared and by which test."""
    metric = "" if claim["claim"] == "cheaper" else claim["metric"]
    return ", ".join(part for part in (metric, claim.get("test")) if part)


def _why(claim: Board) -> str:
    """For what cannot be told: how large a difference this n could have shown, and how many items would
    settle it."""
    if claim["verdict"] != "cannot_tell" or claim["claim"] == "cheaper":
        return ""
    parts = []
    if claim.get("mde") is not None:
        parts.append(
            f"with n = {claim['n']:,} a difference of {100 * claim['mde']:.1f} points could have been seen"
        )
    if claim.get("needed_n") is not None:
        parts.append(f"about {claim['needed_n']:,} items would be needed")
    return "; ".join(parts)


def _strip(claim: Board, reach: float, octaves: float) -> dict[str, Any] | None:
    cheaper = claim["claim"] == "cheaper"
    value, low, high = estimate_of(claim)
    if value is None or low is None or high is None or (cheaper and min(value, low, high) <= 0):
        return None

    def place(figure: float) -> float:
        share = math.log2(figure) / octaves if cheaper else 100 * figure / reach
        return round(80 + 78 * max(-1.0, min(1.0, share)), 1)

    margin = (
        place(-claim["margin"])
        if claim["claim"] == "non_inferior" and claim.get("margin") is not None
        else None
    )
    label = "{text} {interval}".format(**figure_of(claim))
    return {
        "low": place(low),
        "value": place(value),
        "high": place(high),
        "zero": 80,
        "margin": margin,
        "label": label,
    }


def _best(leaderboard: Board, manifest: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """(task, metric) -> variant with the best score, by the metric's direction; left out where all are
    equal."""
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in leaderboard["rows"]:
        if row.get("score") is not None:
            groups.setdefault((row["task"], row["metric"]), []).append(row)
    best = {}
    for (task, metric), rows in groups.items():
        entry = manifest["tasks"].get(task, {}).get("metrics", {}).get(metric, {})
        sign = -1 if entry.get("direction") == "lower" else 1
        if len({row["score"] for row in rows}) > 1:
            best[task, metric] = max(rows, key=lambda row: sign * row["score"])["variant"]
    return best


def _tied(leaderboard: Board, row: Mapping[str, Any], top: str) -> bool:
    """Whether the paired comparison of a row with the best one has an interval that holds zero."""
    for claim in leaderboard.get("comparisons", []):
        same = claim["claim"] == "superior" and (claim["task"], claim["metric"]) == (
            row["task"],
            row["metric"],
        )
        if same and {claim["a"], claim["b"]} == {row["variant"], top}:
            low, high = claim.get("ci_low"), claim.get("ci_high")
            return low is not None and high is not None and low <= 0 <= high
    return False
