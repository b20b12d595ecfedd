"""What the page says: the verdict in a sentence, the three claims at a glance, and figures as words.

Every function takes the leaderboard (keys of leaderboard.json, fractions from 0 to 1) and returns plain text:
percent and points for people, the bare value beside each text for sorting. Nothing here is HTML, and nothing
here is escaped: that is the template's work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from results.cells import compact
from results.roles import standing

CLAIMS = (
    ("superior", "base", "distilled", "better than base"),
    ("non_inferior", "s2", "distilled", "as good as System 2"),
    ("cheaper", "s2", "distilled", "cheaper than System 2"),
)
"""The three claims of distillation, in the order in which a reader asks."""
Board = Mapping[str, Any]
MINUS = "\u2212"


def headline(leaderboard: Board, manifest: Mapping[str, Any]) -> str:
    """The verdict in a sentence or two: on which tasks distillation was worth it."""
    asked = three_claims(leaderboard, manifest)
    if not asked:
        return _without_distillation(leaderboard, manifest)
    worth = [task for task, found in asked.items() if all(v == "yes" for v in found.values())]
    failed = {task: [c for c, v in found.items() if v == "no"] for task, found in asked.items()}
    failed = {task: claims for task, claims in failed.items() if claims}
    open_ = [task for task in asked if task not in worth and task not in failed]
    parts = []
    if worth:
        where = _share(worth, list(asked))
        parts.append(
            f"Distillation was worth it on {where}: better than base, as good as System 2, and cheaper."
        )
    if failed:
        words = {name: label for name, _, _, label in CLAIMS}
        reasons = {
            task: " and ".join(f"not {words[claim]}" for claim in claims) for task, claims in failed.items()
        }
        grouped: dict[str, list[str]] = {}
        for task, reason in reasons.items():
            grouped.setdefault(reason, []).append(task)
        listed = "; ".join(f"{_list(tasks)} ({reason})" for reason, tasks in grouped.items())
        parts.append(("It was not on " if worth else "Distillation was not worth it on ") + listed + ".")
    if open_:
        parts.append(f"On {_list(open_)} the data cannot tell." if parts else _all_open(open_, list(asked)))
    return " ".join([*parts, _not_distilled(leaderboard, manifest)]).strip()


def three_claims(leaderboard: Board, manifest: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """task -> claim -> verdict, for tasks where all three claims of distillation were tested."""
    found: dict[str, dict[str, str]] = {}
    for row in matrix(leaderboard, manifest)["rows"]:
        if all(row["cells"]) and not row["overall"]:
            verdicts = [found_cell["verdict"] for found_cell in row["cells"]]
            found[row["task"]] = dict(zip((name for name, *_ in CLAIMS), verdicts, strict=True))
    return found


def matrix(leaderboard: Board, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Tasks x the three claims: verdict and figure; a last row over all tasks. Empty without distillation."""
    names = {kind: kind for kind in ("base", "s2", "distilled")} | standing(manifest)
    rows = []
    for kind in ("comparisons", "overall"):
        found: dict[str, list[dict[str, Any] | None]] = {}
        for claim in leaderboard.get(kind, []):
            for place, (name, a, b, _) in enumerate(CLAIMS):
                cells = found.setdefault(claim["task"], [None] * len(CLAIMS))
                asked = (claim["claim"], claim["a"], claim["b"]) == (name, names[a], names[b])
                # Comparisons on the primary metric come first.
                if asked and cells[place] is None:
                    cells[place] = {"verdict": claim["verdict"], "figure": figure_of(claim)}
        rows += [
            {"task": task, "cells": cells, "overall": kind == "overall"}
            for task, cells in found.items()
            if any(cells)
        ]
    return {"columns": [label for *_, label in CLAIMS], "rows": rows}


def subline(manifest: Mapping[str, Any]) -> str:
    """Model, engine and data of the run in one line."""
    model, options = manifest.get("model") or {}, manifest.get("options") or {}
    data = sorted({str(entry["data"]) for entry in manifest["tasks"].values() if entry.get("data")})
    parts = [
        f"Model {options.get('pretrained') or model.get('name') or 'unknown'}",
        f"{model['parameters'] / 1e6:,.1f} million parameters" if model.get("parameters") else "",
        f"engine {options['engine']}" if options.get("engine") else "",
        f"data {', '.join(data)}" if data else "",
        f"seed {options['seed']}" if options.get("seed") is not None else "",
    ]
    return ", ".join(part for part in parts if part) + "."


