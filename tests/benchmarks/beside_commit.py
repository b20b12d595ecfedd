"""Is the hf engine as fast as at another commit? Both run the same prompt ids and weights in turn; ratios.

    git worktree add /tmp/before COMMIT
    python tests/benchmarks/beside_commit.py --before /tmp/before                   # smollm2, 3 rounds
    python tests/benchmarks/beside_commit.py --before /tmp/before --pretrained DIR --dtype bfloat16

load      from the call to an engine that is ready, its check of the model included
direct    short answers to prompts of different lengths
cot       long answers
samples   eight samples of each prompt
whole     all of it, each figure the sum of its parts

Each arm is a process that imports the package from its own folder. With --cpu it has one thread, and its
seconds are processor time: use it if other work shares the machine. Prompts are random ids,
half of them with a common beginning; the ids from both arms are compared. Prints a card and, last, one
line of JSON with medians of ratios; exit 1 if one other than that of `load` is above --bound, or if float32
ids differ.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from measuring import Figures, finish, last_json, machine, ratios, run_command, shown_machine, take_turns

WORKS = ("direct", "cot", "samples")


def prompts(vocabulary: int, count: int, shortest: int, longest: int, seed: int) -> list[list[int]]:
    """Random ids; every second prompt begins like the first one."""
    draw = random.Random(seed)
    low = min(100, vocabulary // 2)
    made = [
        [draw.randrange(low, vocabulary) for _ in range(draw.randint(shortest, longest))]
        for _ in range(count)
    ]
    common = made[0][: shortest // 2]
    return [common + ids[len(common) :] if place % 2 else ids for place, ids in enumerate(made)]


def work(options: argparse.Namespace) -> Figures:
    """One arm, in this process: seconds by part, and a hash of all generated ids."""
    try:
        from harness.engines.hf.engine import HuggingFaceEngine
        from harness.models.source import ModelSource
    except ImportError:  # an older commit, in which each was one file
        from harness.engines.hf import HuggingFaceEngine  # type: ignore[no-redef]
        from harness.models import ModelSource  # type: ignore[no-redef]
    from harness.types import Request, Sampling

    clock = time.process_time if options.cpu else time.perf_counter
    began = clock()
    engine = HuggingFaceEngine.load(ModelSource("model", options.pretrained, dtype=options.dtype), {})
    seconds = {"load": clock() - began}
    vocabulary = engine._model.config.get_text_config().vocab_size
    scale = options.scale

    def ask(name: str, ids: Sequence[int], number: int, sample: int, **sampling: Any) -> Request:
        drawn = Sampling(**sampling)
        key = f"{name}-{number}-{sample}"
        return Request(str(number), name, sample, [], tuple(ids), drawn, sample, None, key)

    asked = {
        "direct": [
            ask("direct", ids, number, 0, max_tokens=24)
            for number, ids in enumerate(prompts(vocabulary, 48 * scale, 40, 140, 1))
        ],
        "cot": [
            ask("cot", ids, number, 0, max_tokens=96)
            for number, ids in enumerate(prompts(vocabulary, 16 * scale, 60, 200, 2))
        ],
        "samples": [
            ask("samples", ids, number, sample, max_tokens=32, temperature=0.7)
            for number, ids in enumerate(prompts(vocabulary, 4 * scale, 150, 250, 3))
            for sample in range(8)
        ],
    }
    # The first pass also compiles and allocates.
    engine.generate(asked["direct"][:2])
    digest = hashlib.sha256()
    for name in WORKS:
        began = clock()
        made = {}
        for batch in engine.plan(asked[name]):
            done = engine.generate(batch)
            made |= {request.key: each.generated_ids for request, each in zip(batch, done, strict=True)}
        seconds[name] = clock() - began
        digest.update(json.dumps(sorted(made.items())).encode())
    return {"by_part": seconds, "ids": digest.hexdigest()}


def arm(root: Path, options: argparse.Namespace, folder: str) -> Figures:
    command = [sys.executable, __file__, "--worker", "--pretrained", folder, "--dtype", options.dtype]
    command += ["--scale", str(options.scale), *(["--cpu"] if options.cpu else [])]
    one_thread = {"OMP_NUM_THREADS": "1"} if options.cpu else {}
    _, output = run_command(command, PYTHONPATH=str(root), **one_thread)
    found = last_json(output)
    return {**found, "seconds": sum(found["by_part"].values())}


def commit_of(root: Path) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "no commit"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the rounds, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--before", type=Path, help="folder of the other checkout")
    parser.add_argument("--pretrained", default="smollm2", help="smollm2, a GGUF file or a model folder")
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--scale", type=int, default=1, help="so many times the prompts")
    parser.add_argument("--bound", type=float, default=1.02)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cpu", action="store_true", help="one thread, seconds of the processor")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.worker:
        print(json.dumps(work(options)))
        return 0
    if options.before is None or not (options.before / "harness").is_dir():
        parser.error("--before: give the folder of a checkout of this repository")

    from harness.models.source import resolve_model

    folder = resolve_model(options.pretrained).location
    here = Path(__file__).resolve().parents[2]
    roots = {"now": here, "before": options.before.resolve()}
    rounds = take_turns(
        {name: lambda root=root: arm(root, options, folder) for name, root in roots.items()}, options.rounds
    )
    found = {"whole": statistics.median(ratios(rounds, "now", "before"))}
    seconds = {}
    for part in ("load", *WORKS):
        pairs = [(each["now"]["by_part"][part], each["before"]["by_part"][part]) for each in rounds]
        found[part] = statistics.median(now / before for now, before in pairs)
        seconds[part] = [statistics.median(side) for side in zip(*pairs, strict=True)]
    equal = len({each[name]["ids"] for each in rounds for name in roots}) == 1
    within = all(found[part] <= options.bound for part in WORKS)
    missed = not within or (options.dtype == "float32" and not equal)
    card = [
        f"{options.pretrained}, {options.dtype}, {options.rounds} rounds, {shown_machine(machine())}"
        + (", processor seconds of one thread" if options.cpu else ""),
        f"commit {commit_of(here)} beside {commit_of(options.before)}; ids {'equal' if equal else 'differ'}",
        *(
            f"  {part:<8} {found[part]:.3f}  ({seconds[part][0]:.2f} s, {seconds[part][1]:.2f} s)"
            for part in ("load", *WORKS)
        ),
        f"  {'whole':<8} {found['whole']:.3f}",
    ]
    report = {
        "status": "missed" if missed else "ok",
        "bound": options.bound,
        "ratios": found,
        "seconds": seconds,
        "ids_equal": equal,
        "rounds": rounds,
    }
    return finish(card, report)


if __name__ == "__main__":
    sys.exit(main())
