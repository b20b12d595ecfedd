"""The one error of `results`: a run folder, price file or policy that a person can fix."""

from __future__ import annotations


class ResultsError(ValueError):
    """One line that names the wrong file or figure and the next step. Exit status 2."""
