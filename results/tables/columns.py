"""The cost columns: one object holds a column's key, headers, formats and places.

A new column is an entry of `COSTS`, a key of `ScoreRow` (`results/schema_leaderboard.py`) and the line of
`results/analysis/leaderboard.py` that computes it. Terminal, Markdown, CSV and page follow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from results.schema import ScoreRow
from results.tables import cells

Show = Callable[[float | None], str]


@dataclass(frozen=True)
class PageColumn:
    """How a column looks on the page."""

    header: str
    format: str
    """The format for `results.page.words.cell`."""
    first: str = "ascending"
    """Order of the first click on the header."""
    priced: bool = False
    """Whether only runs with prices have it."""


@dataclass(frozen=True)
class Column:
    """A figure of a row of the leaderboard."""

    key: str
    place: int
    """The CSV file and the page order columns by this number."""
    header: str | None
    """Header in the table of costs; None if the column is in the table of scores."""
    show: Show
    page: PageColumn | None = None

    def value(self, row: ScoreRow) -> float | None:
        """The figure of a row; None if it has none. TypeError if it is not a number."""
        known: Mapping[str, object] = row
        found = known.get(self.key)
        if found is not None and not isinstance(found, int | float):
            raise TypeError(f"{self.key} is {found!r}: a column needs a number")
        return found


COSTS: tuple[Column, ...] = (
    Column("prompt_tokens", 2, "prompt", cells.number, PageColumn("prompt", ",.1f")),
    Column("cached_tokens", 3, "cached", cells.number, PageColumn("cached", ",.1f", "descending")),
    Column("generated_tokens", 1, "generated", cells.number, PageColumn("generated", ",.1f")),
    Column("calls", 4, None, cells.number, PageColumn("calls", ",.1f")),
    Column("tokens_per_correct", 5, "tokens/correct", cells.number, PageColumn("per correct", ",.1f")),
    Column("flops_per_item", 6, "FLOPs/item", cells.compact, PageColumn("FLOPs", "si")),
    Column("usd_per_1k_items", 7, "$/1k", cells.dollars, PageColumn("$ per 1,000", ",.4g", priced=True)),
    Column("usd_per_correct", 8, "$/correct", cells.dollars),
)
"""In the order of the table of costs."""

IN_TABLE = tuple(column for column in COSTS if column.header is not None)
IN_FILE = tuple(sorted(COSTS, key=lambda column: column.place))


def on_page(rows: Sequence[ScoreRow]) -> list[tuple[Column, PageColumn]]:
    """The columns of the page for these rows, in its order."""
    return [
        (column, column.page)
        for column in IN_FILE
        if column.page and not (column.page.priced and all(column.value(row) is None for row in rows))
    ]
