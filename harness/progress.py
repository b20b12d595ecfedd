"""What a person sees while a run works: phase, calls done, tokens per second, time left.

A terminal gets a moving bar. A log file or CI gets a line a minute, and one when a phase ends. Both count the
calls and tokens of a long batch while it is under way. All of it goes to standard error, so standard output
has only the card and the last JSON line.
"""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from harness.errors import one_line

SECONDS_BETWEEN = 60.0
"""Seconds between two lines of a phase, if standard error is not a terminal."""

SECONDS_OF_A_BAR = 1.0
"""The same if standard error is a terminal: there a bar moves."""

PACE = "S2D_TRAINING_PACE"
"""Environment variable: the same for a training process, which cannot see where its output goes."""


_STEP = re.compile(r"(train .+): step (\d+) of (\d+), (?!validation)(.*)")


def say(text: str) -> None:
    """Prints one line for people, whatever a name or a reason contains."""
    print(one_line(text), file=sys.stderr, flush=True)


def pace() -> dict[str, str]:
    """Returns `PACE` for the environment of a training process whose lines this one shows."""
    return {PACE: str(SECONDS_OF_A_BAR if sys.stderr.isatty() else SECONDS_BETWEEN)}


def clock(seconds: float) -> str:
    """Returns a duration as people read it: `0:07`, `12:30`, `3:05:00`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class TrainingLines:
    """Shows the lines of a training process: on a terminal its steps are a bar, in a log each is a line."""

    def __init__(self) -> None:
        self._bar: Any = None

    def show(self, line: str) -> None:
        """Shows `train NAME: step N of M, ...` or any other line."""
        step = _STEP.fullmatch(line)
        if step is None or not sys.stderr.isatty():
            self.close()
            say(line)
            return
        name, done, total, rest = step.groups()
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(
                desc=one_line(name),
                bar_format="{desc}: {percentage:3.0f}%|{bar}| step {n_fmt} of {total_fmt}{postfix}",
                file=sys.stderr,
                dynamic_ncols=True,
                leave=False,
            )
        self._bar.n, self._bar.total = int(done), int(total)
        self._bar.set_postfix_str(rest)

    def close(self) -> None:
        """Ends the bar, if there is one: at the end of a training, or before another line."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class Progress:
    """Progress of one phase: finished calls out of the calls known so far."""

    def __init__(
        self,
        title: str,
        planned: int = 0,
        quiet: bool = False,
        under_way: Callable[[], tuple[int, int]] = lambda: (0, 0),
    ) -> None:
        """`planned` is the number of calls that the methods declare for the whole phase: in a wave only the
        calls of one step are known. `quiet`: nothing is shown. `under_way` says how many calls of the batch
        in progress have ended, and how many tokens it has generated so far (`Engine.under_way`)."""
        from tqdm import tqdm

        self._title = title
        self._planned = planned
        self._began = time.perf_counter()
        self._made = 0
        self._replayed = 0
        self._known = 0
        self._tokens = 0
        self._quiet = quiet
        self._under_way = under_way
        self._terminal = sys.stderr.isatty()
        self._bar = tqdm(
            total=planned,
            desc=one_line(title),
            unit="call",
            file=sys.stderr,
            disable=quiet or not self._terminal,
            dynamic_ncols=True,
            leave=False,
        )
        self._ended = threading.Event()
        self._teller = None if quiet else threading.Thread(target=self._tell, daemon=True)

    def expect(self, calls: int) -> None:
        """Adds calls that are known now."""
        self._known += calls
        self._show()

    def replayed(self, calls: int) -> None:
        """Counts calls that were found in the store."""
        self._replayed += calls
        self._show()

    def made(self, calls: int, generated_tokens: int) -> None:
        """Counts calls that the engine has just finished."""
        self._made += calls
        self._tokens += generated_tokens
        self._show()

    @property
    def _total(self) -> int:
        return max(self._planned, self._known)

    def _rate(self, under_way: int = 0) -> float:
        return (self._tokens + under_way) / max(time.perf_counter() - self._began, 1e-9)

    def _tell(self) -> None:
        """Shows how far the phase is, at intervals until it ends."""
        while not self._ended.wait(SECONDS_OF_A_BAR if self._terminal else SECONDS_BETWEEN):
            if self._terminal:
                self._show()
            else:
                say(self._line())

    def _show(self) -> None:
        """Moves the bar of a terminal."""
        ended, tokens = self._under_way()
        self._bar.total = self._total
        self._bar.n = self._made + self._replayed + ended
        self._bar.set_postfix_str(f"{self._rate(tokens):.0f} tok/s")

    def _line(self) -> str:
        seconds = time.perf_counter() - self._began
        ended, tokens = self._under_way()
        asked = self._made + ended
        done = asked + self._replayed
        left = "time left not known yet"
        if asked:
            left = f"{clock(seconds * max(0, self._total - done) / asked)} left"
        return (
            f"{self._title}: {done:,} of {self._total:,} calls, {self._rate(tokens):.0f} tok/s, "
            f"{clock(seconds)} elapsed, {left}"
        )

    def __enter__(self) -> Progress:
        if self._teller is not None:
            self._teller.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._teller is not None:
            self._teller.join()
        self._bar.close()
        if self._quiet:
            return
        seconds = time.perf_counter() - self._began
        replayed = f", {self._replayed} from the store" if self._replayed else ""
        state = "done" if kind is None else "stopped"
        say(
            f"{self._title}: {state}, {self._made} calls{replayed}, {self._tokens} tokens "
            f"in {seconds:.0f} s ({self._rate():.0f} tok/s)"
        )
