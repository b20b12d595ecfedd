"""Claims over all tasks together; each task has the same weight.

Score differences: the mean of the tasks' differences on their primary metrics. Test: all clusters' signs are
flipped at once, each cluster scaled by its task's share (a stratified sign-flip permutation). Interval:
the tasks' own intervals combined (`results.statistics.mover`). Token ratio: the geometric mean of the tasks'
ratios, with the same combination on the logarithm.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TypedDict

import numpy as np

from results.analysis import choose_test as methods
from results.analysis import clusters as samplesets
from results.analysis import cut, looks, verdicts
from results.analysis.claims import turn_if
from results.analysis.pairing import paired
from results.analysis.table_functions import Combining
from results.records.columns import Columns
from results.records.load import RunData
from results.schema import (
    RATIO_KEYS,
    ClaimName,
    Comparison,
    InLooks,
    Overall,
    OverallHead,
    PairMarks,
    Verdict,
)
from results.statistics.mover import mover
from results.statistics.noninferiority import wald_p
from results.statistics.outcomes import Interval, normal_quantile
from results.statistics.test_based import agreeing

NAME = "all tasks"
Pair = tuple[str, str]


def combine(
    run: RunData,
    pairs: Iterable[tuple[Pair, Sequence[ClaimName]]],
    compared: Sequence[Comparison],
    margin: float,
    interval: str = methods.ADJUSTED,
) -> list[Overall]:
    """One row, like those of `comparisons[]`, per pair and claim that at least two tasks have."""
    rows: list[Overall] = []
    for (a, b), claims in pairs:
        for claim in claims:
            parts = [
                row for row in compared
                if (row["a"], row["b"], row["claim"]) == (a, b, claim) and verdicts.is_primary(row)
            ]  # fmt: skip
            if len(parts) > 1:
                whole = _tokens(parts) if claim == "cheaper" else _scores(run, parts, margin, interval)
                whole["sentence"] = verdicts.sentence(whole)
                rows.append(whole)
    return rows


def _scores(run: RunData, parts: Sequence[Comparison], margin: float, interval: str) -> Overall:
    both = [paired(run, part["task"], part["a"], part["b"]) for part in parts]
    columns = [one for one in both if one is not None]
    signs = [-1.0 if part["direction"] == "lower" else 1.0 for part in parts]
    ends = [
        sorted((sign * part["ci_low"], sign * part["ci_high"]))
        for sign, part in zip(signs, parts, strict=True)
    ]
    estimates = [sign * part["difference"] for sign, part in zip(signs, parts, strict=True)]
    claim = parts[0]["claim"]
    intervals = [Interval(low, high, "") for low, high in ends]
    in_looks = any(part.get("looks") for part in parts)
    rows = [sum(one.n_rows for one in side) for side in zip(*columns, strict=True)]
    lost = [sum(one.truncated for one in side) for side in zip(*columns, strict=True)]
    row: Overall = {
        **_head(parts, margin if claim == "non_inferior" else None),
        "mde": _detectable(parts),
        **_decided(claim, estimates, intervals, _pairs(parts, columns), margin, in_looks),
        **_marks(in_looks),
        "cut": {"a": lost[0] / rows[0], "b": lost[1] / rows[1]},
    }
    losing = cut.losing_side(row["verdict"])
    if losing and row["cut"][losing]:
        hopeful = [
            (cut.as_if_right(a, part["metric"], sign < 0, b), b)
            if losing == "a"
            else (a, cut.as_if_right(b, part["metric"], sign < 0, a))
            for (a, b), part, sign in zip(columns, parts, signs, strict=True)
        ]
        pairs = _pairs(parts, hopeful)
        plans = [looks.plan_of(run.manifest, part["task"]) for part in parts]
        seen = [looks.claimed(pair, plan, interval=interval) for pair, plan in zip(pairs, plans, strict=True)]
        again = _decided(
            claim, [one.estimate for one in seen], [one.interval for one in seen], pairs, margin, in_looks
        )
        turn_if(row, again["verdict"])
    return row


def _detectable(parts: Sequence[Comparison]) -> float | None:
    """The smallest mean difference that the tasks together could have shown; None if one of them could have
    shown none."""
    squares = [seen**2 for part in parts if (seen := part["mde"]) is not None]
    return math.sqrt(sum(squares)) / len(parts) if len(squares) == len(parts) else None


def _marks(in_looks: bool) -> InLooks:
    return {"in_looks": True} if in_looks else {}


def _pairs(parts: Sequence[Comparison], columns: Sequence[tuple[Columns, Columns]]) -> list[samplesets.Pair]:
    """Clusters of each task, with the sign changed if lower is better."""
    found = []
    for part, (a, b) in zip(parts, columns, strict=True):
        pair = samplesets.pair(a, b, part["metric"])
        if pair is not None:
            found.append(pair.swapped() if part["direction"] == "lower" else pair)
    return found


class _Decided(TypedDict):
    """What the data say of one claim about scores."""

    difference: float
    ci_low: float
    ci_high: float
    ci_low_adjusted: float
    ci_high_adjusted: float
    test: str
    p: float
    verdict: Verdict


def _decided(
    claim: ClaimName, estimates: Sequence[float], intervals: Sequence[Interval],
    pairs: Sequence[samplesets.Pair], margin: float, in_looks: bool,
) -> _Decided:  # fmt: skip
    """Estimate, interval, test and verdict of one claim over all tasks. `in_looks`: a task was asked in
    planned looks, so only intervals that are adjusted for them may decide.
    """
    whole = methods.OVERALL.run(Combining(estimates, intervals, pairs))
    interval = whole.interval()
    gain = float(np.mean(estimates))
    verdict: Verdict
    shown = interval
    if in_looks:
        test = "the tasks' intervals, adjusted for looks"
        facing = gain - interval.low if claim == "non_inferior" or gain > 0 else interval.high - gain
        error = facing / normal_quantile(0.975)
        if claim == "non_inferior":
            p, verdict = wald_p(gain, error, margin), methods.NON_INFERIORITY.run((interval, margin))
        else:
            p = min(2 * wald_p(abs(gain), error, 0.0), 1.0)
            verdict = verdicts.superior(gain, p)
    elif claim == "non_inferior":
        error = (gain - interval.low) / normal_quantile(0.975)
        test, p = "paired non-inferiority", wald_p(gain, error, margin)
        verdict = methods.NON_INFERIORITY.run((interval, margin))
    else:
        signs = whole.test()
        test, p = signs.method, signs.p
        # Test and interval come from different methods here; a verdict needs both.
        holds_zero = interval.low <= 0 <= interval.high
        verdict = "cannot_tell" if holds_zero else verdicts.superior(gain, p)
        if not holds_zero:
            shown = agreeing(interval, gain, p, verdicts.ALPHA)
    return {
        "difference": gain, "ci_low": interval.low, "ci_high": interval.high,
        "ci_low_adjusted": shown.low, "ci_high_adjusted": shown.high,
        "test": test, "p": p, "verdict": verdict,
    }  # fmt: skip


def _tokens(parts: Sequence[Comparison]) -> Overall:
    token, flops, usd = (
        _ratio([(part[key], part[low], part[high]) for part in parts])
        for key, low, high in RATIO_KEYS.values()
    )
    return {
        **_head(parts, None),
        "token_ratio": token[0], "token_ratio_low": token[1], "token_ratio_high": token[2],
        "difference": None, "ci_low": None, "ci_high": None, "ci_low_adjusted": None,
        "ci_high_adjusted": None, "p": None, "mde": None, "test": "",
        "flops_ratio": flops[0], "flops_ratio_low": flops[1], "flops_ratio_high": flops[2],
        "usd_ratio": usd[0], "usd_ratio_low": usd[1], "usd_ratio_high": usd[2],
        "verdict": verdicts.cheaper(token[1], token[2]),
        **_marks(any(part.get("looks") for part in parts)),
        "same": all(part["same"] for part in parts),
        "one_program": all(part["one_program"] for part in parts),
    }  # fmt: skip


Estimate = tuple[float | None, float | None, float | None]
"""A ratio and both ends of its interval; None if unknown."""


def _ratio(parts: Sequence[Estimate]) -> Estimate:
    """The geometric mean of the tasks' ratios; None if one of them is unknown or 0. The ends are None if a
    task has no interval."""
    values, lows, highs = (
        [math.log(value) for value in column if value is not None and value > 0]
        for column in zip(*parts, strict=True)
    )
    if len(values) < len(parts):
        return None, None, None
    mean = math.exp(float(np.mean(values)))
    if min(len(lows), len(highs)) < len(parts):
        return mean, None, None
    interval = mover(values, lows, highs)
    return mean, math.exp(interval.low), math.exp(interval.high)


def _head(parts: Sequence[Comparison], margin: float | None) -> OverallHead:
    """The head of the claim, equal on every task; `margin` is for `non_inferior`."""
    first = parts[0]
    marks: PairMarks = {"named": first["named"]}
    if doubts := [
        f"on {part['task']}, {words}" for part in parts for words in part.get("no_reasoning") or []
    ]:
        marks["no_reasoning"] = doubts
    if "uses_labels" in first:
        marks["uses_labels"] = first["uses_labels"]
    return {
        "a": first["a"], "b": first["b"], "claim": first["claim"], "alpha": first["alpha"],
        **marks,
        "task": NAME,
        "metric": "mean of primary metrics" if first["claim"] != "cheaper" else "generated_tokens",
        "n": sum(part["n"] for part in parts), "tasks": [part["task"] for part in parts],
        "p_adjusted": None, "margin": margin, "needed_n": None, "token_ratio": None, "token_ratio_low": None,
        "token_ratio_high": None, "primary": False, "direction": "higher", "interval": "MOVER",
        "level": verdicts.ALPHA,
        "overall": True,
    }  # fmt: skip
