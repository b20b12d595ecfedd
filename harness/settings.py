"""Named settings with default, bounds and meaning, for --engine-args, --sampling and --train-args."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from harness.errors import UserError


@dataclass(frozen=True)
class Setting:
    """One setting and its allowed values."""

    default: int | float | str | bool
    meaning: str = ""
    low: float = 0
    above: bool = False
    """Whether `low` itself is too low."""
    high: float = math.inf
    below: bool = False
    """Whether `high` itself is too high."""
    whole: bool = False
    choices: tuple[str, ...] = ()

    def check(self, option: str, name: str, value: Any) -> None:
        """UserError, which begins with the option and the name, for a value that is not allowed."""
        if wanted := self._wanted(value):
            raise UserError(f"{option} {name}={shown(value)}: give {wanted}")

    def _wanted(self, value: Any) -> str | None:
        """The allowed values, if `value` is not one of them."""
        if isinstance(self.default, bool):
            return None if isinstance(value, bool) else "true or false"
        if isinstance(self.default, str):
            if self.choices:
                return None if value in self.choices else " or ".join(self.choices)
            return None if isinstance(value, str) else "a name or a file"
        number = isinstance(value, int if self.whole else int | float) and not isinstance(value, bool)
        if number and math.isfinite(value) and self._within(value):
            return None
        return f"{'a whole number' if self.whole else 'a number'} {self._bounds()}"

    def _within(self, value: float) -> bool:
        enough = value > self.low if self.above else value >= self.low
        return enough and (value < self.high if self.below else value <= self.high)

    def _bounds(self) -> str:
        least = f"above {self.low:g}" if self.above else f"of at least {self.low:g}"
        if math.isinf(self.high):
            return least
        return f"{least} and {'below' if self.below else 'at most'} {self.high:,.12g}"


def unknown(option: str, name: str, known: Iterable[str]) -> UserError:
    """The error for an unknown name of an option, with the nearest known name."""
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1) if len(name) < 64 else []
    hint = f"did you mean {close[0]}? " if close else ""
    return UserError(f"{option} {name}: not known: {hint}there are {', '.join(names)}")


def shown(value: Any) -> str:
    """A value as one would type it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
