"""How many tokens a step may generate: set by the user, else by the task, else by what real models need.

Limits are by kind of step (`reason`, `respond`, ...; `results.schema.step_kind`). An engine cuts a limit to
what the context leaves behind the prompt. The scheduler lets a method's own `Ask(max_tokens=...)` win over
all of this.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from harness.errors import UserError
from tasks.spec import TaskSpec

DEFAULTS: Mapping[str, int] = MappingProxyType(
    {
        "direct": 256,
        "reason": 1024,
        "think": 8192,
        "respond": 512,
        "answer": 256,
        "rephrase": 512,
        "rewrite": 512,
        "branch": 512,
        "solve": 512,
        "merge": 512,
    }
)
"""Tokens by kind of step. A chain of thought of a 7B model on GSM8K takes 250 to 600, thoughts thousands."""

UNKNOWN = "reason"
"""A step of a user's method has the limit of this kind."""

OPTION = "max_tokens"
LARGEST = 1_000_000


def token_limit(spec: TaskSpec, kind: str, asked: Mapping[str, Any]) -> int:
    """Tokens that a step of `kind` may generate on the task of `spec`. `asked` is `--sampling`, where
    `max_tokens.KIND` wins over `max_tokens`."""
    for said in (asked.get(f"{OPTION}.{kind}"), asked.get(OPTION)):
        if said is not None:
            return int(said)
    own = spec.max_tokens.get(kind, spec.max_tokens.get("default"))
    if own is not None:
        return own
    # If a task has long direct answers, its System 2 needs at least as many tokens.
    return max(DEFAULTS.get(kind, DEFAULTS[UNKNOWN]), spec.max_tokens.get("direct", 0))


def check_steps(asked: Mapping[str, Any], kinds: Collection[str]) -> None:
    """UserError for a `max_tokens.KIND` of a step that no method of the run has: it would have no effect."""
    for key in asked:
        kind = key.removeprefix(f"{OPTION}.")
        if kind != key and kind not in kinds:
            raise UserError(
                f"--sampling {key}={asked[key]}: no method of this run has a step {kind!r}; "
                f"there are {', '.join(sorted(kinds))}"
            )
