"""inspect_ai: `.eval` (a ZIP archive) and `.json` logs.

An archive holds `header.json`, one file per sample and epoch, and `reductions.json`. The header says how the
epochs of a sample are reduced; reduced scores are read if there are any. Members are compressed with
Zstandard, which Python's zipfile reads from 3.14 on. Here Arrow unpacks them, so inspect_ai need not be
installed.

Letters become the numbers of inspect_ai: C is 1, P is 0.5, I and N are 0. NaN means that inspect_ai could not
score the sample; a sample that ended in an error has no score.

Tokens are those that the API reported for the evaluated model (a grader's are not counted). inspect_ai counts
cached prompt tokens separately; here they are part of the prompt.
"""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from results.errors import ResultsError
from results.files import parse_json
from results.records.log import Better, Log, LogMetric, document, known_direction, number, short, text_hash
from results.records.readers.several import newest_of_one_model
from results.records.rows import Record, Rows, Tokens, Value
from results.schema import JsonObject

HARNESS = "inspect_ai"
LETTERS = {"c": 1.0, "p": 0.5, "i": 0.0, "n": 0.0, "yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
COUNTED = "reported by the model's API to inspect_ai, over all epochs of a sample"
ZSTANDARD = 93
"""Zstandard's number in a ZIP archive."""


def log_files(path: Path) -> list[Path]:
    """Logs at `path`: a file, or a folder searched with its subfolders."""
    if path.is_file():
        return [path] if path.suffix == ".eval" or (path.suffix == ".json" and _is_ours(path)) else []
    found = [file for file in path.rglob("*.eval") if file.is_file()]
    return sorted(found + [file for file in path.rglob("*.json") if file.is_file() and _is_ours(file)])


def _is_ours(path: Path) -> bool:
    with path.open("rb") as handle:
        start = handle.read(2000)
    return b'"eval"' in start and b'"version"' in start and b'"status"' in start


def read(path: Path) -> list[Log]:
    """The newest log of each task. ResultsError if logs are of several models, or one cannot be read."""
    logs = [
        _archive(file) if file.suffix == ".eval" else _plain(document(file), file) for file in log_files(path)
    ]
    return newest_of_one_model(path, logs)


def _archive(file: Path) -> tuple[Log, str]:
    with zipfile.ZipFile(file) as archive, file.open("rb") as raw:
        names = set(archive.namelist())
        if "header.json" not in names:
            raise ResultsError(f"{file} has no header.json: its run did not finish; run it to the end")

        def member(name: str) -> Any:
            return parse_json(_unpacked(archive.getinfo(name), archive, raw))

        header = member("header.json")
        reductions = member("reductions.json") if "reductions.json" in names else None
        samples = (
            member(name) for name in sorted(names) if name.startswith("samples/") and name.endswith(".json")
        )
        return _log(header, samples, reductions, file)


def _unpacked(entry: zipfile.ZipInfo, archive: zipfile.ZipFile, raw: Any) -> bytes:
    if entry.compress_type != ZSTANDARD:
        return archive.read(entry)
    import pyarrow

    raw.seek(entry.header_offset + 26)
    name_length, extra_length = struct.unpack("<HH", raw.read(4))
    raw.seek(entry.header_offset + 30 + name_length + extra_length)
    packed = raw.read(entry.compress_size)
    with pyarrow.CompressedInputStream(pyarrow.BufferReader(packed), "zstd") as stream:
        return bytes(stream.read())


def _plain(log: Any, file: Path) -> tuple[Log, str]:
    return _log(log, iter(log.get("samples") or ()), log.get("reductions"), file)


def _log(header: JsonObject, samples: Iterator[JsonObject], reductions: Any, file: Path) -> tuple[Log, str]:
    spec = header["eval"]
    reader = _Reading(str(spec["model"]))
    for sample in samples:
        reader.add(sample)
    epochs = int((spec.get("config") or {}).get("epochs") or 1)
    if epochs > 1 and reductions:
        reader.reduce(reductions)
    elif epochs > 1 and set(spec["config"].get("epochs_reducer") or ["mean"]) != {"mean"}:
        raise ResultsError(
            f"{file} holds {epochs} epochs but no scores reduced by "
            f"{', '.join(spec['config']['epochs_reducer'])}: score it again with `inspect score`"
        )
    task = str(spec["task"]).split("/")[-1]
    log = Log(
        harness=HARNESS, task=task, model=str(spec["model"]), path=file, metrics=reader.metrics(),
        rows=Rows.of(reader.finished(), reader.metrics()),
        version=str((spec.get("packages") or {}).get("inspect_ai") or "") or None,
        tokens=COUNTED if reader.spent else "",
        paired_by="sample id",
    )  # fmt: skip
    if header.get("status") not in (None, "success"):
        log.notes.append(f"{task}: {file} ended with status {header['status']}, so samples may be missing.")
    if reader.errors:
        log.notes.append(
            f"{task}: {reader.errors:,} samples of {file.name} ended in an error and have no score."
        )
    return log, str(spec.get("created") or "")


class _Reading:
    """The samples of one log, by id and epoch."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.records: dict[tuple[str, int], Record] = {}
        self.letters: set[str] = set()
        self.names: dict[str, None] = {}
        self.errors = 0
        self.spent = False

    def add(self, sample: JsonObject) -> None:
        item, epoch = str(sample["id"]), int(sample["epoch"])
        scores: dict[str, Value] = {}
        answer = None
        for scorer, score in (sample.get("scores") or {}).items():
            answer = answer or short(score.get("answer"))
            for name, value in _parts(scorer, score.get("value")):
                if isinstance(value, (str, bool)):
                    self.letters.add(name)
                scores[name] = _number(value)
        self.names |= dict.fromkeys(scores)
        self.errors += sample.get("error") is not None
        tokens = _tokens(sample.get("model_usage") or {}, self.model)
        self.spent = self.spent or tokens is not None
        self.records[item, epoch] = Record(
            item=item, scores=scores, sample=epoch - 1, answer=answer,
            prompt_hash=text_hash(_input(sample)), target_hash=text_hash(_one_text(sample.get("target"))),
            tokens=tokens or Tokens(0, 0, 0, 0),
        )  # fmt: skip

    def reduce(self, reductions: list[JsonObject]) -> None:
        """One record per sample, with the scores that inspect_ai's reducers made of its epochs."""
        several = {one["scorer"] for one in reductions if _reducers(reductions, one["scorer"]) > 1}
        first: dict[str, Record] = {}
        spent: dict[str, Tokens] = {}
        for (item, _), record in sorted(self.records.items(), key=lambda pair: pair[0][1]):
            first.setdefault(
                item, Record(item, {}, 0, None, record.answer, record.prompt_hash, record.target_hash)
            )
            spent[item] = _added(spent.get(item), record.tokens)
        self.names = {}
        letters, self.letters = self.letters, set()
        for one in reductions:
            for sample in one["samples"]:
                for name, value in _parts(one["scorer"], sample["value"]):
                    full = f"{name}/{one['reducer']}" if one["scorer"] in several else name
                    self.letters |= {full} if name in letters or isinstance(value, (str, bool)) else set()
                    self.names[full] = None
                    first[str(sample["sample_id"])].scores[full] = _number(value)
        self.records = {
            (item, 1): Record(
                item,
                record.scores,
                0,
                None,
                record.answer,
                record.prompt_hash,
                record.target_hash,
                tokens=spent[item],
            )
            for item, record in first.items()
        }

    def metrics(self) -> Mapping[str, LogMetric]:
        found = {}
        for name in self.names:
            direction: Better = "higher" if name in self.letters else known_direction(_plain_name(name))
            said_by = "C and I, right and wrong" if name in self.letters else "its name"
            found[name] = LogMetric(direction, "nobody" if direction == "unknown" else said_by)
        return found

    def finished(self) -> list[Record]:
        """All records; one without scores lacks all metrics."""
        for record in self.records.values():
            if not record.scores:
                record.scores.update(dict.fromkeys(self.names))
        return list(self.records.values())


def _reducers(reductions: list[JsonObject], scorer: str) -> int:
    return len({one.get("reducer") for one in reductions if one["scorer"] == scorer})


def _plain_name(name: str) -> str:
    return name.split("/")[-2 if name.count("/") else -1].split(":")[-1]


def _parts(scorer: str, value: object) -> Iterator[tuple[str, object]]:
    """(metric, value) of a score: a single one, one per key of a mapping, or one per element of a list."""
    if isinstance(value, dict):
        yield from ((f"{scorer}:{key}", part) for key, part in value.items())
    elif isinstance(value, list):
        yield from ((f"{scorer}:{place}", part) for place, part in enumerate(value))
    else:
        yield scorer, value


def _number(value: object) -> Value:
    """A score as a number, as in inspect_ai's `value_to_float`; None if that has no number for it."""
    if isinstance(value, str):
        if value.strip().lower() in LETTERS:
            return LETTERS[value.strip().lower()]
        try:
            value = float(value)
        except ValueError:
            return None
    return number(value)


def _tokens(usage: Mapping[str, JsonObject], model: str) -> Tokens | None:
    """Usage of the evaluated model, or of all models if it has no entry."""
    own = [usage[model]] if model in usage else list(usage.values())
    if not own:
        return None
    cached = sum(int(one.get("input_tokens_cache_read") or 0) for one in own)
    written = sum(int(one.get("input_tokens_cache_write") or 0) for one in own)
    prompt = sum(int(one.get("input_tokens") or 0) for one in own) + cached + written
    return Tokens(1, prompt, cached, sum(int(one.get("output_tokens") or 0) for one in own))


def _added(first: Tokens | None, second: Tokens | None) -> Tokens:
    a, b = first or Tokens(0, 0, 0, 0), second or Tokens(0, 0, 0, 0)
    return Tokens(a.calls + b.calls, a.prompt + b.prompt, a.cached + b.cached, a.generated + b.generated)


def _input(sample: JsonObject) -> str:
    """The text of a sample's input, including long parts that the log stores separately."""
    attached = sample.get("attachments") or {}

    def whole(text: object) -> str:
        found = str(text)
        return str(attached.get(found.removeprefix("attachment://"), found))

    given = sample.get("input")
    if isinstance(given, str):
        return whole(given)
    texts = []
    for message in given or []:
        content = message.get("content")
        parts = [{"text": content}] if isinstance(content, str) else content or []
        texts += [whole(part.get("text") or "") for part in parts]
    return "\n".join(texts)


def _one_text(target: object) -> str:
    if isinstance(target, list):
        return str(target[0]) if len(target) == 1 else json.dumps(target, ensure_ascii=False)
    return str(target)
