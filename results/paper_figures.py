"""The published figures of the paper: as `published/paper.json` holds them, and beside those of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal, NotRequired, TypedDict

Seen = Literal["shows", "contradicts", "cannot_tell"]
PAPER_FILE = Path(__file__).with_name("published") / "paper.json"


class PaperFigure(TypedDict):
    """A figure and how sure we are of it."""

    value: float
    """Scores in percent, tokens per item."""
    certainty: Literal["two_sources", "one_source", "memory"]
    table: NotRequired[int]
    """Number of the paper's table that it stands in. A figure is shown only where it has this and the
    page."""
    page: NotRequired[int]
    """Page of the paper, counted in its PDF."""


class PaperSystem(TypedDict):
    """A row of the paper's tables."""

    system: str
    """In the paper's words."""
    variant: str | None
    """The variant of ours that it corresponds to; None where there is none."""
    metrics: dict[str, PaperFigure | None]
    generated_tokens: PaperFigure | None
    model: NotRequired[str]
    """Where it is not the paper's own."""
    votes: NotRequired[int]
    """Samples that a majority was taken of."""
    wording: NotRequired[str]
    """Where the prompt is another one than the paper's main one."""


class PaperTask(TypedDict):
    """A task of the paper with its rows."""

    title: str
    primary: str
    test_n: int | None
    other_metrics: dict[str, str]
    """Metric of the paper -> a part of the name that ours has."""
    method: str
    """Our name of the paper's System 2 method."""
    also: list[str]
    """Tasks of ours that stand in for it."""
    rows: list[PaperSystem]


class PaperFinding(TypedDict):
    """What the paper says of two systems on a task."""

    task: str
    expects: str
    """`higher`, `lower`, `no_gain`, `as_good` or `cheaper`: b against a."""
    a: str
    b: str
    text: str
    metric: NotRequired[str]
    """Where it is not the primary one."""


class PaperSource(TypedDict):
    """Where the figures come from."""

    authors: str
    title: str
    year: int
    arxiv: str
    model: str


class Published(TypedDict):
    """The whole file."""

    schema: int
    source: PaperSource
    units: dict[str, str]
    certainty: dict[str, str]
    """What each word for certainty means."""
    tasks: dict[str, PaperTask]
    findings: list[PaperFinding]


class Line(TypedDict):
    """A row of the paper beside the run's: scores in percent, tokens per item; None where a side has none."""

    system: str
    variant: str | None
    model: str | None
    votes: int
    metric: str
    paper_score: PaperFigure | None
    paper_tokens: PaperFigure | None
    run_score: float | None
    run_interval: list[float]
    run_tokens: float | None


class TaskBeside(TypedDict):
    """The rows of a task; `stand_in` where the paper's task is another one."""

    task: str
    paper_task: str
    title: str
    stand_in: bool
    rows: list[Line]


class Finding(TypedDict):
    """A finding of the paper: whether the run shows it, and why."""

    task: str
    text: str
    paper: str
    """The paper's figures, in words."""
    verdict: Seen
    why: str
    compared: bool
    """Whether the run compares the two."""


class Beside(TypedDict):
    """The paper beside a run."""

    source: PaperSource
    certainty: dict[str, str]
    tasks: list[TaskBeside]
    findings: list[Finding]


def published() -> Published:
    """The paper's figures. Scores in percent."""
    document: Published = json.loads(PAPER_FILE.read_text(encoding="utf-8"))
    return document
