"""Ends vLLM's processes when the one that started them was killed.

vLLM's engine and workers outlive a parent that gets no chance to stop them, and keep the memory that the
next run needs. So a small process of its own waits for the end of this one and ends them then. Run as a
file with `PID:STARTED` of each process; it knows nothing else of vLLM or of this package.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress

import psutil

DISMISSED = b"."

CLOCK_STEP = 60.0
"""Seconds by which the clock may be set while a run lasts: times of start are told in its terms."""


def own_children() -> list[psutil.Process]:
    """Children of this process, without multiprocessing's tracker, which tidies up and then ends itself."""
    return [child for child in psutil.Process().children() if not _is_tracker(child)]


def _is_tracker(process: psutil.Process) -> bool:
    try:
        return "resource_tracker" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # it has just ended
        return False


class Guard:
    """Watches over child processes until it is dismissed."""

    def __init__(self, before: Iterable[psutil.Process]) -> None:
        """Watch over the children of this process that are not among `before`."""
        known = set(before)
        processes = [child for child in own_children() if child not in known]
        named = [f"{process.pid}:{process.create_time()}" for process in processes]
        self._process = subprocess.Popen(
            [sys.executable, "-I", __file__, *named], stdin=subprocess.PIPE, start_new_session=True
        )

    def dismiss(self) -> None:
        """The processes have been ended in another way."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(DISMISSED)
            self._process.stdin.close()
        self._process.wait()


def _end(pid: int, started: float) -> None:
    """Kill a process and all below it, if it is still the one that was meant."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        if abs(process.create_time() - started) > CLOCK_STEP:
            return
        for each in [*process.children(recursive=True), process]:
            with suppress(psutil.NoSuchProcess):
                each.kill()


if __name__ == "__main__":
    # The pipe ends when nobody holds its other end any more.
    if sys.stdin.buffer.read(1) != DISMISSED:
        for each in sys.argv[1:]:
            pid, _, started = each.partition(":")
            _end(int(pid), float(started))
