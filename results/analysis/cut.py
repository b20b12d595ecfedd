"""Texts that were cut at a maximum of tokens: how many, how to raise the limit, and what they could change.

A cut text might have given the right answer a little later, so its score says little about the variant. If
many texts were cut, the row is marked. A verdict is only kept if it survives the worst case: all cut items of
the losing side counted as right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

import numpy as np

from results.records.columns import Columns
from results.schema import Cut, ScoreRow, Verdict

Side = Literal["a", "b"]
SIDES: tuple[Side, ...] = get_args(Side)
MANY = 0.02
"""Share of cut rows above which a row is marked."""


def share(columns: Columns) -> float:
    """Share of rows in which any step was cut."""
    return float(columns.cut.mean())


def describe(columns: Columns, context_length: float | None) -> Cut | None:
    """`{share, steps, context_length}` of a row with many cut texts, else None.

    `steps` are the kinds of step that were cut, most often cut first; `context_length` is the model's if most
    cut calls filled it (a higher limit cannot help then), else None.
    """
    if share(columns) <= MANY:
        return None
    steps = sorted(columns.cut_calls, key=lambda kind: (-columns.cut_calls[kind].size, kind))
    spent = np.concatenate([columns.cut_calls[kind] for kind in steps]) if steps else np.empty(0)
    full = bool(context_length and spent.size and (spent >= context_length).mean() > 0.5)
    return {
        "share": share(columns),
        "steps": steps,
        "context_length": int(context_length) if full and context_length else None,
    }


def footer(rows: Sequence[ScoreRow]) -> list[str]:
    """Sentences under a table with marked rows: their names, the cut share, and what to change."""
    cases: dict[str, list[str]] = {}
    for row in rows:
        if row["primary"] and (found := row.get("cut")):
            name = f"{row['task']} {row['variant']} {percent(found['share'])}"
            cases.setdefault(_remedy(found), []).append(name)
    return [
        f"{MARK} More than {percent(MANY)} of these texts were cut short, so scores may be too low: "
        f"{', '.join(names)}. {remedy}"
        for remedy, names in cases.items()
    ]


MARK = "[cut]"


def _remedy(cut: Cut) -> str:
    if cut["context_length"]:
        return (
            f"They fill the model's context of {cut['context_length']:,} tokens: only a model with a longer "
            "one helps."
        )
    steps = " or ".join(f"max_tokens.{step}=N" for step in cut["steps"])
    also = f" (or {steps} for that step alone)" if steps else ""
    return f"Raise the limit with --sampling max_tokens=N{also}."


def percent(value: float) -> str:
    """A share in percent, with a decimal if it is small: 38 %, 2.5 %."""
    return f"{100 * value:.0f} %" if abs(value) >= 0.0995 else f"{100 * value:.1f} %".replace(".0 %", " %")


def losing_side(verdict: Verdict) -> Side | None:
    """The losing side of a claim about scores: a after `yes`, b after `no`."""
    sides: dict[Verdict, Side] = {"yes": "a", "no": "b"}
    return sides.get(verdict)


def as_if_right(columns: Columns, metric: str, lower: bool, other: Columns) -> Columns:
    """`columns` with the best possible score on every cut row: 1 (0 if lower is better), or the best score of
    either variant if scores exceed 1.
    """
    seen = np.concatenate([columns.scores[metric], other.scores[metric]])
    seen = seen[~np.isnan(seen)]
    best = min(0.0, seen.min(initial=0.0)) if lower else max(1.0, seen.max(initial=1.0))
    scores = columns.scores[metric]
    changed = np.where(columns.cut & ~np.isnan(scores), best, scores)
    return replace(columns, scores={**columns.scores, metric: changed})
