"""The trainer's own checkpoints during a training, and which of them a later process may use.

They are beside the final output, in `.NAME.training`, and are removed when it is complete. A checkpoint is
complete when it has its mark: the mark is written after everything else and lists every file with its
SHA-256. A folder of another job is not resumed but removed.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from results.files import file_hash
from results.schema import JsonObject

MARK = "whole.json"
JOB = "job.json"
FACTS = "training.json"
"""In the final output: the facts of the training, and the hash of its job."""


@dataclass(frozen=True)
class Resumable:
    """A complete checkpoint."""

    folder: Path
    step: int
    finished: bool
    """The training had ended; only the final output was missing."""
    totals: dict[str, float]
    """The totals up to this checkpoint."""


def training_folder(output: Path) -> Path:
    """The folder for checkpoints of the training that makes `output`."""
    return output.parent / f".{output.name}.training"


def prepare(folder: Path, job: str) -> None:
    """Prepares `folder` for the job whose hash is `job`: removes what another job left there, and what a
    killed process left incomplete."""
    if folder.is_dir() and _read(folder / JOB).get("job") != job:
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / JOB).write_text(json.dumps({"job": job}))
    for checkpoint in _checkpoints(folder):
        if _believed(checkpoint) is None:
            shutil.rmtree(checkpoint)


def mark_whole(checkpoint: Path, finished: bool, totals: dict[str, float]) -> None:
    """Records that every file of `checkpoint` is written."""
    mark = {"files": _digests(checkpoint), "finished": finished, "totals": totals}
    draft = checkpoint / f"{MARK}.draft"
    draft.write_text(json.dumps(mark))
    draft.rename(checkpoint / MARK)


def last_whole(folder: Path) -> Resumable | None:
    """The latest checkpoint that is complete and unchanged."""
    for checkpoint in reversed(_checkpoints(folder)):
        mark = _believed(checkpoint)
        if mark is not None:
            return Resumable(checkpoint, _step(checkpoint), mark["finished"], mark["totals"])
    return None


def _believed(checkpoint: Path) -> JsonObject | None:
    """The mark, if it exists and every file still has its hash."""
    mark = _read(checkpoint / MARK)
    totals = mark.get("totals")
    counted = isinstance(totals, dict) and all(
        isinstance(each, int | float) and 0 <= each < 2**63 for each in totals.values()
    )
    if not counted or not isinstance(mark.get("finished"), bool):
        return None
    return mark if mark.get("files") == _digests(checkpoint) else None


def _checkpoints(folder: Path) -> list[Path]:
    return sorted((path for path in folder.glob("checkpoint-*") if _step(path) >= 0), key=_step)


def _step(checkpoint: Path) -> int:
    found = re.fullmatch(r"checkpoint-(\d+)", checkpoint.name)
    return int(found[1]) if found else -1


def made_by(output: Path) -> str | None:
    """Hash of the job that made `output`; None if there is none, or it is not recorded."""
    job = _read(output / FACTS).get("job")
    return job if isinstance(job, str) else None


def _digests(checkpoint: Path) -> dict[str, str]:
    return {
        str(path.relative_to(checkpoint)): file_hash(path)
        for path in sorted(checkpoint.rglob("*"))
        if path.is_file() and not path.name.startswith(MARK)
    }


def _read(file: Path) -> JsonObject:
    """The mapping in a file; empty if there is none."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
