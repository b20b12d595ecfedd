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

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from results.errors import ResultsError
from results.files import parse_json
from results.records.log import (
    NATS,
    Better,
    Figure,
    Log,
    LogMetric,
    Record,
    Value,
    known_direction,
    number,
    printable,
    rows_of,
    short,
    text_hash,
)
from results.schema import JsonObject

HARNESS = "lm-eval"
FILE_NAME = re.compile(r"samples_(?P<task>.+)_(?P<time>\d{4}-\d\d-\d\dT[^/]+)\.jsonl")
NOT_METRICS = frozenset({
    "doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics", "doc_hash",
    "prompt_hash", "target_hash",
})  # fmt: skip
FIGURES: Mapping[str, Figure] = {
    "word_perplexity": "weighted_perplexity",
    "byte_perplexity": "weighted_perplexity",
    "weighted_perplexity": "weighted_perplexity",
    "bits_per_byte": "bits_per_byte",
    "f1": "f1",
    "mcc": "mcc",
    "matthews_corrcoef": "mcc",
}
"""Metric or aggregation -> how lm-eval aggregates the pairs."""


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
        log = _Reading(task, file, known[file.parent, time]).log()
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


class _Reading:
    """One log being read: records by (document, number of its repeat)."""

    def __init__(self, task: str, file: Path, results: Results) -> None:
        self.task, self.file, self.results = task, file, results
        self.filters = results.filters(task)
        self.records: dict[tuple[str, int], Record] = {}
        self.places: dict[str, list[object]] = {}
        """Positions of each document in its data set; one that appears twice is two samples of one item."""
        self.times: dict[object, int] = {}
        self.shapes: dict[str, str] = {}
        self.passed_over: set[str] = set()
        self.above_zero: set[str] = set()
        self.names: set[str] = set()
        self.older = False

    def log(self) -> Log:
        for line, row in rows_of(self.file):
            self._add(row, line)
        seen = dict.fromkeys(name for record in self.records.values() for name in record.scores)
        log = Log(
            harness=HARNESS, task=self.task, path=self.file,
            model=self.results.text("model_name") or self.file.parent.name,
            metrics={name: self._metric(name, self.shapes[name]) for name in seen if name in self.shapes},
            records=list(self.records.values()), version=self.results.text("lm_eval_version"),
            paired_by="doc_hash",
        )  # fmt: skip
        if self.passed_over:
            names = ", ".join(sorted(self.passed_over))
            log.notes.append(f"{self.task}: {names} skipped, because the rows hold texts or lists.")
        if not log.metrics:
            log.notes.append(
                f"{self.task}: no row of {self.file} has a metric that is a number (a predict_only log has "
                "none), so there is nothing to compare."
            )
        if self.results.path is None:
            log.notes.append(
                f"{self.task}: no results file with its time is beside {self.file.name}, so the direction of "
                "a metric is known only by its name, as in lm-eval's registry."
            )
        if self.older:
            log.notes.append(f"{self.task}: {self.file.name} is of an older lm-eval, which lists no metrics.")
        return log

    def _add(self, row: JsonObject, line: int) -> None:
        item, names = _item(row), row.get("metrics")
        if names is None and item is not None and "resps" in row:
            self.older = True
            names = [name for name in row if name not in NOT_METRICS]
        if item is None or not isinstance(names, list) or not all(map(self._is_name, names)):
            raise ResultsError(
                f"{self.file}:{line}: no doc_hash and metrics, so not a log of lm-eval's --log_samples: "
                "name such a log"
            )
        place, chosen = self._place_and_filter(row, item)
        places = self.places.setdefault(item, [])
        if place not in places:
            places.append(place)
        sample = 0 if len(places) == 1 else places.index(place)
        record = self.records.get((item, sample))
        if record is None:
            record = self.records[item, sample] = Record(
                item=item, scores={}, sample=sample, answer=short(row.get("filtered_resps")),
                prompt_hash=_text(row.get("prompt_hash")), target_hash=_target(row),
                place=None if row.get("doc_id") is None else str(row["doc_id"]), own_id=_own_id(row),
            )  # fmt: skip
        for name in names:
            shape, value = _value(name, row.get(name))
            if shape == "":
                self.passed_over.add(name)
                continue
            if isinstance(value, float) and value > 0:
                self.above_zero.add(name)
            if shape != "missing":
                self.shapes[f"{name},{chosen}"] = shape
            record.scores[f"{name},{chosen}"] = value

    def _is_name(self, name: object) -> bool:
        """Whether a key of a row is a metric; answers are cached."""
        if isinstance(name, str) and (name in self.names or printable(name)):
            self.names.add(name)
            return True
        return False

    def _place_and_filter(self, row: JsonObject, item: str) -> tuple[object, str]:
        """Position of a row's document in its data set, and the filter. Older logs do not name the filter:
        there, each repeat of a document belongs to the next filter."""
        place, chosen = row.get("doc_id"), row.get("filter")
        if place is None:
            place = self._times((item, chosen))
            chosen = chosen or "none"
        elif chosen is None:
            times = self._times((item, str(place)))
            unnamed = "none" if times == 0 else f"filter-{times + 1}"
            chosen = self.filters[times] if times < len(self.filters) else unnamed
        return str(place), str(chosen)

    def _times(self, key: object) -> int:
        self.times[key] = self.times.get(key, -1) + 1
        return self.times[key]

    def _metric(self, name: str, shape: str) -> LogMetric:
        plain = name.split(",")[0]
        aggregation = self.results.aggregation(self.task, plain)
        direction: Better = known_direction(plain)
        said_by = "nobody" if direction == "unknown" else "its name"
        said = self.results.of_task("higher_is_better", self.task).get(plain)
        if isinstance(said, bool):
            direction, said_by = ("higher" if said else "lower"), str(self.results.path)
        if shape == "pair":
            return LogMetric(direction, said_by, "", FIGURES.get(aggregation) or FIGURES[plain])
        if "perplexity" in (plain, aggregation) and plain not in self.above_zero:
            return LogMetric("higher", "its rows, which are log-likelihoods", NATS)
        return LogMetric(direction, said_by)


