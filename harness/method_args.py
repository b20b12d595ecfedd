"""`--method-args METHOD.OPTION=VALUE`: options of System 2 methods, over those that a task gives them.

What can be set is what the method's function takes: a wording, the template of a step, a number. Examples and
other lists are a task's own (`TaskSpec.method_options`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from inspect import Parameter, signature
from typing import Any

from harness.errors import UserError
from harness.programs.base import Method, Running, get_method, registered
from harness.settings import unknown
from harness.types import Item, Settings
from tasks.spec import TaskSpec

OPTION = "--method-args"
BY_THE_HARNESS = frozenset({"vote", "turns", "curtail", "method", "k", "budget"})
"""Parameters that the name of a method, another option or the task's rule sets."""


def options_of(method: Method) -> dict[str, Any]:
    """Returns the options that a user or a task can set, with their defaults."""
    _, *parameters = signature(method.function).parameters.values()  # the first is the item
    return {
        each.name: each.default
        for each in parameters
        if each.kind != Parameter.VAR_KEYWORD and each.name not in BY_THE_HARNESS
    }


def is_typed(default: Any) -> bool:
    """Whether an option with this default is set on the command line: a text, a number, true or false."""
    return default is None or isinstance(default, str | int)


def check_method_args(given: Mapping[str, Any]) -> None:
    """UserError for an unknown method or option, and for a value of another type than its default."""
    for key, value in given.items():
        name, dot, option = key.rpartition(".")
        if not dot:
            raise UserError(f"{OPTION} {key}: write METHOD.OPTION=VALUE, such as cot.wording=paper")
        method = get_method(name)
        if name not in registered():
            raise UserError(f"{OPTION} {key}: write {method.inner}.{option}, which counts for {name} too")
        known = options_of(method)
        if not known:
            raise UserError(f"{OPTION} {key}: method {name} has no options")
        if option not in known:
            raise unknown(f"{OPTION} {name}:", option, known)
        _check_type(key, value, known[option])


def _check_type(key: str, value: Any, default: Any) -> None:
    if not is_typed(default):
        raise UserError(
            f"{OPTION} {key}: it is not one value: give it in the task's method_options (docs/extending.md)"
        )
    if isinstance(default, bool):
        fits, wanted = isinstance(value, bool), "true or false"
    elif isinstance(default, int):
        fits, wanted = isinstance(value, int) and not isinstance(value, bool), "a whole number"
    else:
        fits, wanted = isinstance(value, str) and bool(value.strip()), "a text"
    if not fits:
        raise UserError(f"{OPTION} {key}={value}: give {wanted}")


def with_method_args(spec: TaskSpec, given: Mapping[str, Any]) -> TaskSpec:
    """Returns `spec` whose methods have the options `given` too."""
    if not given:
        return spec
    options: dict[str, Settings] = {name: dict(each) for name, each in spec.method_options.items()}
    for key, value in given.items():
        name, _, option = key.rpartition(".")
        options.setdefault(name, {})[option] = value
    return replace(spec, method_options=options)


def check_used(given: Mapping[str, Any], used: Collection[str]) -> None:
    """UserError for options of a method that no variant of the run uses: they would have no effect."""
    for key in given:
        name = key.rpartition(".")[0]
        if name not in used:
            raise UserError(
                f"{OPTION} {key}: no variant of this run uses {name}; it uses {', '.join(sorted(used))}"
            )


def check_start(spec: TaskSpec, method: Method, item: Item) -> None:
    """UserError for a wording that the method does not have, or a template that cannot be filled, on an item
    of the task."""
    named = get_method(method.options_name)
    Running(named.start(item, spec.method_options.get(named.name, {})), named.name)
