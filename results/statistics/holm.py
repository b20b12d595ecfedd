"""Holm's correction: several comparisons, one promise.

Twenty comparisons at 5 % bring one false alarm on average. Holm (1979) orders the p-values and asks more of
the smallest ones (m times, m - 1 times, ...), so that the chance of even one false alarm in the whole family
stays at 5 %. It needs no independence between the comparisons, and is never worse than Bonferroni.
"""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values in the order given; compare each with the alpha of the family."""
    from statsmodels.stats.multitest import multipletests

    if not p_values:
        return []
    return [float(p) for p in multipletests(list(p_values), method="holm")[1]]
