"""The one error of `tasks`: a problem that a person can fix, described in one line."""

from __future__ import annotations


class TaskError(ValueError):
    """Bad data, an unknown split, a missing file: the message names it and the next step."""
