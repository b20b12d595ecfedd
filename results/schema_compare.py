"""Results of `compare`: the keys of `comparison.json` and of the line that it prints.

`results` alone writes them; import them from `results.schema`.
"""

from __future__ import annotations

from typing import TypedDict

from results.schema_claims import Comparison, Sides
from results.schema_leaderboard import MethodRow


class Paired(TypedDict):
    """Counts of paired and unpaired rows."""

    paired: int
    """Rows on both sides."""
    only_a: int
    """Rows on the first side only."""
    only_b: int
    """Rows on the second side only."""


class LeftOut(Sides, Paired):
    """Paired and unpaired rows of two variants."""


class Read(TypedDict):
    """The files read for a task on both sides."""

    task: str
    """Name of the task."""
    a: str
    """Harness, version and file of the first side."""
    b: str
    """The same for the second side."""


class Compared(TypedDict):
    """`comparison.json` of `compare --output`; the last line of `compare` keeps `a`, `b`, `comparisons`,
    `left_out` and `notes` of it."""

    schema: int
    """Version of this format."""
    a: str
    """Name of the first run."""
    b: str
    """Name of the second run."""
    margin: float
    """Non-inferiority margin."""
    comparisons: list[Comparison]
    """Claims; `a` and `b` are `RUN/VARIANT`, or the model of a log."""
    read: list[Read]
    """The files read, by task."""
    left_out: list[LeftOut]
    """Paired rows, and rows left out."""
    methods: list[MethodRow]
    """Which test and interval were used, and why."""
    notes: list[str]
    """Warnings and remarks on the figures, as sentences."""
