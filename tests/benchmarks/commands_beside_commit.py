"""Whole commands beside those of another commit, in turn: wall time, peak memory, verdicts; ratios.

    git worktree add /tmp/before COMMIT
    python tests/benchmarks/commands_beside_commit.py --before /tmp/before
    python tests/benchmarks/commands_beside_commit.py --before /tmp/before --pretrained model.gguf  # start

bench     `s2d-bench --models base,s2,distilled --limit 200` with an empty cache: what `make bench` runs
training  its training processes, from start to end, summed
start     with --pretrained: one direct answer of one token, from the command to that token in the
          call store; a first run, which is not timed, converts a GGUF file

Memory is the most that the command and its children hold at once (resident, shared pages counted in each).
Each arm imports the package from its own folder and has its own cache. Prints a card and, last, one line of
JSON; exit 1 if the verdicts differ.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import psutil
from beside_commit import commit_of
from measuring import ROOT, Figures, finish, machine, shown_machine, take_turns

POLL_SECONDS = 0.1
TRAINING = "distill.train"
"""In the command line of every training process, at any commit."""
CLAIM = ("task", "a", "b", "claim", "metric", "verdict")


def cli_of(root: Path) -> str:
    """The module of the command."""
    return "harness.command.cli" if (root / "harness" / "command").is_dir() else "harness.cli"


def watched(root: Path, arguments: Sequence[str], cache: Path, store: Path | None = None) -> Figures:
    """Seconds of the command, of its training processes and, with `store`, to its first call; peak bytes."""
    environment = {**os.environ, "PYTHONPATH": str(root), "S2D_CACHE": str(cache)}
    command = [sys.executable, "-m", cli_of(root), *arguments]
    began = time.time()
    with tempfile.TemporaryFile("w+") as said:
        child = subprocess.Popen(
            command, env=environment, cwd=root, stdout=said, stderr=subprocess.STDOUT, text=True
        )
        whole = psutil.Process(child.pid)
        peak, first = 0, None
        trained: dict[int, tuple[float, float]] = {}
        while child.poll() is None:
            held = 0
            for each in (whole, *_children(whole)):
                try:
                    held += each.memory_info().rss
                    if TRAINING in " ".join(each.cmdline()):
                        trained[each.pid] = each.create_time(), time.time()
                except psutil.Error:  # it ended meanwhile
                    continue
            peak = max(peak, held)
            if first is None and store is not None and _has_call(store):
                first = time.time() - began
            time.sleep(POLL_SECONDS)
        seconds = time.time() - began
        if child.returncode != 0:
            said.seek(0)
            raise SystemExit(f"{' '.join(command)} failed ({child.returncode}):\n{said.read()[-1500:]}")
    spent = sum(last - start for start, last in trained.values())
    return {"seconds": seconds, "training": spent, "first": first, "peak_bytes": peak}


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.Error:
        return []


def _has_call(store: Path) -> bool:
    try:
        with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as opened:
            return bool(opened.execute("SELECT count(*) FROM calls").fetchone()[0])
    except sqlite3.Error:  # not written yet
        return False


def bench(root: Path, limit: int) -> Figures:
    """One `make bench` with an empty cache, and its verdicts."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "run"
        arguments = ["--models", "base,s2,distilled", "--limit", str(limit), "--output", str(folder)]
        found = watched(root, arguments, Path(scratch) / "cache")
        board = json.loads((folder / "leaderboard.json").read_text())
    return {**found, "verdicts": sorted([str(row.get(key)) for key in CLAIM] for row in board["comparisons"])}


def start(root: Path, model: str, dtype: str, cache: Path) -> Figures:
    """One answer of one token."""
    folder = cache / "run"
    shutil.rmtree(folder, ignore_errors=True)
    arguments = ["--models", "base", "--tasks", "gsm8k", "--limit", "1", "--data", "embedded"]
    arguments += ["--pretrained", model, "--dtype", dtype, "--sampling", "max_tokens=1"]
    found = watched(root, [*arguments, "--output", str(folder)], cache, folder / "calls.sqlite")
    return {**found, "seconds": found["first"]}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the rounds, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--before", type=Path, required=True, help="folder of the other checkout")
    parser.add_argument("--pretrained", help="measure the start of this model instead")
    parser.add_argument("--dtype", default="bfloat16", choices=("float32", "bfloat16"))
    parser.add_argument("--limit", type=int, default=200, help="items a task (default: 200)")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    if not (options.before / "harness").is_dir():
        parser.error("--before: give the folder of a checkout of this repository")
    roots = {"now": ROOT, "before": options.before.resolve()}
    with tempfile.TemporaryDirectory() as scratch:
        if options.pretrained:
            arms = {
                name: partial(start, root, options.pretrained, options.dtype, Path(scratch) / name)
                for name, root in roots.items()
            }
            for name in arms:
                (Path(scratch) / name).mkdir()
                arms[name]()
        else:
            arms = {name: partial(bench, root, options.limit) for name, root in roots.items()}
        rounds = take_turns(arms, options.rounds)
    shown = {"seconds": "start"} if options.pretrained else {"seconds": "bench", "training": "training"}
    card = [
        f"commit {commit_of(ROOT)} beside {commit_of(options.before)}, {options.rounds} rounds, "
        + shown_machine(machine())
    ]
    found = {}
    for part, label in {**shown, "peak_bytes": "memory"}.items():
        pairs = [(each["now"][part], each["before"][part]) for each in rounds]
        found[part] = statistics.median(now / before for now, before in pairs)
        now, before = (statistics.median(side) for side in zip(*pairs, strict=True))
        scale, unit = (1e9, "GB") if part == "peak_bytes" else (1, "s")
        card.append(
            f"  {label:<8} {found[part]:.3f}  ({now / scale:.2f} {unit}, {before / scale:.2f} {unit})"
        )
    verdicts = [each[name].pop("verdicts", None) for each in rounds for name in roots]
    equal = all(each == verdicts[0] for each in verdicts)
    if not options.pretrained:
        card.append(f"  verdicts {'equal' if equal else 'differ'}")
    report = {"status": "ok" if equal else "missed", "ratios": found, "rounds": rounds}
    return finish(card, report)


if __name__ == "__main__":
    sys.exit(main())
