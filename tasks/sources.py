"""Where the rows of a task come from: a file, the hub, or a generator; and how they become splits.

All tasks use these few helpers, so that bad input gives one clear line (`TaskError`) in every task: which
file and line, what was found, what to do. A row that was read keeps its place (`Row.where`).

`datasets` is imported only where a data set is built or fetched.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import random
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from tasks.errors import TaskError
from tasks.spec import TaskRow

if TYPE_CHECKING:
    from datasets import Dataset

log = logging.getLogger("s2d_bench.tasks")

SPLITS = ("train", "validation", "test")
REQUIRED = ("prompt", "question", "target")
T = TypeVar("T")


class Row(dict[str, Any]):
    """A row from a source, with `where`: `file:line`, or repository, split and row number."""

    def __init__(self, values: Mapping[str, Any], where: str = "row") -> None:
        super().__init__(values)
        self.where = where


def content_hash(*parts: Any) -> str:
    """16 hex digits, equal for equal JSON-able `parts` on every machine."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def rng(*parts: Any) -> random.Random:
    """A random generator whose seed is the content of `parts` (rule 10: no hidden state)."""
    return random.Random(int(content_hash(*parts), 16))


def data_source(data: str) -> Literal["embedded", "hub"] | Path:
    """The source that `--data` names: `embedded`, `hub`, or an existing folder."""
    if data == "embedded":
        return "embedded"
    if data == "hub":
        return "hub"
    folder = Path(data).expanduser()
    if not folder.is_dir():
        raise TaskError(f"data {data!r} is not a folder: give an existing one, or `embedded`, or `hub`")
    return folder


def whole_number(value: Any, name: str, default: int, low: int, high: int) -> int:
    """Task argument `name` as an integer in `low..high`; None gives `default`, text is converted."""
    if value is None:
        return default
    try:
        number = int(str(value).strip())
    except ValueError:
        number = low - 1
    if not low <= number <= high:
        raise TaskError(f"task argument {name}={value!r}: give a whole number from {low} to {high}")
    return number


def local_file(folder: Path, *names: str) -> Path:
    """The first of `names` (relative to `folder`, as is or with `.gz` added) that is a file."""
    for name in names:
        for candidate in (folder / name, folder / f"{name}.gz"):
            if candidate.is_file():
                return candidate
    raise TaskError(f"{folder} has no {' or '.join(names)}: put the file there, or choose another --data")


def read_rows(path: Path) -> list[Row]:
    """All rows of a `.jsonl` or `.jsonl.gz` file, one JSON object a line; empty lines are skipped."""
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise TaskError(f"{path}: cannot be read ({error}): check the file") from error
    rows: list[Row] = []
    for number, line in enumerate(content.split(b"\n"), start=1):
        if line.strip():
            where = f"{path}:{number}"
            rows.append(Row(_parse_object(line, where), where))
    if not rows:
        raise TaskError(f"{path}: has no rows: one JSON object a line is expected")
    return rows


def _parse_object(line: bytes, where: str) -> TaskRow:
    try:
        value = json.loads(line)
        if b"\\u" in line:
            # JSON can contain half of a surrogate pair, which is not text.
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeError as error:
        raise TaskError(f"{where}: not UTF-8 text: save the file as UTF-8") from error
    except json.JSONDecodeError as error:
        raise TaskError(f"{where}: not JSON ({error.msg}): fix or remove the line") from error
    except (ValueError, RecursionError) as error:  # an integer with too many digits, or nested too deep
        raise TaskError(f"{where}: not JSON that can be read ({error}): fix or remove the line") from error
    if not isinstance(value, dict):
        raise TaskError(f"{where}: not a JSON object: each line must be one, in curly brackets")
    return value


def fetch(
    repo_id: str, name: str | None, split: str | None, files: str | Sequence[str] | None
) -> Iterable[Mapping[str, Any]]:
    """Rows of a hub data set. The only function of `tasks` that reaches the network."""
    from datasets import load_dataset

    data_files = None if files is None else ([files] if isinstance(files, str) else list(files))
    rows: Iterable[Mapping[str, Any]] = load_dataset(repo_id, name, split=split, data_files=data_files)
    return rows


def hub_rows(
    repo_id: str, *, split: str = "train", name: str | None = None, files: str | Sequence[str] | None = None
) -> list[Row]:
    """All rows of one split of the hub data set `repo_id`.

    `name` is the configuration (`main` for GSM8K), `files` picks data files of the repository (their split is
    then `train`). TaskError with one line if the hub cannot be reached or has no such data.
    """
    try:
        found = fetch(repo_id, name, split, files)
        rows = [Row(row, f"{repo_id} {split} row {i}") for i, row in enumerate(found)]
    except Exception as error:  # the hub's client raises many unrelated types; all mean "no data"
        text = str(error).strip()
        reason = text.splitlines()[0] if text else type(error).__name__
        raise TaskError(
            f"{repo_id} ({split}) could not be fetched from the hub ({reason}): "
            "check the network, or use --data embedded or --data DIR"
        ) from error
    if not rows:
        raise TaskError(f"{repo_id} ({split}) is empty on the hub: use --data embedded or --data DIR")
    return rows


