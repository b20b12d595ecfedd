"""How fast is `s2d-bench` with the hf engine beside `lm-eval run --model hf`? Whole commands, as ratios.

    python tests/benchmarks/hf_beside_lm_eval.py --data DIR                     # bfloat16, 3 rounds
    python tests/benchmarks/hf_beside_lm_eval.py --data DIR --dtype float32 --work cot --rounds 1
    python tests/benchmarks/hf_beside_lm_eval.py --prompts 4 --answers 8 --max-tokens 8 --batch-sizes 4

cot      GSM8K with chain of thought: at most 0.6 of lm-eval's time in bfloat16, 0.8 in float32
direct   System 1's answers to trivia and judge prompts, with the tasks' stops: at most 0.4

lm-eval gets the same prompts, stops and token limit in a task file, and the batch size of
the list with which it is fastest, found in a pass before the rounds. Both load the model, generate greedily
and write their samples; both are whole processes, so imports and lm-eval's listing of its own tasks count.
Responses are compared item by item: all must be equal in float32. Prints a card and, last, one line of JSON
with medians of ratios; exit 1 if a median is above its bound or a float32 response differs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from measuring import (
    Figures,
    decode_limit,
    finish,
    machine,
    median_seconds,
    ratios,
    run_command,
    shown_machine,
    take_turns,
)

from harness.lm.task import TaskData
from harness.lm.tasks import load_tasks
from harness.models.source import ModelSource, resolve_model
from harness.options import RunOptions
from harness.programs.base import get_method
from harness.session import Session
from harness.types import Sampling

BOUNDS = {"cot": {"bfloat16": 0.6, "float32": 0.8}, "direct": {"bfloat16": 0.4, "float32": 0.4}}
METHOD_OF = {"cot": "cot", "direct": "direct"}


@dataclass
class Work:
    """One set of prompts for both sides."""

    name: str
    tasks: tuple[str, ...]
    limit: int
    """Questions of each task, as for --limit."""
    max_tokens: int
    folder: Path
    """Folder of lm-eval's task files."""
    names: list[str] = field(default_factory=list)
    """lm-eval's names of the tasks."""
    prompts: int = 0
    stops: set[str] = field(default_factory=set)


def prepare(name: str, tasks: Sequence[str], wanted: int, options: argparse.Namespace, folder: Path) -> Work:
    """Write the prompts of about `wanted` items as task files of lm-eval."""
    limit = max(1, wanted // len(tasks))
    loaded = load_tasks(tasks, options.data, [], {"seed": 0}, limit)
    found = sum(len(task.indices) for task in loaded)
    if found > wanted:  # several prompts per question: use fewer questions
        limit = max(1, limit * wanted // found)
        loaded = load_tasks(tasks, options.data, [], {"seed": 0}, limit)
    work = Work(name, tuple(tasks), limit, options.max_tokens, folder)
    folder.mkdir()
    for task in loaded:
        work.names.append(f"beside_{task.name}")
        rows, sampling = prompts_of(task, METHOD_OF[name], options.max_tokens)
        work.prompts += len(rows)
        work.stops.update(sampling.stop)
        write_task(folder, work.names[-1], rows, sampling)
    return work


def prompts_of(task: TaskData, method: str, max_tokens: int) -> tuple[list[dict[str, str]], Sampling]:
    """The user turn of every item as our program makes it, and its sampling."""
    unused: Any = None
    asked = RunOptions(sampling={"max_tokens": max_tokens})
    context = Session(asked, ModelSource("", ""), unused, unused, [task])
    rows, sampling = [], Sampling()
    for index in task.indices:
        job = context.job(task, task.item(task.rows("test")[index]), get_method(method), 0)
        ask: Any = next(job.method.start(job.item, job.options, job.vote))
        (turn,) = ask.messages
        rows.append({"item_id": job.item.item_id, "prompt": turn["content"]})
        sampling = job.sampling(ask.step)
    return rows, sampling


def write_task(folder: Path, name: str, rows: Iterable[dict[str, str]], sampling: Sampling) -> None:
    """A task of lm-eval that asks these prompts."""
    data = folder / f"{name}.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    described = {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data)}},
        "output_type": "generate_until",
        "test_split": "test",
        "doc_to_text": "prompt",
        "doc_to_target": "item_id",
        "generation_kwargs": {
            "until": list(sampling.stop),
            "do_sample": False,
            "temperature": 0.0,
            "max_gen_toks": sampling.max_tokens,
        },
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
        "metadata": {"version": 1.0},
    }
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(described))


