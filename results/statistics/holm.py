"""Holm's correction: several comparisons, one promise.

Twenty comparisons at 5 % bring one false alarm on average. Holm (1979) orders the p-values and asks more of
the smallest ones (m times, m - 1 times, ...), so that the chance of even one false alarm in the whole family
stays at 5 %. It needs no independence between the comparisons, and is never worse than Bonferroni.

Each comparison is thereby decided at a level of its own, and an interval that is to agree with the decision
has 1 - level as its confidence. In the order of p, the i-th of m is rejected at alpha / (m - i + 1), as long
as all before it were. The first that is not rejected stops the procedure, so it and all behind it are decided
at its level.
"""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values in the order given; compare each with the alpha of the family."""
    count = len(p_values)
    adjusted, largest = [0.0] * count, 0.0
    for place, index in enumerate(sorted(range(count), key=lambda one: p_values[one])):
        # Never below that of a smaller p: the first that is not rejected stops the procedure.
        largest = max(largest, (count - place) * p_values[index])
        adjusted[index] = min(largest, 1.0)
    return adjusted


def holm_levels(p_values: Sequence[float], alpha: float = 0.05) -> list[float]:
    """The level at which each comparison was decided, in the order given: it is rejected where its own,
    unadjusted p is at most that level. Equal p-values share the level of the first of them.
    """
    count = len(p_values)
    levels = [alpha] * count
    level, stopped, previous = alpha, False, None
    for place, index in enumerate(sorted(range(count), key=lambda one: p_values[one])):
        p = p_values[index]
        if not stopped and p != previous:
            level = alpha / (count - place)
            stopped = p > level
        levels[index], previous = level, p
    return levels
