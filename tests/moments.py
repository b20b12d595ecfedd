"""Counts the moments of a command at which a kill could leave something half done, and strikes at one.

A moment is a model call, a write to a file of the run or its cache, a rename, or either side of a commit. The
list of an undisturbed command says which moments there are; the same command, struck at number N, is struck
at that very place. What can happen there: `kill` (SIGKILL, in the middle of a write), `SIGINT` or `SIGTERM`,
`full` (the disk takes nothing from then on).

Installed in a process of its own only: it replaces `open`, `os.rename`, `os.replace` and `sqlite3.connect`.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import re
import signal
import sqlite3
from pathlib import Path
from typing import Any, NoReturn

_SCRATCH = re.compile(r"(?<=\w)\.\w+$(?<!json)(?<!jsonl)(?<!yaml)(?<!md)(?<!csv)(?<!tex)(?<!html)")
"""What a scratch file has behind its name: a process id, or random letters."""


class Moments:
    """See the module."""

    def __init__(self, folder: Path, log: Path, strike_at: int | None, how: str) -> None:
        """`folder` is watched; `log` gets a line per moment; `strike_at` counts from 1."""
        self._folder = str(folder.resolve()) + os.sep
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._strike_at = strike_at
        self._how = how
        self._count = 0
        self._full = False
        self._phase = "start"

    def install(self) -> None:
        """From here on moments count."""
        self._watch_files()
        self._watch_commits()
        self._watch_calls()

    def _reach(self, what: str) -> bool:
        """Count a moment; whether this is the one to strike at."""
        self._count += 1
        name = _SCRATCH.sub("", what.replace(self._folder, ""))
        os.write(self._log, f"{self._phase}: {name}\n".encode())
        return self._count == self._strike_at

    def _strike(self) -> None:
        if self._how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self._how == "full":
            self._full = True
        else:
            os.kill(os.getpid(), getattr(signal, self._how))

    def _refuse(self) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _watch_files(self) -> None:
        real_open, real_replace, real_rename = io.open, os.replace, os.rename

        def opened(file: Any, mode: str = "r", *rest: Any, **more: Any) -> Any:
            handle = real_open(file, mode, *rest, **more)
            path = _absolute(f"/proc/self/fd/{file}" if isinstance(file, int) else file)
            if not path.startswith(self._folder) or not set(mode) & set("wax+"):
                return handle
            real_write = handle.write

            def write(data: Any) -> Any:
                struck = self._reach(f"write {path}")
                if struck or self._full:
                    real_write(data[: len(data) // 2])
                    handle.flush()
                if struck:
                    self._strike()
                if self._full:
                    self._refuse()
                return real_write(data[len(data) // 2 :]) if struck else real_write(data)

            handle.write = write
            return handle

        def moved(real: Any) -> Any:
            def move(source: Any, target: Any, **more: Any) -> None:
                if _absolute(target).startswith(self._folder) and self._reach(f"rename {target}"):
                    self._strike()
                real(source, target, **more)

            return move

        builtins.open = io.open = opened  # type: ignore[assignment]
        os.replace, os.rename = moved(real_replace), moved(real_rename)

    def _watch_commits(self) -> None:
        moments = self

        class Connection(sqlite3.Connection):
            def execute(self, statement: str, *rest: Any) -> Any:
                commits = statement == "COMMIT"
                if commits and moments._reach("before commit"):
                    moments._strike()
                if moments._full and statement.split()[0] in {"COMMIT", "CREATE", "INSERT"}:
                    raise sqlite3.OperationalError("database or disk is full")
                done = super().execute(statement, *rest)
                if commits and moments._reach("after commit"):
                    moments._strike()
                return done

        real = sqlite3.connect

        def connect(*given: Any, **more: Any) -> sqlite3.Connection:
            return real(*given, factory=Connection, **more)

        sqlite3.connect = connect  # type: ignore[assignment]

    def _watch_calls(self) -> None:
        from harness.engines.scripted import ScriptedEngine
        from harness.scheduler import Scheduler

        complete, run = ScriptedEngine._complete, Scheduler.run

        def counted(engine: ScriptedEngine, request: Any) -> Any:
            if self._reach(f"call {request.key}"):
                self._strike()
            return complete(engine, request)

        def in_phase(scheduler: Scheduler, jobs: Any, phase: str) -> Any:
            self._phase = phase
            try:
                return run(scheduler, jobs, phase)
            finally:
                self._phase = f"after {phase}"

        ScriptedEngine._complete = counted  # type: ignore[method-assign]
        Scheduler.run = in_phase  # type: ignore[method-assign]


def _absolute(path: Any) -> str:
    return str(Path(os.fsdecode(path)).resolve())
