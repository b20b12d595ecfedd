"""evalscope: `reviews/MODEL/BENCHMARK_SUBSET.jsonl` in an output folder.

A row holds the scores of one sample. Repeats of a question share a `group_id`. A score that evalscope marks
as unavailable (a judge that failed) has no value, and is a row without a number. Token counts are not part of
a review.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from results.errors import ResultsError
from results.files import parse_json
from results.records.log import Log, Record, number, rows_of, short, text_hash
from results.records.readers.several import newest_of_one_model
from results.schema import JsonObject

HARNESS = "evalscope"


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
    """The newest reviews of each benchmark and subset. ResultsError where they are of several models."""
    return newest_of_one_model(path, [(_read(file), _time(file)) for file in log_files(path)])


def _time(file: Path) -> str:
    """An output folder is named by its time: outputs/20260101_120000/reviews/MODEL/FILE."""
    return file.parts[-4] if len(file.parts) >= 4 and file.parts[-3] == "reviews" else ""


def _read(file: Path) -> Log:
    records: dict[tuple[str, int], Record] = {}
    names: dict[str, None] = {}
    for line, row in rows_of(file):
        try:
            scored = row["sample_score"]
            score = scored["score"]
            values, index = score["value"], row["index"]
            main = score.get("main_score_name")
            ordered = sorted(values, key=lambda name: name != main)
        except (KeyError, TypeError, AttributeError) as error:
            raise ResultsError(
                f"{file}:{line}: not a review of evalscope; name a file of its reviews"
            ) from error
        item = str(index if scored.get("group_id") is None else scored["group_id"])
        sample = scored.get("generation_index")
        place = (
            int(sample)
            if isinstance(sample, int)
            else sum(1 for one, _ in records if one == item)
            if index != item
            else 0
        )
        names |= dict.fromkeys(ordered)
        records[item, place] = Record(
            item=item, scores={name: number(values[name]) for name in ordered}, sample=place,
            answer=short(score.get("extracted_prediction") or score.get("prediction")),
            prompt_hash=text_hash(_prompt(row)), target_hash=text_hash(_target(row.get("target"))),
        )  # fmt: skip
    for record in records.values():
        # A score that is unavailable is left out of the value.
        record.scores.update({name: None for name in names if name not in record.scores})
    return Log(
        harness=HARNESS, task=file.stem, model=file.parent.name, path=file, metrics={name: metric_by_name(name) for name in names},
        records=list(records.values()), version=_version(file), paired_by="sample index",
    )  # fmt: skip


def _version(file: Path) -> str | None:
    """The version that the report of the benchmark names, where it does."""
    for report in (file.parents[2] / "reports" / file.parent.name).glob("*.json"):
        if file.stem.startswith(report.stem):
            try:
                said = parse_json(report.read_bytes())
            except (OSError, ValueError):
                continue
            version = said.get("evalscope_version") if isinstance(said, dict) else None
            return version if isinstance(version, str) else None
    return None


def _prompt(row: JsonObject) -> str:
    """The texts of the messages before the model's own."""
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
