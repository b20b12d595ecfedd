"""Ends vLLM's processes when the process that started them was killed.

vLLM's engine and workers outlive a killed parent and keep the memory that the next run needs. So a small
process waits for the end of the parent and then ends them: those whose ids it got, and, during the start,
those with a mark in their environment. (A process that sets its title overwrites parts of its environment, so
the mark alone is not enough.) The guard is this file, run as a script with the mark.
"""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import psutil

DISMISSED = b"."

MARK = "S2D_VLLM_GUARDED_BY"
"""Environment variable of the watched processes."""

ROUNDS = 5
"""How often to look, half a second apart: a starting process may not be visible yet."""

CLOCK_STEP = 60.0
"""Seconds by which the clock may be changed during a run: start times of processes depend on it."""


def own_children() -> list[psutil.Process]:
    """Children of this process, except multiprocessing's tracker, which cleans up and ends by itself."""
    return [child for child in psutil.Process().children() if not _is_tracker(child)]


def _is_tracker(process: psutil.Process) -> bool:
    try:
        return "resource_tracker" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # it has just ended
        return False


class Guard:
    """Watches the processes that are started with `environment`, until it is dismissed."""

    def __init__(self) -> None:
        self.environment = {MARK: uuid4().hex}
        self._process = subprocess.Popen(
            [sys.executable, "-I", __file__, self.environment[MARK]],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        self._others = set(own_children())

    def tell(self) -> None:
        """Sends the guard the processes, after all of them have started."""
        new = [child for child in own_children() if child not in self._others]
        self._send("".join(f"{child.pid}:{child.create_time()}\n" for child in new).encode())

    def dismiss(self) -> None:
        """Ends the guard, after the processes have ended in another way."""
        self._send(DISMISSED)
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()

    def _send(self, told: bytes) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(told)
            self._process.stdin.flush()


def _end(process: psutil.Process) -> None:
    """Kills a process and all its descendants."""
    with suppress(psutil.NoSuchProcess):
        for each in [*process.children(recursive=True), process]:
            with suppress(psutil.NoSuchProcess):
                each.kill()


def _end_told(pid: int, started: float) -> None:
    """Ends a process if it is still the one that was started at that time."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        if abs(process.create_time() - started) <= CLOCK_STEP:
            _end(process)


def _bears(process: psutil.Process, mark: str) -> bool:
    with suppress(psutil.Error, OSError):  # it has ended, or belongs to another user
        block = Path(f"/proc/{process.pid}/environ")
        if block.exists():  # psutil stops reading at the first gap
            return f"{MARK}={mark}".encode() in block.read_bytes()
        return process.environ().get(MARK) == mark
    return False


if __name__ == "__main__":
    # The pipe ends when no process holds its other end any more.
    lines = sys.stdin.buffer.read()
    if not lines.endswith(DISMISSED):
        for line in lines.decode().split():
            number, _, at = line.partition(":")
            _end_told(int(number), float(at))
        for _ in range(ROUNDS):
            for each in psutil.process_iter():
                if _bears(each, sys.argv[1]):
                    _end(each)
            time.sleep(0.5)
