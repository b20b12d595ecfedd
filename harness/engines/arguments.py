"""`--engine-args` over the defaults of an engine: what every engine's settings are checked with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.errors import UserError
from harness.types import Settings


def take_arguments(
    engine: str, arguments: Mapping[str, Any], known: Mapping[str, Any], least: Mapping[str, int]
) -> Settings:
    """`known` defaults overlaid with `arguments`. UserError names an argument the engine does not have, and
    a number below the `least` that it may be."""
    for name, value in arguments.items():
        if isinstance(known.get(name), int) and (isinstance(value, bool) or not isinstance(value, int)):
            raise UserError(f"--engine-args {name}={value}: give a whole number")
        if name in least and value < least[name]:
            raise UserError(f"--engine-args {name}={value}: it must be at least {least[name]}")
        if name not in known:
            raise UserError(
                f"--engine-args {name}: the {engine} engine has no such argument; it takes {', '.join(known)}"
            )
    return {**known, **arguments}