@overload
def require(row: Mapping[str, Any], key: str, type_: type[T], where: str | None = None) -> T: ...
@overload
def require(row: Mapping[str, Any], key: str, type_: tuple[type, ...], where: str | None = None) -> Any: ...
def require(
    row: Mapping[str, Any], key: str, type_: type | tuple[type, ...], where: str | None = None
) -> Any:
    """`row[key]`, which must be of `type_` (text must not be blank); TaskError names place and key."""
    place = where or getattr(row, "where", "row")
    if key not in row:
        raise TaskError(f"{place}: no key {key!r}, found {sorted(row)}: fix the row or the file's format")
    value = row[key]
    types = type_ if isinstance(type_, tuple) else (type_,)
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        expected = " or ".join(t.__name__ for t in types)
        raise TaskError(f"{place}: {key!r} is {type(value).__name__}, expected {expected}: fix the row")
    if isinstance(value, str) and not value.strip():
        raise TaskError(f"{place}: {key!r} is blank: fix or remove the row")
    return value


def by_content(rows: Sequence[T], key: Iterable[Any] | None = None) -> list[T]:
    """`rows` in the order of their content hash (of `key`, one part per row): independent of file order."""
    keys = list(rows if key is None else key)
    order = sorted(range(len(rows)), key=lambda i: (content_hash(keys[i]), i))
    return [rows[i] for i in order]


def hold_out(rows: Sequence[T], count: int) -> tuple[list[T], list[T]]:
    """(`rows` without `count` of them, those `count`), chosen by content hash; the rest keeps its order."""
    held = {id(row) for row in by_content(rows)[:count]}
    return [r for r in rows if id(r) not in held], [r for r in rows if id(r) in held]


def to_splits(
    task: str,
    *,
    train: Iterable[Mapping[str, Any]] = (),
    validation: Iterable[Mapping[str, Any]] = (),
    test: Iterable[Mapping[str, Any]] = (),
    notes: Mapping[str, str] | None = None,
) -> dict[str, Dataset]:
    """The three splits of `task` (short name) as `datasets.Dataset`, with the standard columns filled in.

    A row needs `prompt`, `question`, `target`; defaults: `item_id` = hash of task, prompt and target,
    `cluster_id` = hash of task and question, `weight` 1, `text` = question, `answer_form` "", `symbols` []. A
    row with a repeated `item_id` is dropped, test before validation before train, so that nothing of the test
    remains elsewhere. `Dataset.info.description` says in a sentence what was dropped, after `notes`.
    """
    given = {"train": train, "validation": validation, "test": test}
    seen: dict[str, str] = {}
    kept: dict[str, list[TaskRow]] = {}
    dropped: dict[str, int] = {}
    for split in reversed(SPLITS):
        kept[split], dropped[split] = [], 0
        for row in (_standard(task, row) for row in given[split]):
            if row["item_id"] in seen:
                dropped[split] += 1
            else:
                seen[row["item_id"]] = split
                kept[split].append(row)
    if not seen:
        raise TaskError(f"task {task}: no rows in any split: check --data and --task-args")
    sentences = {split: [text] if (text := (notes or {}).get(split)) else [] for split in SPLITS}
    for split in SPLITS:
        if dropped[split]:
            repeats = (
                "row that repeats another was" if dropped[split] == 1 else "rows that repeat another were"
            )
            sentences[split].append(f"{dropped[split]} {repeats} left out.")
        for sentence in sentences[split]:
            log.info("%s, %s: %s", task, split, sentence)
    return _datasets(kept, {split: " ".join(sentences[split]) for split in SPLITS})


def _standard(task: str, row: Mapping[str, Any]) -> TaskRow:
    for key in REQUIRED:
        require(row, key, str)
    standard = {
        "item_id": content_hash(task, row["prompt"], row["target"]),
        "cluster_id": content_hash(task, row["question"]),
        "weight": 1.0,
        "answer_form": "",
        "text": row["question"],
        "symbols": [],
    }
    return {**standard, **row, "weight": float(row.get("weight", 1.0))}


def _datasets(rows: Mapping[str, list[TaskRow]], descriptions: Mapping[str, str]) -> dict[str, Dataset]:
    """One `Dataset` per split, all with the union of the columns, so that an empty split has them too."""
    from datasets import Dataset, DatasetInfo, Features, List, Value

    flat = [row for split in SPLITS for row in rows[split]]
    columns = list(dict.fromkeys(key for row in flat for key in row))
    inferred = Dataset.from_dict({c: [row.get(c) for row in flat] for c in columns}).features
    features = Features({**inferred, "symbols": List(Value("string"))})
    return {
        split: Dataset.from_dict(
            {c: [row.get(c) for row in rows[split]] for c in columns},
            info=DatasetInfo(description=descriptions[split], features=features),
        )
        for split in SPLITS
    }
