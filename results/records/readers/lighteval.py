"""lighteval: `details/MODEL/TIME/details_TASK_TIME.parquet`, written with --save-details.

Rows are paired by the document's id, not by position: a run with `--max-samples` or another order of batches
holds other rows. lighteval does not write the direction of a metric: it is known by the metric's name, or the
user says it.

Its `output_tokens` have the padded width of their batch, so they do not count generated tokens.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from results.errors import ResultsError
from results.files import parse_json
from results.records.log import Log, metric_by_name, number, short, text_hash
from results.records.readers.several import newest_of_one_model
from results.records.rows import Record, Rows, Value

HARNESS = "lighteval"
FILE_NAME = re.compile(r"details_(?P<task>.+)_(?P<time>\d{4}-\d\d-\d\dT[^/]+)\.parquet")
WANTED = ["doc.id", "doc.query", "doc.choices", "doc.gold_index", "metric", "model_response.text"]
PADDED = "output_tokens have the padded width of their batch"


def log_files(path: Path) -> list[Path]:
    """Logs at `path`: a file, or a folder searched with its subfolders."""
    if path.is_file():
        return [path] if path.suffix == ".parquet" and path.name.startswith("details_") else []
    return sorted(file for file in path.rglob("details_*.parquet") if file.is_file())


def read(path: Path) -> list[Log]:
    """The newest log of each task. ResultsError if logs are of several models, or one cannot be read."""
    logs = []
    for file in log_files(path):
        match = FILE_NAME.fullmatch(file.name)
        task, time = (match["task"], match["time"]) if match else (file.stem.removeprefix("details_"), "")
        logs.append((_read(file, task, time), time))
    return newest_of_one_model(path, logs)


def _read(file: Path, task: str, time: str) -> Log:
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(file) as details:
            kind = details.schema_arrow.field("metric").type
            names = [kind.field(place).name for place in range(kind.num_fields)]
            rows = details.read(columns=WANTED).to_pylist()
    except (pyarrow.ArrowException, KeyError, AttributeError, OSError) as error:
        raise ResultsError(
            f"{file} is not a details file of lighteval ({type(error).__name__}: {error}): name a file that "
            "--save-details wrote"
        ) from error
    times: dict[str, int] = {}
    records = []
    for row in rows:
        doc = row["doc"] or {}
        item = str(doc.get("id"))
        times[item] = times.get(item, -1) + 1
        scores: dict[str, Value] = {name: number((row["metric"] or {}).get(name)) for name in names}
        records.append(
            Record(
                item=item, scores=scores, sample=times[item],
                answer=short((row.get("model_response") or {}).get("text")),
                prompt_hash=text_hash(str(doc.get("query"))), target_hash=text_hash(_gold(doc)),
            )
        )  # fmt: skip
    numeric = [name for name in names if any(record.scores[name] is not None for record in records)]
    for record in records:
        for name in names:
            if name not in numeric:
                del record.scores[name]
    metrics = {name: metric_by_name(_plain(name)) for name in numeric}
    model, version = _model_and_version(file, time)
    log = Log(
        harness=HARNESS, task=task, model=model, path=file, metrics=metrics, rows=Rows.of(records, metrics),
        version=version, tokens_not_comparable=PADDED, paired_by="document id",
    )  # fmt: skip
    if passed_over := [name for name in names if name not in numeric]:
        log.notes.append(f"{task}: {', '.join(passed_over)} skipped, because the rows are not numbers.")
    return log


def _plain(name: str) -> str:
    """A metric's name without its parameters: `pass@k:k=1&n=1`, `em:normalize=...`."""
    return name.split(":")[0].split("@")[0].split("(")[0]


def _gold(doc: dict[str, Any]) -> str:
    """The right answer as text: the choice at the gold index, or several as a list."""
    places, choices = doc.get("gold_index"), doc.get("choices") or []
    places = places if isinstance(places, list) else [places]
    golds = [choices[place] for place in places if isinstance(place, int) and 0 <= place < len(choices)]
    return str(golds[0]) if len(golds) == 1 else str(golds)


def _model_and_version(file: Path, time: str) -> tuple[str, str | None]:
    """The model's name from the folders (details/MODEL/TIME/FILE), the version from the results file."""
    parts = file.parent.parts
    start = len(parts) - parts[::-1].index("details") if "details" in parts else len(parts) - 1
    named = [part for part in parts[start:] if part != time]
    model = "/".join(named) or file.parent.name
    if "details" not in parts:
        return model, None
    for results in Path(*parts[: start - 1], "results").rglob(f"results_{time}.json"):
        try:
            said = parse_json(results.read_bytes())["config_general"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        version = said.get("lighteval_version") or said.get("lighteval_sha")
        return model, version if isinstance(version, str) and version not in ("", "?") else None
    return model, None
