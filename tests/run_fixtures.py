"""A user's own task on disk, and a run context around a function that plays the model.

The task is one of sums (`What is 3 plus 1?`) with a training and a test split, as somebody would write it for
lm-eval. The context has a real scheduler and call store, so only the model is played.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.engines.base import Engine
from harness.engines.scripted import ScriptedAdapter, ScriptedEngine
from harness.lm.tasks import TaskData, load_tasks
from harness.models.source import ModelSource
from harness.options import RunOptions
from harness.scheduler import Scheduler
from harness.session import Distilled, RunContext
from harness.store import CallStore
from harness.types import Request
from harness.variants import parse_variants

TASK = """task: {name}
custom_dataset: !function data.load
output_type: {output_type}
training_split: {train}
test_split: test
doc_to_text: "{{{{question}}}} Reply with a number."
doc_to_target: "{{{{gold}}}}"
generation_kwargs: {{until: ["END", ""], do_sample: false, max_gen_toks: 20}}
metric_list:
  - metric: exact_match
    aggregation: mean
    higher_is_better: true
"""
FILTERS = """filter_list:
  - name: last-number
    filter:
      - function: regex
        regex_pattern: "(-?[0-9]+)"
        group_select: -1
      - function: take_first
  - name: whole-text
    filter:
      - function: take_first
"""
FEW_SHOT = 'description: "You are a calculator."\nnum_fewshot: 2\nfewshot_config: {sampler: default}\n'
DATA = '''"""Sums."""

from datasets import Dataset


def load(**_):
    def rows(first, last):
        questions = [(f"What is {n} plus 1?", str(n + 1)) for n in range(first, last)]
        return [{"question": text, "gold": gold, "weight": "3 kg"} for text, gold in questions]

    return {"train": Dataset.from_list(rows(100, 130)), "test": Dataset.from_list(rows(0, 12))}
'''


def write_task(
    folder: Path,
    name: str = "sums",
    more: str = FILTERS,
    output_type: str = "generate_until",
    train: str = "train",
) -> Path:
    """A task of sums; `more` are lines for its YAML."""
    folder.mkdir(exist_ok=True)
    text = TASK.format(name=name, output_type=output_type, train=train)
    (folder / f"{name}.yaml").write_text(text + more)
    (folder / "data.py").write_text(DATA)
    return folder


Reply = Callable[[Request], str]


def make_context(
    folder: Path, reply: Reply, tasks: list[TaskData], engine: Engine | None = None, **options: Any
) -> RunContext:
    """A context whose model says `reply(request)`; `folder` gets a new call store."""

    def script(request: Request, adapter: ScriptedAdapter | None) -> str:
        return reply(request)

    used = engine or ScriptedEngine(script)
    number = len(list(folder.glob("*.sqlite")))
    store = CallStore(folder / f"calls-{number}.sqlite")
    chosen = RunOptions(engine="scripted", **options)
    return RunContext(chosen, ModelSource("scripted", "scripted"), used, Scheduler(used, store), tasks)


def own_task(folder: Path) -> TaskData:
    """The task of sums in `folder`."""
    return load_tasks(["sums"], "embedded", [str(folder)], {}, None)[0]


def right_sum(request: Request) -> str:
    """The right answer to a question of the task of sums, after some words."""
    text = request.messages[-1]["content"]
    number = int(text.split("What is ", 1)[1].split(" plus", 1)[0])
    return f"One more than {number} is {number + 1}"


def distil(context: RunContext, seed: int = 0) -> Distilled:
    """What is made of the first task of `context`."""
    from distill.pipeline import find_or_make

    variants = parse_variants(context.options.models)
    variant = next(each for each in variants if each.kind == "distilled")
    return find_or_make(context, variant, seed)[context.tasks[0].name]


def never(request: Request) -> str:
    """A model that must not be asked."""
    raise AssertionError("the teacher was asked again")
