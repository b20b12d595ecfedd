"""The one error of `results`: a run folder, price file or policy that a person can fix."""

from __future__ import annotations


class ResultsError(ValueError):
    """One line that names the file or figure at fault and the next step. Exit status 2."""
