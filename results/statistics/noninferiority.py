"""Non-inferiority: "as good as" is a claim that has to be proven, not what is left when a test finds nothing.

The claim: the new variant is at most a margin worse than the old one. The null hypothesis is the
opposite, that it is worse by the margin or more. It is rejected where the whole 95 % interval of the
difference lies above minus the margin. Since only the lower end counts, the chance of a false claim is
2.5 %.

If instead the whole interval lies below minus the margin, the claim is refuted; in between, the data
cannot tell. The p-value always comes from the same distribution as the interval, so that the two agree.
"""

from __future__ import annotations

from results.schema import Verdict
from results.statistics.outcomes import Interval, normal_tail

ALPHA = 0.025


def non_inferior(interval: Interval, margin: float) -> Verdict:
    """`interval` of (new - old) in the direction where more is better; `margin` > 0 in the same unit."""
    if interval.low > -margin:
        return "yes"
    return "no" if interval.high < -margin else "cannot_tell"


def wald_p(centre: float, error: float, margin: float) -> float:
    """One-sided p-value of a normal estimate against "worse by the margin or more"."""
    if error == 0:
        return 0.0 if centre > -margin else 1.0
    return normal_tail((centre + margin) / error)
