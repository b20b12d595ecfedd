"""Prepares an lm-eval task that is not ours for asking, scoring and distillation: the task plus its s2d
block.

Anything that cannot work as in lm-eval is refused in one line or explained in a note. Base and System 2 need
a prompt, a scoring rule and a metric of single items. If distillation lacks something beyond that, the run
carries the reason; this is not an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.errors import UserError
from harness.lm.block import SHIPPED_PROMPT, TaskBlock
from harness.lm.data import choose_training
from harness.lm.filters import readers, without_votes
from harness.lm.gold import candidates, figure, number, scores, targets
from harness.lm.own_words import shared_runs
from harness.lm.prompt import Prompts
from harness.lm.rule import Rule
from harness.lm.search import choose_rule
from harness.lm.task import Foreign, TaskData, content_id, turns_before
from results.schema import JsonObject
from tasks.spec import Metric, TaskSpec

DEFAULT_METHOD = "cot"
TRIED = 8
"""Rows on which a rule is tried."""
COMPARED = 200
"""Prompts that are compared to find a task's template."""


def check_kind(name: str, task: Any) -> None:
    """UserError for a task without a System 2, or one that cannot be scored from texts."""
    if task.get_config("output_type") != "generate_until":
        raise UserError(
            f"task {name} is {task.get_config('output_type')}: only tasks that generate text "
            "(output_type: generate_until) have a System 2"
        )
    if getattr(task, "MULTIMODAL", False):
        raise UserError(f"task {name} shows images or plays sounds: only tasks of text alone can be run")
    if getattr(task, "UNSAFE_CODE", False):
        raise UserError(
            f"task {name} runs code that a model wrote (unsafe_code), which s2d-bench does not: "
            "score it with lm-eval itself"
        )


def without_repeats(name: str, task: Any) -> tuple[str, ...]:
    """Makes the task ask each item once, since repeats are the method's choice. Filters that vote over
    repeats are removed, with a note. UserError if no other filter is left."""
    if (task.config.repeats or 1) == 1:
        return ()
    repeats = task.config.repeats
    task.set_config("repeats", 1)
    kept = without_votes(task.config.filter_list)
    if kept == []:
        raise UserError(
            f"task {name} sets repeats: {repeats} and all its filters vote over them: take both out of a "
            f"copy of its YAML; s2:{DEFAULT_METHOD}*{repeats} in --models is such a vote"
        )
    if kept is not None:
        names = {entry["name"] for entry in kept}
        task.set_config("filter_list", kept)
        task._filters = [ensemble for ensemble in task._filters if ensemble.name in names]
    return (
        f"lm-eval asks each item {repeats} times; here it is asked once: "
        f"s2:{DEFAULT_METHOD}*{repeats} is a vote over {repeats} samples",
    )


def foreign_task(name: str, lm_name: str, task: Any, block: TaskBlock) -> TaskData:
    """The task with its rule, its training rows and its spec; `indices` are left empty. UserError with one
    line if it cannot be run."""
    check_kind(name, task)
    notes = list(without_repeats(name, task))
    rows = list(task.eval_docs)
    if not rows:
        raise UserError(f"task {name} has no test items: check its data")
    prompts = Prompts(task, block.prompt == SHIPPED_PROMPT)
    if prompts.asks_for_steps(rows[0]) and not prompts.shipped:
        notes.append(
            "its prompt asks to think step by step, so System 1 gets it without that request "
            f"(prompt: {SHIPPED_PROMPT} in its s2d block leaves it in)"
        )
    stops, limit = _generation(name, task, rows[0])
    by_cluster: dict[str, list[Any]] = {}
    for row in rows:
        content = content_id(name, prompts.direct(row), task.doc_to_target(dict(row)))
        by_cluster.setdefault(str(row.get("cluster_id") or content), []).append(row)
    training = choose_training(task, block.train_from, by_cluster)
    tried = _spread(rows, TRIED)
    metrics, left_out = _metrics(name, task, tried)
    notes += left_out
    turns = turns_before(task, rows[0], name)
    begun = str(task.doc_to_prefix(dict(rows[0])) or "") if task.config.gen_prefix else ""
    rule = choose_rule(
        task,
        block,
        tried,
        shown=[turn["content"] for turn in turns] + [prompts.as_shipped(rows[0])],
        replies=[turn["content"] for turn in turns if turn["role"] == "assistant"],
        stops=stops,
        metrics=metrics,
        marks=[begun] if begun else [],
    )
    if rule.refused is None and not rule.told:
        notes.append(
            f"filter {rule.reader.name} reads only {rule.target!r}, a form that its prompt does not show: "
            "System 1 cannot know it before training"
        )
    spec = _spec(name, task, block, rule, metrics, limit)
    task.set_config(
        "metadata", {**(task.config.metadata or {}), "s2d": _identity(block, rule, training.label)}
    )
    return TaskData(
        name, lm_name, spec, task, [], stops, Foreign(prompts, rule, training, tuple(notes)),
        shared_runs([prompts.question(row) for row in _spread(rows, COMPARED)]),
    )  # fmt: skip


