"""Picks the teacher's reply that is taught, for variants that learn to reason before they answer.

Candidates are samples that gave the kept answer and ended by themselves: a cut reply would teach the model to
stop in the middle. The choice is the shortest (best-of-N self-training, Munkhbat et al.,
https://arxiv.org/abs/2502.20122), one of a share of the shortest, or for the control any of them. Prompt and
reply are the ids of the original call, so nothing is tokenised again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from distill.teacher.sample import Draws
from distill.teacher.select import Reply, Sampled
from harness.programs.base import get_method
from harness.recipes import Recipe
from harness.session import Session
from harness.thought_marks import without_marks
from harness.types import Completion, Item, Response, Settings, stable_hash

NONE_FITS = "no_reply"
"""Why an input is dropped: no reply may teach its kept answer."""


def choose_replies(
    context: Session, draws: Draws, sampled: Sampled, recipe: Recipe, settings: Settings, seed: int
) -> None:
    """Gives each kept prompt of `sampled` the reply that is taught; an input without one is dropped."""
    task = draws.ask.inputs.task
    without: list[Item] = []
    taught, means = [], []
    for place, each in enumerate(sampled.drawn):
        if each.answer is None:
            continue
        item, wanted = each.item, task.spec.vote_key(each.answer)
        responses = draws.responses[item.item_id]
        fitting = [
            index
            for index, (response, (vote, _)) in enumerate(zip(responses, draws.votes(item), strict=True))
            if vote == wanted and _is_whole(response, settings["longest_reply"])
        ]
        tokens = [_tokens(response) for response in responses]
        index = pick(
            fitting,
            tokens,
            settings["shortest"] if recipe.taught == "shortest" else 1.0,
            int(stable_hash(["reply", seed, item.item_id]), 16),
        )
        if index is None:
            without.append(item)
            continue
        taught.append(tokens[index])
        means.append(fmean(tokens[other] for other in fitting))
        reply = _reply(context, draws, item, seed, index)
        if recipe.taught == "steps":
            sampled.drawn[place] = replace(each, reasoning=reasoning_of(reply.text, task.spec.answer_mark))
        else:
            sampled.drawn[place] = replace(each, reply=reply)
    if taught:
        sampled.reply_tokens = {"taught": fmean(taught), "fitting": fmean(means)}
    by_cluster = task.spec.swap is not None
    for unit in dict.fromkeys(item.cluster_id if by_cluster else item.item_id for item in without):
        sampled.drop(unit, NONE_FITS, by_cluster)


def pick(fitting: Sequence[int], tokens: Sequence[int], share: float, draw: int) -> int | None:
    """Returns a sample from the shortest `share` of `fitting` (at least one; ties in order of their index).
    `draw`, a large number, chooses. None if `fitting` is empty."""
    if not fitting:
        return None
    ordered = sorted(fitting, key=lambda index: (tokens[index], index))
    return ordered[draw % max(1, math.ceil(share * len(ordered) - 1e-9))]


def reasoning_of(text: str, mark: re.Pattern[str]) -> str:
    """Returns the text before the last answer mark of a reply, without thought marks, and a line break."""
    end = max((found.start() for found in mark.finditer(text)), default=len(text))
    return f"{without_marks(text[:end]).strip()}\n"


def _tokens(response: Response) -> int:
    return sum(step.completion.generated_tokens for step in response.steps)


def _is_whole(response: Response, longest: int) -> bool:
    return response.finish_reason == "stop" and (not longest or _tokens(response) <= longest)


def _reply(context: Session, draws: Draws, item: Item, seed: int, index: int) -> Reply:
    """Returns the call of one sample from the store."""
    task, method = draws.ask.inputs.task, get_method(draws.ask.method)
    job = context.job(
        task, item, method, seed, sample_index=index, teacher=True, history=task.history(item.fields)
    )
    request, done = context.scheduler.recall(job)
    return Reply(request.messages, request.prompt_ids, _with_end(context, done), done.text)


def _with_end(context: Session, done: Completion) -> tuple[int, ...]:
    """Returns the generated ids; if a stop string ended them, the ids of the text before it and the end of a
    turn."""
    spelled = context.engine.target_ids(done.text)
    return done.generated_ids if done.generated_ids[-1:] == spelled[-1:] else spelled