def lm_eval(work: Work, batch: int, options: argparse.Namespace) -> Figures:
    """The plain command; returns seconds, and responses by item."""
    with tempfile.TemporaryDirectory() as scratch:
        seconds, _ = run_command(
            [
                sys.executable, "-m", "lm_eval", "run", "--model", "hf",
                "--model_args", f"pretrained={options.location},dtype={options.dtype}",
                "--include_path", str(work.folder), "--tasks", ",".join(work.names), "--apply_chat_template",
                "--batch_size", str(batch), "--device", options.device,
                "--log_samples", "--output_path", scratch,
            ],
            HF_HUB_OFFLINE="1",
            HF_DATASETS_CACHE=str(work.folder / "cache"),
        )  # fmt: skip
        lines = [
            line for file in Path(scratch).rglob("samples_*.jsonl") for line in file.read_text().splitlines()
        ]
    responses = {}
    for sample in map(json.loads, lines):
        text = sample["resps"][0][0]
        for stop in work.stops:
            text = text.split(stop)[0]
        responses[sample["doc"]["item_id"]] = text
    return {"seconds": seconds, "responses": responses}


def ours(work: Work, options: argparse.Namespace) -> Figures:
    """Our whole command; returns seconds, responses by item, tokens, and the engine's entry of the
    manifest."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "run"
        variant = "base" if work.name == "direct" else f"s2:{METHOD_OF[work.name]}"
        seconds, _ = run_command(
            [
                sys.executable, "-m", "harness.command.cli", "--models", variant,
                "--pretrained", options.pretrained,
                "--dtype", options.dtype, "--data", options.data, "--tasks", ",".join(work.tasks),
                "--limit", str(work.limit), "--sampling", f"max_tokens={work.max_tokens}",
                "--engine-args", f"device={options.device}", "--output", str(folder),
            ],
            HF_HUB_OFFLINE="1",
        )  # fmt: skip
        rows = [
            json.loads(line)
            for file in folder.glob("samples/*/*.jsonl")
            for line in file.read_text().splitlines()
        ]
        manifest = json.loads((folder / "manifest.json").read_text())
    return {
        "seconds": seconds,
        "responses": {row["item_id"]: row["response"] for row in rows},
        "tokens": sum(row["usage"]["generated_tokens"] for row in rows),
        "useful_decode_share": manifest["execution"]["useful_decode_share"],
        "batch_rows": manifest["engine"]["batch_rows"],
        "parameters": manifest["model"]["parameters"],
    }


def compare(work: Work, options: argparse.Namespace, about: Figures) -> Figures:
    """lm-eval's best batch size, then the rounds."""
    tried = {}
    if len(options.batch_sizes) > 1:
        for batch in options.batch_sizes:
            tried[batch] = lm_eval(work, batch, options)["seconds"]
            print(f"  lm-eval, batches of {batch}: {tried[batch]:.1f} s", file=sys.stderr, flush=True)
    best = min(tried, key=lambda batch: tried[batch]) if tried else options.batch_sizes[0]
    arms = {"ours": lambda: ours(work, options), "lm-eval": lambda: lm_eval(work, best, options)}
    rounds = take_turns(arms, options.rounds)
    last = rounds[-1]["ours"]
    pairs = [(each["ours"]["responses"], each["lm-eval"]["responses"]) for each in rounds]
    equal = min(sum(one[item] == other.get(item) for item in one) for one, other in pairs)
    rows = min(int(last["batch_rows"]), work.prompts)
    limit = decode_limit(last["parameters"], options.dtype, rows, about)
    found = ratios(rounds, "ours", "lm-eval")
    return {
        "ratio": round(statistics.median(found), 3),
        "ratios": [round(each, 3) for each in found],
        "at_most": BOUNDS[work.name][options.dtype],
        "prompts": work.prompts,
        "equal_responses": equal,
        "generated_tokens": last["tokens"],
        "seconds": {arm: round(median_seconds(rounds, arm), 2) for arm in arms},
        "tokens_per_second": {arm: round(last["tokens"] / median_seconds(rounds, arm), 1) for arm in arms},
        "useful_decode_share": round(last["useful_decode_share"], 4),
        "memory_limit_tokens_per_second": round(limit),
        "memory_limit_rows": rows,
        "lm_eval_batch": best,
        "lm_eval_seconds_by_batch": {str(batch): round(seconds, 1) for batch, seconds in tried.items()},
    }


