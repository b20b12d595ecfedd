"""How fast is the openai engine beside vLLM's own benchmark client, on one server? Seconds as ratios.

    vllm serve MODEL --dtype float32 --port 8000   # the CPU package: python vllm_command.py serve
    python tests/benchmarks/openai_loopback.py --base-url http://127.0.0.1:8000/v1 --pretrained MODEL

ours     GSM8K's chain-of-thought prompts through scheduler, call store and engine, 64 calls at a time
client   `vllm bench serve`, the same prompts, stops and maximum of tokens, greedy, 64 at a time

vLLM's client has its answers streamed token by token, since it measures latencies; ours asks for whole
ones. Each side's time runs from its first request to its last answer. Both send every prompt once before the
rounds, so that the server's prefix cache has all of them in all rounds. Without a server or
vLLM, the benchmark is skipped and says why. Prints a card and, last, one line of JSON; exit 1 if the
median ratio is above 1.1 or a call was not answered.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hf_beside_lm_eval import prompts_of
from measuring import Figures, finish, median_seconds, ratios, run_command, skip, take_turns, timed

from harness.engines import KINDS
from harness.errors import RunError, UserError
from harness.jobs import Job
from harness.lm.tasks import load_tasks
from harness.models.source import resolve_model
from harness.programs.base import get_method
from harness.scheduler import Scheduler
from harness.store import CallStore
from harness.types import Item, Response, Sampling

BOUND = 1.1


def answered(jobs: Sequence[Job], engine: Any) -> tuple[float, list[Response]]:
    """Seconds and responses of all jobs, with a new store."""
    found: list[Response] = []
    with tempfile.TemporaryDirectory() as scratch:
        store = CallStore(Path(scratch) / "calls.sqlite")
        seconds = timed(lambda: found.extend(Scheduler(engine, store).run(jobs, "ours")))
        store.close()
    return seconds, found


def ours(jobs: Sequence[Job], engine: Any) -> Figures:
    seconds, found = answered(jobs, engine)
    return {
        "seconds": seconds,
        "tokens": sum(step.completion.generated_tokens for each in found for step in each.steps),
        "failed": sum(each.error is not None for each in found),
        "texts": [each.text for each in found],
    }


def client(prompts: Path, count: int, sampling: Sampling, options: argparse.Namespace) -> Figures:
    """Runs vLLM's client in a separate process; it measures its own time."""
    with tempfile.TemporaryDirectory() as scratch:
        run_command(
            [
                *options.client, "bench", "serve", "--backend", "openai-chat",
                "--base-url", options.base_url.removesuffix("/").removesuffix("/v1"),
                "--endpoint", "/v1/chat/completions", "--model", options.model,
                "--tokenizer", options.location, "--dataset-name", "custom", "--dataset-path", str(prompts),
                "--custom-output-len", str(sampling.max_tokens), "--skip-chat-template", "--disable-shuffle",
                "--num-prompts", str(count), "--max-concurrency", str(options.concurrency),
                "--temperature", "0", "--extra-body", json.dumps({"stop": list(sampling.stop)}),
                "--disable-tqdm", "--save-result", "--save-detailed", "--result-dir", scratch,
                "--result-filename", "result.json",
            ]
        )  # fmt: skip
        result = json.loads((Path(scratch) / "result.json").read_text())
    return {
        "seconds": result["duration"],
        "tokens": result["total_output_tokens"],
        "failed": count - result["completed"],
        "texts": result["generated_texts"],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Warm up, run the rounds, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--base-url", help="of a running server, such as http://127.0.0.1:8000/v1")
    parser.add_argument("--pretrained", default="smollm2", help="the model that it serves")
    parser.add_argument("--vllm", help="the vllm command (default: this environment's)")
    parser.add_argument("--data", default="embedded", help="embedded, or a folder of public data")
    parser.add_argument("--prompts", type=int, default=128)
    parser.add_argument("--max-tokens", type=int, default=256)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    if not options.base_url:
        return skip("no server was named: --base-url http://127.0.0.1:8000/v1")
    if not options.vllm and importlib.util.find_spec("vllm") is None:
        return skip("vLLM is not installed, so its client is not there to compare with: make vllm, or --vllm")
    command = str(Path(__file__).resolve().parents[1] / "fixtures" / "vllm_command.py")
    options.client = [options.vllm] if options.vllm else [sys.executable, command]
    source = resolve_model(options.pretrained)
    options.location = source.location
    settings = {"base_url": options.base_url, "concurrency": options.concurrency}
    try:
        engine: Any = KINDS["openai"].open(source, settings)
    except (UserError, RunError) as error:
        return skip(f"the server at {options.base_url} cannot be used: {error}")
    options.model = engine.facts()["model"]

    [task] = load_tasks(["gsm8k"], options.data, [], {"seed": 0}, options.prompts)
    rows, sampling = prompts_of(task, "cot", options.max_tokens)
    method = get_method("cot")
    items: list[Item] = [task.item(task.rows("test")[index]) for index in task.indices]
    given = task.spec.method_options.get("cot", {})
    jobs = [Job(item, method, lambda _: sampling, options=given) for item in items]
    with tempfile.TemporaryDirectory() as scratch:
        prompts = Path(scratch) / "prompts.jsonl"
        prompts.write_text("".join(json.dumps({"prompt": row["prompt"]}) + "\n" for row in rows))
        arms = {
            "ours": lambda: ours(jobs, engine),
            "client": lambda: client(prompts, len(rows), sampling, options),
        }
        for arm in arms.values():
            arm()
        rounds = take_turns(arms, options.rounds)
    retries = engine.execution.retries
    engine.close()

    ratio = statistics.median(ratios(rounds, "ours", "client"))
    rates = {arm: rounds[-1][arm]["tokens"] / median_seconds(rounds, arm) for arm in arms}
    failed = sum(each[arm]["failed"] for each in rounds for arm in arms)
    pairs = zip(rounds[-1]["ours"]["texts"], rounds[-1]["client"]["texts"], strict=True)
    equal = sum(one == two for one, two in pairs)
    card = [
        f"openai engine beside vllm bench serve, {options.model}, {len(rows)} prompts, {options.concurrency} "
        f"at a time: median ratio {ratio:.3f} (at most {BOUND})",
        *(
            f"  {arm:7} {median_seconds(rounds, arm):7.2f} s, {rates[arm]:6.0f} tokens/s, "
            f"{rounds[-1][arm]['tokens']} tokens"
            for arm in arms
        ),
        f"  equal texts {equal} of {len(rows)}, unanswered {failed}, retries {retries}",
    ]
    report = {
        "status": "ok" if ratio <= BOUND and not failed else "missed",
        "ratio": round(ratio, 3),
        "ratios": [round(each, 3) for each in ratios(rounds, "ours", "client")],
        "at_most": BOUND,
        "tokens_per_second": {arm: round(rate, 1) for arm, rate in rates.items()},
        "tokens": {arm: rounds[-1][arm]["tokens"] for arm in arms},
        "equal_texts": equal,
        "prompts": len(rows),
        "concurrency": options.concurrency,
        "failed": failed,
        "retries": retries,
    }
    return finish(card, report)


if __name__ == "__main__":
    sys.exit(main())
