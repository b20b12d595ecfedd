"""What do our scheduler, store and counts cost beside vLLM alone? Wall times as ratios.

    python tests/benchmarks/vllm_stream.py                    # smollm2, 128 questions, 3 rounds
    python tests/benchmarks/vllm_stream.py --prompts 32 --max-tokens 64 --rounds 1 --eager

chat        the same prompts through `LLM.chat`, all at once, against our `cot` through the scheduler;
            each in a process of its own, in turn, model loaded and warm before the clock starts
rar_2step   a program of two steps through the scheduler, against the very calls that it makes handed to
bsm         the engine all at once as independent prompts, with an empty prefix cache, in turn

Greedy, one dtype, the same maximum of tokens. Prints a card and, last, one line of JSON with medians of
ratios; exit 1 where `chat` is above 1.05 or a program above 1.1.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness.engines import open_engine
from harness.lm import load_tasks
from harness.models import ModelSource, resolve_model
from harness.options import RunOptions
from harness.programs.base import get_method
from harness.run import RunContext
from harness.scheduler import Job, Scheduler
from harness.store import CallStore

BOUNDS = {"chat": 1.05, "rar_2step": 1.1, "bsm": 1.1}
TASK_OF = {"cot": "gsm8k", "rar_2step": "coin_flip", "bsm": "judge"}


def arguments_of(options: argparse.Namespace) -> dict[str, Any]:
    """vLLM's arguments, alike on both sides."""
    return {"enforce_eager": True} if options.eager else {}


def jobs_of(engine: Any, scheduler: Scheduler, method: str, options: argparse.Namespace) -> list[Job]:
    """`method` on generated items of its task."""
    tasks = load_tasks([TASK_OF[method]], "embedded", [], {"seed": 0}, options.prompts)
    asked = RunOptions(sampling={"max_tokens": options.max_tokens}, engine="vllm")
    source = ModelSource(options.pretrained, options.pretrained)
    context = RunContext(asked, source, engine, scheduler, tasks)
    rows = [tasks[0].rows("test")[index] for index in tasks[0].indices][: options.prompts]
    return [context.job(tasks[0], tasks[0].item(row), get_method(method), 0) for row in rows]


def timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def stores() -> CallStore:
    """A new store: nothing is found in it."""
    return CallStore(Path(tempfile.mkdtemp()) / "calls.sqlite")


def forget(engine: Any) -> None:
    """Empty the prefix cache, so that no arm finds what another has computed."""
    engine.prepare()
    engine.call(engine._engine.reset_prefix_cache())


def open_vllm(options: argparse.Namespace) -> Any:
    source = resolve_model(options.pretrained, dtype=options.dtype)
    return open_engine("vllm", source, arguments_of(options))


def chat_arm(options: argparse.Namespace) -> dict[str, float]:
    """Seconds and generated tokens of `LLM.chat`, or of our engine, in this process."""
    if options.child == "ours":
        engine = open_vllm(options)
        # Another maximum makes other calls: the warm-up leaves nothing to find.
        warm_up = argparse.Namespace(**{**vars(options), "max_tokens": 8})
        scheduler = Scheduler(engine, stores())
        scheduler.run(jobs_of(engine, scheduler, "cot", warm_up), "warm-up")
        forget(engine)
        jobs = jobs_of(engine, scheduler, "cot", options)
        before = engine.execution.generated_tokens
        seconds = timed(lambda: scheduler.run(jobs, "cot"))
        tokens = engine.execution.generated_tokens - before
        engine.close()
        return {"seconds": seconds, "tokens": tokens}
    from vllm import LLM, SamplingParams

    engine = open_vllm(options)  # never started: it knows dtype and prompts
    jobs = jobs_of(engine, Scheduler(engine, stores()), "cot", options)
    conversations = [job.method.start(job.item, job.options, job.vote).send(None).messages for job in jobs]
    stops = list(jobs[0].sampling("cot").stop)
    llm = LLM(
        model=resolve_model(options.pretrained).location,
        dtype=engine.model.dtype,
        enable_prefix_caching=True,
        load_format="safetensors",
        **arguments_of(options),
    )

    def chat(tokens: int) -> list[Any]:
        parameters = SamplingParams(temperature=0.0, max_tokens=tokens, stop=stops)
        return list(llm.chat(conversations, parameters, use_tqdm=False))

    chat(8)
    llm.reset_prefix_cache()
    began = time.perf_counter()
    done = chat(options.max_tokens)
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "tokens": sum(len(each.outputs[0].token_ids) for each in done)}


