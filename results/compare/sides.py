"""One side of a comparison: a run folder of ours, or a log of any harness, as tables ready to be paired."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from results.analysis import looks
from results.errors import ResultsError
from results.records.columns import Columns
from results.records.load import RunData, iter_rows, load_run
from results.records.log import Log, LogMetric, text_hash
from results.records.readers.find import read_logs
from results.records.rows import Texts, nothing
from results.schema import FAILURES, USAGE
from results.statistics.sequential.plan import Plan

Floats = npt.NDArray[np.float64]
OURS = "s2d-bench"


@dataclass(frozen=True)
class Content:
    """What identifies the rows of a table besides their ids; None if not recorded."""

    prompt: Texts
    target: Texts
    place: Texts
    own_id: Texts
    answer: Texts

    def take(self, index: npt.NDArray[np.int64]) -> Content:
        return Content(*(getattr(self, part.name)[index] for part in fields(self)))


@dataclass(frozen=True)
class Table:
    """The rows of one variant on one task."""

    columns: Columns
    metrics: Mapping[str, LogMetric]
    """The primary one first."""
    pairs: Mapping[str, Floats]
    """Metrics whose rows are pairs of numbers: arrays of shape (rows, 2), NaN if a row has none."""
    lacking: Mapping[str, npt.NDArray[np.bool_]]
    """Per metric: rows that have the metric but no finite number."""
    infinite: frozenset[str]
    """Metrics with an infinite row."""
    content: Content
    harness: str
    version: str | None
    file: Path
    paired_by: str
    has_tokens: bool

    def take(self, index: npt.NDArray[np.int64]) -> Table:
        columns = self.columns.take(index)
        if self.columns.cluster_id is self.columns.item_id:
            columns = replace(columns, cluster_id=columns.item_id)
        return replace(
            self,
            columns=columns,
            pairs={name: values[index] for name, values in self.pairs.items()},
            lacking={name: rows[index] for name, rows in self.lacking.items()},
            content=self.content.take(index),
        )


@dataclass(frozen=True)
class Side:
    """One of the two runs."""

    name: str
    tables: Mapping[tuple[str, str], Table]
    """By (task, variant); the variant of a log is its model."""
    parameters: int | None = None
    notes: Sequence[str] = ()
    tokens: str = ""
    """How tokens were counted, in words."""
    no_tokens: str = ""
    """Why the side has no token counts; empty if it has them."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """Task -> source of its rows, in words."""
    run: RunData | None = None
    """The run folder, if the side is one."""
    plans: Mapping[str, Plan] = field(default_factory=dict)
    """Plans by task, for a run with planned looks."""

    @property
    def tasks(self) -> list[str]:
        return list(dict.fromkeys(task for task, _ in self.tables))

    def variants(self, task: str) -> list[str]:
        return [variant for of_task, variant in self.tables if of_task == task]

    @property
    def harness(self) -> str:
        return next(iter(self.tables.values())).harness

    def label(self, variant: str) -> str:
        """RUN/VARIANT; for a log, the name of its model."""
        one = self.run is None and len({variant for _, variant in self.tables}) == 1
        return self.name if one else f"{self.name}/{variant}"


def load_side(path: Path) -> Side:
    """A run folder, or a log of another harness. ResultsError if it is neither."""
    if (path / "manifest.json").is_file():
        return of_run(load_run(path))
    logs = read_logs(path)
    if not any(log.metrics for log in logs):
        raise ResultsError(" ".join(note for log in logs for note in log.notes) or f"{path} holds no scores")
    return of_logs(path, logs)


def of_run(run: RunData) -> Side:
    """A run folder's side. ResultsError if it ended between two planned looks."""
    looks.require_whole_looks(run)
    parameters = run.manifest["model"].get("parameters")
    tables = {}
    for (task, variant), columns in run.columns.items():
        metrics = {
            name: LogMetric(metric.get("direction") or "higher", "manifest.json")
            for name, metric in run.metrics(task).items()
        }
        tables[task, variant] = Table(
            columns,
            metrics,
            {},
            {},
            frozenset(),
            _none(columns.n_rows),
            OURS,
            None,
            columns.path,
            "item_id",
            True,
        )
    return Side(
        name=str(run.manifest["run"]),
        tables=tables,
        parameters=int(parameters) if parameters else None,
        run=run,
        plans=looks.plans(run.manifest),
        tokens="ids counted by the engine that generated them",
        sources=dict.fromkeys(run.tasks, f"{OURS}, {run.folder}"),
    )


