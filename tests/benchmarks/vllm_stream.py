"""What do our scheduler, store and counts cost beside vLLM alone? Wall times as ratios.

    python tests/benchmarks/vllm_stream.py                    # smollm2, 128 questions, 3 rounds
    python tests/benchmarks/vllm_stream.py --prompts 32 --max-tokens 64 --rounds 1 --eager

chat        the same prompts through `LLM.chat`, all at once, against our `cot` through the scheduler;
            each in a separate process, in turn, model loaded and warm before the clock starts
rar_2step   a program of two steps through the scheduler, against the same calls given to
bsm         the engine all at once as independent prompts, with an empty prefix cache, in turn

Greedy, one dtype, the same maximum of tokens, as much memory for keys and values on both sides. The arms of
a program run few rows at once (--rows): if all fit at once, a program of two steps would need twice the
decode steps of independent prompts whatever the scheduler does. Prints a card and, last, one line of JSON
with medians of ratios and what each arm generated; exit 1 if `chat` is above 1.05, a program above 1.1,
or the arms of a round differ in tokens by more than 1 %.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.engines import KINDS
from harness.jobs import Job
from harness.lm.tasks import load_tasks
from harness.models.source import ModelSource, resolve_model
from harness.options import RunOptions
from harness.programs.base import get_method
from harness.scheduler import Scheduler
from harness.session import Session
from harness.store import CallStore

SAME_WORK = 0.01
"""Share of tokens by which the arms of a round may differ: where two logits are nearly equal, texts may
diverge."""

BOUNDS = {"chat": 1.05, "rar_2step": 1.1, "bsm": 1.1}
TASK_OF = {"cot": "gsm8k", "rar_2step": "coin_flip", "bsm": "judge"}


def arguments_of(options: argparse.Namespace) -> dict[str, Any]:
    """vLLM's arguments, alike on both sides."""
    memory = {"kv_cache_memory_bytes": int(options.kv_gib * 2**30)}
    return memory | ({"enforce_eager": True} if options.eager else {})


def jobs_of(engine: Any, scheduler: Scheduler, method: str, options: argparse.Namespace) -> list[Job]:
    """`method` on generated items of its task."""
    tasks = load_tasks([TASK_OF[method]], "embedded", [], {"seed": 0}, options.prompts)
    asked = RunOptions(sampling={"max_tokens": options.max_tokens}, engine="vllm")
    source = ModelSource(options.pretrained, options.pretrained)
    context = Session(asked, source, engine, scheduler, tasks)
    rows = [tasks[0].rows("test")[index] for index in tasks[0].indices][: options.prompts]
    return [context.job(tasks[0], tasks[0].item(row), get_method(method), 0) for row in rows]


def timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measured(engine: Any, work: Callable[[], Any]) -> dict[str, float]:
    """Seconds of `work`, processor seconds of this process, and the tokens that the engine read and
    generated."""
    before = engine.execution.as_dict()
    processor = time.process_time()
    seconds = timed(work)
    after = engine.execution.as_dict()
    return {
        "seconds": seconds,
        "own_seconds": time.process_time() - processor,
        "tokens": after["generated_tokens"] - before["generated_tokens"],
        "prompt_tokens": after["prompt_tokens"] - before["prompt_tokens"],
    }


def stores() -> CallStore:
    """A new, empty store."""
    return CallStore(Path(tempfile.mkdtemp()) / "calls.sqlite")


def forget(engine: Any) -> None:
    """Empties the prefix cache, so that no arm finds what another has computed."""
    engine.prepare()
    assert engine.call(engine._engine.reset_prefix_cache()), "the prefix cache is in use"


def open_vllm(options: argparse.Namespace, **more: Any) -> Any:
    source = resolve_model(options.pretrained, dtype=options.dtype)
    return KINDS["vllm"].open(source, {**arguments_of(options), **more})


