"""Does System 2 really reason? What a model writes before it answers, by task and method, on training items.

    python tests/benchmarks/reasoning.py --pretrained smollm2 --tasks coin_flip,gsm8k --methods direct,cot
    python tests/benchmarks/reasoning.py --pretrained MODEL --data DIR --methods cot,cot@tiny --show 3

A method may name a wording: `cot@tiny`, `rar_2step@paper`; else it gets the options of the task.
Test items are never asked, because wordings are chosen by these figures.

tokens    generated tokens per item, all calls
reasons   at least 5 words come before the last answer mark, over all calls
last      the same for the last call alone: after other calls, does it reason as well?
keeps     rephrasings (and rewrites) that keep every name, number and negation of the question
opinion   rewrites that still contain the user's opinion, or one that nobody stated
read      solve replies of `bsm` whose scores can be read
score     the task's primary metric
cut       items with a call that reached --max-tokens
Prints a table and, last, one line of JSON. --show N prints N whole items of each row before it.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from measuring import Figures, finish

from harness.answer_text import reasoning_words
from harness.engines import KINDS
from harness.engines.base import Engine
from harness.lm.task import TaskData
from harness.lm.tasks import load_tasks
from harness.models.source import ModelSource, resolve_model
from harness.options import RunOptions, key_values
from harness.programs import get_method, step_kind
from harness.programs.bsm import parse_pair, parse_score
from harness.programs.s2a import parse_rewrite
from harness.scheduler import Scheduler
from harness.session import Session
from harness.store import CallStore
from harness.types import Response, stable_hash
from tasks.registry import families

REASONING_WORDS = 5
JUDGES = frozenset({"bsm", "pair_v2"})
"""Methods that need two responses; on other tasks they are skipped."""
DIRECT_TOKENS = 64
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
NEGATION = re.compile(r"\b(?:not|never|no|nobody|without|cannot|\w+n't)\b", re.IGNORECASE)
SENTENCE = re.compile(r"(?<=[.?!])\s|\n")
NAME = re.compile(r"(?<=[\w,;] )[A-Z]\w+")
"""A capital inside a sentence."""
GUESS = re.compile(
    r"\b(?:I|user|they|he|she)(?: \w+){0,2} (?:think|thinks|believe|believes|guess|guesses)\b", re.I
)


@dataclass
class Tally:
    """Observations of one method on one task: shares as lists of hits."""

    tokens: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    shares: dict[str, list[bool]] = field(default_factory=dict)
    answered: Counter[str] = field(default_factory=Counter)

    def add(self, share: str, hit: bool) -> None:
        self.shares.setdefault(share, []).append(hit)


SHARES = ("reasons", "last", "keeps", "opinion", "read", "cut")


def keeps_all(question: str, symbols: Sequence[str], rephrased: str) -> bool:
    """Whether a rephrasing has every number and every name (of a symbolic task: every word of the
    question), and says `not` about the same people as the question."""
    needed = {number.replace(",", "") for number in NUMBER.findall(question)}
    if not needed <= {number.replace(",", "") for number in NUMBER.findall(rephrased)}:
        return False
    if not symbols and NEGATION.search(question) and not NEGATION.search(rephrased):
        return False
    return all(
        named(name, rephrased) and negated(name, question) == negated(name, rephrased)
        for name in symbols or NAME.findall(question)
    )


def named(name: str, text: str) -> bool:
    return bool(re.search(rf"\b{re.escape(name)}\b", text, re.IGNORECASE))


def negated(name: str, text: str) -> bool:
    """Whether a sentence with that name says `not`."""
    return any(named(name, part) and NEGATION.search(part) for part in SENTENCE.split(text))


def holds_opinion(row: Mapping[str, Any], rewritten: str) -> bool:
    """Whether a rewrite contains somebody's opinion, or the answer that the user named."""
    stated = {"incorrect": row["incorrect_answer"], "plain": None}.get(row["template"], row["target"])
    told = stated is not None and named(stated, rewritten) and not named(stated, row["text"])
    return told or bool(GUESS.search(rewritten))


