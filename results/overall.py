"""The claims over all tasks together, each task with the same weight.

Score differences: the mean of the tasks' differences on their primary metrics. Test: all clusters' signs are
flipped at once, each cluster scaled by its task's share (a stratified sign-flip permutation). Interval:
the tasks' own intervals combined (`results.statistics.mover`). Token ratio: the geometric mean of the tasks'
ratios, with the same combination on the logarithm.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from results import samplesets, verdicts
from results.load import RunData
from results.pairing import paired
from results.statistics.mover import mover
from results.statistics.noninferiority import non_inferior, wald_p
from results.statistics.outcomes import normal_quantile
from results.statistics.permutation import sign_flip

NAME = "all tasks"
Row = dict[str, Any]


def combine(
    run: RunData, pairs: Mapping[tuple[str, str], Sequence[str]], compared: Sequence[Row], margin: float
) -> list[Row]:
    """One row per pair and claim that at least two tasks have; shaped like a row of `comparisons[]`."""
    rows = []
    for (a, b), claims in pairs.items():
        for claim in claims:
            parts = [
                row for row in compared
                if (row["a"], row["b"], row["claim"]) == (a, b, claim)
                and (row["primary"] or claim == "cheaper")
            ]  # fmt: skip
            if len(parts) > 1:
                whole = _tokens(parts) if claim == "cheaper" else _scores(run, parts, margin)
                whole["sentence"] = verdicts.sentence(whole)
                rows.append(whole)
    return rows


def _scores(run: RunData, parts: Sequence[Row], margin: float) -> Row:
    signs = [-1.0 if part["direction"] == "lower" else 1.0 for part in parts]
    estimates = [sign * part["difference"] for sign, part in zip(signs, parts, strict=True)]
    lows = [part["ci_low"] if sign > 0 else -part["ci_high"] for sign, part in zip(signs, parts, strict=True)]
    highs = [
        part["ci_high"] if sign > 0 else -part["ci_low"] for sign, part in zip(signs, parts, strict=True)
    ]
    interval = mover(estimates, lows, highs)
    gain = float(np.mean(estimates))
    row = _base(parts) | {"difference": gain, "ci_low": interval.low, "ci_high": interval.high}
    row["mde"] = math.sqrt(sum(part["mde"] ** 2 for part in parts)) / len(parts)
    if row["claim"] == "non_inferior":
        error = (gain - interval.low) / normal_quantile(0.975)
        return row | {
            "test": "paired non-inferiority", "p": wald_p(gain, error, margin), "margin": margin,
            "verdict": non_inferior(interval, margin),
        }  # fmt: skip
    scaled = []
    for sign, part in zip(signs, parts, strict=True):
        columns = paired(run, part["task"], part["a"], part["b"])
        pair = samplesets.pair(*columns, part["metric"]) if columns else None
        if pair is not None:
            scaled.append(sign * pair.difference / pair.weight.sum() / len(parts))
    test = sign_flip(np.concatenate(scaled))
    return row | {
        "test": f"stratified {test.method}",
        "p": test.p,
        # Test and interval come from different roads here; a verdict needs both.
        "verdict": "cannot_tell" if interval.low <= 0 <= interval.high else verdicts.superior(gain, test.p),
    }


def _tokens(parts: Sequence[Row]) -> Row:
    row = _base(parts) | dict.fromkeys(("difference", "ci_low", "ci_high", "p", "mde"))
    row["test"] = ""
    for name in ("token", "flops", "usd"):
        keys = (f"{name}_ratio", f"{name}_ratio_low", f"{name}_ratio_high")
        known = all((part[key] or 0) > 0 for part in parts for key in keys)
        row |= dict.fromkeys(keys)
        if known:
            logs = [[math.log(part[key]) for part in parts] for key in keys]
            interval = mover(*logs)
            row |= dict(
                zip(keys, map(math.exp, (float(np.mean(logs[0])), interval.low, interval.high)), strict=True)
            )
    row["verdict"] = verdicts.cheaper(row["token_ratio_low"], row["token_ratio_high"])
    return row


def _base(parts: Sequence[Row]) -> Row:
    first = parts[0]
    row = {key: first[key] for key in ("a", "b", "claim", "alpha", "named")}
    return row | {
        "task": NAME,
        "metric": "mean of primary metrics" if first["claim"] != "cheaper" else "generated_tokens",
        "n": sum(part["n"] for part in parts), "tasks": [part["task"] for part in parts],
        "p_adjusted": None, "margin": None, "needed_n": None, "token_ratio": None, "token_ratio_low": None,
        "token_ratio_high": None, "primary": False, "direction": "higher", "interval": "MOVER",
        "overall": True,
    }  # fmt: skip
