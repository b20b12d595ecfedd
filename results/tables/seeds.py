"""The table of a run with several seeds: the score of each, their spread, and what the intervals cover."""

from __future__ import annotations

from results.analysis.verdicts import points
from results.schema import Leaderboard
from results.tables.rows import Escape, named

SEED_HEADERS = ("task", "variant", "score % of each seed", "SD", "trained anew [95 %]")
MOST_SEEDS = 5
"""Up to this many seeds, each score is listed; beyond, only the smallest and the largest."""
SEED_LEGEND = (
    "Scores, verdicts and their intervals pool seeds {seeds}: intervals cover other items, but only these "
    "checkpoints and samples. {more}"
)
ANEW_LEGEND = (
    "Trained anew: the 95 % interval that covers other seeds too. SD: spread of the seeds, in points."
)
TOO_FEW_SEEDS = (
    "SD: spread of the seeds, in points. An interval for training anew needs 3 seeds or more, and scores "
    "that differ."
)


def seed_cells(leaderboard: Leaderboard, escape: Escape) -> list[list[str]]:
    """The score of each seed on the primary metric, their spread, and the interval for training anew."""
    table = []
    for row in leaderboard["rows"]:
        if not row["primary"] or not row["by_seed"]:
            continue
        scores = [points(seed["score"]) for seed in row["by_seed"]]
        if len(scores) > MOST_SEEDS:
            ends = sorted(seed["score"] for seed in row["by_seed"])
            scores = [f"{points(ends[0])} to {points(ends[-1])} ({len(ends)} seeds)"]
        low, high = row["anew_low"], row["anew_high"]
        anew = "-" if low is None or high is None else f"[{points(low)}, {points(high)}]"
        spread = "-" if row["seed_spread"] is None else points(row["seed_spread"])
        table.append([escape(row["task"]), named(row, escape), ", ".join(scores), spread, anew])
    return table


def seed_legend(leaderboard: Leaderboard) -> list[str]:
    """The legend on pooled seeds; empty if the run has one seed."""
    pooled = [row for row in leaderboard["rows"] if row["by_seed"]]
    if not pooled:
        return []
    seeds = ", ".join(map(str, leaderboard["seeds"]))
    told = any(row["anew_low"] is not None for row in pooled)
    return [SEED_LEGEND.format(seeds=seeds, more=ANEW_LEGEND if told else TOO_FEW_SEEDS)]
