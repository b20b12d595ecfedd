"""The published figures of the paper, as `published/paper.json` holds them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal, NotRequired, TypedDict

PAPER_FILE = Path(__file__).with_name("published") / "paper.json"


class PaperFigure(TypedDict):
    """A figure and how sure we are of it."""

    value: float
    """Scores in percent, tokens per item."""
    certainty: Literal["two_sources", "one_source", "memory"]


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


def published() -> Published:
    """The paper's figures. Scores in percent."""
    document: Published = json.loads(PAPER_FILE.read_text(encoding="utf-8"))
    return document
