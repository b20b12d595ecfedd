"""Errors that a person can fix. Each message is one line: what is wrong, then what to do."""

from __future__ import annotations

from results.files import one_line

__all__ = ["RunError", "UserError", "one_line"]


class UserError(Exception):
    """Bad input: exit status 2, nothing lost."""


class RunError(Exception):
    """A run that failed: exit status 1, everything finished is kept."""
