"""What do scheduler, call store and accounting cost? A program of three calls on many items, without a model.

    python tests/benchmarks/scheduler.py                     # 1,000, 10,000 and 100,000 items
    python tests/benchmarks/scheduler.py --items 1000,10000 --words 120

Each size runs in a separate process, on the scripted engine with a new store on disk: every call is
planned, answered, committed and passed on, then counted for its item. The largest size must stay below
60 s and 600 MB, and an item of it may cost at most 1.3 of what an item of the cheapest size costs (the
start of the process is not counted). Prints a card and, last, one line of JSON; exit 1 if a bound is
broken.
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

from measuring import Figures, finish, last_json, run_command

LIMIT_SECONDS, LIMIT_MB, LIMIT_GROWTH = 60.0, 600.0, 1.3
STEPS = ("plan", "draft", "answer")


def measure(items: int, words: int, folder: Path) -> Figures:
    """Seconds and peak of memory of one size, in this process."""
    from harness.engines.scripted import ScriptedEngine
    from harness.jobs import Job
    from harness.programs.base import Method, Program
    from harness.sample_rows import usage
    from harness.scheduler import Scheduler
    from harness.store import CallStore
    from harness.types import Ask, Item, Request, Sampling, user

    def three_calls(item: Item) -> Program:
        text = ""
        for step in STEPS:
            reply = yield Ask(step, [user(f"{item.question}\n{step}: {text}")])
            text = reply.text
        return text

    def respond(request: Request, adapter: object) -> str:
        return f"{request.step} for {request.item_id} in a dozen words or so, no more than that"

    method = Method("three_calls", "three calls in a row", STEPS, three_calls)
    sampling = Sampling()

    def drawn(step: str) -> Sampling:
        return sampling

    filler = " ".join(f"word{place}" for place in range(words))

    def job(number: int) -> Job:
        # Ids of words may collide, so the number is written as several words: equal prompts would be asked
        # once.
        name, question = f"item-{number}", f"Question {' '.join(str(number))} : {filler}"
        return Job(Item(name, name, "", question, ""), method, drawn)

    began, before = time.perf_counter(), time.process_time()
    jobs = [job(number) for number in range(items)]
    store = CallStore(folder / "calls.sqlite")
    engine = ScriptedEngine(respond)
    responses = Scheduler(engine, store).run(jobs, "benchmark")
    counted = [usage(response) for response in responses]
    seconds, cpu = time.perf_counter() - began, time.process_time() - before
    assert sum(each["calls"] for each in counted) == store.count() == len(STEPS) * items
    assert sum(each["generated_tokens"] for each in counted) == engine.execution.generated_tokens
    store.close()
    # Kilobytes on Linux, bytes on macOS.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {
        "items": items,
        "seconds": round(seconds, 3),
        "cpu_seconds": round(cpu, 3),
        "peak_mb": round(peak / 1e6, 1),
        "microseconds_per_item": round(1e6 * seconds / items, 1),
        "prompt_tokens": engine.execution.prompt_tokens,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every size in a fresh process, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--items", default="1000,10000,100000", help="sizes")
    parser.add_argument("--words", type=int, default=40, help="of a question")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.folder:
        print(json.dumps(measure(int(options.items), options.words, options.folder)))
        return 0
    sizes = []
    for items in map(int, options.items.split(",")):
        with tempfile.TemporaryDirectory() as scratch:
            command = [sys.executable, __file__, "--folder", scratch, "--items", str(items)]
            sizes.append(last_json(run_command([*command, "--words", str(options.words)])[1]))
    largest = max(sizes, key=lambda size: size["items"])
    cheapest = min(size["microseconds_per_item"] for size in sizes)
    growth = largest["microseconds_per_item"] / cheapest
    good = largest["seconds"] < LIMIT_SECONDS and largest["peak_mb"] < LIMIT_MB and growth <= LIMIT_GROWTH
    card = [f"scheduler, store and accounting: {len(STEPS)} calls an item, {os.cpu_count()} cores"]
    card += [
        f"  {size['items']:>8,} items {size['seconds']:7.2f} s ({size['cpu_seconds']:.2f} s of processor), "
        f"{size['microseconds_per_item']:6.0f} microseconds an item, {size['peak_mb']:6.0f} MB"
        for size in sizes
    ]
    card.append(
        f"  limits for {largest['items']:,}: {LIMIT_SECONDS:g} s, {LIMIT_MB:g} MB; an item of them costs "
        f"{growth:.2f} of the cheapest (at most {LIMIT_GROWTH})"
    )
    report = {"status": "ok" if good else "missed", "growth": round(growth, 3), "sizes": sizes}
    return finish(card, report)


if __name__ == "__main__":
    sys.exit(main())
