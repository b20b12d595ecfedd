"""Shared by the benchmarks: arms that take turns, medians of ratios, the limit of the machine, the report.

An arm is a function that does the work once and returns its figures, `seconds` among them. A round runs every
arm once, so that other work on the machine affects all of them. A ratio is of one round, and the median over
rounds is the result.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests" / "fixtures"
Figures = dict[str, Any]
BANDWIDTH_BYTES = 1 << 29
"""More than any cache holds."""


def take_turns(arms: Mapping[str, Callable[[], Figures]], rounds: int) -> list[dict[str, Figures]]:
    """Runs every arm once a round, in an order that rotates; shows the seconds of each round when it ends."""
    names, found = list(arms), []
    for turn in range(rounds):
        order = [names[(turn + place) % len(names)] for place in range(len(names))]
        figures = {name: arms[name]() for name in order}
        found.append({name: figures[name] for name in names})
        shown = ", ".join(f"{name} {figures[name]['seconds']:.2f} s" for name in names)
        print(f"  round {turn + 1}: {shown}", file=sys.stderr, flush=True)
    return found


def ratios(rounds: Sequence[Mapping[str, Figures]], one: str, other: str) -> list[float]:
    """Seconds of `one` for each second of `other`, by round."""
    return [each[one]["seconds"] / each[other]["seconds"] for each in rounds]


def median_seconds(rounds: Sequence[Mapping[str, Figures]], arm: str) -> float:
    return statistics.median(each[arm]["seconds"] for each in rounds)


def timed(work: Callable[[], Any]) -> float:
    """Seconds of wall time."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def run_command(command: Sequence[str], **environment: str) -> tuple[float, str]:
    """Seconds of wall time and standard output of a command; if it fails, its error ends the benchmark."""
    began = time.perf_counter()
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    seconds = time.perf_counter() - began
    if done.returncode != 0:
        said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-8:])
        raise SystemExit(f"{' '.join(command[:6])} ... failed ({done.returncode}):\n{said}")
    return seconds, done.stdout


def last_json(output: str) -> Figures:
    """The last line of a command's standard output."""
    found: Figures = json.loads(output.strip().splitlines()[-1])
    return found


def machine(device: str = "cpu") -> Figures:
    """Processor, cores and memory bandwidth of `device`: the most bytes per second in summing or copying a
    large tensor, of five tries each."""
    import torch

    from harness.origin import hardware

    tensor = torch.ones(BANDWIDTH_BYTES // 4, device=device)
    copy = torch.empty_like(tensor)

    def rate(work: Callable[[], Any], moved: int) -> float:
        def whole() -> None:
            work()
            if device != "cpu":
                torch.cuda.synchronize()

        return moved / min(timed(whole) for _ in range(5))

    best = max(rate(tensor.sum, BANDWIDTH_BYTES), rate(lambda: copy.copy_(tensor), 2 * BANDWIDTH_BYTES))
    about = hardware()
    if device != "cpu":
        about["gpu"] = torch.cuda.get_device_name()
    return {**about, "threads": torch.get_num_threads(), "memory_bandwidth_gbs": round(best / 1e9, 1)}


def shown_machine(about: Figures) -> str:
    """One line of `machine` for people."""
    return (
        f"{about['gpu'] or about['cpu']}, {about['cores']} cores, {about['threads']} threads, "
        f"memory {about['memory_bandwidth_gbs']:.1f} GB/s"
    )


def decode_limit(parameters: int, dtype: str, rows: int, about: Figures) -> float:
    """Tokens per second that memory allows: every decode step of `rows` rows reads all weights once. Keys,
    values and prompts are not included."""
    size = {"float32": 4, "bfloat16": 2, "float16": 2}[dtype]
    return rows * float(about["memory_bandwidth_gbs"]) * 1e9 / (parameters * size)


def finish(card: Sequence[str], report: Figures) -> int:
    """Print the card and, last, the report as one JSON line; 0 unless its `status` is `missed`."""
    print("\n".join(card))
    print(json.dumps(report))
    return 1 if report["status"] == "missed" else 0


def skip(reason: str) -> int:
    """The report of a benchmark that cannot run here."""
    return finish([f"skipped: {reason}"], {"status": "skipped", "reason": reason})
