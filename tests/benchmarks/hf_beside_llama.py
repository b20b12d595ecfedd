"""Is the hf engine or llama.cpp's server the faster one for the same GGUF file? Whole commands, as a ratio.

    .venv-servers/bin/python tests/fixtures/llama_command.py model.gguf --port 8080 --slots 8 --context 16384
    python tests/benchmarks/hf_beside_llama.py --pretrained model.gguf --base-url http://127.0.0.1:8080/v1

ours     `--engine hf --dtype bfloat16` on the converted file; a run that is not timed converts it
server   `--engine openai --base-url`: quantised weights; the server may keep prompts of earlier rounds

Both are `s2d-bench --models s2:cot --tasks gsm8k` with the same items and at most --max-tokens of reasoning;
the server is up and has loaded its model. Stop other programs. Texts differ, since one side computes with
quantised weights; tokens are shown. Prints a card and, last, one line of JSON; exit 1 above --bound.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from measuring import Figures, finish, machine, median_seconds, ratios, run_command, shown_machine, take_turns


def whole(options: argparse.Namespace, limit: int, *engine: str) -> Figures:
    """Seconds of one command, and the tokens that it generated."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "run"
        command = [sys.executable, "-m", "harness.command.cli", "--models", "s2:cot", "--tasks", "gsm8k"]
        command += ["--limit", str(limit), "--sampling", f"max_tokens.reason={options.max_tokens}"]
        command += ["--data", options.data, "--output", str(folder), *engine]
        seconds, _ = run_command(command)
        row = json.loads((folder / "leaderboard.json").read_text())["rows"][0]
    return {"seconds": seconds, "tokens": row["n"] * row["generated_tokens"], "score": row["score"]}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the rounds, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pretrained", required=True, help="the GGUF file")
    parser.add_argument("--base-url", required=True, help="of the server that has it loaded")
    parser.add_argument(
        "--data", default="embedded", help="where the GSM8K questions are (default: embedded)"
    )
    parser.add_argument("--items", type=int, default=32)
    parser.add_argument("--max-tokens", type=int, default=256)
    parser.add_argument("--bound", type=float, default=0.5)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)

    ours = ("--pretrained", options.pretrained, "--engine", "hf", "--dtype", "bfloat16")
    server = ("--pretrained", "model", "--engine", "openai", "--base-url", options.base_url)
    whole(options, 1, *ours)
    whole(options, 1, *server)
    rounds = take_turns(
        {
            "ours": partial(whole, options, options.items, *ours),
            "server": partial(whole, options, options.items, *server),
        },
        options.rounds,
    )
    ratio = statistics.median(ratios(rounds, "ours", "server"))
    sides = {
        name: (median_seconds(rounds, name), statistics.median(each[name]["tokens"] for each in rounds))
        for name in ("ours", "server")
    }
    card = [
        f"{options.pretrained}, {options.items} items, at most {options.max_tokens} tokens, "
        f"{options.rounds} rounds, {shown_machine(machine())}",
        *(f"  {name:<8} {seconds:.1f} s, {tokens:.0f} tokens" for name, (seconds, tokens) in sides.items()),
        f"  ratio    {ratio:.2f}",
    ]
    report = {
        "status": "missed" if ratio > options.bound else "ok",
        "bound": options.bound,
        "ratio": ratio,
        "rounds": rounds,
    }
    return finish(card, report)


if __name__ == "__main__":
    sys.exit(main())