def _item(row: JsonObject) -> str | None:
    """`doc_hash`; for older logs, which lack it, the same hash of the document."""
    if "doc_hash" in row:
        return row["doc_hash"] if isinstance(row["doc_hash"], str) else None
    if not isinstance(row.get("doc"), dict):
        return None
    return text_hash(json.dumps(row["doc"], indent=2, ensure_ascii=False))


def _own_id(row: JsonObject) -> str | None:
    """The item id of an s2d-bench task: lm-eval's logs of such tasks pair with run folders by it."""
    doc = row.get("doc")
    return _text(doc.get("item_id")) if isinstance(doc, dict) else None


def _target(row: JsonObject) -> str | None:
    if "target_hash" in row or "target" not in row or row.get("doc_hash") is not None:
        return _text(row.get("target_hash"))
    return text_hash(str(row["target"]))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and printable(value) else None


def _value(name: str, value: object) -> tuple[str, Value]:
    """(shape, value) of a metric in a row; the shape is empty where it cannot be compared."""
    if isinstance(value, (int, float)):
        found = number(value)
        return ("missing", None) if found is None else ("number", found)
    if value is None:
        return "missing", None
    if isinstance(value, list) and len(value) == 2:
        first, second = number(value[0]), number(value[1])
        if name in FIGURES and first is not None:
            return ("pair", (first, second)) if second is not None else ("", None)
        if name == "brier_score" and first is not None:
            brier = _brier(int(first), value[1])
            return ("missing", None) if brier is None else ("number", brier)
    return "", None


def _brier(gold: int, written: object) -> float | None:
    """The Brier score of one document: the sum over classes of (probability - truth) squared."""
    if isinstance(written, str):
        written = written.strip("[] \n").replace(",", " ").split()
    if not isinstance(written, Iterable):
        return None
    try:
        shares = [float(share) for share in written]
    except (TypeError, ValueError):
        return None
    if not 0 <= gold < len(shares):
        return None
    return number(sum((share - (place == gold)) ** 2 for place, share in enumerate(shares)))
