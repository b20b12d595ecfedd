"""All statistics of a large run: how many seconds and how much memory from records to a leaderboard?

    python tests/benchmarks/large_statistics.py                    # 6 variants x 100,000 items, one task
    python tests/benchmarks/large_statistics.py --items 20000 --words 60

Writes a run folder of made-up records, then builds its leaderboard in a separate process: reading the
samples, every interval, test and ratio of the named pairs, break-even, notes. Wall seconds are those of the
build, imports included; processor seconds, which other work on the machine hardly changes, and the peak of
memory are those of the whole process. The project's own limits, 10 s and 1 GB, are printed beside them.
Prints a card and, last, one line of JSON; exit 1 if a limit is broken. The page is not measured.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from measuring import FIXTURES, ROOT, finish, last_json, run_command

sys.path[:0] = [str(FIXTURES), str(ROOT)]

LIMIT_SECONDS, LIMIT_GB = 10.0, 1.0
TAUGHT = ("distilled", "distilled-s1", "distilled-nofilter", "distilled-all")


def write_run(folder: Path, items: int, words: int) -> int:
    """Writes a run of base, s2 and four distilled variants, with the pairs that a real run names; returns
    its bytes."""
    from results_fixtures import VARIANTS, FakeTask, FakeVariant, distillation, make_run

    variants = [*VARIANTS[:2], *(FakeVariant(name, 0.7, 11, "distilled") for name in TAUGHT)]
    pairs = [[a, b] for b in TAUGHT[1:] for a in ("base", "s2", "distilled")]
    entries = [distillation(variant=name) for name in TAUGHT]
    make_run(
        folder, [FakeTask(clusters=items)], variants, text="heads " * words, comparisons=pairs,
        distillation=entries,
    )  # fmt: skip
    return sum(path.stat().st_size for path in folder.glob("samples/*/*.jsonl"))


def measure(folder: Path) -> dict[str, float | int]:
    """Builds the leaderboard in this process; returns seconds by part, peak memory in GB."""
    began = time.perf_counter()
    from results.analysis import leaderboard
    from results.records.load import load_run
    from results.tables import write

    run = load_run(folder)
    read = time.perf_counter()
    board = leaderboard.from_run(run)
    computed = time.perf_counter()
    write.write_all(folder, board)
    ended = time.perf_counter()
    # Kilobytes on Linux, bytes on macOS.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {
        "seconds": round(ended - began, 2),
        "seconds_reading": round(read - began, 2),
        "seconds_statistics": round(computed - read, 2),
        "cpu_seconds": round(time.process_time(), 2),
        "peak_gb": round(peak / 1e9, 3),
        "rows": len(board["rows"]),
        "comparisons": len(board["comparisons"]),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Write, measure in a fresh process, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--items", type=int, default=100_000, help="items of each variant")
    parser.add_argument("--words", type=int, default=30, help="words of a prompt")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.folder:
        print(json.dumps(measure(given.folder)))
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "run"
        size = write_run(folder, given.items, given.words)
        found = last_json(run_command([sys.executable, __file__, "--folder", str(folder)])[1])
    card = (
        f"6 variants x {given.items:,} items, {size / 1e9:.2f} GB of records, {os.cpu_count()} cores\n"
        f"  wall   {found['seconds']:6.2f} s  (limit {LIMIT_SECONDS:g} s): "
        f"reading {found['seconds_reading']:.2f} s, statistics {found['seconds_statistics']:.2f} s; "
        f"{found['cpu_seconds']:.2f} s of processor\n"
        f"  memory {found['peak_gb']:6.2f} GB (limit {LIMIT_GB:g} GB)\n"
        f"  {found['rows']} rows, {found['comparisons']} comparisons"
    )
    good = found["seconds"] < LIMIT_SECONDS and found["peak_gb"] < LIMIT_GB
    limits = {"limit_seconds": LIMIT_SECONDS, "limit_gb": LIMIT_GB}
    report = {"status": "ok" if good else "missed", "items": given.items, "bytes": size, **found, **limits}
    return finish([card], report)


if __name__ == "__main__":
    sys.exit(main())
