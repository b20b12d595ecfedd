"""The command in a process of its own, many times, for the price of importing its libraries once.

    with Commands() as commands:
        done = commands.run(Place(tmp_path), arguments, strike_at=12)

A server process runs one command and forks for each other one. The fork is a process like any other: it has
its own files and signals, may be killed, and shares nothing with the next one. `python tests/forked.py` is
the server; it reads orders and writes answers, one JSON line each.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True)
class Place:
    """Where a command runs: `work` is its folder, with its cache; its output and moments lie beside it."""

    root: Path

    @property
    def work(self) -> Path:
        folder = self.root / "work"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def moments(self) -> list[str]:
        """Of the last command, `PHASE: WHAT` each."""
        return (self.root / "moments").read_text().splitlines()


@dataclass(frozen=True)
class Ended:
    """How a command ended. `status` is negative for a signal."""

    status: int
    stdout: str
    stderr: str

    @property
    def complaints(self) -> list[str]:
        """Lines that the command says of its own end."""
        return [line for line in self.stderr.splitlines() if line.startswith("s2d-bench:")]


@dataclass(frozen=True)
class Started:
    """A command under way."""

    commands: Commands
    place: Place
    pid: int

    def wait(self) -> Ended:
        status = self.commands.ask({"wait": self.pid})
        out, err = ((self.place.root / name).read_text() for name in ("out", "err"))
        return Ended(status, out, err)


class Commands:
    """See the module."""

    def __enter__(self) -> Self:
        self._server = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "OMP_NUM_THREADS": "1",
                "PYTHONHASHSEED": "1",
                "TOKENIZERS_PARALLELISM": "false",
            },
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait(30)

    def ask(self, order: dict[str, Any]) -> int:
        assert self._server.stdin is not None and self._server.stdout is not None
        self._server.stdin.write(json.dumps(order) + "\n")
        self._server.stdin.flush()
        return int(json.loads(self._server.stdout.readline()))

    def start(self, place: Place, arguments: list[str], **more: Any) -> Started:
        """Begin a command. `strike_at` and `how` are those of `Moments`; `largest_file` limits the bytes of
        a file, `user` is the number of another user, `ignored` names signals that are ignored at first."""
        place.root.mkdir(parents=True, exist_ok=True)
        for name in ("out", "err", "moments"):
            (place.root / name).write_text("")
        order = {"work": str(place.work), "root": str(place.root), "arguments": arguments, **more}
        return Started(self, place, self.ask({"start": order}))

    def run(self, place: Place, arguments: list[str], **more: Any) -> Ended:
        """The command from beginning to end."""
        return self.start(place, arguments, **more).wait()


def serve() -> None:
    """The server's loop."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    _warm_up()
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            answer = os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1])
        else:
            answer = os.fork()
            if answer == 0:
                answers.close()
                _work(**order["start"])
        answers.write(f"{answer}\n")
        answers.flush()


def _warm_up() -> None:
    """One command here: it imports what the commands need, and compiles their templates."""
    from kill_fixtures import ARGUMENTS, small_place

    from harness.command.cli import main

    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        os.environ["S2D_CACHE"] = "cache"
        with contextlib.chdir(small_place(Path(folder)).work):
            assert main(ARGUMENTS) == 0
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _work(
    work: str,
    root: str,
    arguments: list[str],
    strike_at: int | None = None,
    how: str = "kill",
    largest_file: int | None = None,
    user: int | None = None,
    ignored: tuple[str, ...] = (),
    environment: dict[str, str] | None = None,
) -> None:
    """The forked process: never returns."""
    status = 99
    try:
        for number, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(Path(root) / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.chdir(work)
        os.environ.update({"S2D_CACHE": "cache", **(environment or {})})
        for name in ignored:
            signal.signal(getattr(signal, name), signal.SIG_IGN)
        from moments import Moments

        from harness.command.cli import main

        Moments(Path(work), Path(root) / "moments", strike_at, how).install()
        if largest_file is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
        if user is not None:
            os.setgid(user)
            os.setuid(user)
        status = main(arguments)
    except SystemExit as end:
        status = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    serve()
