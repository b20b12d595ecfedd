"""Chooses among the logs in a folder: the only one, or the newest of each task if all are of one model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from results.errors import ResultsError
from results.records.log import Log


def only_one(path: Path, files: Sequence[Path]) -> Path:
    """The log of a folder that must have only one. ResultsError if it has several."""
    if len(files) > 1:
        raise ResultsError(
            f"{path} holds {len(files)} files ({', '.join(map(str, files))}): name one of these"
        )
    return files[0]


def newest_of_one_model(path: Path, logs: Sequence[tuple[Log, str]]) -> list[Log]:
    """The newest log of each task, from logs with the text of their time; its notes name the others.

    ResultsError if they are of several models.
    """
    models = {log.model: log.path for log, _ in logs}
    if len(models) > 1:
        listed = "; ".join(f"{model}: {file}" for model, file in models.items())
        raise ResultsError(f"{path} holds logs of {len(models)} models ({listed}): name one of these files")
    found: dict[str, list[tuple[str, str, Log]]] = {}
    for log, time in logs:
        found.setdefault(log.task, []).append((time, str(log.path), log))
    chosen = []
    for task, of_task in found.items():
        (_, _, log), *others = sorted(of_task, key=lambda one: one[:2], reverse=True)
        if others:
            names = ", ".join(Path(file).name for _, file, _ in others)
            log.notes.append(
                f"{task}: {log.path} was read, the newest of {len(of_task)} logs; not read: {names}."
            )
        chosen.append(log)
    return chosen
