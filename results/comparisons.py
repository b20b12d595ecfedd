"""Two variants on one task become rows of `comparisons[]`: one per metric and claim, and one for the tokens.

Differences are tested in the direction where more is better, and reported as they are (score b - score a).
Which claims are made for which pair is decided by the caller; which method runs, by `results.methods`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from results import methods, samplesets, verdicts
from results.cost import CostModel
from results.samples import Columns
from results.statistics.holm import holm
from results.statistics.noninferiority import non_inferior

Row = dict[str, Any]


def compare(
    a: Columns, b: Columns, metrics: Mapping[str, Mapping[str, Any]], claims: Sequence[str], margin: float,
    costs: CostModel, used: set[str], exact: bool = False, names: tuple[str, str] | None = None,
) -> list[Row]:  # fmt: skip
    """All comparison rows of variants with equal rows (see `samplesets.require_same_items`).

    `metrics` come primary first; `margin` is a fraction; `used` collects the keys of the method table.
    """
    first, second = names or (a.variant, b.variant)
    base: Row = {"task": a.task, "a": first, "b": second}
    cheaper = _cheaper(base, a, b, costs, used)
    rows: list[Row] = []
    for position, (metric, description) in enumerate(metrics.items()):
        pair = samplesets.pair(a, b, metric)
        if pair is None or description.get("direction") == "none":
            # Of a rate that is best in the middle, neither variant can be better.
            continue
        lower_is_better = description.get("direction") == "lower"
        seen = methods.difference(pair.swapped() if lower_is_better else pair, margin, exact)
        used.add(seen.method)
        for claim in claims:
            if claim != "cheaper":
                row = _score_row(base, metric, claim, seen, margin, lower_is_better, position == 0)
                row |= {key: cheaper[key] for key in RATIO_KEYS} | {"rows_left_out": pair.left_out}
                rows.append(row)
    if "cheaper" in claims:
        rows.append(cheaper)
    if "non_inferior" in claims:
        used.add("non_inferiority")
    return rows


RATIO_KEYS = (
    "token_ratio", "token_ratio_low", "token_ratio_high", "flops_ratio", "flops_ratio_low",
    "flops_ratio_high",
    "usd_ratio", "usd_ratio_low", "usd_ratio_high",
)  # fmt: skip


def adjust(rows: Sequence[Row]) -> None:
    """Holm over the family (superiority on primary metrics, no noise floor), then verdicts and sentences."""
    family = [
        row for row in rows if row["claim"] == "superior" and row["primary"] and not row.get("noise_floor")
    ]
    for row, p in zip(family, holm([row["p"] for row in family]), strict=True):
        row["p_adjusted"] = p
    for row in rows:
        if row["claim"] == "superior":
            gain = -row["difference"] if row["direction"] == "lower" else row["difference"]
            row["verdict"] = verdicts.superior(
                gain, row["p"] if row["p_adjusted"] is None else row["p_adjusted"]
            )
        row["sentence"] = verdicts.sentence(row)


def _score_row(
    base: Row, metric: str, claim: str, seen: methods.Difference, margin: float, lower: bool, primary: bool
) -> Row:
    sign = -1.0 if lower else 1.0
    ends = sorted((sign * seen.interval.low, sign * seen.interval.high))
    row: Row = base | {
        "metric": metric, "claim": claim, "n": seen.n,
        "difference": sign * seen.estimate + 0.0, "ci_low": ends[0], "ci_high": ends[1],
        "test": seen.test.method, "p": seen.test.p, "p_adjusted": None, "alpha": verdicts.ALPHAS[claim],
        "margin": None, "mde": methods.detectable(seen),
        "needed_n": methods.clusters_needed(seen, seen.estimate),
        "verdict": "cannot_tell", "interval": seen.interval.method, "differing": seen.differing,
        "primary": primary, "direction": "lower" if lower else "higher",
    }  # fmt: skip
    if claim == "non_inferior":
        row |= {
            "test": "paired non-inferiority", "p": seen.p_above_margin, "margin": margin,
            "needed_n": methods.clusters_needed(seen, margin),
            "verdict": non_inferior(seen.interval, margin),
        }  # fmt: skip
    return row


def _cheaper(base: Row, a: Columns, b: Columns, costs: CostModel, used: set[str]) -> Row:
    """The claim on generated tokens; `difference` and its interval are tokens per item here, not
    fractions.
    """
    tokens = samplesets.row_pair(a, a.usage["generated_tokens"], b.usage["generated_tokens"])
    seen = methods.token_difference(tokens)
    used.update((seen.method, "token_ratio"))
    row: Row = base | {
        "metric": "generated_tokens", "claim": "cheaper", "n": seen.n,
        "difference": seen.estimate, "ci_low": seen.interval.low, "ci_high": seen.interval.high,
        "test": seen.test.method, "p": seen.test.p, "p_adjusted": None, "alpha": verdicts.ALPHAS["cheaper"],
        "margin": None, "mde": methods.detectable(seen), "needed_n": None, "verdict": "cannot_tell",
        "interval": seen.interval.method, "differing": seen.differing, "primary": False, "direction": "lower",
        "rows_left_out": 0,
    }  # fmt: skip
    for name, unit in (("token", "tokens"), ("flops", "flops"), ("usd", "usd")):
        spent, left = costs.per_row(a, unit), costs.per_row(b, unit)
        value = interval = None
        if spent is not None and left is not None:
            pair = samplesets.row_pair(a, spent, left)
            value, interval = methods.ratio(pair)
        row[f"{name}_ratio"] = value
        row[f"{name}_ratio_low"] = None if interval is None else interval.low
        row[f"{name}_ratio_high"] = None if interval is None else interval.high
    row["verdict"] = verdicts.cheaper(row["token_ratio_low"], row["token_ratio_high"])
    return row
