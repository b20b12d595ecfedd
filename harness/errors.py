"""Errors that a person can mend. Each message is one line: what is wrong, then what to do."""

from __future__ import annotations

import unicodedata


class UserError(Exception):
    """Bad input: exit status 2, nothing lost."""


class RunError(Exception):
    """A run that failed: exit status 1, everything finished is kept."""


def one_line(text: object) -> str:
    """`text` as one line for a terminal or a log: what a name, a file or a library holds can neither steer
    the terminal (control and bidirectional characters become `?`) nor forge a second line."""
    line = " ".join(str(text).split())
    return "".join("?" if unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Co") else sign for sign in line)
