"""What the page says: leaderboard figures as words, and rows ready for its tables.

Every function takes the leaderboard (keys of leaderboard.json, fractions from 0 to 1) and returns plain text, numbers
and lists: percent and points for people, the bare value beside each text for sorting. Nothing here is HTML, and nothing
here is escaped: that is the template's work.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

CLAIMS = (
    ("superior", "base", "distilled", "better than base"),
    ("non_inferior", "s2", "distilled", "as good as System 2"),
    ("cheaper", "s2", "distilled", "cheaper than System 2"),
)
"""The three claims of distillation, in the order in which a reader asks."""
Board = Mapping[str, Any]
MINUS = "\u2212"


def headline(leaderboard: Board) -> str:
    """The verdict in a sentence or two: on which tasks distillation was worth it."""
    asked = three_claims(leaderboard)
    if not asked:
        return _without_distillation(leaderboard)
    worth = [task for task, found in asked.items() if all(v == "yes" for v in found.values())]
    failed = {task: [c for c, v in found.items() if v == "no"] for task, found in asked.items()}
    failed = {task: claims for task, claims in failed.items() if claims}
    open_ = [task for task in asked if task not in worth and task not in failed]
    parts = []
    if worth:
        parts.append(
            f"Distillation was worth it on {_share(worth, asked)}: better than base, as good as System 2, and cheaper."
        )
    if failed:
        words = {name: label for name, _, _, label in CLAIMS}
        reasons = {task: " and ".join(f"not {words[claim]}" for claim in claims) for task, claims in failed.items()}
        grouped: dict[str, list[str]] = {}
        for task, reason in reasons.items():
            grouped.setdefault(reason, []).append(task)
        listed = "; ".join(f"{_list(tasks)} ({reason})" for reason, tasks in grouped.items())
        parts.append(("It was not on " if worth else "Distillation was not worth it on ") + listed + ".")
    if open_:
        parts.append(f"On {_list(open_)} the data cannot tell." if parts else _all_open(open_, asked))
    return " ".join(parts)


def three_claims(leaderboard: Board) -> dict[str, dict[str, str]]:
    """task -> claim -> verdict, for tasks where all three claims of distillation were tested on the primary metric."""
    found: dict[str, dict[str, str]] = {}
    for task in _tasks(leaderboard):
        verdicts = {
            name: claim["verdict"] for name, a, b, _ in CLAIMS if (claim := _claim(leaderboard, task, name, a, b)) is not None
        }
        if len(verdicts) == len(CLAIMS):
            found[task] = verdicts
    return found


def matrix(leaderboard: Board) -> dict[str, Any]:
    """Tasks x the three claims: verdict and figure. Empty where nothing was distilled."""
    rows = []
    for task in _tasks(leaderboard):
        cells = []
        for name, a, b, _ in CLAIMS:
            claim = _claim(leaderboard, task, name, a, b)
            cells.append(None if claim is None else {"verdict": claim["verdict"], "figure": _figure(claim)["text"]})
        if any(cells):
            rows.append({"task": task, "cells": cells})
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


def board(leaderboard: Board, manifest: Mapping[str, Any], styles: Mapping[str, int]) -> dict[str, Any]:
    """Rows of the leaderboard table. The first row of a task and variant is its primary metric."""
    primary = {task: entry["primary"] for task, entry in manifest["tasks"].items()}
    best = _best(leaderboard, manifest)
    priced = any(row.get("usd_per_1k_items") is not None for row in leaderboard["rows"])
    rows: list[dict[str, Any]] = []
    for row in leaderboard["rows"]:
        low, high = row.get("ci_low"), row.get("ci_high")
        top = best.get((row["task"], row["metric"]))
        cells = [_cell(row[key], ",.1f") for key in ("generated_tokens", "prompt_tokens", "cached_tokens", "calls")]
        cells.append(_cell(row.get("flops_per_item"), "si"))
        if priced:
            cells.append(_cell(row.get("usd_per_1k_items"), ",.4g"))
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
                "n": _cell(row["n"], ",d"),
                "score": _cell(row["score"], "percent"),
                "interval": "" if low is None or high is None else f"[{100 * low:.1f}, {100 * high:.1f}]",
                "best": row["variant"] == top,
                "tie": top is not None and row["variant"] != top and _tied(leaderboard, row, top),
                "cells": cells,
                "failures": {
                    "value": sum(failures.values()),
                    "text": ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in failures.items()) or "none",
                },
            }
        )
    return {"rows": rows, "priced": priced, "others": any(not row["primary"] for row in rows)}


def claims(leaderboard: Board) -> dict[str, Any]:
    """Rows of the claims table, with the ends of each interval on a strip of 160 units."""
    compared = leaderboard.get("comparisons", [])
    ends = [abs(c[key]) for c in compared for key in ("ci_low", "ci_high") if c["claim"] != "cheaper" and c.get(key) is not None]
    reach = max(10, 10 * math.ceil(10 * max(ends, default=0.1)))
    ratios = [abs(math.log2(r)) for c in compared if c["claim"] == "cheaper" for r in _ratios(c) if r]
    octaves = max(1, math.ceil(max(ratios, default=1)))
    rows = [
        {
            "task": claim["task"],
            "first": number == 0 or compared[number - 1]["task"] != claim["task"],
            "words": claim_words(claim),
            "why": _why(claim),
            "verdict": claim["verdict"],
            "figure": _figure(claim),
            "strip": _strip(claim, reach, octaves),
            "p": _cell(claim.get("p"), "p"),
            "p_adjusted": _cell(claim.get("p_adjusted"), "p"),
            "n": _cell(claim["n"], ",d"),
            "test": claim.get("test") or "",
        }
        for number, claim in enumerate(compared)
    ]
    scale = f"points from {MINUS}{reach} to +{reach}; tokens from 1/{2**octaves} to {2**octaves} times"
    return {"rows": rows, "scale": scale, "tasks": list(dict.fromkeys(row["task"] for row in rows))}


def claim_words(claim: Board) -> str:
    """A claim as a sentence without its verdict."""
    a, b = claim["a"], claim["b"]
    if claim["claim"] == "superior":
        return f"{b} is better than {a} ({claim['metric']})"
    if claim["claim"] == "non_inferior":
        return f"{b} is as good as {a} within {100 * claim['margin']:g} points ({claim['metric']})"
    return f"{b} generates fewer tokens than {a}"


def distillation(leaderboard: Board) -> dict[str, Any] | None:
    """Rows of the table of what distillation cost; None where nothing was distilled."""
    entries = leaderboard.get("distillation") or []
    if not entries:
        return None
    columns = ["inputs kept", "dropped", "samples per input", "teacher tokens", "training tokens", "pseudo-labels right"]
    units = list(dict.fromkeys(unit for entry in entries for unit in (entry.get("break_even") or {})))
    names = {"flops": "FLOPs", "tokens": "tokens", "usd": "dollars"}
    rows = []
    for entry in entries:
        dropped = ", ".join(f"{count:,} {reason.replace('_', ' ')}" for reason, count in (entry.get("dropped") or {}).items() if count)
        right = entry.get("pseudo_label_accuracy")
        cells = [f"{entry['kept']:,} of {entry['inputs']:,}", dropped or "none", _cell(entry.get("samples_per_input"), "g")["text"]]
        cells += [_cell(entry.get(key), ",.0f")["text"] for key in ("teacher_tokens", "train_tokens")]
        cells.append("unknown" if right is None else f"{100 * right:.1f} %")
        cells += [_break_even((entry.get("break_even") or {}).get(unit), unit) for unit in units]
        label = entry["task"] + (f", {entry['variant']}" if entry.get("variant") else "")
        rows.append({"task": label + (f", seed {entry['seed']}" if entry.get("seed") else ""), "cells": cells})
    return {"columns": columns + [f"queries to break even, {names.get(unit, unit)}" for unit in units], "rows": rows}


def _break_even(found: Mapping[str, Any] | None, unit: str) -> str:
    if found is None:
        return "no prices" if unit == "usd" else "never"
    if found.get("value") is None:
        return "never"
    ends = ["never" if found.get(end) is None else f"{found[end]:,.0f}" for end in ("low", "high")]
    return f"{found['value']:,.0f} [{ends[0]}, {ends[1]}]"


def _tasks(leaderboard: Board) -> list[str]:
    return list(dict.fromkeys(row["task"] for row in leaderboard["rows"]))


def _claim(leaderboard: Board, task: str, name: str, a: str, b: str) -> Mapping[str, Any] | None:
    """The first such claim: comparisons on the primary metric come first."""
    for claim in leaderboard.get("comparisons", []):
        if (claim["task"], claim["claim"], claim["a"], claim["b"]) == (task, name, a, b):
            return dict(claim)
    return None


def _without_distillation(leaderboard: Board) -> str:
    superior = [claim for claim in leaderboard.get("comparisons", []) if claim["claim"] == "superior"]
    if not superior:
        return "This run compares no variants."
    first = superior[0]
    pair = [claim for claim in superior if (claim["a"], claim["b"]) == (first["a"], first["b"])]
    better = list(dict.fromkeys(claim["task"] for claim in pair if claim["verdict"] == "yes"))
    tasks = list(dict.fromkeys(claim["task"] for claim in pair))
    where = f"on {_share(better, tasks)}" if better else f"on none of {len(tasks)} tasks" if len(tasks) > 1 else "on no task"
    return f"{first['b']} is better than {first['a']} {where}. Nothing distilled was compared."


def _all_open(tasks: Sequence[str], asked: Mapping[str, Any]) -> str:
    return f"Whether distillation was worth it, the data cannot tell on {_share(tasks, asked)}."


def _share(some: Sequence[str], of: Any) -> str:
    if len(of) == 1:
        return some[0]
    return f"{'all' if len(some) == len(of) else len(some)} {'' if len(some) == len(of) else 'of '}{len(of)} tasks ({_list(some)})"


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def _figure(claim: Board) -> dict[str, Any]:
    value, low, high = _ratios(claim) if claim["claim"] == "cheaper" else (claim.get(k) for k in ("difference", "ci_low", "ci_high"))
    if value is None:
        return {"value": "", "text": ""}
    if claim["claim"] == "cheaper":
        return {"value": value, "text": f"{value:.2f} x tokens" + ("" if low is None or high is None else f" [{low:.2f}, {high:.2f}]")}
    interval = "" if low is None or high is None else f" [{100 * low:+.1f}, {100 * high:+.1f}]"
    return {"value": value, "text": f"{100 * value:+.1f} points{interval}".replace("-", MINUS)}


def _ratios(claim: Board) -> list[float | None]:
    return [claim.get(key) for key in ("token_ratio", "token_ratio_low", "token_ratio_high")]


def _why(claim: Board) -> str:
    """For what cannot be told: how large a difference this n could have shown, and how many items would settle it."""
    if claim["verdict"] != "cannot_tell" or claim["claim"] == "cheaper":
        return ""
    parts = []
    if claim.get("mde") is not None:
        parts.append(f"with n = {claim['n']:,} a difference of {100 * claim['mde']:.1f} points could have been seen")
    if claim.get("needed_n") is not None:
        parts.append(f"about {claim['needed_n']:,} items would be needed")
    return "; ".join(parts)


def _strip(claim: Board, reach: float, octaves: float) -> dict[str, Any] | None:
    cheaper = claim["claim"] == "cheaper"
    value, low, high = _ratios(claim) if cheaper else (claim.get(k) for k in ("difference", "ci_low", "ci_high"))
    if value is None or low is None or high is None or (cheaper and min(value, low, high) <= 0):
        return None

    def place(figure: float) -> float:
        share = math.log2(figure) / octaves if cheaper else 100 * figure / reach
        return round(80 + 78 * max(-1.0, min(1.0, share)), 1)

    margin = place(-claim["margin"]) if claim["claim"] == "non_inferior" and claim.get("margin") is not None else None
    return {"low": place(low), "value": place(value), "high": place(high), "zero": 80, "margin": margin, "label": _figure(claim)["text"]}


def _best(leaderboard: Board, manifest: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """(task, metric) -> variant with the best score, by the metric's direction; left out where all are equal."""
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
        same = claim["claim"] == "superior" and (claim["task"], claim["metric"]) == (row["task"], row["metric"])
        if same and {claim["a"], claim["b"]} == {row["variant"], top}:
            low, high = claim.get("ci_low"), claim.get("ci_high")
            return low is not None and high is not None and low <= 0 <= high
    return False


def _cell(value: Any, style: str) -> dict[str, Any]:
    """Value for sorting and text for reading; both empty where there is none."""
    if value is None:
        return {"value": "", "text": ""}
    if style == "percent":
        text = f"{100 * value:.1f}"
    elif style == "p":
        text = "< .001" if value < 0.001 else f"{value:.3f}"
    elif style == "si":
        text = _si(value)
    else:
        text = format(value, style)
    return {"value": value, "text": text}


def _si(value: float) -> str:
    for unit, size in (("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g}"
