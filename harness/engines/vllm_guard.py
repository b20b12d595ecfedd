"""Ends vLLM's processes when the one that started them was killed.

vLLM's engine and workers outlive a parent that gets no chance to stop them, and keep the memory that the
next run needs. So a small process of its own waits for the end of this one and ends them then: all that
bear a mark in their environment, which they have from their first moment. Run as a file with the mark; it
knows nothing else of vLLM or of this package.
"""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import suppress
from uuid import uuid4

import psutil

DISMISSED = b"."

MARK = "S2D_VLLM_GUARDED_BY"
"""Environment variable of the processes that are watched over."""

ROUNDS = 5
"""Of looking, half a second apart: a process that is being started is not there yet."""


class Guard:
    """Watches over the processes that are started with `environment`, until it is dismissed."""

    def __init__(self) -> None:
        self.environment = {MARK: uuid4().hex}
        self._process = subprocess.Popen(
            [sys.executable, "-I", __file__, self.environment[MARK]],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def dismiss(self) -> None:
        """The processes have been ended in another way."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(DISMISSED)
            self._process.stdin.close()
        self._process.wait()


def _end(mark: str) -> None:
    """Kill every process that bears the mark."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # ended, or somebody else's
            if process.environ().get(MARK) == mark:
                process.kill()


if __name__ == "__main__":
    # The pipe ends when nobody holds its other end any more.
    if sys.stdin.buffer.read(1) != DISMISSED:
        for _ in range(ROUNDS):
            _end(sys.argv[1])
            time.sleep(0.5)
