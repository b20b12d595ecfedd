"""The paper's findings and scores beside those of the run, as the page shows them."""

from __future__ import annotations

import re
from typing import TypedDict

from results.page.words import MINUS
from results.paper import LEGEND, beside, cited, is_cited
from results.paper_figures import Finding, PaperSource
from results.schema import Leaderboard


class PaperTable(TypedDict):
    """The paper compared with the run; `silent` are findings on pairs that the run does not compare."""

    source: PaperSource
    findings: list[Finding]
    silent: list[Finding]
    rows: list[list[str]]
    legend: str


def paper_table(leaderboard: Leaderboard) -> PaperTable | None:
    """The table; None if the paper has no figures for the tasks of the run."""
    laid = beside(leaderboard)
    if not laid["tasks"]:
        return None
    rows = []
    for task in laid["tasks"]:
        for row in filter(is_cited, task["rows"]):
            name = row["system"] + (f", {row['votes']} votes" if row["votes"] > 1 else "")
            score = "" if row["run_score"] is None else f"{row['run_score']:.1f}"
            score += " [{:.1f}, {:.1f}]".format(*row["run_interval"]) if row["run_interval"] else ""
            tokens = "" if row["run_tokens"] is None else f"{row['run_tokens']:,.1f}"
            rows.append(
                [
                    task["task"],
                    name,
                    row["metric"],
                    cited(row["paper_score"]),
                    score,
                    cited(row["paper_tokens"]),
                    tokens,
                ]
            )
    findings: list[Finding] = [
        {**found, "why": re.sub(r"(?<=[ \[])-(?=\d)", MINUS, found["why"])} for found in laid["findings"]
    ]
    return {
        "source": laid["source"],
        "findings": [found for found in findings if found["compared"]],
        "silent": [found for found in findings if not found["compared"]],
        "rows": rows,
        "legend": LEGEND,
    }