def of_logs(path: Path, logs: Sequence[Log]) -> Side:
    models = list(dict.fromkeys(log.model for log in logs))
    with_scores = [log for log in logs if log.metrics]
    counted = [log for log in with_scores if log.tokens]
    reasons = dict.fromkeys(_no_tokens(log) for log in with_scores if not log.tokens)
    return Side(
        name=models[0] if len(models) == 1 else path.stem,
        tables={(log.task, log.model): of_log(log, log.model) for log in with_scores},
        notes=[note for log in logs for note in log.notes],
        tokens="; ".join(dict.fromkeys(log.tokens for log in counted)),
        no_tokens=" ".join(reasons),
        sources={log.task: _source(log) for log in with_scores},
    )


def _source(log: Log) -> str:
    return f"{log.harness}{f' {log.version}' if log.version else ''}, {log.path}"


def _no_tokens(log: Log) -> str:
    if log.tokens_not_comparable:
        return (
            f"Token figures of {log.harness} are not compared: {log.tokens_not_comparable}. So costs are "
            "not compared."
        )
    return f"{log.harness}'s logs have no token counts, so costs are not compared."


def of_log(log: Log, variant: str) -> Table:
    """A log's rows as a table, sorted by item and sample."""
    rows, count = log.rows, len(log.rows)
    items = np.array(rows.item, dtype=np.str_)
    order = np.lexsort((rows.sample, items)) if rows.sample.any() else np.argsort(items, kind="stable")
    items = clusters = items[order]
    if any(rows.cluster):
        named = [cluster or item for cluster, item in zip(rows.cluster, rows.item, strict=True)]
        clusters = np.array(named, dtype=np.str_)[order]
    scores = {name: rows.scores[name] for name in log.metrics}
    plain = {name: scores[name].values[order] for name, one in log.metrics.items() if one.figure == "mean"}
    spent = np.zeros((count, 4))
    if log.tokens:
        for row, one in enumerate(rows.tokens):
            spent[row] = (0, 0, 0, 0) if one is None else (one.calls, one.prompt, one.cached, one.generated)
    spent = spent[order]
    columns = Columns(
        task=log.task, variant=variant, method=log.harness, path=log.path, item_id=items, cluster_id=clusters,
        seed=np.zeros(count, dtype=np.int64), sample_index=rows.sample[order],
        look=np.zeros(count, dtype=np.int64),
        scores={name: np.where(np.isinf(numbers), np.nan, numbers) for name, numbers in plain.items()},
        weights={name: np.ones(count) for name in plain},
        usage={name: spent[:, place] for place, name in enumerate(USAGE)},
        failures=dict.fromkeys(FAILURES, 0), steps={}, cut=np.zeros(count, dtype=np.bool_),
        reasoning_words=np.full(count, np.nan), cut_calls={},
    )  # fmt: skip
    return Table(
        columns=columns,
        metrics=log.metrics,
        pairs={name: one.values[order] for name, one in scores.items() if name not in plain},
        lacking={name: one.lacking[order] for name, one in scores.items()},
        infinite=frozenset(name for name, numbers in plain.items() if np.isinf(numbers).any()),
        content=Content(rows.prompt_hash, rows.target_hash, rows.place, rows.own_id, rows.answer).take(order),
        harness=log.harness,
        version=log.version,
        file=log.path,
        paired_by=log.paired_by,
        has_tokens=bool(log.tokens) and all(one is not None for one in rows.tokens),
    )


def _none(count: int) -> Content:
    return Content(*(nothing(count) for _ in fields(Content)))


def with_content(run: RunData, table: Table) -> Table:
    """A table of a run with the hashes of its prompts and targets, and its answers, read from the samples."""
    found: dict[tuple[str, int, int], tuple[str, str, str | None]] = {}
    for row in iter_rows(run, table.columns.variant, table.columns.task):
        key = (str(row["item_id"]), int(row.get("seed") or 0), int(row.get("sample_index") or 0))
        answer = row.get("answer")
        found[key] = (
            text_hash(str(row.get("prompt"))),
            text_hash(str(row.get("target"))),
            None if answer is None else str(answer)[:200],
        )
    columns = table.columns
    rows = [
        found[key]
        for key in zip(
            columns.item_id.tolist(), columns.seed.tolist(), columns.sample_index.tolist(), strict=True
        )
    ]
    prompt, target, answer_of = (np.array(part, dtype=np.object_) for part in zip(*rows, strict=True))
    return replace(table, content=replace(table.content, prompt=prompt, target=target, answer=answer_of))
