"""What a person sees while a run works: phase, calls done, tokens per second, time left.

On a terminal a bar that moves; elsewhere (a log file, CI) one line when a phase ends. All of it goes to
standard error, so standard output stays the card and the last JSON line.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType

from harness.errors import one_line


def say(text: str) -> None:
    """One line for people, whatever stands in a name or a reason."""
    print(one_line(text), file=sys.stderr, flush=True)


class Progress:
    """Progress of one phase, in finished calls of all that are known so far."""

    def __init__(self, title: str) -> None:
        from tqdm import tqdm

        self._title = title
        self._began = time.perf_counter()
        self._made = 0
        self._replayed = 0
        self._tokens = 0
        self._bar = tqdm(
            total=0,
            desc=one_line(title),
            unit="call",
            file=sys.stderr,
            disable=not sys.stderr.isatty(),
            dynamic_ncols=True,
            leave=False,
        )

    def expect(self, calls: int) -> None:
        """More calls are known now."""
        self._bar.total = (self._bar.total or 0) + calls
        self._bar.refresh()

    def replayed(self, calls: int) -> None:
        """Calls that were found in the store."""
        self._replayed += calls
        self._bar.update(calls)

    def made(self, calls: int, generated_tokens: int) -> None:
        """Calls that the engine has just finished."""
        self._made += calls
        self._tokens += generated_tokens
        self._bar.set_postfix_str(f"{self._rate():.0f} tok/s")
        self._bar.update(calls)

    def _rate(self) -> float:
        return self._tokens / max(time.perf_counter() - self._began, 1e-9)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()
        seconds = time.perf_counter() - self._began
        replayed = f", {self._replayed} from the store" if self._replayed else ""
        state = "done" if kind is None else "stopped"
        say(
            f"{self._title}: {state}, {self._made} calls{replayed}, {self._tokens} tokens "
            f"in {seconds:.0f} s ({self._rate():.0f} tok/s)"
        )
