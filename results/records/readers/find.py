"""Which reader a path needs: the first whose files lie there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from results.errors import ResultsError
from results.records.log import Log
from results.records.readers import lm_eval

Reader = tuple[Callable[[Path], bool], Callable[[Path], list[Log]], str]

READERS: tuple[Reader, ...] = (
    (lambda path: bool(lm_eval.samples_files(path)), lm_eval.read, "lm-eval: samples_*.jsonl"),
)
"""(whether a path is the harness's, its reader, what it reads)."""


def read_logs(path: Path) -> list[Log]:
    """The logs at a path, one per task. ResultsError where no harness's files lie there."""
    for is_its, read, _ in READERS:
        if path.exists() and is_its(path):
            return read(path)
    forms = "; ".join(form for _, _, form in READERS)
    if not path.exists():
        raise ResultsError(f"{path} does not exist; name a run folder or a log ({forms})")
    raise ResultsError(
        f"{path} holds neither manifest.json nor samples_*.jsonl nor another log that is known; name a run "
        f"folder or a log ({forms})"
    )
