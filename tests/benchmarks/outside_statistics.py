"""Every figure of a finished run's claims, computed again from its samples by statsmodels, scipy and pandas.

    python tests/benchmarks/outside_statistics.py RUN [RUN ...]

Reads the JSON lines themselves and shares no code with `results`: McNemar's exact test (statsmodels) and its
mid-p (the exact p less the probability of the outcome itself), Bonett and Price's formula on the 2 x 2 table
of pandas, the sign-flip test by convolution of all flips, the variance of clustered differences by a
cluster-robust regression (statsmodels), Wilson's interval and Holm's correction (statsmodels), mean tokens
and their ratio. Our own interval of clustered scores is published nowhere; `--interval obuchowski` stands for
it here. Fails where a figure is off by more than 1e-6.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from results.analysis.leaderboard import build

TOLERANCE = 1e-6


def frame(run: Path, task: str, variant: str, metric: str) -> pd.DataFrame:
    """Rows of a samples file: item, cluster, weight, score, generated tokens."""
    for path in run.glob(f"samples/*/{task}.jsonl"):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        if rows and rows[0]["variant"] == variant:
            return pd.DataFrame({
                "item": [(row["item_id"], row["seed"]) for row in rows],
                "cluster": [row["cluster_id"] for row in rows],
                "weight": [row.get("weights", {}).get(metric, row["weight"]) for row in rows],
                "score": [row["scores"].get(metric) for row in rows],
                "tokens": [row["usage"]["generated_tokens"] for row in rows],
            }).set_index("item")  # fmt: skip
    raise SystemExit(f"{run}: no samples of {variant} on {task}")


def flips(sums: np.ndarray) -> float:
    """Two-sided mid-p of the sum under all flips of sign, by convolution over whole units."""
    moved = sums[np.abs(sums) > 1e-12]
    if not moved.size:
        return 1.0
    unit = np.abs(moved).min()
    for part in range(1, 13):
        steps = moved / (unit / part)
        if np.allclose(steps, np.rint(steps), atol=1e-6):
            break
    whole = np.abs(np.rint(steps)).astype(int)
    chance = np.ones(1)
    for size in whole:
        wider = np.zeros(chance.size + 2 * size)
        wider[: chance.size] += chance / 2
        wider[2 * size :] += chance / 2
        chance = wider
    place = np.abs(np.arange(chance.size) - (chance.size - 1) // 2)
    seen = abs(int(np.rint(steps).sum()))
    return float(chance[place > seen].sum() + chance[place == seen].sum() / 2)


def figures(run: Path, board: Any) -> Iterator[tuple[str, float, float]]:
    """(what, ours, theirs) of each figure."""
    manifest = json.loads((run / "manifest.json").read_text())
    for row in board["rows"]:
        if row["status"] != "scored" or row["score"] is None:
            continue
        data = frame(run, row["task"], row["variant"], row["metric"]).dropna(subset=["score"])
        name = f"{row['task']} {row['variant']} {row['metric']}"
        yield f"{name} score", row["score"], float(np.average(data["score"], weights=data["weight"]))
        yield f"{name} n", row["n"], data["cluster"].nunique()
        if len(data) == data["cluster"].nunique() and data["score"].isin([0, 1]).all():
            low, high = proportion_confint(int(data["score"].sum()), len(data), method="wilson")
            yield f"{name} low", row["ci_low"], low
            yield f"{name} high", row["ci_high"], high
    family = [row for row in board["comparisons"] if row["p_adjusted"] is not None]
    if family:
        adjusted = multipletests([row["p"] for row in family], method="holm")[1]
        for row, p in zip(family, adjusted, strict=True):
            yield f"{row['task']} {row['a']} {row['b']} Holm", row["p_adjusted"], float(p)
    for row in board["comparisons"]:
        yield from _claim(run, manifest, row)


def _claim(run: Path, manifest: Any, row: Any) -> Iterator[tuple[str, float, float]]:
    name = f"{row['task']} {row['a']} {row['b']} {row['metric']} {row['claim']}"
    metric = manifest["tasks"][row["task"]]["primary"] if row["claim"] == "cheaper" else row["metric"]
    a, b = (frame(run, row["task"], side, metric) for side in (row["a"], row["b"]))
    data = a.join(b[["score", "tokens"]].rename(columns="{}_b".format), how="inner")
    if row["claim"] == "cheaper":
        yield f"{name} ratio", row["token_ratio"], data["tokens_b"].sum() / data["tokens"].sum()
        return
    data = data.dropna(subset=["score", "score_b"])
    data["d"] = (data["score_b"] - data["score"]) * data["weight"]
    sums = data.groupby("cluster")[["d", "weight"]].sum()
    estimate = sums["d"].sum() / sums["weight"].sum()
    yield f"{name} difference", row["difference"], estimate
    turned = -1.0 if row["direction"] == "lower" else 1.0
    single = len(data) == len(sums) and data[["score", "score_b"]].isin([0, 1]).all().all()
    if single:
        table = pd.crosstab(data["score"], data["score_b"]).reindex(
            index=[0, 1], columns=[0, 1], fill_value=0
        )
        lost, won = int(table.loc[1, 0]), int(table.loc[0, 1])
        if row["claim"] == "superior":
            exact = mcnemar(table, exact=True).pvalue
            last = stats.binom.pmf(min(lost, won), lost + won, 0.5)
            mid = exact - last if lost != won else 1 - last / 2
            yield f"{name} p", row["p"], 1.0 if lost + won == 0 else mid
        n = len(data) + 2
        p12, p21 = (lost + 1) / n, (won + 1) / n
        reach = stats.norm.ppf(0.975) * np.sqrt((p12 + p21 - (p21 - p12) ** 2) / n)
        yield f"{name} low", row["ci_low"], p21 - p12 - reach
        yield f"{name} high", row["ci_high"], p21 - p12 + reach
        return
    if row["claim"] == "superior":
        yield f"{name} p", row["p"], flips(turned * sums["d"].to_numpy())
    # A row of weight w stands for w rows of the regression.
    rows = (
        data.loc[data.index.repeat(data["weight"].astype(int))] if (data["weight"] % 1 == 0).all() else None
    )
    if rows is None or row["interval"] != "Obuchowski":
        return
    difference = (rows["score_b"] - rows["score"]).to_numpy()
    codes = pd.factorize(rows["cluster"])[0]
    fitted = sm.OLS(difference, np.ones(len(rows))).fit(cov_type="cluster", cov_kwds={"groups": codes})
    low, high = fitted.conf_int()[0]
    yield f"{name} low", row["ci_low"], float(low)
    yield f"{name} high", row["ci_high"], float(high)


def main() -> int:
    parser = argparse.ArgumentParser(description="A run's claims, computed again by other packages.")
    parser.add_argument("runs", nargs="+", type=Path)
    given = parser.parse_args()
    status = 0
    for run in given.runs:
        files = len(list(run.glob("samples/*/*.jsonl")))
        found = [
            (what, abs(float(ours) - float(theirs)))
            for what, ours, theirs in figures(run, build(run, interval="obuchowski"))
        ]
        worst = max(found, key=lambda pair: pair[1])
        print(f"{run.name}: {files} samples files, {len(found)} figures")
        print(f"  largest difference {worst[1]:.1e} ({worst[0]})")
        off = [what for what, gap in found if gap > TOLERANCE]
        print("\n".join(f"  off: {what}" for what in off), end="\n" if off else "")
        status = status or int(bool(off))
    return status


if __name__ == "__main__":
    sys.exit(main())