def look(tally: Tally, task: TaskData, row: Mapping[str, Any], response: Response) -> None:
    """Count one item."""
    spec = task.spec
    steps = response.steps
    tally.tokens.append(sum(step.completion.generated_tokens for step in steps))
    tally.add("reasons", reasoning_words(steps, spec.answer_mark) >= REASONING_WORDS)
    if len(steps) > 1:
        tally.add("last", reasoning_words(steps[-1:], spec.answer_mark) >= REASONING_WORDS)
    tally.add("cut", any(step.completion.finish_reason == "length" for step in steps))
    for step in steps:
        kind, text = step_kind(step.name), step.completion.text
        if kind == "rephrase":
            tally.add("keeps", keeps_all(str(row["question"]), row.get("symbols") or (), text))
        elif kind == "rewrite" and "template" in row:
            parts = "\n".join(parse_rewrite(text))
            tally.add("keeps", keeps_all(str(row["text"]), (), parts))
            tally.add("opinion", holds_opinion(row, parts))
        elif kind == "solve":
            pair = "Response B:" in step.messages[-1]["content"]
            tally.add("read", None not in parse_pair(text) if pair else parse_score(text) is not None)
    score = task.figure(spec.primary.name, task.score_of(response.text, row).get(spec.primary.name))
    if score is not None:
        tally.scores.append(float(score))
    tally.answered[spec.answer(response.text) or "(none)"] += 1


def training_rows(task: TaskData, count: int) -> list[dict[str, Any]]:
    """`count` training rows, whole clusters of them, drawn by content."""
    rows = task.rows("train")
    cluster_of = [task.item(row).cluster_id for row in rows]
    clusters = sorted(set(cluster_of), key=lambda cluster: stable_hash(["reasoning", task.name, cluster]))
    place = {cluster: number for number, cluster in enumerate(clusters)}
    order = sorted(range(len(rows)), key=lambda number: place[cluster_of[number]])
    return [rows[number] for number in order[:count]]


def options_of(task: TaskData, name: str) -> tuple[str, Mapping[str, Any]]:
    """Method and options of `cot` or `cot@tiny`."""
    name, _, wording = name.partition("@")
    given = task.spec.method_options.get(get_method(name).options_name, {})
    if not wording:
        return name, given
    if wording == "tiny":
        from harness.embedded import embedded_spec

        return name, embedded_spec(task.spec).method_options.get(get_method(name).options_name, {})
    return name, {"wording": wording}


def measure(
    engine: Engine,
    tasks: Sequence[TaskData],
    asked: Callable[[TaskData], Sequence[tuple[str, str, Mapping[str, Any]]]],
    items: int,
    max_tokens: int,
    show: int = 0,
) -> list[Figures]:
    """A row per task and (shown name, method, options) of `asked`; all of them in one stream of batches,
    asked as a run would ask them."""
    limits = {"max_tokens": max_tokens, "max_tokens.direct": min(max_tokens, DIRECT_TOKENS)}
    with tempfile.TemporaryDirectory() as folder:
        store = CallStore(Path(folder) / "calls.sqlite")
        scheduler = Scheduler(engine, store)
        session = Session(RunOptions(sampling=limits), ModelSource("", ""), engine, scheduler, list(tasks))
        jobs, places = [], []
        for task in tasks:
            for shown, name, options in asked(task):
                for row in training_rows(task, items):
                    if name in JUDGES and "response_a" not in row:
                        continue
                    job = session.job(task, task.item(row), get_method(name), 0, history=task.history(row))
                    jobs.append(replace(job, options=options))
                    places.append((task, shown, row))
        began = time.perf_counter()
        responses = scheduler.run(jobs, "reasoning")
        seconds = time.perf_counter() - began
        store.close()
    tallies: dict[tuple[str, str], Tally] = {}
    for (task, shown, row), response in zip(places, responses, strict=True):
        tally = tallies.setdefault((task.name, shown), Tally())
        if len(tally.tokens) < show:
            print_item(task.name, shown, row, response)
        look(tally, task, row, response)
    made = sum(sum(tally.tokens) for tally in tallies.values())
    print(f"{made:.0f} tokens in {seconds:.0f} s, {made / seconds:.1f} tokens/s", file=sys.stderr)
    return [figures(task, shown, tally) for (task, shown), tally in tallies.items()]