def claim_words(claim: Board) -> str:
    """A claim as a sentence without its verdict."""
    a, b = claim["a"], claim["b"]
    if claim["claim"] == "superior":
        return f"{b} is better than {a}"
    if claim["claim"] == "non_inferior":
        return f"{b} is as good as {a} within {100 * claim['margin']:g} points"
    return f"{b} generates fewer tokens than {a}"


def figure_of(claim: Board) -> dict[str, Any]:
    """Value for sorting, and text and interval for reading; all empty where there is none."""
    value, low, high = estimate_of(claim)
    if value is None:
        return {"value": "", "text": "", "interval": ""}
    cheaper = claim["claim"] == "cheaper"
    scale, style = (1.0, ".2f") if cheaper else (100.0, "+.1f")
    ends = "" if low is None or high is None else f"[{scale * low:{style}}, {scale * high:{style}}]"
    text = f"{scale * value:{style}} {'x tokens' if cheaper else 'points'}"
    return {"value": value, "text": text.replace("-", MINUS), "interval": ends.replace("-", MINUS)}


def estimate_of(claim: Board) -> list[float | None]:
    """Value and both ends of its interval: a token ratio where cheapness is claimed, else a difference of
    scores."""
    keys = ("difference", "ci_low", "ci_high")
    if claim["claim"] == "cheaper":
        keys = ("token_ratio", "token_ratio_low", "token_ratio_high")
    return [claim.get(key) for key in keys]


def cell(value: Any, style: str) -> dict[str, Any]:
    """Value for sorting and text for reading; both empty where there is none."""
    if value is None:
        return {"value": "", "text": ""}
    if style == "percent":
        text = f"{100 * value:.1f}"
    elif style == "p":
        text = "< .001" if value < 0.001 else f"{value:.3f}"
    elif style == "si":
        text = compact(value)
    else:
        text = format(value, style)
    return {"value": value, "text": text}


def _without_distillation(leaderboard: Board, manifest: Mapping[str, Any]) -> str:
    asked = [claim for claim in leaderboard.get("comparisons", []) if claim["claim"] == "superior"]
    # Nothing that was distilled, a control say, is spoken of here as if System 2 had taught it.
    superior = [claim for claim in asked if not claim.get("named")] or asked
    missing = _not_distilled(leaderboard, manifest)
    if not superior:
        return missing or "This run compares no variants."
    first = superior[0]
    pair = [claim for claim in superior if (claim["a"], claim["b"]) == (first["a"], first["b"])]
    better = list(dict.fromkeys(claim["task"] for claim in pair if claim["verdict"] == "yes"))
    tasks = list(dict.fromkeys(claim["task"] for claim in pair))
    where = (
        f"on {_share(better, tasks)}"
        if better
        else f"on none of {len(tasks)} tasks"
        if len(tasks) > 1
        else "on no task"
    )
    ending = missing or "Nothing distilled from System 2 was compared."
    return f"{first['b']} is better than {first['a']} {where}. {ending}"


def _not_distilled(leaderboard: Board, manifest: Mapping[str, Any]) -> str:
    """The tasks on which what stands for distilled has no score; empty where it has one on all."""
    name = standing(manifest).get("distilled")
    rows = [row for row in leaderboard.get("rows", []) if row["variant"] == name and row["primary"]]
    without = [row["task"] for row in rows if row["status"] == "not_distilled"]
    if not without:
        return ""
    where = "" if len(without) == len(rows) else f" on {_list(without)}"
    told = any(entry.get("reason") and entry.get("task") in without for entry in leaderboard["distillation"])
    why = "the notes say why" if told else "System 2 agreed with itself on too few inputs"
    return f"Nothing could be distilled{where}: {why}."


def _all_open(tasks: Sequence[str], asked: Sequence[str]) -> str:
    return f"Whether distillation was worth it, the data cannot tell on {_share(tasks, asked)}."


def _share(some: Sequence[str], of: Sequence[str]) -> str:
    if len(of) == 1:
        return some[0]
    share = "all" if len(some) == len(of) else f"{len(some)} of"
    return f"{share} {len(of)} tasks ({_list(some)})"


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
