"""Types of the paper's published figures: in `published/paper.json`, and compared with a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal, NotRequired, TypedDict

Seen = Literal["shows", "contradicts", "cannot_tell"]
PAPER_FILE = Path(__file__).with_name("published") / "paper.json"


class PaperFigure(TypedDict):
    """A figure and how certain it is."""

    value: float
    """Scores in percent, tokens per item."""
    certainty: Literal["two_sources", "one_source", "memory"]
    table: NotRequired[int]
    """Number of the paper's table. A figure is shown only if it has table and page."""
    page: NotRequired[int]
    """Page of the paper, counted in its PDF."""


class PaperSystem(TypedDict):
    """A row of the paper's tables."""

    system: str
    """In the paper's words."""
    variant: str | None
    """The corresponding variant of a run; None if there is none."""
    metrics: dict[str, PaperFigure | None]
    generated_tokens: PaperFigure | None
    model: NotRequired[str]
    """Model, if it is not the paper's main one."""
    votes: NotRequired[int]
    """Samples in a majority vote."""
    wording: NotRequired[str]
    """Prompt, if it is not the paper's main one."""


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
    """Tasks of s2d-bench that replace it."""
    rows: list[PaperSystem]


class PaperFinding(TypedDict):
    """A finding of the paper on two systems and a task."""

    task: str
    expects: str
    """`higher`, `lower`, `no_gain`, `as_good` or `cheaper`: b compared with a."""
    a: str
    b: str
    text: str
    metric: NotRequired[str]
    """Metric, if it is not the primary one."""


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
    """A row of the paper beside the run's: scores in percent, tokens per item; None if a side has none."""

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
    """The rows of a task; `stand_in` if the paper's task is another one."""

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
