"""Chooses the reader for a path: the first that finds its files there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from struct import error as StructError
from zipfile import BadZipFile

from results.errors import ResultsError
from results.files import one_line
from results.records.log import Log, all_printable, printable
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
from results.schema import LARGEST


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
"""Tried in this order; the reader of tables is the last resort."""


def read_logs(path: Path) -> list[Log]:
    """The logs at a path. ResultsError if no reader finds its files there, or one is not whole."""
    forms = "; ".join(f"{reader.harness}: {reader.form}" for reader in READERS)
    if not path.exists():
        raise ResultsError(f"{path} does not exist: name a run or lm-eval's logs, or another log ({forms})")
    for reader in READERS:
        if reader.files(path):
            return _read(reader, path)
    raise ResultsError(
        f"{path} holds neither manifest.json nor samples_*.jsonl nor another known log: name a run "
        f"or lm-eval's logs, or another log ({forms})"
    )


def _read(reader: Reader, path: Path) -> list[Log]:
    try:
        logs = reader.read(path)
    except ResultsError:
        raise
    # A part of another kind than the harness writes (in an edited file) raises one of these.
    except (
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        ArithmeticError,
        BadZipFile,
        StructError,
    ) as error:
        raise ResultsError(
            f"{path} is not a whole log of {reader.harness} ({type(error).__name__}: {one_line(error)}): run "
            "the harness again, or name another log"
        ) from error
    for log in logs:
        texts = [log.task, log.model, *log.metrics, *log.rows.item]
        if not all_printable(texts):
            wrong = next(text for text in texts if not printable(text))
            raise ResultsError(f"{log.path}: {one_line(wrong)!r} is not a printable name: name another log")
        spent = (tokens for tokens in log.rows.tokens if tokens is not None)
        if any(
            not 0 <= one <= LARGEST for each in spent for one in (each.prompt, each.cached, each.generated)
        ):
            raise ResultsError(f"{log.path}: token counts must be numbers of 0 or more: name another log")
    return logs