def _spread(rows: Sequence[Any], count: int) -> list[Any]:
    """`count` rows at equal distances, to cover a sorted split from start to end."""
    step = max(1, len(rows) // count)
    return list(rows[::step][:count])


def _generation(name: str, task: Any, row: Mapping[str, Any]) -> tuple[tuple[str, ...], int | None]:
    """Stops and the token limit that lm-eval would use, if the task sets one."""
    asked = task.construct_requests(
        doc=row, ctx="", metadata=(name, 0, 1), apply_chat_template=True, chat_template=None
    )
    requests = asked if isinstance(asked, list) else [asked]
    if len(requests) != 1 or requests[0].request_type != "generate_until":
        raise UserError(
            f"task {name} asks a model several things per item: only one text per item can be run"
        )
    settings = requests[0].args[1]
    until = settings.get("until") or []
    stops = tuple(stop for stop in ([until] if isinstance(until, str) else until) if stop)
    limit = settings.get("max_gen_toks") or settings.get("max_tokens") or settings.get("max_new_tokens")
    return stops, int(limit) if limit else None


def _metrics(name: str, task: Any, rows: Sequence[Any]) -> tuple[list[str], list[str]]:
    """Metrics that give one figure per item, and sentences about the others. UserError if there are none."""
    reader = readers(task)[0]
    for row in rows:
        texts = [*candidates(task, reader, [], row), *targets(task, row), "no answer"]
        text = texts[0]
        given = scores(task, reader, text, row)
        if given is not None:
            break
    else:
        return list(task.aggregation()), []
    kept = [metric for metric in task.aggregation() if figure(task, metric, given.get(metric)) is not None]
    listed = [metric for metric in task.aggregation() if metric in given and metric not in kept]
    alone = [metric for metric in kept if number(given[metric]) is None]
    if not kept:
        raise UserError(
            f"task {name} has no metric that scores one item ({', '.join(listed or task.aggregation())}: of "
            "all items together), so nothing can be paired: give it another metric_list in a copy of its YAML"
        )
    notes = []
    if listed:
        notes.append(f"{', '.join(listed)} {_is(listed)} left out: not a figure of one item")
    if alone:
        notes.append(
            f"{', '.join(alone)} {_is(alone)} computed for each item alone and then averaged; lm-eval takes "
            "all items together"
        )
    return kept, notes


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _spec(
    name: str, task: Any, block: TaskBlock, rule: Rule, metrics: Sequence[str], limit: int | None
) -> TaskSpec:
    directions = task.higher_is_better()
    described = [(metric, metric, rule.reader.name) for metric in metrics]
    described += [(f"{metric},{other}", metric, other) for other in rule.also for metric in metrics]
    return TaskSpec(
        name=name,
        s2_method=block.method or DEFAULT_METHOD,
        metrics=tuple(
            Metric(
                label, "number", f"as task {name} defines it, read by filter {reader}",
                bool(directions.get(metric, True)),
            )
            for label, metric, reader in described
        ),
        answer=lambda text: rule.read(text, {}),
        target=rule.write,
        max_tokens={**({"direct": limit} if limit else {}), **block.max_tokens},
        answer_mark=rule.mark,
        read=rule.read,
        finish=rule.finish,
        undistillable=rule.refused,
        vote_key=rule.key,
    )  # fmt: skip


def _identity(block: TaskBlock, rule: Rule, training: str) -> JsonObject:
    """What the block and the search resulted in: part of a checkpoint's name and of the manifest."""
    return {
        "method": block.method or DEFAULT_METHOD,
        "answer_filter": rule.reader.name,
        "answer_form": rule.answer_form,
        "target": rule.target,
        "scored": "behind the mark" if rule.behind else "the whole text",
        "mark": rule.mark.pattern,
        "max_tokens": dict(block.max_tokens),
        "train_from": training,
        "prompt": block.prompt or "without a request for steps",
    }
