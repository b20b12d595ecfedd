"""Which reader a path needs: the first whose files lie there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from results.errors import ResultsError
from results.records.log import Log
from results.records.readers import (
    alpaca_eval,
    evalscope,
    fastchat,
    helm,
    inspect_ai,
    lighteval,
    lm_eval,
    table,
)


@dataclass(frozen=True)
class Reader:
    """One harness: which files are its own, and how they are read."""

    harness: str
    files: Callable[[Path], list[Path]]
    read: Callable[[Path], list[Log]]
    form: str
    """What its files are called."""


READERS = (
    Reader(lm_eval.HARNESS, lm_eval.samples_files, lm_eval.read, "samples_*.jsonl"),
    Reader(inspect_ai.HARNESS, inspect_ai.log_files, inspect_ai.read, "*.eval, *.json"),
    Reader(lighteval.HARNESS, lighteval.log_files, lighteval.read, "details_*.parquet"),
    Reader(helm.HARNESS, helm.log_files, helm.read, helm.FILE),
    Reader(evalscope.HARNESS, evalscope.log_files, evalscope.read, "reviews/MODEL/*.jsonl"),
    Reader(alpaca_eval.HARNESS, alpaca_eval.log_files, alpaca_eval.read, "annotations.json"),
    Reader(fastchat.HARNESS, fastchat.log_files, fastchat.read, "JUDGE_single.jsonl, JUDGE_pair.jsonl"),
    Reader(table.HARNESS, table.log_files, table.read, "CSV or JSONL with a column `item`"),
)
"""Tried in this order; a table is what no other reader knows."""


def read_logs(path: Path) -> list[Log]:
    """The logs at a path. ResultsError where no harness's files lie there."""
    forms = "; ".join(f"{reader.harness}: {reader.form}" for reader in READERS)
    if not path.exists():
        raise ResultsError(f"{path} does not exist; name a run folder or a log ({forms})")
    for reader in READERS:
        if reader.files(path):
            return reader.read(path)
    raise ResultsError(
        f"{path} holds neither manifest.json nor samples_*.jsonl nor another log that is known; name a run "
        f"folder or a log ({forms})"
    )
