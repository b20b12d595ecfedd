"""Every benchmark, one after the other, each in a separate process: what `make benchmark` runs.

    python tests/benchmarks/all.py                                  # full sizes, on an idle machine
    python tests/benchmarks/all.py --quick                          # minutes: does everything still run?
    python tests/benchmarks/all.py --only start,scheduler
    python tests/benchmarks/all.py --data DIR --base-url http://127.0.0.1:8000/v1

Each prints its card as it ends. The last line of all is one JSON object with the reports by name; a
benchmark that cannot run here is `skipped` in it, with the reason. Exit 1 where one missed its bound or
failed. Each benchmark's own file says what it measures.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from measuring import Figures, machine, shown_machine

HERE = Path(__file__).resolve().parent
COMMANDS: dict[str, tuple[str, str]] = {
    "start": ("start.py", "--rounds 3"),
    "scheduler": ("scheduler.py", "--items 1000,10000"),
    "large_statistics": ("large_statistics.py", "--items 5000"),
    "hf_samples": ("hf_samples.py", "--prompts 4 --rounds 1 --generate-rows 32"),
    "hf_bfloat16": (
        "hf_beside_lm_eval.py --dtype bfloat16",
        "--prompts 8 --answers 16 --max-tokens 16 --batch-sizes 16 --rounds 1",
    ),
    "hf_float32": (
        "hf_beside_lm_eval.py --dtype float32",
        "--prompts 8 --answers 16 --max-tokens 16 --batch-sizes 16 --rounds 1",
    ),
    "vllm": ("vllm_stream.py", "--prompts 8 --max-tokens 16 --rounds 1 --eager"),
    "openai": ("openai_loopback.py", "--prompts 8 --max-tokens 16 --rounds 1"),
    "trivia_grading": ("trivia_grading.py", "--limit 1000"),
    "training": ("training.py --examples 24 --rounds 3", "--rounds 1"),
}
"""Name -> command, and its additions for --quick."""
TAKES_DATA = ("hf_bfloat16", "hf_float32", "openai", "trivia_grading")


def command_of(name: str, options: argparse.Namespace) -> list[str]:
    script, quick = COMMANDS[name]
    words = [sys.executable, *script.split()]
    words[1] = str(HERE / words[1])
    words += quick.split() if options.quick else []
    words += ["--data", options.data] if name in TAKES_DATA else []
    return words + (["--base-url", options.base_url] if name == "openai" and options.base_url else [])


def run(name: str, options: argparse.Namespace) -> Figures:
    """Shows a benchmark's card; returns its report."""
    if name == "vllm" and importlib.util.find_spec("vllm") is None:
        print("skipped: vLLM is not installed (make vllm)", flush=True)
        return {"status": "skipped", "reason": "vLLM is not installed (make vllm)"}
    child = subprocess.Popen(command_of(name, options), stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    lines: list[str] = []
    for line in child.stdout:
        if lines:
            print(lines[-1], end="", flush=True)
        lines.append(line)
    code = child.wait()
    try:
        report: Figures = json.loads(lines[-1])
    except (IndexError, ValueError):
        print("".join(lines[-1:]) + f"failed: exit status {code}", flush=True)
        return {"status": "failed", "exit_status": code}
    return {"status": "ok" if code == 0 else "missed", **report}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run them, print a card and one line of JSON."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", help=f"some of {', '.join(COMMANDS)}")
    parser.add_argument("--quick", action="store_true", help="small sizes: ratios mean little")
    parser.add_argument("--data", default="embedded", help="embedded, or a folder of public data")
    parser.add_argument("--base-url", help="of a running vllm serve, for openai")
    options = parser.parse_args(arguments)
    names = options.only.split(",") if options.only else list(COMMANDS)
    for name in names:
        if name not in COMMANDS:
            parser.error(f"--only {name}: choose from {', '.join(COMMANDS)}")
    about = machine("cuda" if torch.cuda.is_available() else "cpu")
    print(shown_machine(about), flush=True)
    reports = {}
    for name in names:
        print(f"\n== {name}", flush=True)
        reports[name] = run(name, options)
    print("\n" + "\n".join(f"{name:16} {report['status']}" for name, report in reports.items()))
    good = all(report["status"] in ("ok", "skipped") for report in reports.values())
    print(json.dumps({"status": "ok" if good else "missed", "machine": about, "benchmarks": reports}))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
