"""An hour of runs with faults at one call in a hundred, and 50 kills: nothing leaks, nothing is lost.

    python tests/soak.py --minutes 60 --kills 50

One process makes one run after the other on the scripted engine (tests/scripts/faulty.py). After each, every
item must stand exactly once in its samples, every fault in its column; memory, open files and child processes
must not grow once caches are full. Prints a card and, last, one line of JSON; exit status 1 where something
does not hold. It loads no model.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import io
import json
import os
import random
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

SCRIPTS = Path(__file__).parent / "scripts"
sys.path.insert(0, str(SCRIPTS))
VARIANTS = ("base", "s2", "distilled")
TASKS = ("last_letter", "coin_flip")
WARM_UP = 4
"""Rounds: test items of the tasks outside the run are kept for so many seeds."""


@dataclass
class Soak:
    """What was done and seen."""

    rounds: int = 0
    calls: int = 0
    crashes: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    memory_mb: list[float] = field(default_factory=list)
    """Resident, after each round."""
    files: list[int] = field(default_factory=list)
    children: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)

    def look(self) -> None:
        """Measure this process. What Python and the allocator keep for the next round is given back first: it
        is no leak, and how much it is changes from round to round."""
        gc.collect()
        if sys.platform == "linux":
            ctypes.CDLL(None).malloc_trim(0)
        here = psutil.Process()
        self.memory_mb.append(here.memory_info().rss / 2**20)
        self.files.append(here.num_fds())
        self.children.append(len(here.children(recursive=True)))
        self.threads.append(threading.active_count())

    def growth(self) -> dict[str, float]:
        """Medians of the last third less those of the first third, without the first tenth of the rounds (at
        least WARM_UP), in which caches fill."""

        def of(values: list[Any]) -> float:
            settled = values[max(WARM_UP, len(values) // 10) :]
            third = max(1, len(settled) // 3)
            first, last = sorted(settled[:third]), sorted(settled[-third:])
            return float(last[len(last) // 2] - first[len(first) // 2])

        return {
            "memory_mb": of(self.memory_mb),
            "files": of(self.files),
            "children": of(self.children),
            "threads": of(self.threads),
        }


def one_round(soak: Soak, folder: Path, seed: int, limit: int) -> None:
    """One run from nothing to tables, repeated after each crash of its engine."""
    from harness.command.cli import main

    crashes = folder / "crashes"
    crashes.write_text("")
    os.environ |= {"S2D_TEST_CRASHES": str(crashes), "S2D_CACHE": str(folder / "cache")}
    arguments = [
        "--engine", "scripted", "--engine-args", f"script={SCRIPTS / 'faulty.py'}", "--tasks",
        ",".join(TASKS), "--limit", str(limit), "--distill-inputs", "40", "--samples", "3", "--seed",
        str(seed), "--task-args", f"seed={seed}", "--output", str(folder / "run"),
    ]  # fmt: skip
    for _ in range(1000):
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            status = main(arguments)
        if status == 0:
            break
        assert status == 1 and "the engine broke down" in out.getvalue(), out.getvalue()
    else:
        raise AssertionError("the run did not end")
    soak.rounds += 1
    soak.crashes += len(crashes.read_text().split())
    account(soak, folder / "run", limit)


def account(soak: Soak, run: Path, limit: int) -> None:
    """Every item stands once, every fault where it belongs, and the table says the same."""
    from faulty import CRASH, fault_of

    store = sqlite3.connect(run / "calls.sqlite")
    stored = dict(store.execute("SELECT key, finish_reason FROM calls"))
    store.close()
    soak.calls += len(stored)
    for key, reason in stored.items():
        fault = fault_of(key)
        assert (reason == "error") == (fault == "error"), key
        if fault not in (None, CRASH):
            soak.faults[str(fault)] += 1
    rows = json.loads((run / "leaderboard.json").read_text())["rows"]
    items: dict[str, set[str]] = {}
    for task in TASKS:
        for variant in VARIANTS:
            lines = (run / "samples" / variant / f"{task}.jsonl").read_text(encoding="utf-8").splitlines()
            samples = [json.loads(line) for line in lines]
            found = {sample["item_id"] for sample in samples}
            assert len(found) == len(samples) == limit, f"{task}, {variant}: an item is missing or doubled"
            assert items.setdefault(task, found) == found, f"{task}: variants differ in their items"
            failures = Counter(sample["failure"] for sample in samples if sample["failure"])
            row = next(each for each in rows if (each["task"], each["variant"]) == (task, variant))
            assert +Counter(row["failures"]) == failures, f"{task}, {variant}: {row['failures']}, {failures}"


def soak_for(seconds: float, limit: int, seed: int = 0) -> Soak:
    """Rounds until `seconds` have passed, at least three that count."""
    soak = Soak()
    end = time.monotonic() + seconds
    while time.monotonic() < end or soak.rounds < WARM_UP + 3:
        with tempfile.TemporaryDirectory() as folder:
            one_round(soak, Path(folder), seed + soak.rounds, limit)
        soak.look()
    return soak


def kill_at_random(count: int, seed: int = 0) -> Counter[str]:
    """Kill the small run of kill_fixtures.py at `count` random moments, and let it go on; kills by phase."""
    from forked import Commands
    from kill_fixtures import ARGUMENTS, Undisturbed, small_place

    draw = random.Random(seed)
    killed: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder, Commands() as commands:
        undisturbed = Undisturbed.of(commands, Path(folder) / "undisturbed", ARGUMENTS)
        quiet = [n for n, line in enumerate(undisturbed.moments, 1) if ": call " not in line]
        for number in range(count):
            place = small_place(Path(folder) / "killed")
            # Calls are most moments; half of the kills go to files and commits.
            moment = draw.choice(quiet) if number % 2 else draw.randint(1, len(undisturbed.moments))
            assert commands.run(place, ARGUMENTS, strike_at=moment).status == -9
            undisturbed.goes_on(commands, place, ARGUMENTS)
            killed[undisturbed.moments[moment - 1].split(": ")[0]] += 1
            shutil.rmtree(place.root)
    return killed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--limit", type=int, default=100, help="items per task and run")
    given = parser.parse_args()
    # Arrow's own allocator keeps pages when nothing is in use and gives only some back when asked to: the
    # process would grow for half an hour. Read when Arrow is imported, which nothing here has done yet.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    began = time.monotonic()
    killed = kill_at_random(given.kills)
    print(f"{given.kills} kills in {time.monotonic() - began:.0f} s, all went on to the same tables:")
    print("  " + ", ".join(f"{count} in {phase!r}" for phase, count in killed.items()))
    soak = soak_for(60 * given.minutes, given.limit)
    print(f"{soak.rounds} runs, {soak.calls:,} calls, {soak.crashes} crashes of the engine; other faults:")
    print("  " + ", ".join(f"{count} {kind}" for kind, count in soak.faults.items()))
    result = report(soak)
    print("growth: " + ", ".join(f"{value:+.1f} {name}" for name, value in result["growth"].items()))
    print(json.dumps({**result, "kills": given.kills}))
    return 0 if result["ok"] else 1


def report(soak: Soak) -> dict[str, Any]:
    """JSON-able: what was counted, first and last of what was measured (of memory some between), and whether
    all of it held."""
    growth = soak.growth()
    flat = growth["memory_mb"] <= 0.02 * soak.memory_mb[len(soak.memory_mb) // 10]
    fine = flat and not any(growth[name] > 0 for name in ("files", "children", "threads"))
    ends = {name: [getattr(soak, name)[0], getattr(soak, name)[-1]] for name in growth}
    ends["memory_mb"] = [round(each, 1) for each in soak.memory_mb[:: max(1, len(soak.memory_mb) // 12)]]
    counts = {name: getattr(soak, name) for name in ("rounds", "calls", "crashes", "faults")}
    return {**counts, **ends, "growth": growth, "ok": fine}


if __name__ == "__main__":
    sys.exit(main())
