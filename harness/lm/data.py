"""Where the rows of an lm-eval task come from: the hub, or the user's JSONL files; and which rows are for
training.

Files are named by split: `DIR/TASK/test.jsonl`, or `DIR/test.jsonl` if the folder holds one task. They have
the columns of the task's own data set, because its templates and functions use them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.lm.block import TrainFrom
from harness.lm.replaced import replaced
from tasks.errors import TaskError
from tasks.sources import content_hash, read_rows

ENDINGS = (".jsonl", ".jsonl.gz")
FEWEST = 8
"""Rows. A split of worked examples with fewer rows is too small to train on."""


class LocalSplits(dict[str, Any]):
    """Splits of a folder, each read when it is first used."""

    def __init__(
        self, files: Mapping[str, Path], task: str, folder: Path, needed: frozenset[str] | None
    ) -> None:
        super().__init__()
        self._files = dict(files)
        self._task, self._folder, self._needed = task, folder, needed

    def keys(self) -> Any:
        return self._files.keys()

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __contains__(self, split: object) -> bool:
        return split in self._files

    def __missing__(self, split: str) -> Any:
        """The rows of a split. A split that is only for training may be missing, and is then empty;
        TaskError for one that is scored or shown."""
        from datasets import Dataset

        rows: list[Any] = []
        if split in self._files:
            rows = list(map(dict, read_rows(self._files[split])))
        elif self._needed is None or split in self._needed:
            raise TaskError(
                f"--data {self._folder}: neither {self._task}/{split}.jsonl nor {split}.jsonl is there, and "
                f"{self._task} scores or shows rows of its split {split}: put its data set there, "
                "one JSON object a line"
            )
        try:
            self[split] = Dataset.from_list(rows)
        except Exception as error:  # rows whose columns differ in type
            reason = str(error).splitlines()[0]
            raise TaskError(
                f"{self._files[split]}: its rows make no table ({reason}): give every row the same columns, "
                "of one type each"
            ) from error
        return self[split]


def local_files(data: str, task: str) -> dict[str, Path]:
    """Split -> file, in the task's own folder of `data`, else in `data`; empty if that is not a folder."""
    for folder in (Path(data, task), Path(data)):
        if data not in {"embedded", "hub"} and folder.is_dir():
            found = {
                path.name.removesuffix(ending): path
                for ending in reversed(ENDINGS)
                for path in sorted(folder.glob(f"*{ending}"))
            }
            if found:
                return found
    return {}


@contextmanager
def swapped(
    files: Mapping[str, Path], task: str, folder: Path, needed: frozenset[str] | None
) -> Iterator[None]:
    """Inside the block, lm-eval loads `files` instead of any data set. `needed` are the splits that must
    exist; None means all that are read."""
    import datasets

    with replaced(datasets, "load_dataset", lambda *_, **__: LocalSplits(files, task, folder, needed)):
        yield


def scored_split(config: Mapping[str, Any]) -> str | None:
    """Name of the scored split, from a task's configuration; None if only its Python knows it."""
    name = config.get("test_split") or config.get("validation_split")
    return None if name is None else str(name)


def needed_splits(config: Mapping[str, Any]) -> frozenset[str] | None:
    """Splits whose rows a task scores or shows as examples, from its configuration; None if only its
    Python knows them."""
    own = scored_split(config)
    if own is None:
        return None
    examples = (config.get("fewshot_config") or {}).get("samples") or not config.get("num_fewshot")
    order = ("fewshot_split", "training_split", "validation_split")
    shown = None if examples else next((config[key] for key in order if config.get(key)), None)
    return frozenset({own, str(shown)} if shown else {own})


def _scored_split(task: Any) -> str | None:
    """The scored split of a loaded task; for a task in Python, guessed from the kind of its rows."""
    named = task.config.test_split or task.config.validation_split
    usual = "test" if task.has_test_docs() else "validation"
    return named or (usual if usual in _splits(task) else None)


