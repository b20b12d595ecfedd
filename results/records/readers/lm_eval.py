"""lm-eval: `samples_TASK_TIME.jsonl`, and the results file of the same time beside it.

lm-eval writes one row per document and filter. Every filter is a metric of its own
(`exact_match,strict-match`), as in lm-eval's tables. Rows are named by `doc_hash`, a hash of the document.

The results file (`results_TIME.json`, or `NAME_TIME.json` if --output_path was `NAME.json`) gives the
direction of each metric. If it is missing, lm-eval's registry gives it, by the metric's name.

Some rows are not what their metric's name says. Rows of `perplexity` are log-likelihoods, so higher is better
(see findings/). Rows of `word_perplexity` and similar metrics are pairs of a log-likelihood and a weight;
those of `f1` and `mcc` are pairs of the right and the predicted class; those of `brier_score` are a class and
the probabilities as text. Metrics whose rows are texts (`bleu`, `chrf`, `ter`) are skipped, with a note.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from results.errors import ResultsError
from results.files import parse_json
from results.records.log import NATS, Better, Log, LogMetric, known_direction, printable, rows_of
from results.records.readers.lm_eval_columns import Columns, columns_of
from results.records.readers.lm_eval_rows import FIGURES, RowReader
from results.schema import JsonObject

HARNESS = "lm-eval"
FILE_NAME = re.compile(r"samples_(?P<task>.+)_(?P<time>\d{4}-\d\d-\d\dT[^/]+)\.jsonl")


@dataclass(frozen=True)
class Results:
    """Contents of a results file for one run."""

    path: Path | None = None
    said: JsonObject = field(default_factory=dict)

    def of_task(self, key: str, task: str) -> JsonObject:
        part = self.said.get(key)
        found = part.get(task) if isinstance(part, dict) else None
        return found if isinstance(found, dict) else {}

    def aggregation(self, task: str, metric: str) -> str:
        """Name of the metric's aggregation, or the metric's own name if the file does not say."""
        listed = self.of_task("configs", task).get("metric_list")
        for entry in listed if isinstance(listed, list) else []:
            if isinstance(entry, dict) and entry.get("metric") == metric:
                return str(entry.get("aggregation") or metric)
        return metric

    def filters(self, task: str) -> list[str]:
        """Names of the filters in order, from the figures of the task."""
        names = (key.split(",", 1)[1] for key in self.of_task("results", task) if "," in key)
        return list(dict.fromkeys(names))

    def text(self, key: str) -> str | None:
        found = self.said.get(key)
        return found if isinstance(found, str) and found and printable(found) else None


def samples_files(path: Path) -> list[Path]:
    """Logs at `path`: a file, or a folder searched with its subfolders."""
    if path.is_file():
        return [path] if path.suffix == ".jsonl" and _is_ours(path) else []
    return sorted(file for file in path.rglob("samples_*.jsonl") if file.is_file())


def _is_ours(path: Path) -> bool:
    if path.name.startswith("samples_"):
        return True
    first = next(rows_of(path), None)
    return first is not None and "doc_id" in first[1] and "resps" in first[1]


def read(path: Path) -> list[Log]:
    """The newest log of each task. ResultsError if files are of several models, or a row is not lm-eval's."""
    known: dict[tuple[Path, str], Results] = {}
    models: dict[str, Path] = {}
    newest: dict[str, list[tuple[str, Path]]] = {}
    for file in samples_files(path):
        task, time = named(file)
        if (file.parent, time) not in known:
            known[file.parent, time] = results_of(file.parent, time)
        models.setdefault(known[file.parent, time].text("model_name") or file.parent.name, file.parent)
        newest.setdefault(task, []).append((time, file))
    if len(models) > 1:
        listed = "; ".join(f"{model}: {folder}" for model, folder in models.items())
        raise ResultsError(f"{path} holds logs of {len(models)} models ({listed}): name one of these folders")
    logs = []
    for task, found in newest.items():
        (time, file), *others = sorted(found, reverse=True)
        log = _log(task, file, known[file.parent, time])
        if others:
            names = ", ".join(other.name for _, other in others)
            log.notes.append(f"{task}: {file} was read, the newest of {len(found)} logs; not read: {names}.")
        logs.append(log)
    return logs


def named(file: Path) -> tuple[str, str]:
    """(task, time) of a log's name; the time is empty if the name has none."""
    match = FILE_NAME.fullmatch(file.name)
    return (match["task"], match["time"]) if match else (file.stem.removeprefix("samples_"), "")


def results_of(folder: Path, time: str) -> Results:
    """The results file with the log's time, under either name; an empty one if there is none."""
    for file in sorted(folder.glob(f"*_{time}.json")) if time else []:
        try:
            said = parse_json(file.read_bytes())
        except (OSError, ValueError):
            continue
        if isinstance(said, dict) and {"results", "higher_is_better", "configs"} & said.keys():
            return Results(file, said)
    return Results()


def _log(task: str, file: Path, results: Results) -> Log:
    """One log. ResultsError if a row is not lm-eval's."""
    reader = RowReader(file)
    columns = columns_of(reader, results.filters(task))
    log = Log(
        harness=HARNESS, task=task, path=file, model=results.text("model_name") or file.parent.name,
        metrics={
            name: _metric(task, name, is_pair=one.values.ndim == 2, columns=columns, results=results)
            for name, one in columns.rows.scores.items()
        },
        rows=columns.rows, version=results.text("lm_eval_version"), paired_by="doc_hash",
    )  # fmt: skip
    if columns.skipped:
        names = ", ".join(sorted(columns.skipped))
        log.notes.append(f"{task}: {names} skipped, because the rows hold texts or lists.")
    if not log.metrics:
        log.notes.append(
            f"{task}: no row of {file} has a metric that is a number (a predict_only log has "
            "none), so there is nothing to compare."
        )
    if results.path is None:
        log.notes.append(
            f"{task}: no results file with its time is beside {file.name}, so the direction of "
            "a metric is known only by its name, as in lm-eval's registry."
        )
    if reader.older:
        log.notes.append(f"{task}: {file.name} is of an older lm-eval, which lists no metrics.")
    return log


def _metric(task: str, name: str, is_pair: bool, columns: Columns, results: Results) -> LogMetric:
    plain = name.split(",")[0]
    aggregation = results.aggregation(task, plain)
    direction: Better = known_direction(plain)
    said_by = "nobody" if direction == "unknown" else "its name"
    said = results.of_task("higher_is_better", task).get(plain)
    if isinstance(said, bool):
        direction, said_by = ("higher" if said else "lower"), str(results.path)
    if is_pair:
        return LogMetric(direction, said_by, "", FIGURES.get(aggregation) or FIGURES[plain])
    if "perplexity" in (plain, aggregation) and plain not in columns.above_zero:
        return LogMetric("higher", "its rows, which are log-likelihoods", NATS)
    return LogMetric(direction, said_by)
