"""What the teacher said, as a data set: kept.parquet and dropped.parquet beside a checkpoint.

    datasets.load_dataset("parquet", data_files="CHECKPOINT/examples/kept.parquet")

One row per prompt, all samples with it, so that every drop can be looked into. Labels are in a column of
their own, where the caller hands some in; nothing here reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.papers.parts import ExampleRow
from harness.types import Item
from results.files import replacing

if TYPE_CHECKING:
    from distill.teacher.select import Drawn

ROWS_PER_GROUP = 1000
"""Readers load a whole group into memory: 1,000 rows with 20 answers each are some megabytes."""


def example_rows(
    task: str,
    drawn: Sequence[Drawn],
    target: Callable[[str], str],
    label: Callable[[Item], object] | None = None,
) -> list[ExampleRow]:
    """A row per prompt, in the order drawn. `target` writes an answer as System 1 should say it; `label`
    gives the task's own label of an item, for people who look into the data, and is not used for training."""
    rows: list[ExampleRow] = []
    for entry in drawn:
        row: ExampleRow = {
            "task": task,
            "item_id": entry.item.item_id,
            "cluster_id": entry.item.cluster_id,
            "prompt": entry.prompt,
            "question": entry.item.question,
            "target": entry.target(target),
            "answer": entry.answer,
            "margin": entry.margin,
            "reason": entry.reason,
            "samples": list(entry.texts),
            "answers": list(entry.answers),
        }
        if label is not None:
            row["label"] = str(label(entry.item))
        rows.append(row)
    return rows


def write_examples(folder: Path, rows: Sequence[ExampleRow]) -> None:
    """Writes kept.parquet (rows without a reason) and dropped.parquet into `folder`, each in one step.
    Both have all columns. pyarrow and pandas read a file without rows; `datasets` refuses empty splits."""
    with_labels = any("label" in row for row in rows)
    for name, kept in (("kept", True), ("dropped", False)):
        _write(
            folder / f"{name}.parquet", [row for row in rows if (row["reason"] is None) == kept], with_labels
        )


def _write(path: Path, rows: Sequence[ExampleRow], with_labels: bool) -> None:
    import pyarrow
    from pyarrow import parquet

    text, texts = pyarrow.string(), pyarrow.list_(pyarrow.string())
    columns = {
        **dict.fromkeys(("task", "item_id", "cluster_id", "prompt", "question", "target", "answer"), text),
        "margin": pyarrow.float64(),
        "reason": text,
        "samples": texts,
        "answers": texts,
        **({"label": text} if with_labels else {}),
    }
    values = {name: [_storable(row.get(name)) for row in rows] for name in columns}
    made = pyarrow.table(values, schema=pyarrow.schema(list(columns.items())))
    with replacing(path) as scratch:
        parquet.write_table(made, scratch, compression="zstd", row_group_size=ROWS_PER_GROUP)


def _storable(value: Any) -> Any:
    """Text without half surrogate pairs, which JSON data may contain and UTF-8 cannot."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return [_storable(each) for each in value] if isinstance(value, list) else value
