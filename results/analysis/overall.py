"""The claims over all tasks together, each task with the same weight.

Score differences: the mean of the tasks' differences on their primary metrics. Test: all clusters' signs are
flipped at once, each cluster scaled by its task's share (a stratified sign-flip permutation). Interval:
the tasks' own intervals combined (`results.statistics.mover`). Token ratio: the geometric mean of the tasks'
ratios, with the same combination on the logarithm.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from results.analysis import choose_test as methods
from results.analysis import clusters as samplesets
from results.analysis import cut, verdicts
from results.analysis.claims import turn_if
from results.analysis.pairing import paired
from results.records.columns import Columns
from results.records.load import RunData
from results.statistics.mover import mover
from results.statistics.noninferiority import non_inferior, wald_p
from results.statistics.outcomes import Interval, normal_quantile
from results.statistics.permutation import sign_flip
from results.statistics.test_based import agreeing

NAME = "all tasks"
Row = dict[str, Any]
Pair = tuple[str, str]


def combine(
    run: RunData, pairs: Iterable[tuple[Pair, Sequence[str]]], compared: Sequence[Row], margin: float
) -> list[Row]:
    """One row per pair and claim that at least two tasks have; shaped like a row of `comparisons[]`."""
    rows = []
    for (a, b), claims in pairs:
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
    both = [paired(run, part["task"], part["a"], part["b"]) for part in parts]
    columns = [one for one in both if one is not None]
    signs = [-1.0 if part["direction"] == "lower" else 1.0 for part in parts]
    ends = [
        sorted((sign * part["ci_low"], sign * part["ci_high"]))
        for sign, part in zip(signs, parts, strict=True)
    ]
    estimates = [sign * part["difference"] for sign, part in zip(signs, parts, strict=True)]
    row = _base(parts)
    row["mde"] = math.sqrt(sum(part["mde"] ** 2 for part in parts)) / len(parts)
    intervals = [Interval(low, high, "") for low, high in ends]
    row |= _decided(row["claim"], estimates, intervals, _pairs(parts, columns), margin)
    rows = [sum(one.n_rows for one in side) for side in zip(*columns, strict=True)]
    lost = [sum(one.truncated for one in side) for side in zip(*columns, strict=True)]
    row["cut"] = {side: lost[place] / rows[place] for place, side in enumerate("ab")}
    losing = cut.losing_side(row["verdict"])
    if losing and row["cut"][losing]:
        hopeful = [
            (cut.as_if_right(a, part["metric"], sign < 0, b), b)
            if losing == "a"
            else (a, cut.as_if_right(b, part["metric"], sign < 0, a))
            for (a, b), part, sign in zip(columns, parts, signs, strict=True)
        ]
        pairs = _pairs(parts, hopeful)
        seen = [methods.difference(pair) for pair in pairs]
        again = _decided(
            row["claim"], [one.estimate for one in seen], [one.interval for one in seen], pairs, margin
        )
        turn_if(row, again["verdict"])
    return row


def _pairs(parts: Sequence[Row], columns: Sequence[tuple[Columns, Columns]]) -> list[samplesets.Pair]:
    """Clusters of each task, turned so that more is better."""
    found = []
    for part, (a, b) in zip(parts, columns, strict=True):
        pair = samplesets.pair(a, b, part["metric"])
        if pair is not None:
            found.append(pair.swapped() if part["direction"] == "lower" else pair)
    return found


def _decided(
    claim: str, estimates: Sequence[float], intervals: Sequence[Interval], pairs: Sequence[samplesets.Pair],
    margin: float,
) -> Row:  # fmt: skip
    """Estimate, interval, test and verdict of one claim over all tasks."""
    interval = mover(estimates, [one.low for one in intervals], [one.high for one in intervals])
    gain = float(np.mean(estimates))
    row: Row = {"difference": gain, "ci_low": interval.low, "ci_high": interval.high}
    row |= {"ci_low_adjusted": interval.low, "ci_high_adjusted": interval.high}
    if claim == "non_inferior":
        error = (gain - interval.low) / normal_quantile(0.975)
        return row | {
            "test": "paired non-inferiority", "p": wald_p(gain, error, margin), "margin": margin,
            "verdict": non_inferior(interval, margin),
        }  # fmt: skip
    test = sign_flip(np.concatenate([pair.difference / pair.weight.sum() / len(pairs) for pair in pairs]))
    # Test and interval come from different roads here; a verdict needs both.
    holds_zero = interval.low <= 0 <= interval.high
    if not holds_zero:
        shown = agreeing(interval, gain, test.p, verdicts.ALPHA)
        row |= {"ci_low_adjusted": shown.low, "ci_high_adjusted": shown.high}
    return row | {
        "test": f"stratified {test.method}",
        "p": test.p,
        "verdict": "cannot_tell" if holds_zero else verdicts.superior(gain, test.p),
    }


def _tokens(parts: Sequence[Row]) -> Row:
    row = _base(parts) | dict.fromkeys(
        ("difference", "ci_low", "ci_high", "ci_low_adjusted", "ci_high_adjusted", "p", "mde")
    )
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
    row["same"] = all(part["same"] for part in parts)
    row["one_program"] = all(part["one_program"] for part in parts)
    return row


def _base(parts: Sequence[Row]) -> Row:
    first = parts[0]
    row: Row = {key: first[key] for key in ("a", "b", "claim", "alpha", "named")}
    doubts = [f"on {part['task']}, {words}" for part in parts for words in part.get("no_reasoning") or []]
    if doubts:
        row["no_reasoning"] = doubts
    return row | {
        "task": NAME,
        "metric": "mean of primary metrics" if first["claim"] != "cheaper" else "generated_tokens",
        "n": sum(part["n"] for part in parts), "tasks": [part["task"] for part in parts],
        "p_adjusted": None, "margin": None, "needed_n": None, "token_ratio": None, "token_ratio_low": None,
        "token_ratio_high": None, "primary": False, "direction": "higher", "interval": "MOVER",
        "level": verdicts.ALPHA,
        "overall": True,
    }  # fmt: skip
