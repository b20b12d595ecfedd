"""Upper bounds of the calls and tokens of an item, for estimates and the time left.

The methods of this package make each step once, except the criteria of a judging plan and the samples of a
vote, whose numbers have limits. A user's own method may make any number of calls: it has no bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature
from typing import Any

from harness.limits import token_limit
from harness.programs.base import Method, get_method
from harness.programs.budget import budget_of
from tasks.spec import TaskSpec

OURS = "harness.programs."
CRITERIA = 5
"""Criteria of a judging plan, if the task does not say."""


@dataclass(frozen=True)
class Most:
    """Upper bounds for one item."""

    calls: int
    generated_tokens: int
    bounded: bool
    """False: the method is a user's own, and the steps that it declares are not a limit."""


def most_of(spec: TaskSpec, name: str, sampling: Mapping[str, Any]) -> Most:
    """Returns the bounds of the method `name` for an item; `sampling` is the option of that name."""
    method = get_method(name)
    budget = budget_of(method)
    calls = tokens = 0
    for step in method.steps:
        times = samples_of(method) * _times(spec, method, step)
        limit = token_limit(spec, step, sampling)
        calls += times
        tokens += times * (limit if budget is None or step == "answer" else budget)
    return Most(calls, tokens, _is_ours(method))


def samples_of(method: Method) -> int:
    """Returns how often a method makes its steps: more than once if it votes over samples."""
    usual = signature(method.function).parameters.get("k") if method.votes else None
    return int(method.fixed.get("k", 1 if usual is None else usual.default))


def least_of(method: Method) -> int:
    """Returns the calls of an item that makes each step once, without the second call of a budget."""
    optional = 0 if budget_of(method) is None else 1
    return (len(method.steps) - optional) * samples_of(method)


def _times(spec: TaskSpec, method: Method, step: str) -> int:
    if step != "solve":
        return 1
    options = spec.method_options.get(method.options_name, {})
    return int(options.get("max_criteria", CRITERIA)) * (2 if options.get("solve") == "single" else 1)


def _is_ours(method: Method) -> bool:
    inner = get_method(method.inner) if method.inner else method
    return all(each.function.__module__.startswith(OURS) for each in (method, inner))
