"""One row per scored prompt, as `samples/VARIANT/TASK.jsonl` holds it (docs/architecture.md, section 3).

It joins what lm-eval scored with what the programs did. Failures are set here, once, for every variant: a
failure scores as wrong and is counted (rule 5). It computes no statistics.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.answer_text import reasoning_words
from harness.errors import UserError
from harness.lm.score import Scored
from harness.lm.task import TaskData
from harness.types import Response, Step
from tasks import thoughts

LARGEST_SCORE = 1e15
"""What `results` reads as a number, too: squares of it are added up."""

_SCRATCH = re.compile(r"\..+\.(jsonl?|yaml|md|csv|tex|html)\.\w+")
"""Names under which this file and `results` write before they rename."""


def build_rows(
    task: TaskData,
    variant: str,
    method: str,
    seed: int,
    scored: Sequence[Scored],
    responses: Sequence[Response],
) -> list[dict[str, Any]]:
    """Rows of one task and variant in the order of the task's test split.

    `scored` has an entry per row and filter; scores of other filters than the one that reads the answer are
    named `metric,filter`.
    """
    scores = _scores(task, scored)
    rows = []
    for place, (item, response) in enumerate(zip(task.scored_items(), responses, strict=True)):
        row = item.fields
        answer = None if response.error is not None else task.spec.answer_of(response.text, row)
        target = task.task.doc_to_target(row)
        rows.append(
            {
                "item_id": item.item_id,
                "cluster_id": item.cluster_id,
                # A column of that name in a user's own task means what the user meant by it.
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
                    step.completion.finish_reason == "length" or _cut_in_a_thought(step)
                    for step in response.steps
                ),
                "error": response.error,
                "usage": usage(response),
                "steps": [
                    {
                        "name": step.name,
                        "messages": step.messages,
                        "text": step.completion.text,
                        "prompt_tokens": step.completion.prompt_tokens,
                        "cached_tokens": step.completion.cached_tokens,
                        "generated_tokens": step.completion.generated_tokens,
                        "finish_reason": step.completion.finish_reason,
                    }
                    for step in response.steps
                ],
            }
        )
    _settle_pairs(task, rows)
    for row in rows:
        row["scores"] = {
            metric: _number(score, f"task {task.name}, item {row['item_id']}: {metric}")
            for metric, score in row["scores"].items()
        }
    return rows


def failure(response: Response, answer: str | None) -> str | None:
    """Why a response has no answer: `error`, `empty`, `truncated`, `stopped` (a stop of the task came before
    any answer), `no_answer`; None where it has one."""
    if response.error is not None:
        return "error"
    if answer is not None:
        return None
    if response.finish_reason == "length" or (response.steps and _cut_in_a_thought(response.steps[-1])):
        return "truncated"
    if response.stopped:
        return "stopped"
    return "no_answer" if response.text.strip() else "empty"


def _cut_in_a_thought(step: Step) -> bool:
    """Whether a call ended before the model replied, for example at a stop string of the task."""
    return thoughts.split(step.completion.text).unclosed


def usage(response: Response) -> dict[str, int | None]:
    """Sums over all calls of a program (rule 1). Cached tokens are None where no engine told any: a server
    that tells them may leave a zero out."""
    done = [step.completion for step in response.steps]
    cached = [completion.cached_tokens for completion in done if completion.cached_tokens is not None]
    return {
        "calls": len(done),
        "prompt_tokens": sum(completion.prompt_tokens for completion in done),
        "cached_tokens": sum(cached) if cached or not done else None,
        "generated_tokens": sum(completion.generated_tokens for completion in done),
    }


def _scores(task: TaskData, scored: Sequence[Scored]) -> list[dict[str, Any]]:
    filters = list(dict.fromkeys(each.filter for each in scored))
    # The filter that reads the answer; its scores are the ones that are named without a filter.
    reads = task.foreign.rule.reader.name if task.foreign else filters[0]
    scores: list[dict[str, Any]] = [{} for _ in task.indices]
    for each in scored:
        suffix = "" if each.filter == reads else f",{each.filter}"
        for metric, value in each.scores.items():
            scores[each.place][metric + suffix] = task.figure(metric, value)
    return scores


def _settle_pairs(task: TaskData, rows: Sequence[dict[str, Any]]) -> None:
    """Turn the raw `[pair, token]` values of pair metrics into 0 (tokens of the cluster agree) or 1."""
    for metric in task.spec.metrics:
        if metric.aggregation != "pair_disagreement":
            continue
        tokens: dict[str, set[str]] = {}
        for row in rows:
            tokens.setdefault(row["cluster_id"], set()).add(str(row["scores"][metric.name][1]))
        for row in rows:
            row["scores"][metric.name] = float(len(tokens[row["cluster_id"]]) > 1)


def _number(score: Any, place: str) -> float | None:
    """A score as JSON has it; None for what is no figure of one row (NaN, the parts of a corpus metric).
    UserError for one that no statistics can be made of."""
    try:
        figure = float(score)
    except (TypeError, ValueError, OverflowError):
        return None
    if math.isfinite(figure) and abs(figure) > LARGEST_SCORE:
        raise UserError(
            f"{place} is {figure:g}: a score is a number up to {LARGEST_SCORE:g}: mend process_results in "
            "the task's Python and repeat the command; finished calls are kept"
        )
    return figure if math.isfinite(figure) else None


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> str:
    """Write JSON lines in one step: the file is the old one or the new one, never a part. Returns the
    SHA-256 of what was written."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    write_whole(path, text)
    return hashlib.sha256(text.encode()).hexdigest()


def write_whole(path: Path, text: str) -> None:
    """Replace a file in one step. OSError that names the file where the disk refuses; no scratch stays."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with scratch.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except BaseException as error:
        with suppress(OSError):
            scratch.unlink()
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror or str(error), str(path)) from error
        raise


def remove_scratch(folder: Path) -> None:
    """Remove what killed processes left half-written in a run folder, which one process holds."""
    for path in folder.rglob(".*.*"):
        if _SCRATCH.fullmatch(path.name) and path.is_file():
            path.unlink(missing_ok=True)
