"""Keeps a run going if standard output or error is closed, full, broken or has a narrow encoding.

A terminal closes, `| head` has read enough, or the disk behind `>` is full. Finished work and the exit status
stay as they are; only text that nobody can read is dropped.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO, cast


class Steady:
    """A text stream whose writes do not fail: `error` is the first error, after which all text is dropped."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.error: OSError | None = None

    def write(self, text: str) -> int:
        """Writes `text`; characters that the encoding lacks become escapes."""
        encoding = self._stream.encoding or "utf-8"
        plain = text.encode(encoding, "backslashreplace").decode(encoding)
        self._attempt(lambda: self._stream.write(plain))
        return len(text)

    def flush(self) -> None:
        self._attempt(self._stream.flush)

    def _attempt(self, work: Any) -> None:
        if self.error is not None:
            return
        try:
            work()
        except OSError as error:
            self.error = error
            # What is still in the buffer would fail again when Python ends.
            with suppress(OSError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self._stream.fileno())
                os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def steady() -> Iterator[Steady]:
    """Replaces both streams by `Steady` ones, and yields that of standard output."""
    _fill_closed()
    before = sys.stdout, sys.stderr
    out, error = (Steady(stream or _nowhere()) for stream in before)
    sys.stdout, sys.stderr = cast(TextIO, out), cast(TextIO, error)
    try:
        yield out
    finally:
        out.flush()
        error.flush()
        sys.stdout, sys.stderr = before


def _fill_closed() -> None:
    """Opens those of the three standard descriptors that are closed: otherwise the next file gets that
    number, and what a library prints is written into it."""
    while (opened := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(opened, True)
    os.close(opened)


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")
