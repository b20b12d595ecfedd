"""One row per scored prompt, as in `samples/VARIANT/TASK.jsonl` (docs/architecture.md, section 3).

It joins lm-eval's scores with the programs' calls. Failures are set only here, for every variant: a failure
scores as wrong and is counted (rule 5). It computes no statistics.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from harness.answer_text import reasoning_words
from harness.errors import UserError
from harness.lm.score import Scored
from harness.lm.task import TaskData
from harness.types import Item, Response, Step
from results.schema import CUT, LARGEST, SPENT, Failure, SampleRow, SampleStep, Usage
from tasks import thoughts
from tasks.spec import RawScores


def build_rows(
    task: TaskData,
    variant: str,
    method: str,
    seed: int,
    scored: Sequence[Scored],
    responses: Sequence[Response],
) -> list[SampleRow]:
    """Rows of one task and variant in the order of the task's test split.

    `scored` has an entry per row and filter; scores of filters other than the one that reads the answer are
    named `metric,filter`.
    """
    items = task.scored_items()
    scores = _scores(task, items, scored)
    rows: list[SampleRow] = []
    for place, (item, response) in enumerate(zip(items, responses, strict=True)):
        row = item.fields
        answer = None if response.error is not None else task.spec.answer_of(response.text, row)
        target = task.task.doc_to_target(row)
        rows.append(
            {
                "item_id": item.item_id,
                "cluster_id": item.cluster_id,
                # A column with this name in a user's own task has the user's meaning.
                "weight": float(row.get("weight", 1.0)) if task.own else 1.0,
                "weights": json.loads(row["weights"]) if task.own and row.get("weights") else {},
                "sample_index": 0,
                "task": task.name,
                "variant": variant,
                "method": method,
                "seed": seed,
                "prompt": item.prompt,
                "response": response.text,
                "answer": answer,
                "target": target if isinstance(target, str | int | float) else json.dumps(target),
                "scores": scores[place],
                "failure": failure(response, answer),
                "reasoning_words": reasoning_words(response.steps, task.spec.answer_mark),
                "truncated": any(
                    step.completion.finish_reason == CUT or _cut_in_a_thought(step) for step in response.steps
                ),
                "error": response.error,
                "usage": usage(response),
                "steps": [_step(step) for step in response.steps],
            }
        )
    return rows


def _step(step: Step) -> SampleStep:
    done = step.completion
    return {
        "name": step.name,
        "messages": step.messages,
        "text": done.text,
        "prompt_tokens": done.prompt_tokens,
        "cached_tokens": done.cached_tokens,
        "generated_tokens": done.generated_tokens,
        "finish_reason": done.finish_reason,
    }


def failure(response: Response, answer: str | None) -> Failure | None:
    """Why a response has no answer: `error`, `empty`, `truncated`, `stopped` (a stop of the task came
    before any answer), `no_answer`; None if it has one."""
    if response.error is not None:
        return "error"
    if answer is not None:
        return None
    if response.finish_reason == CUT or (response.steps and _cut_in_a_thought(response.steps[-1])):
        return "truncated"
    if response.stopped:
        return "stopped"
    return "no_answer" if response.text.strip() else "empty"


def _cut_in_a_thought(step: Step) -> bool:
    """Whether a call ended before the model replied, for example at a stop string of the task; not where a
    budget ended it, as the answer was asked for then."""
    return step.completion.finish_reason != SPENT and thoughts.split(step.completion.text).unclosed


def usage(response: Response) -> Usage:
    """Sums over all calls of a program (rule 1). Cached tokens are None if no engine reported any: a
    server that reports them may leave out a zero."""
    done = [step.completion for step in response.steps]
    cached = [completion.cached_tokens for completion in done if completion.cached_tokens is not None]
    return {
        "calls": len(done),
        "prompt_tokens": sum(completion.prompt_tokens for completion in done),
        "cached_tokens": sum(cached) if cached or not done else None,
        "generated_tokens": sum(completion.generated_tokens for completion in done),
    }


def _scores(task: TaskData, items: Sequence[Item], scored: Sequence[Scored]) -> list[dict[str, float | None]]:
    """Scores of every row by metric, as numbers."""
    filters = list(dict.fromkeys(each.filter for each in scored))
    # The filter that reads the answer; its scores are named without a filter.
    reads = task.foreign.rule.reader.name if task.foreign else filters[0]
    raw: list[RawScores] = [{} for _ in items]
    for each in scored:
        suffix = "" if each.filter == reads else f",{each.filter}"
        for metric, value in each.scores.items():
            raw[each.place][metric + suffix] = task.figure(metric, value)
    _settle_pairs(task, items, raw)
    return [
        {
            metric: _number(score, f"task {task.name}, item {item.item_id}: {metric}")
            for metric, score in scores.items()
        }
        for item, scores in zip(items, raw, strict=True)
    ]


def _settle_pairs(task: TaskData, items: Sequence[Item], raw: Sequence[RawScores]) -> None:
    """Turns the raw `[pair, token]` values of pair metrics into 0 (tokens of the cluster agree) or 1."""
    for metric in task.spec.metrics:
        if metric.aggregation != "pair_disagreement":
            continue
        tokens: dict[str, set[str]] = {}
        for item, scores in zip(items, raw, strict=True):
            tokens.setdefault(item.cluster_id, set()).add(str(scores[metric.name][1]))
        for item, scores in zip(items, raw, strict=True):
            scores[metric.name] = float(len(tokens[item.cluster_id]) > 1)


def _number(score: Any, place: str) -> float | None:
    """A score as a JSON number; None for what is not a number of one row (NaN, the parts of a corpus
    metric). UserError for one that is unusable in statistics."""
    try:
        figure = float(score)
    except (TypeError, ValueError, OverflowError):
        return None
    if math.isfinite(figure) and abs(figure) > LARGEST:
        raise UserError(
            f"{place} is {figure:g}: a score is a number up to {LARGEST:g}: fix process_results in "
            "the task's Python and repeat the command; finished calls are kept"
        )
    return figure if math.isfinite(figure) else None
