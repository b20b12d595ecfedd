"""McNemar's test: two variants answered the same items; do they differ in how many they get right?

Items that both get right, or both wrong, say nothing about which is better. Only the discordant ones do: b
items that only the first variant got right, c that only the second did. If both were equally good, each
discordant item would fall on either side like a fair coin, so c is binomial(b + c, 1/2).

The exact test sums the probability of all outcomes at least as uneven. Because counts are whole numbers it
promises 5 % false alarms and gives fewer, often 1 to 4 %. The mid-p form counts the outcome itself by half,
which brings the rate near 5 % and hardly above it (Fagerland, Lydersen and Laake 2013,
doi 10.1186/1471-2288-13-91). Tables use mid-p; a gate, which should not let chance through, uses exact.

Without discordant items, p = 1.
"""

from __future__ import annotations

from results.statistics.outcomes import TestOutcome


def mcnemar(b: int, c: int, exact: bool = False) -> TestOutcome:
    """Two-sided p-value from the counts `b` (only the first right) and `c` (only the second right)."""
    from scipy.special import bdtr

    name = "McNemar exact" if exact else "McNemar mid-p"
    if b + c == 0:
        return TestOutcome(1.0, name)
    # Probability of at most as many, and of fewer, discordant items on the rarer side.
    up_to = float(bdtr(min(b, c), b + c, 0.5))
    fewer = float(bdtr(min(b, c) - 1, b + c, 0.5)) if min(b, c) else 0.0
    if exact:
        return TestOutcome(min(2 * up_to, 1.0), name)
    # In the middle, the observed outcome and its mirror image are one.
    return TestOutcome(up_to + fewer if b != c else 1 - (up_to - fewer) / 2, name)
