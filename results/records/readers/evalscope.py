"""evalscope: `reviews/MODEL/BENCHMARK_SUBSET.jsonl` in an output folder.

A row holds the scores of one sample. Repeats of a question share a `group_id`. A score that evalscope marks
as unavailable (a judge that failed) has no value, and is a row without a number. The report of the benchmark
(`reports/MODEL/BENCHMARK.json`) gives the direction of each metric, the predictions give the tokens.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from results.errors import ResultsError
from results.files import parse_json
from results.records.log import Better, Log, LogMetric, metric_by_name, number, rows_of, short, text_hash
from results.records.readers.several import newest_of_one_model
from results.records.rows import Record, Rows, Tokens
from results.schema import JsonObject

HARNESS = "evalscope"
COUNTED = "reported by the model's API to evalscope"
DIRECTIONS: Mapping[str, Better] = {"higher_is_better": "higher", "lower_is_better": "lower", "none": "none"}


def log_files(path: Path) -> list[Path]:
    """Reviews at `path`: a file, or a folder searched with its subfolders."""
    if path.is_file():
        return [path] if path.suffix == ".jsonl" and _is_ours(path) else []
    return sorted(
        file
        for file in path.rglob("*.jsonl")
        if "reviews" in file.parts and file.is_file() and _is_ours(file)
    )


def _is_ours(path: Path) -> bool:
    with path.open("rb") as handle:
        return b'"sample_score"' in handle.readline()


def read(path: Path) -> list[Log]:
    """The newest reviews of each benchmark and subset. ResultsError if they are of several models."""
    return newest_of_one_model(path, [(_read(file), _time(file)) for file in log_files(path)])


def _time(file: Path) -> str:
    """An output folder is named by its time: outputs/20260101_120000/reviews/MODEL/FILE."""
    return file.parts[-4] if len(file.parts) >= 4 and file.parts[-3] == "reviews" else ""


def _read(file: Path) -> Log:
    spent = _spent(file)
    records: dict[tuple[str, int], Record] = {}
    names: dict[str, None] = {}
    times: dict[str, int] = {}
    """How often each item was met."""
    for line, row in rows_of(file):
        try:
            scored, index = row["sample_score"], row["index"]
            score = scored["score"]
            values, main = score["value"], score.get("main_score_name")
            ordered = sorted(values, key=lambda name: name != main)
        except (KeyError, TypeError, AttributeError) as error:
            raise ResultsError(
                f"{file}:{line}: not a review of evalscope: name a file of its reviews"
            ) from error
        group, repeat = scored.get("group_id"), scored.get("generation_index")
        item = str(index if group is None else group)
        sample = repeat if isinstance(repeat, int) else 0 if group is None else times.get(item, 0)
        times[item] = times.get(item, 0) + 1
        names |= dict.fromkeys(ordered)
        records[item, sample] = Record(
            item=item, scores={name: number(values[name]) for name in ordered}, sample=sample,
            answer=short(score.get("extracted_prediction") or score.get("prediction")),
            prompt_hash=text_hash(_prompt(row)), target_hash=text_hash(_target(row.get("target"))),
            tokens=spent.get(index),
        )  # fmt: skip
    for record in records.values():
        # A score that is unavailable is left out of the value.
        record.scores.update({name: None for name in names if name not in record.scores})
    counted = bool(records) and all(record.tokens is not None for record in records.values())
    return Log(
        harness=HARNESS, task=file.stem, model=file.parent.name, path=file, metrics=_metrics(file, names),
        rows=Rows.of(records.values(), names), tokens=COUNTED if counted else "", paired_by="sample index",
    )  # fmt: skip


def _metrics(file: Path, names: Iterable[str]) -> dict[str, LogMetric]:
    """Directions from the benchmark's report, else by the metric's name."""
    said: dict[str, tuple[Better, str]] = {}
    for report in (file.parents[2] / "reports" / file.parent.name).glob("*.json"):
        if file.stem != report.stem and not file.stem.startswith(f"{report.stem}_"):
            continue
        try:
            for metric in parse_json(report.read_bytes())["metrics"]:
                better = DIRECTIONS.get(metric["semantics"]["direction"])
                if better:
                    said[metric["identity"]["name"]] = (better, str(report))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # an older report says nothing of directions
    return {name: LogMetric(*said[name]) if name in said else metric_by_name(name) for name in names}


def _spent(file: Path) -> dict[int, Tokens]:
    """Tokens by index, from the predictions of the same name, if the model's API reported them."""
    predictions = file.parents[2] / "predictions" / file.parent.name / file.name
    found: dict[int, Tokens] = {}
    for _, row in rows_of(predictions) if predictions.is_file() else ():
        output = row.get("model_output")
        usage = output.get("usage") if isinstance(output, dict) else None
        counts = [number(usage.get(key)) for key in ("input_tokens", "output_tokens")] if usage else []
        if (
            isinstance(row.get("index"), int)
            and counts
            and all(one is not None and one >= 0 for one in counts)
        ):
            prompt, generated = (int(one or 0) for one in counts)
            cached = number(usage.get("input_tokens_cache_read")) if usage else None
            found[row["index"]] = Tokens(1, prompt, int(cached or 0), generated)
    return found


def _prompt(row: JsonObject) -> str:
    """The texts of the messages before the model's reply."""
    given = row.get("input")
    if isinstance(given, str):
        return given
    texts = []
    for message in row.get("messages") or []:
        if not isinstance(message, dict) or message.get("role") == "assistant":
            break
        content = message.get("content")
        texts.append(content if isinstance(content, str) else json.dumps(content, ensure_ascii=False))
    return "\n".join(texts)


def _target(target: Any) -> str:
    if isinstance(target, list) and len(target) == 1:
        target = target[0]
    return target if isinstance(target, str) else json.dumps(target, ensure_ascii=False)