def figures(task: str, shown: str, tally: Tally) -> Figures:
    def mean(values: Sequence[float]) -> float:
        return round(sum(values) / len(values), 4)

    return {
        "task": task,
        "method": shown,
        "n": len(tally.tokens),
        "tokens": mean(tally.tokens),
        **{share: mean(tally.shares[share]) if share in tally.shares else None for share in SHARES},
        "score": mean(tally.scores) if tally.scores else None,
        "answers": dict(tally.answered.most_common(4)),
    }


def print_item(task: str, shown: str, row: Mapping[str, Any], response: Response) -> None:
    print(f"===== {task} {shown} (target {row.get('target', row.get('answer'))})")
    for step in response.steps:
        for message in step.messages:
            print(f"[{message['role']}] {message['content']}")
        print(f">>> {step.name} ({step.completion.finish_reason}): {step.completion.text}\n")


def table(rows: Sequence[Figures]) -> list[str]:
    head = f"{'task':14} {'method':20} {'n':>4} {'tokens':>7}" + "".join(f" {share:>8}" for share in SHARES)
    lines = [head + f" {'score':>7}"]
    for row in rows:
        shares = "".join(
            f" {'-' if row[share] is None else format(100 * row[share], '.0f') + '%':>8}" for share in SHARES
        )
        score = "-" if row["score"] is None else f"{100 * row['score']:.1f}"
        lines.append(
            f"{row['task']:14} {row['method']:20} {row['n']:4} {row['tokens']:7.1f}{shares} {score:>7}"
        )
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Load, ask, count, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pretrained", default="smollm2", help="as the command takes it")
    parser.add_argument("--engine", default="hf", choices=("hf", "vllm", "openai", "scripted"))
    parser.add_argument("--engine-args", default="", help="k=v,... as the command takes them")
    parser.add_argument("--base-url", default=None)
    parser.add_argument("--dtype", default="auto", choices=("auto", "bfloat16", "float32", "float16"))
    parser.add_argument("--tasks", default=",".join(families()))
    parser.add_argument("--methods", default="direct,cot,cot_fewshot,rar_2step")
    parser.add_argument("--data", default="embedded", help="embedded, hub or a folder")
    parser.add_argument("--items", type=int, default=48, help="training items of each task")
    parser.add_argument("--max-tokens", type=int, default=512, help="of every step but `direct`")
    parser.add_argument("--show", type=int, default=0, help="print so many whole items of each row")
    options = parser.parse_args(arguments)

    tasks = load_tasks(options.tasks.split(","), options.data, (), {}, None)
    scripted = options.engine == "scripted"
    source = (
        ModelSource("scripted", "scripted")
        if scripted
        else resolve_model(options.pretrained, dtype=options.dtype)
    )
    address = {"base_url": options.base_url} if options.base_url else {}
    settings = key_values(options.engine_args, "--engine-args")
    engine = KINDS[options.engine].open(source, {**settings, **address})

    def asked(task: TaskData) -> list[tuple[str, str, Mapping[str, Any]]]:
        return [(name, *options_of(task, name)) for name in options.methods.split(",")]

    try:
        rows = measure(engine, tasks, asked, options.items, options.max_tokens, options.show)
    finally:
        engine.close()
    report = {"status": "ok", "model": options.pretrained, "rows": rows}
    return finish(table(rows), report)


if __name__ == "__main__":
    sys.exit(main())
