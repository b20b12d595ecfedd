"""A small run on the scripted engine, undisturbed and struck at any moment, and what must hold afterwards."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from forked import Commands, Ended, Place

SCRIPTS = Path(__file__).parent / "scripts"
TABLES = ("leaderboard.json", "leaderboard.md", "leaderboard.csv", "leaderboard.tex", "leaderboard.html")


def arguments_for(*more: str, script: str = "paper_like.py", output: str = "run") -> list[str]:
    """`s2d-bench` on two symbolic tasks with distillation, in batches of 16."""
    return [
        "--engine", "scripted", "--engine-args", f"script={SCRIPTS / script},batch_rows=16", "--tasks",
        "last_letter,coin_flip", "--data", "data", "--distill-inputs", "12", "--samples", "2", "--output",
        output, "--models", "base,s2:rar_2step,distilled", *more,
    ]  # fmt: skip


ARGUMENTS = arguments_for()


def slow_but(fast: str, cases: Iterable[str]) -> list[Any]:
    """All `cases` as parameters of a test; those beside `fast` are marked slow."""
    return [pytest.param(case, marks=() if case == fast else pytest.mark.slow) for case in cases]


def small_place(root: Path) -> Place:
    """A place with data for `ARGUMENTS`: 8 test items of each task, for the price of reading two files."""
    place = Place(root)
    draw = random.Random(0)
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=8)).title() for _ in range(200)]
    letters = [
        {
            "question": f'Take the last letters of the words in "{a} {b}" and concatenate them.',
            "answer": a[-1] + b[-1],
        }
        for a, b in zip(words[:20], words[20:40], strict=True)
    ]
    flips = [
        {
            "question": f"A coin is heads up. {a} flips the coin. "
            f"{b} {'flips' if n % 2 else 'does not flip'} the coin. Is the coin still heads up?",
            "answer": "yes" if n % 2 else "no",
        }
        for n, (a, b) in enumerate(zip(words[100:120], words[120:140], strict=True))
    ]
    files = {
        "last_letter/test": letters,
        "coin_flip/test": flips[:12],
        "coin_flip/validation_skrishna": flips[12:],
    }
    for name, rows in files.items():
        file = place.work / "data" / f"{name}.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return place


def tables_in(run: Path) -> dict[str, bytes]:
    return {name: (run / name).read_bytes() for name in TABLES}


def calls_in(run: Path) -> dict[str, float]:
    """Key and finishing time of every stored call; none before the store exists."""
    if not (run / "calls.sqlite").is_file():
        return {}
    store = sqlite3.connect(run / "calls.sqlite")
    try:
        return dict(store.execute("SELECT key, finished_at FROM calls"))
    except sqlite3.OperationalError:  # the kill came before the table
        return {}
    finally:
        store.close()


@dataclass(frozen=True)
class Undisturbed:
    """The run that nothing happened to, and the moments that it consists of."""

    place: Place
    tables: dict[str, bytes]
    calls: frozenset[str]
    moments: Sequence[str]

    @classmethod
    def of(cls, commands: Commands, root: Path, arguments: Sequence[str]) -> Undisturbed:
        """Run the command once."""
        place = small_place(root)
        done = commands.run(place, list(arguments))
        assert done.status == 0, done.stderr
        run = place.work / "run"
        return cls(place, tables_in(run), frozenset(calls_in(run)), place.moments)

    def moment(self, phase: str, what: str, which: int = 0) -> int:
        """Number of the moment that begins with `phase` and names `what`, from 1."""
        found = [
            number
            for number, line in enumerate(self.moments, start=1)
            if line.startswith(phase) and what in line
        ]
        assert found, f"no moment of {phase!r} with {what!r} in {self.moments}"
        return found[which]

    def goes_on(self, commands: Commands, place: Place, arguments: Sequence[str]) -> Ended:
        """Repeat the command where it was struck: it must end as if nothing had happened, with every finished
        call as it was and none made again."""
        run = place.work / "run"
        finished = calls_in(run)
        done = commands.run(place, list(arguments))
        assert done.status == 0, done.stderr
        made = {line.split(": call ")[1] for line in place.moments if ": call " in line}
        assert not made & finished.keys(), "a finished call was made again"
        self.ended_alike(run, finished)
        return done

    def ended_alike(self, run: Path, finished: Mapping[str, float]) -> None:
        """`run` is as if nothing had happened; `finished` are the calls that it had when it was struck."""
        after = calls_in(run)
        assert finished.items() <= after.items(), "a finished call was changed"
        assert after.keys() == self.calls
        found = tables_in(run)
        for name in TABLES:
            assert found[name] == self.tables[name], name
        left = [path.name for path in run.rglob(".*") if path.is_file() and path.name != ".lock"]
        assert not left, f"half-written files stay: {left}"


def complaint(done: Ended, status: int) -> str:
    """The one line that the command ended with, which must be one that we meant."""
    assert done.status == status, done.stderr
    (line,) = done.complaints
    assert "unexpected" not in line and "Traceback" not in done.stderr
    return line


def last_line(done: Ended) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return line