def child(arm: str, options: argparse.Namespace) -> dict[str, float]:
    """The arm in a process of its own; its last line is its result."""
    command = [sys.executable, __file__, "--child", arm, *options.passed]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def program_ratios(options: argparse.Namespace) -> dict[str, list[dict[str, float]]]:
    """Per program and round: seconds of the program and of its calls as independent prompts."""
    engine = open_vllm(options)
    found: dict[str, list[dict[str, float]]] = {}
    for method in ("rar_2step", "bsm"):
        store = stores()
        scheduler = Scheduler(engine, store)
        jobs = jobs_of(engine, scheduler, method, options)
        calls: dict[str, Any] = {}
        usual = engine.submit

        def noted(requests: Sequence[Any], usual: Any = usual, calls: dict[str, Any] = calls) -> None:
            calls.update({request.key: request for request in requests})
            usual(requests)

        engine.submit = noted
        scheduler.run(jobs, f"{method} warm-up")
        engine.submit = usual

        def independent(calls: dict[str, Any] = calls) -> None:
            engine.submit(list(calls.values()))
            while engine.poll():
                pass

        rounds = []
        for number in range(options.rounds):
            arms = {
                "program": lambda jobs=jobs: Scheduler(engine, stores()).run(jobs, "program"),
                "independent": independent,
            }
            seconds: dict[str, float] = {"calls": len(calls)}
            for name in sorted(arms, reverse=number % 2 == 0):
                forget(engine)
                seconds[name] = timed(arms[name])
            rounds.append({**seconds, "ratio": seconds["program"] / seconds["independent"]})
        found[method] = rounds
    engine.close()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pretrained", default="smollm2")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--prompts", type=int, default=128)
    parser.add_argument("--max-tokens", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--eager", action="store_true", help="start sooner, run slower")
    parser.add_argument("--only", choices=("chat", "programs"))
    parser.add_argument("--child", choices=("ours", "plain"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.passed = [word for word in sys.argv[1:] if not word.startswith("--child")]
    if options.child:
        print(json.dumps(chat_arm(options)))
        return 0
    found: dict[str, list[dict[str, float]]] = {}
    if options.only != "programs":
        found["chat"] = []
        for number in range(options.rounds):
            arms = ("ours", "plain") if number % 2 else ("plain", "ours")
            measured = {arm: child(arm, options) for arm in arms}
            ratio = measured["ours"]["seconds"] / measured["plain"]["seconds"]
            found["chat"].append(
                {
                    "ours": measured["ours"]["seconds"],
                    "plain": measured["plain"]["seconds"],
                    "tokens_ours": measured["ours"]["tokens"],
                    "tokens_plain": measured["plain"]["tokens"],
                    "ratio": ratio,
                }
            )
    if options.only != "chat":
        found.update(program_ratios(options))
    medians = {name: statistics.median(each["ratio"] for each in rounds) for name, rounds in found.items()}
    for name, rounds in found.items():
        print(f"{name}: median ratio {medians[name]:.3f} (at most {BOUNDS[name]})")
        for each in rounds:
            print("   ", ", ".join(f"{key} {value:.2f}" for key, value in each.items()))
    good = all(medians[name] <= BOUNDS[name] for name in medians)
    print(json.dumps({"status": "ok" if good else "missed", "ratios": medians, "rounds": found}))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
