"""Two runs, paired: the same variants (or lm-eval logs) on the items that both runs have.

Items are paired by the hash of their content, never by position. Runs may have different items: the
intersection is compared, and how many were left out is said; an empty one is an error. Seeds of two runs are
paired in their order, because each run draws its own; where one run has more of them (a seed was not
distilled), by number.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from results.analysis import choose_test as methods
from results.analysis import looks
from results.analysis.claims import Comparisons
from results.analysis.clusters import keys
from results.analysis.cost import CostModel
from results.analysis.leaderboard import NAMED_CLAIMS
from results.analysis.prices import load_prices
from results.errors import ResultsError
from results.records.columns import Columns
from results.records.lm_eval import log_files, read_logs
from results.records.load import load_run
from results.schema import MARGIN_POINTS, SCHEMA, ClaimTable, Compared, LeftOut, Metric, Paired
from results.statistics.sequential.plan import Plan
from results.tables import cells
from results.tables import render as tables
from results.tables import rows as table_rows


@dataclass(frozen=True)
class Side:
    """One of the two runs."""

    name: str
    columns: Mapping[tuple[str, str], Columns]
    """By (task, variant)."""
    metrics: Mapping[str, Mapping[str, Metric]]
    parameters: int | None
    has_tokens: bool
    plans: Mapping[str, Plan]
    """By task, of a run in planned looks."""

    @property
    def tasks(self) -> list[str]:
        return list(dict.fromkeys(task for task, _ in self.columns))

    def variants(self, task: str) -> list[str]:
        return [variant for of_task, variant in self.columns if of_task == task]


def compare(a: Path, b: Path, margin: float | None = None, prices: Path | None = None) -> Compared:
    """Paired comparison of two run folders, or of two lm-eval logs (files or folders).

    Variants of one name are compared; where each side has one variant, these two, whatever their names.
    Returns `a`, `b`, `comparisons[]` (as in `leaderboard.json`), `left_out[]` with `task, a, b, paired,
    only_a, only_b` (in rows), `methods[]`, `notes[]`. `margin` in points. ResultsError where nothing can
    be paired.
    """
    first, second = load_side(Path(a)), load_side(Path(b))
    points = MARGIN_POINTS if margin is None else float(margin)
    if not 0 < points < 100:
        raise ResultsError(f"margin {points:g} is not between 0 and 100 points; give for example --margin 5")
    known = load_prices(prices) if prices else None
    same_size = first.parameters if first.parameters == second.parameters else None
    costs = CostModel(same_size, known)
    claims = NAMED_CLAIMS if first.has_tokens and second.has_tokens else NAMED_CLAIMS[:2]
    left_out: list[LeftOut] = []
    used: set[str] = set()
    compared = Comparisons(points / 100, costs, used, plans=_plans(first, second))
    for task, one, other in matched(first, second):
        columns = first.columns[task, one], second.columns[task, other]
        names = labels(first, second, one, other)
        paired, count = intersect(*columns)
        left_out.append({"task": task, "a": names[0], "b": names[1], **count})
        shared = {
            name: entry for name, entry in first.metrics[task].items() if name in second.metrics.get(task, {})
        }
        compared.add(*paired, shared, claims, names=names)
    rows = compared.decide()
    return {
        "schema": SCHEMA,
        "a": first.name,
        "b": second.name,
        "margin": points / 100,
        "comparisons": rows,
        "left_out": left_out,
        "methods": methods.as_rows(used),
        "notes": _notes(first, second, left_out),
    }


def load_side(path: Path) -> Side:
    """A run folder, or lm-eval logs."""
    if (path / "manifest.json").is_file():
        run = load_run(path)
        looks.require_whole_looks(run)
        parameters = run.manifest["model"].get("parameters")
        return Side(
            name=str(run.manifest["run"]),
            columns=run.columns,
            metrics={task: run.metrics(task) for task in run.tasks},
            parameters=int(parameters) if parameters else None,
            has_tokens=True,
            plans=looks.plans(run.manifest),
        )
    if not path.exists() or not log_files(path):
        raise ResultsError(
            f"{path} holds neither manifest.json nor samples_*.jsonl; name a run or lm-eval's logs"
        )
    columns, metrics = read_logs(path)
    return Side(
        path.stem, {(task, "lm-eval"): table for task, table in columns.items()}, metrics, None, False, {}
    )


def _plans(first: Side, second: Side) -> dict[str, Plan]:
    """The plan of each task that either side asked in looks. ResultsError where two plans differ: no levels
    are known for looks that were made at two rhythms."""
    for task in first.plans.keys() & second.plans.keys():
        if first.plans[task].clusters != second.plans[task].clusters:
            raise ResultsError(
                f"task {task!r}: {first.name} and {second.name} were asked by different plans of looks; "
                "compare runs of one plan"
            )
    return {**second.plans, **first.plans}


def matched(first: Side, second: Side) -> list[tuple[str, str, str]]:
    """(task, variant of the first, variant of the second) that are to be compared."""
    found = []
    for task in first.tasks:
        ours, theirs = first.variants(task), second.variants(task)
        if len(ours) == len(theirs) == 1:
            found.append((task, ours[0], theirs[0]))
        else:
            found += [(task, variant, variant) for variant in ours if variant in theirs]
    if not found:
        raise ResultsError(
            f"{first.name} and {second.name} share no task with a variant of one name (tasks "
            f"{first.tasks} and "
            f"{second.tasks}); compare runs of the same tasks"
        )
    return found


def labels(first: Side, second: Side, one: str, other: str) -> tuple[str, str]:
    """Names of the two sides: run and variant; equal names are told apart by A and B."""
    runs = (first.name, second.name) if first.name != second.name else (f"A {first.name}", f"B {second.name}")
    return f"{runs[0]}/{one}", f"{runs[1]}/{other}"


def intersect(a: Columns, b: Columns) -> tuple[tuple[Columns, Columns], Paired]:
    """Both with only the rows that both have, in one order, and the counts of rows paired and left out."""
    ours, theirs = set(a.seed.tolist()), set(b.seed.tolist())
    if len(ours) == len(theirs) or not ours & theirs:
        a, b = _seeds_in_order(a), _seeds_in_order(b)
    places_a, places_b = (
        {
            key: place
            for place, key in enumerate(
                zip(part.item_id.tolist(), part.seed.tolist(), part.sample_index.tolist(), strict=True)
            )
        }
        for part in (a, b)
    )
    both = sorted(keys(a) & keys(b))
    if not both:
        raise ResultsError(
            f"task {a.task!r}: {a.path} and {b.path} have no item in common ({a.n_rows} and {b.n_rows} "
            f"rows); "
            "compare runs on the same data"
        )
    index_a, index_b = (
        np.array([places[key] for key in both], dtype=np.int64) for places in (places_a, places_b)
    )
    count: Paired = {"paired": len(both), "only_a": a.n_rows - len(both), "only_b": b.n_rows - len(both)}
    return (a.take(index_a), b.take(index_b)), count


def _seeds_in_order(columns: Columns) -> Columns:
    """Seeds replaced by their rank, so that seed 0 of one run meets seed 7 of the other."""
    return replace(columns, seed=np.unique(columns.seed, return_inverse=True)[1].astype(np.int64))


def _notes(first: Side, second: Side, left_out: Sequence[LeftOut]) -> list[str]:
    notes = [
        f"{row['task']}, {row['a']} and {row['b']}: {row['paired']:,} rows paired; left out: "
        f"{row['only_a']:,} that "
        f"only the first has, {row['only_b']:,} that only the second has."
        for row in left_out
    ]
    if not (first.has_tokens and second.has_tokens):
        notes.append("lm-eval's logs hold no token counts, so nothing is said about cost.")
    return notes


def render(compared: Compared, width: int = 100) -> str:
    """The comparison as text of at most `width` columns."""
    parts = [f"A: {cells.plain(compared['a'])}", f"B: {cells.plain(compared['b'])}", ""]
    claims: ClaimTable = {
        "margin": compared["margin"],
        "comparisons": compared["comparisons"],
        "overall": [],
    }
    parts += [tables.claims_text(claims, width), ""]
    sentences = [row["sentence"] for row in compared["comparisons"] if row["primary"]] + list(
        compared["notes"]
    )
    for sentence in sentences:
        parts += textwrap.wrap(cells.plain(sentence), width, initial_indent="- ", subsequent_indent="  ")
    parts += ["", "Methods used"]
    for method in compared["methods"]:
        if method["used"]:
            text = cells.plain(table_rows.method_text(method))
            parts += textwrap.wrap(text, width, initial_indent="- ", subsequent_indent="  ")
    return "\n".join(parts) + "\n"
