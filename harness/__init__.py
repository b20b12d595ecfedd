"""Runs programs with an engine on items: one record per model call and one per item.

In Python, `from harness import run, compare, load`: see `harness.command.python`. The names are looked up
when they are first used, so that nothing heavy is imported for the command's help.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.command.python import Compared, Run, compare, load, run

__all__ = ["Compared", "Run", "compare", "load", "run"]


def __getattr__(name: str) -> object:
    if name in __all__:
        from importlib import import_module

        return getattr(import_module("harness.command.python"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