@dataclass
class Training:
    """The rows that distillation may use."""

    label: str = ""
    """Their source: `train`, `20% of test`; empty without rows."""
    rows: Sequence[Mapping[str, Any]] = ()
    apart: frozenset[str] = field(default_factory=frozenset)
    """Clusters of the scored split that are kept apart, and so never scored."""
    why_none: str | None = None
    """Reasons as sentences; None if there are rows."""


def choose_training(task: Any, asked: TrainFrom | None, scored: Mapping[str, Sequence[Any]]) -> Training:
    """Chooses the training rows of a task: those that its block names, else its training split, else a split
    named `train`, else the validation split if the test split is scored, else the split of its worked
    examples. A scored row is never chosen.

    `scored` are the rows that lm-eval would score, by cluster. UserError for a missing split, or a share that
    leaves nothing on one side.
    """
    own = _scored_split(task)
    if asked is not None:
        return _asked(task, asked, own, scored)
    for split, rows in _candidates(task, own):
        if rows:
            return Training(split, rows)
    others = [split for split in _splits(task) if split != own and len(_rows(task, split)) >= FEWEST]
    have = f"; its data has {' and '.join(others)} too" if others else ""
    like = others[0] if others else f"20% of {own or 'test'}"
    return Training(
        why_none="There are no training rows: the task names no training split, only the one that is "
        f"scored{f' ({own})' if own else ''}{have}. Say train_from in its s2d block, such as "
        f"train_from: {like}."
    )


def _candidates(task: Any, own: str | None) -> Iterator[tuple[str, Sequence[Any]]]:
    config = task.config
    if task.has_training_docs() and (config.training_split or "train") != own:
        yield config.training_split or "train", list(task.training_docs() or [])
    if "train" in _splits(task) and own != "train":
        yield "train", _rows(task, "train")
    if task.has_test_docs() and task.has_validation_docs() and config.validation_split != own:
        yield config.validation_split or "validation", list(task.validation_docs() or [])
    examples = config.fewshot_split
    if examples and examples != own and examples in _splits(task):
        rows = _rows(task, examples)
        yield examples, rows if len(rows) >= FEWEST else []


def _asked(task: Any, asked: TrainFrom, own: str | None, scored: Mapping[str, Sequence[Any]]) -> Training:
    name = task.config.task
    same = asked.split == own or (own is None and asked.split not in _splits(task))
    if same and asked.share is None:
        raise UserError(
            f"task {name}: train_from is {asked}, which is scored: name a share to keep apart, such as "
            f"20% of {asked.split}, or another split"
        )
    if same:
        taken = _share(scored, asked.share or 0, name)
        if not 0 < len(taken) < len(scored):
            side = "to learn from" if not taken else "to score"
            raise UserError(
                f"task {name}: train_from: {asked} of {len(scored)} questions leaves none {side}: "
                "name another share"
            )
        rows = [row for cluster, found in scored.items() if cluster in taken for row in found]
        return Training(str(asked), rows, taken)
    if asked.split not in _splits(task):
        raise UserError(
            f"task {name}: train_from is {asked}, and its data has no such split; there are "
            f"{', '.join(_splits(task))}"
        )
    rows = _rows(task, asked.split)
    if asked.share is not None:
        chosen = _share({content_hash(row): [row] for row in rows}, asked.share, name)
        rows = [row for row in rows if content_hash(row) in chosen]
    if not rows:
        raise UserError(
            f"task {name}: train_from: {asked} leaves no row to learn from: name another share or split"
        )
    return Training(str(asked), rows)


def _share(clusters: Mapping[str, Any], share: float, name: str) -> frozenset[str]:
    """That share of the clusters, drawn by their content."""
    order = sorted(clusters, key=lambda cluster: content_hash(name, "kept apart", cluster))
    return frozenset(order[: round(share * len(order))])


def _splits(task: Any) -> list[str]:
    try:
        return [str(split) for split in task.dataset]
    except TypeError:  # a user's data set may be anything that lm-eval can index
        return []


def _rows(task: Any, split: str) -> list[Any]:
    found = task.dataset[split]
    return list(task.config.process_docs(found) if callable(task.config.process_docs) else found)
