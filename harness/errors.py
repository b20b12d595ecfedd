"""Errors that a person can fix. Each message is one line: what is wrong, then what to do."""

from __future__ import annotations

from results.files import one_line

__all__ = ["RunError", "UserError", "first_line", "named", "one_line"]


class UserError(Exception):
    """Bad input: exit status 2, nothing lost."""


class RunError(Exception):
    """A run that failed: exit status 1, everything finished is kept."""


def first_line(error: BaseException) -> str:
    """The first line of an error's text; its type if it has no text."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def named(error: BaseException) -> str:
    """Type and first line of an error from outside code."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
