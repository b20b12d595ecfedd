"""A finished run in Python: its figures as pandas frames, its verdicts as sentences, its picture, its card.

`load` opens a run folder; it reads the records and writes nothing. Figures are those of `leaderboard.json`
(docs/results-schema.md): scores and differences are fractions, tokens are means per item. pandas and
matplotlib are imported when they are first needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from results.analysis.leaderboard import build
from results.analysis.verdicts import is_primary
from results.errors import ResultsError
from results.schema import Compared as ComparedRuns
from results.schema import Leaderboard

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, repr=False)
class Run:
    """A finished run. In a notebook it shows itself as a card, in a terminal as its tables."""

    folder: Path
    leaderboard: Leaderboard
    """Everything that `leaderboard.json` holds."""

    @property
    def scores(self) -> pd.DataFrame:
        """A row per task, variant and metric: `score` with its interval (`ci_low`, `ci_high`), tokens, calls,
        costs and `failed`, the share of rows that failed.
        """
        rows = [
            _scalars(row)
            | {"failed": sum(row["failures"].values()) / row["n_rows"] if row["n_rows"] else None}
            for row in self.leaderboard["rows"]
        ]
        return _frame(rows)

    @property
    def comparisons(self) -> pd.DataFrame:
        """A row per claim about two variants (`a`, `b`), the claims over all tasks last: `verdict`,
        `difference` with its interval, `p`, `token_ratio`, `sentence`.
        """
        claims: list[Mapping[str, object]] = [*self.leaderboard["comparisons"], *self.leaderboard["overall"]]
        return _frame([_scalars(claim) for claim in claims])

    @property
    def headline(self) -> str:
        """The headline: one to four sentences."""
        return self.leaderboard["headline"]

    @property
    def verdicts(self) -> list[str]:
        """A sentence per claim on primary metrics and tokens, those over all tasks last."""
        of_tasks = [row["sentence"] for row in self.leaderboard["comparisons"] if is_primary(row)]
        return [*of_tasks, *(row["sentence"] for row in self.leaderboard["overall"])]

    def samples(self, variant: str, task: str) -> pd.DataFrame:
        """A row per scored prompt, in the order of the file: prompt, response, answer, target,
        `scores.METRIC`, `usage.KIND`, and `steps` as lists. ResultsError if the run has no such samples.
        """
        import pandas as pd

        from results.records.load import iter_rows

        rows = list(iter_rows(self.folder, variant, task))
        return pd.json_normalize(rows, max_level=1)

    def plot(self, task: str | None = None) -> Figure:
        """Score against generated tokens, a panel a task, or one task alone. ResultsError for a task that the
        run does not have."""
        from results.page.plots import primary_points, score_figure

        known = primary_points(self.leaderboard)
        if task is not None and task not in known:
            raise ResultsError(f"the run has no scores of task {task!r}; it has {', '.join(known)}")
        return score_figure(self.leaderboard, task)

    @property
    def page(self) -> Path:
        """Path of the report page, `leaderboard.html`, which `run` and `s2d-bench report` write."""
        return self.folder / "leaderboard.html"

    def __repr__(self) -> str:
        from results.tables.render import terminal

        return terminal(self.leaderboard)

    def _repr_html_(self) -> str:
        from results.page.card import card

        return card(self.leaderboard)


@dataclass(frozen=True, repr=False)
class Compared:
    """Two runs over the items that both have."""

    outcome: ComparedRuns
    """The result of `s2d-bench compare`."""

    @property
    def comparisons(self) -> pd.DataFrame:
        """A row per claim; `a` and `b` are RUN/VARIANT."""
        return _frame([_scalars(claim) for claim in self.outcome["comparisons"]])

    @property
    def verdicts(self) -> list[str]:
        """A sentence per claim on primary metrics and tokens."""
        return [row["sentence"] for row in self.outcome["comparisons"] if is_primary(row)]

    @property
    def notes(self) -> list[str]:
        """Notes: rows left out, warnings and remarks."""
        return self.outcome["notes"]

    def __repr__(self) -> str:
        from results.compare import render

        return render(self.outcome)


def load(folder: str | Path, margin: float | None = None, prices: str | Path | None = None) -> Run:
    """A run folder, read from its records; nothing is written. `margin` in points (default: the run's own),
    `prices` a YAML file. ResultsError if the folder is not a run, or its records are damaged.
    """
    path = Path(folder)
    return Run(path, build(path, margin, Path(prices) if prices else None))


def compare(
    a: str | Path | Run, b: str | Path | Run, margin: float | None = None, prices: str | Path | None = None
) -> Compared:
    """Two runs item by item, over the items that both have; a folder of lm-eval's samples is read too.
    Options as in `load`. ResultsError if they share no item.
    """
    from results import compare as compares

    first, second = (each.folder if isinstance(each, Run) else Path(each) for each in (a, b))
    return Compared(compares.compare(first, second, margin, Path(prices) if prices else None))


def _scalars(row: Mapping[str, object]) -> dict[str, object]:
    """The entries of a row that fit in one cell of a frame: no objects and no lists."""
    return {key: value for key, value in row.items() if not isinstance(value, Mapping | list)}


def _frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(list(rows))
