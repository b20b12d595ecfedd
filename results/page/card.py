"""A run as a card in a notebook: the headline, the three claims at a glance, and the primary scores.

Styles are inline and do not set a background, so the card is readable on light and dark pages.
"""

from __future__ import annotations

from results.page.build import environment
from results.page.words import matrix
from results.schema import Leaderboard
from results.tables import cells
from results.tables import rows as table_rows


def card(leaderboard: Leaderboard) -> str:
    """The card as HTML; every value is escaped by jinja2."""
    headers, rows = table_rows.narrow_score_cells(leaderboard, every=False)
    text: str = (
        environment()
        .get_template("card.html.j2")
        .render(
            headline=leaderboard["headline"],
            run=leaderboard["run"],
            model=leaderboard["model"],
            matrix=matrix(leaderboard),
            headers=headers,
            rows=rows,
            right=table_rows.RIGHT,
            legend=cells.LEGEND,
            notes=leaderboard["notes"],
        )
    )
    return text