def shown(name: str, result: Figures) -> str:
    """A set of prompts on the card."""
    seconds, rate = result["seconds"], result["tokens_per_second"]
    return (
        f"{name}: {result['ratio']:.3f} of lm-eval's time (at most {result['at_most']}; "
        f"rounds {', '.join(f'{each:.3f}' for each in result['ratios'])})\n"
        f"  ours {seconds['ours']:.1f} s, {rate['ours']:.0f} tokens/s; lm-eval {seconds['lm-eval']:.1f} s, "
        f"{rate['lm-eval']:.0f} tokens/s, batches of {result['lm_eval_batch']}\n"
        f"  {result['prompts']} prompts, {result['generated_tokens']} tokens, equal responses "
        f"{result['equal_responses']}; useful rows of decode steps {result['useful_decode_share']:.1%}\n"
        f"  memory alone would allow {result['memory_limit_tokens_per_second']:,} tokens/s "
        f"with {result['memory_limit_rows']} rows"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Prepare, compare, print; 0 where all bounds hold."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pretrained", default="smollm2", help="smollm2 or a model folder")
    parser.add_argument("--data", default="embedded", help="embedded, or a folder of public data")
    parser.add_argument("--dtype", default="bfloat16", choices=("bfloat16", "float32"))
    parser.add_argument("--work", default="cot,direct", help="which of cot, direct")
    parser.add_argument("--prompts", type=int, default=128, help="of cot")
    parser.add_argument("--answers", type=int, default=400, help="prompts of direct, about")
    parser.add_argument("--direct-tasks", default="trivia_bias,judge")
    parser.add_argument("--max-tokens", type=int, default=256, help="generated tokens per prompt, at most")
    parser.add_argument("--batch-sizes", default="16,32,64,128", help="of lm-eval, the best is taken")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    options.batch_sizes = [int(batch) for batch in options.batch_sizes.split(",")]
    options.location = resolve_model(options.pretrained).location
    options.device = "cuda" if torch.cuda.is_available() else "cpu"
    about = machine(options.device)
    results = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.work.split(","):
            tasks = ("gsm8k",) if name == "cot" else tuple(options.direct_tasks.split(","))
            wanted = options.prompts if name == "cot" else options.answers
            work = prepare(name, tasks, wanted, options, Path(scratch) / name)
            print(f"{name}: {work.prompts} prompts", file=sys.stderr, flush=True)
            results[name] = compare(work, options, about)
    good = all(
        result["ratio"] <= result["at_most"]
        and (options.dtype != "float32" or result["equal_responses"] == result["prompts"])
        for result in results.values()
    )
    card = [f"hf beside lm-eval, {options.pretrained}, {options.dtype}, whole commands"]
    card += [shown(name, result) for name, result in results.items()] + [shown_machine(about)]
    report = {"status": "ok" if good else "missed", "dtype": options.dtype, **results, "machine": about}
    return finish(card, report)


if __name__ == "__main__":
    sys.exit(main())
