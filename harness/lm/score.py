"""What lm-eval asks for each scored row, and the results of its filters and metrics for the replies.

Requests are built once per task and serve every variant. They carry turns, not text: the programs append
their own words to the turns, and the engine applies the chat template.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from harness.errors import UserError, named
from harness.lm.task import TaskData, turns_as_text
from harness.types import Item, Message

FEW_SHOT_SEED = 1234
"""lm-eval's default seed for drawing examples."""


class Asked(NamedTuple):
    """The request for a scored row."""

    item: Item
    turns: tuple[Message, ...]
    """Turns that lm-eval puts before the prompt: a description, worked examples."""


class Scored(NamedTuple):
    """What one of a task's filters read in one text, and the scores of its metrics."""

    place: int
    """Position of the row among the scored rows."""
    filter: str
    scores: Mapping[str, Any]


def asked(task: TaskData) -> list[Asked]:
    """Every scored row, in the order of `task.indices`."""
    found = []
    for item, instance in zip(task.scored_items(), _requests(task), strict=True):
        turns = json.loads(instance.args[0])
        # lm-eval puts the beginning of a reply behind the prompt; our prompt ends with it.
        while turns and turns[-1]["role"] == "assistant":
            turns.pop()
        found.append(Asked(item, tuple(turns[:-1])))
    return found


def part(task: TaskData, clusters: Container[str]) -> TaskData:
    """The task with the scored rows of some clusters only, each asked exactly as in the whole task."""
    places = [place for place, item in enumerate(task.scored_items()) if item.cluster_id in clusters]
    requests = _requests(task)
    return replace(
        task,
        indices=[task.indices[place] for place in places],
        requests=[requests[place] for place in places],
    )


def score(task: TaskData, texts: Sequence[str]) -> list[Scored]:
    """The results of the task's filters and metrics for one text per scored row: an entry per filter and
    row. UserError if they fail; the calls are kept."""
    requests = _requests(task)
    for instance, text in zip(requests, texts, strict=True):
        instance.resps, instance.filtered_resps = [text], {}
    # Filters work on all requests that lm-eval's task holds; `part` shares that object with the whole.
    task.task._instances = list(requests)
    try:
        task.task.apply_filters()
        return list(_scored(task.task, requests))
    except UserError:
        raise
    except Exception as error:  # a task's filters and metrics are its author's code and may raise anything
        raise UserError(
            f"the responses to {task.name} could not be scored: {named(error)} (fix the task's filter_list, "
            "process_results or metric_list; finished calls are kept)"
        ) from error


def _scored(task: Any, requests: Sequence[Any]) -> Iterator[Scored]:
    for name in requests[0].filtered_resps:
        for place, instance in enumerate(requests):
            given = task.process_results(instance.doc, [instance.filtered_resps[name]])
            yield Scored(place, name, given)


def _requests(task: TaskData) -> Sequence[Any]:
    """lm-eval's requests, one per scored row."""
    if task.requests is None:
        task.task.set_fewshot_seed(seed=FEW_SHOT_SEED)
        task.task.build_all_requests(
            samples=task.indices,
            apply_chat_template=True,
            fewshot_as_multiturn=True,
            chat_template=turns_as_text,
        )
        task.requests = list(task.task.instances)
    return task.requests
