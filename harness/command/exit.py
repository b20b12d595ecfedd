"""How a command ends, whatever the reason: an exit status, one line for people and one line of JSON."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness import storage
from harness.command.status_line import show_status
from harness.command.streams import steady
from harness.errors import RunError, UserError, one_line
from harness.progress import say
from results.schema import JsonObject

STOPPED = "stopped; the same command continues where this one ended"
FRESH_STOPPED = "stopped; the same command without --fresh continues where this one ended"


class Stopped(BaseException):
    """A signal asked this process to stop."""


@dataclass
class Course:
    """What decides the exit status and the last message."""

    fresh: bool = False
    """The run was begun with --fresh."""
    writing: bool = False
    """A run is under way, or files are being written: a disk error is now a failure, not bad input."""
    signal: int | None = None
    """The signal received. Libraries may turn the exception that it raises into another one."""
    json: bool = False
    """--json was given: print the line for scripts also on a terminal."""

    def tell(self, facts: JsonObject, whole: bool = False) -> None:
        """Prints the last line for scripts; `whole` lifts its length limit."""
        show_status(facts, self.json, whole)


def guarded(command: Callable[[Course], int]) -> int:
    """Returns the command's exit status, or that of the error or signal that ended it."""
    with steady() as out:
        course = Course()
        status = _guarded(command, course)
        out.flush()
        # A reader that has gone (`| head`) has read what it wanted.
        if out.error is None or isinstance(out.error, BrokenPipeError):
            return status
        say(
            f"s2d-bench: standard output could not be written ({out.error.strerror}): files are "
            "complete; send the output elsewhere and run the command again"
        )
        # Not 1: a gate returns 1 for a rule that fails.
        return 2


def _guarded(command: Callable[[Course], int], course: Course) -> int:
    before = _listen(course)
    try:
        return command(course)
    except (KeyboardInterrupt, Stopped):
        return _stopped(course)
    except SystemExit as end:  # --help
        return int(end.code or 0)
    except UserError as error:
        return _fail(str(error), 2, course)
    except RunError as error:
        return _fail(str(error), 1, course)
    except Exception as error:
        return _unforeseen(error, course)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _unforeseen(error: Exception, course: Course) -> int:
    if course.signal is not None:
        return _stopped(course)
    if os.environ.get("S2D_DEBUG"):
        raise error
    if refusal := storage.refused(error):
        kept = "; finished calls are kept" if course.writing else ""
        return _fail(f"{refusal}, then repeat the command{kept}", 1 if course.writing else 2, course)
    if isinstance(error, RecursionError) and not course.writing:
        return _fail("an option, or a file that it names, is nested too deep: make it flatter", 2, course)
    reason = f"unexpected {type(error).__name__}: {error}"
    return _fail(f"{reason} (finished calls are kept; S2D_DEBUG=1 shows where)", 1, course)


def _fail(message: str, status: int, course: Course) -> int:
    line = one_line(message)
    print(f"s2d-bench: {line}", file=sys.stderr)
    course.tell({"status": {1: "failed", 2: "bad_input"}.get(status, "stopped"), "error": line})
    return status


def _stopped(course: Course) -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)  # already stopping: print the last line whole
    message = FRESH_STOPPED if course.fresh else STOPPED
    return _fail(message, 128 + (course.signal or signal.SIGINT), course)


def _listen(course: Course) -> dict[int, Any]:
    """Stops on SIGINT, SIGTERM, SIGUSR1 and SIGHUP; returns the previous handlers. SIGINT stops a command in
    the background too, for which shells ignore it. Schedulers send SIGUSR1 before a time limit. SIGHUP stays
    ignored under `nohup`."""

    def heard(number: int, frame: object) -> None:
        course.signal = number
        raise KeyboardInterrupt if number == signal.SIGINT else Stopped

    numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    return {number: signal.signal(number, heard) for number in numbers}
