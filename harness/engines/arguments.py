"""`--engine-args` over the defaults of an engine. Every engine checks its settings with this."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from harness.settings import Setting, unknown
from harness.types import Settings

OPTION = "--engine-args"


def take_arguments(
    arguments: Mapping[str, Any], known: Mapping[str, Any], least: Mapping[str, int]
) -> Settings:
    """`known` defaults overlaid with `arguments`. UserError for an argument that the engine does not have,
    or a number below its minimum in `least`."""
    for name, value in arguments.items():
        if name not in known:
            raise unknown(OPTION, name, known)
        default = known[name]
        if isinstance(default, int) and not isinstance(default, bool):
            Setting(default, low=least.get(name, -math.inf), whole=True).check(OPTION, name, value)
    return {**known, **arguments}
