"""Finds a System 2 that did not reason: it generates hardly more than base, or answers without words before.

Distilling it would teach nothing that base does not do, and a comparison with it says nothing about
reasoning. So every claim about such a variant says this, with the figures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from results.analysis.cut import percent
from results.records.load import RunData
from results.records.roles import standing
from results.schema import NoReasoning, ScoreRow

MORE_THAN_BASE = 1.5
"""Ratio of generated tokens to base from which a System 2 is assumed to reason."""
FEW_WORDS = 5
"""Words before the answer from which a text is assumed to reason."""
MARK = "[no reasoning]"


def lacking(run: RunData) -> dict[tuple[str, str], NoReasoning]:
    """(task, variant) of each System 2 that did not reason -> `token_ratio` to base and `share_without`
    reasoning; None if unknown.
    """
    base = standing(run.manifest).get("base")
    found: dict[tuple[str, str], NoReasoning] = {}
    for (task, variant), columns in run.columns.items():
        if run.manifest["variants"][variant].get("kind") != "s2" and variant != "s2":
            continue
        direct = run.columns.get((task, base)) if base else None
        spent = float(direct.usage["generated_tokens"].mean()) if direct else 0.0
        ratio = float(columns.usage["generated_tokens"].mean()) / spent if spent else None
        words = columns.reasoning_words[~np.isnan(columns.reasoning_words)]
        without = float((words < FEW_WORDS).mean()) if words.size else None
        if (ratio is not None and ratio < MORE_THAN_BASE) or (without is not None and without > 0.5):
            found[task, variant] = {"token_ratio": ratio, "share_without": without}
    return found


def figures(found: Sequence[NoReasoning]) -> str:
    """The signs of no reasoning, on one or several tasks: only figures beyond their bound."""
    ratios = [one["token_ratio"] for one in found]
    low = [ratio for ratio in ratios if ratio is not None and ratio < MORE_THAN_BASE]
    shares = [one["share_without"] for one in found]
    without = [share for share in shares if share is not None and share > 0.5]
    parts = []
    if low:
        parts.append(f"{between(low, '{:.1f}'.format)} times base's tokens")
    if without:
        parts.append(f"no reasoning in {between(without, percent)} of its texts")
    return ", ".join(parts)


def between(values: Sequence[float], words: Callable[[float], str]) -> str:
    """`5 to 9 %` for several figures, one figure if they look the same."""
    ends = list(dict.fromkeys(words(value) for value in (min(values), max(values))))
    return f"{ends[0].rstrip(' %')} to {ends[1]}" if len(ends) > 1 else ends[0]


def sentence(names: Sequence[str]) -> str:
    """The sentence after the verdict of a claim."""
    return f" This System 2 did not reason: {'; '.join(names)}."


def footer(rows: Sequence[ScoreRow]) -> list[str]:
    """The sentence under a table with marked rows."""
    cases = [
        f"{row['task']} {row['variant']} ({figures([found])})"
        for row in rows
        if row["primary"] and (found := row.get("no_reasoning"))
    ]
    return [f"{MARK} This System 2 did not reason: {'; '.join(cases)}."] if cases else []
