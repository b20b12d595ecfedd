"""System 2 methods as short programs around one model, found by name.

To add a method, add a file in this folder that registers it with `harness.programs.base.method`. `get_method`
imports every file here; `outside.py` imports a user's own.
"""

from __future__ import annotations

from harness.programs.base import (
    Method,
    Program,
    Running,
    check_yield,
    get_method,
    load_builtin,
    method,
    methods,
)
from results.schema import step_kind

__all__ = [
    "Method",
    "Program",
    "Running",
    "check_yield",
    "get_method",
    "load_builtin",
    "method",
    "methods",
    "step_kind",
]
