"""Words of the page: the three claims at a glance, and figures as text. The headline comes from
`results.analysis.headline`.

Every function takes the leaderboard (keys of leaderboard.json, fractions from 0 to 1) and returns plain text:
percent and points for people, and the bare value for sorting. Nothing here is HTML or escaped: the template
escapes.
"""

from __future__ import annotations

from typing import Literal, TypedDict

from results.analysis.overall import NAME
from results.analysis.verdicts import Claim, is_primary, known, p_figure, same_on_every_item, word
from results.schema import ClaimName, Comparison, Leaderboard, Manifest, Trio
from results.tables import cells
from results.tables.cells import compact
from results.tables.rows import side_name

CLAIMS: tuple[tuple[ClaimName, Literal["base", "teacher"], str], ...] = (
    ("superior", "base", "better than base"),
    ("non_inferior", "teacher", "as good as System 2"),
    ("cheaper", "teacher", "cheaper than System 2"),
)
"""The three claims of distillation and the role of each first side, in the order of the page."""
MINUS = "\u2212"


class Cell(TypedDict):
    """A cell of a table: the value for sorting (empty text if there is none), and its text."""

    value: float | str
    text: str


class Figure(Cell):
    """An estimate with its interval in brackets."""

    interval: str


class Glance(TypedDict):
    """One of the three claims; `kept` has lines on the kept share of System 2's gain."""

    verdict: str
    word: str
    figure: Figure
    kept: list[str]


class MatrixRow(TypedDict):
    """A task, or all together; None if a claim is not made."""

    task: str
    cells: list[Glance | None]
    overall: bool


class Matrix(TypedDict):
    """Tasks x the three claims."""

    columns: list[str]
    rows: list[MatrixRow]


def matrix(leaderboard: Leaderboard) -> Matrix:
    """Tasks x the three claims: verdict and figure, a row for each distilled variant; last rows over all
    tasks. Empty without distillation.
    """
    trios = leaderboard["trios"]
    several = len({trio["distilled"] for trio in trios}) > 1
    everywhere: dict[tuple[str | None, ...], Trio] = {
        (trio["base"], trio["teacher"], trio["distilled"]): {**trio, "task": NAME} for trio in trios
    }
    rows: list[MatrixRow] = []
    by_task: list[Claim] = [*leaderboard["comparisons"]]
    whole: list[Claim] = [*leaderboard["overall"]]
    for listed, asked in ((by_task, trios), (whole, list(everywhere.values()))):
        claims: dict[tuple[str | None, ...], Claim] = {}
        for claim in listed:
            if is_primary(claim):
                claims[claim["task"], claim["claim"], claim["a"], claim["b"]] = claim
        for trio in asked:
            found = [claims.get((trio["task"], name, trio[a], trio["distilled"])) for name, a, _ in CLAIMS]
            glances = [None if claim is None else _glance(claim) for claim in found]
            name = f"{trio['task']}, {trio['distilled']}" if several else trio["task"]
            if any(glances):
                rows.append({"task": name, "cells": glances, "overall": listed is whole})
    return {"columns": [label for *_, label in CLAIMS], "rows": rows}


def _glance(claim: Claim) -> Glance:
    kept = []
    if "gain_kept" in claim:
        share, bracket, ends = cells.kept(claim).replace("-", MINUS).partition("[")
        kept = [f"gain kept: {share.strip()}", *([bracket + ends] if ends else [])]
    return {"verdict": badge_of(claim), "word": word(claim), "figure": figure_of(claim), "kept": kept}


def badge_of(claim: Claim) -> str:
    """The look of a verdict: equal tokens are neither good nor bad."""
    return "same" if claim.get("same") else str(claim["verdict"])


def subline(manifest: Manifest) -> str:
    """Model, engine and data of the run in one line."""
    model, options = manifest["model"], manifest["options"]
    data = sorted({str(entry["data"]) for entry in manifest["tasks"].values() if entry.get("data")})
    parts = [
        f"Model {options.get('pretrained') or model.get('name') or 'unknown'}",
        f"{model['parameters'] / 1e6:,.1f} million parameters" if model.get("parameters") else "",
        f"engine {options['engine']}" if options.get("engine") else "",
        f"data {', '.join(data)}" if data else "",
        f"seed {options['seed']}" if options.get("seed") is not None else "",
    ]
    return ", ".join(part for part in parts if part) + "."


def claim_words(claim: Comparison) -> str:
    """A claim as a sentence without its verdict."""
    a, b = side_name(claim, "a"), side_name(claim, "b")
    if claim["claim"] == "superior":
        return f"{b} is better than {a}"
    if claim["claim"] == "non_inferior":
        return f"{b} is as good as {a} within {100 * known(claim['margin']):g} points"
    return f"{b} generates fewer tokens than {a}"


def figure_of(claim: Claim) -> Figure:
    """Value for sorting, and text and interval for reading; all empty if there is none."""
    value, low, high = estimate_of(claim)
    if value is None:
        return {"value": "", "text": "", "interval": ""}
    cheaper = claim["claim"] == "cheaper"
    scale, style = (1.0, ".2f") if cheaper else (100.0, "+.1f")
    ends = "" if low is None or high is None else f"[{scale * low:{style}}, {scale * high:{style}}]"
    if cheaper and same_on_every_item(value, low, high):
        ends = "on every item"
    text = f"{scale * value:{style}} {'x tokens' if cheaper else 'points'}"
    return {"value": value, "text": text.replace("-", MINUS), "interval": ends.replace("-", MINUS)}


def estimate_of(claim: Claim) -> tuple[float | None, float | None, float | None]:
    """Value and both ends of its interval: a token ratio for `cheaper`, else a difference of scores at the
    level that decided the claim."""
    if claim["claim"] == "cheaper":
        return claim["token_ratio"], claim["token_ratio_low"], claim["token_ratio_high"]
    return claim["difference"], claim["ci_low_adjusted"], claim["ci_high_adjusted"]


def cell(value: float | None, style: str) -> Cell:
    """Value for sorting and text for reading; both empty if there is none."""
    if value is None:
        return {"value": "", "text": ""}
    if style == "percent":
        text = f"{100 * value:.1f}"
    elif style == "p":
        text = p_figure(value)
    elif style == "si":
        text = compact(value)
    else:
        text = format(value, style)
    return {"value": value, "text": text}