def chat_arm(options: argparse.Namespace) -> dict[str, float]:
    """Seconds and generated tokens of `LLM.chat`, or of our engine, in this process."""
    if options.child == "ours":
        engine = open_vllm(options)
        # Another token limit makes other calls, so the warm-up leaves nothing to find.
        warm_up = argparse.Namespace(**{**vars(options), "max_tokens": 8})
        scheduler = Scheduler(engine, stores())
        scheduler.run(jobs_of(engine, scheduler, "cot", warm_up), "warm-up")
        forget(engine)
        jobs = jobs_of(engine, scheduler, "cot", options)
        found = measured(engine, lambda: scheduler.run(jobs, "cot"))
        engine.close()
        return found
    from vllm import LLM, SamplingParams

    engine = open_vllm(options)  # never started: it is used for dtype and prompts
    jobs = jobs_of(engine, Scheduler(engine, stores()), "cot", options)
    conversations = [job.method.start(job.item, job.options, job.vote).send(None).messages for job in jobs]
    stops = list(jobs[0].sampling("cot").stop)
    ends = sorted(engine._chat.end_ids)
    llm = LLM(
        model=resolve_model(options.pretrained).location,
        dtype=engine.model.dtype,
        enable_prefix_caching=True,
        load_format="safetensors",
        **arguments_of(options),
    )

    def chat(tokens: int) -> list[Any]:
        parameters = SamplingParams(
            temperature=0.0,
            max_tokens=tokens,
            stop=stops,
            stop_token_ids=ends,
            skip_special_tokens=False,
        )
        thinking = {"enable_thinking": False}
        return list(llm.chat(conversations, parameters, use_tqdm=False, chat_template_kwargs=thinking))

    chat(8)
    assert llm.reset_prefix_cache(), "the prefix cache is in use"
    began, processor = time.perf_counter(), time.process_time()
    done = chat(options.max_tokens)
    return {
        "seconds": time.perf_counter() - began,
        "own_seconds": time.process_time() - processor,
        "tokens": sum(len(each.outputs[0].token_ids) for each in done),
        "prompt_tokens": sum(len(each.prompt_token_ids) for each in done),
    }


def child(arm: str, options: argparse.Namespace) -> dict[str, float]:
    """Runs the arm in a separate process; its last line is its result."""
    command = [sys.executable, __file__, "--child", arm, *options.passed]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def same_work(arms: Mapping[str, Mapping[str, float]]) -> bool:
    """Whether all arms of a round read and generated the same number of tokens."""
    return all(
        max(found) - min(found) <= SAME_WORK * max(found)
        for found in ([arm[kind] for arm in arms.values()] for kind in ("tokens", "prompt_tokens"))
    )


def a_round(arms: Mapping[str, Mapping[str, float]], ours: str, peer: str) -> dict[str, float]:
    """Figures of a round in one row."""
    row = {f"{name} {key}": value for name, arm in arms.items() for key, value in arm.items()}
    ratio = arms[ours]["seconds"] / arms[peer]["seconds"]
    return {**row, "ratio": ratio, "same_work": float(same_work(arms))}


def program_ratios(options: argparse.Namespace) -> dict[str, list[dict[str, float]]]:
    """Per program, its rounds: the program, and its calls as independent prompts."""
    engine = open_vllm(options, max_num_seqs=options.rows)
    found: dict[str, list[dict[str, float]]] = {}
    for method in ("rar_2step", "bsm"):
        scheduler = Scheduler(engine, stores())
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

        found[method] = []
        for number in range(options.rounds):
            fresh = Scheduler(engine, stores())
            arms: dict[str, Callable[[], Any]] = {
                "program": lambda jobs=jobs, fresh=fresh: fresh.run(jobs, "program"),
                "independent": independent,
            }
            done: dict[str, dict[str, float]] = {}
            for name in sorted(arms, reverse=number % 2 == 0):
                forget(engine)
                done[name] = measured(engine, arms[name])
            found[method].append({"calls": len(calls), **a_round(done, "program", "independent")})
    engine.close()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pretrained", default="smollm2")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--prompts", type=int, default=128)
    parser.add_argument("--max-tokens", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=32, help="of a batch, for the programs")
    parser.add_argument("--kv-gib", type=float, default=4.0, help="memory for keys and values")
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
            done = {arm: child(arm, options) for arm in arms}
            found["chat"].append(a_round(done, "ours", "plain"))
    if options.only != "chat":
        found.update(program_ratios(options))
    medians = {name: statistics.median(each["ratio"] for each in rounds) for name, rounds in found.items()}
    for name, rounds in found.items():
        print(f"{name}: median ratio {medians[name]:.3f} (at most {BOUNDS[name]})")
        for each in rounds:
            print("   ", ", ".join(f"{key} {value:.2f}" for key, value in each.items()))
    good = all(medians[name] <= BOUNDS[name] for name in medians)
    good = good and all(each["same_work"] for rounds in found.values() for each in rounds)
    print(json.dumps({"status": "ok" if good else "missed", "ratios": medians, "rounds": found}))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
