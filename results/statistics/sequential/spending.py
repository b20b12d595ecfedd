"""How the error is shared out over looks: alpha-spending functions (Lan and DeMets 1983).

A spending function says how much of the error may be used up when a share `t` of the planned data is in. It
is fixed before the first item. So the error rate holds without a known number of looks, if the position of a
look does not depend on the data.

- O'Brien-Fleming type: very strict early, almost the fixed test at the end. The default: a run that reaches
  its planned end has lost hardly any power.
- Pocock type: nearly the same strictness at each look. Stops earlier, and pays for it at the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from results.statistics.outcomes import normal_quantile, normal_tail

Spending = Callable[[float, float], float]
"""Share of the planned data (0 to 1) and one-sided level -> level used up so far."""


def obrien_fleming(share: float, level: float) -> float:
    """2 - 2 Phi(z / sqrt(share)), z the normal quantile of 1 - level / 2."""
    if share <= 0:
        return 0.0
    return 2 * normal_tail(normal_quantile(1 - level / 2) / math.sqrt(min(share, 1.0)))


def pocock(share: float, level: float) -> float:
    """level * ln(1 + (e - 1) share)."""
    return level * math.log1p((math.e - 1) * min(max(share, 0.0), 1.0))


OBRIEN_FLEMING, POCOCK = "obrien-fleming", "pocock"
SPENDING: dict[str, Spending] = {OBRIEN_FLEMING: obrien_fleming, POCOCK: pocock}
"""Functions by their name in `--spending`."""
