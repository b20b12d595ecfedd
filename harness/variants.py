"""What `--models base,s2,distilled` means: weights and a program per variant.

A variant is a name in the tables. This file reads the names; checkpoints are found elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from harness.errors import UserError
from harness.programs.base import get_method, is_method

Kind = Literal["base", "s2", "distilled", "named"]

Recipe = Literal["s2", "s1", "nofilter", "all"]

RECIPES: dict[str, Recipe] = {
    "distilled": "s2",
    "distilled-s1": "s1",
    "distilled-nofilter": "nofilter",
    "distilled-all": "all",
}
"""Variants that are trained, and how: the paper's method, its control, its ablation, and all tasks in one."""

KNOWN = {
    "base": "the model, answering at once",
    "s2": "the model with the task's System 2 method (s2:METHOD names another)",
    "distilled": "an adapter per task, distilled from s2, answering at once",
    "distilled-s1": "the control: trained on the model's own filtered System 1 answers",
    "distilled-nofilter": "the ablation: one System 2 answer per input, unfiltered",
    "distilled-all": "one adapter from the kept System 2 answers of all tasks together",
    "distilled:METHOD": "distilled from s2:METHOD, where the run has several s2 (-nofilter and -all too)",
    "NAME=PATH_OR_ID[@revision][:method]": "any checkpoint or adapter, any method (served:MODEL: a server's)",
}

AGAIN = "base-again"
"""The second run of `base` that `--noise-floor` adds."""

SERVED = "served:"
"""The prefix of a server's name for an adapter: `mine=served:MODEL`."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+*-]{0,63}")


@dataclass(frozen=True)
class Variant:
    """One row of the leaderboard per task."""

    name: str
    """Its name in tables and in `samples/NAME/`."""
    kind: Kind
    method: str | None = None
    """None: the task's System 2 method for `s2`, `direct` for the rest."""
    location: str | None = None
    """The folder or hub id of a named checkpoint."""
    revision: str | None = None
    recipe: Recipe = "s2"
    """How a distilled variant is trained."""
    teacher: str | None = None
    """System 2 method that a distilled variant learns from; None is the task's own."""
    repeat: int = 0
    """If above 0, the calls are made again, even if equal ones are in the store."""

    def method_for(self, s2_method: str) -> str:
        """The method's name on a task whose System 2 is `s2_method`."""
        if self.method is not None:
            return self.method
        return s2_method if self.kind == "s2" else "direct"

    def teacher_for(self, s2_method: str) -> str:
        """The method that a distilled variant learns from on a task whose System 2 is `s2_method`."""
        return "direct" if self.recipe == "s1" else self.teacher or s2_method


def parse_variants(models: str) -> list[Variant]:
    """Variants of a `--models` value, in order. UserError for an unknown one, a repeated name, or a
    distilled one whose teacher is not clear."""
    variants = [_parse(part.strip()) for part in models.split(",") if part.strip()]
    if not variants:
        raise UserError("--models is empty: try --models base,s2,distilled")
    names = [variant.name for variant in variants]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"--models names {name} twice: give one of them another name (NAME=...)")
    return [with_teacher(variant, variants) for variant in variants]


def with_teacher(variant: Variant, variants: Sequence[Variant]) -> Variant:
    """`variant`; a distilled one gets the run's System 2 row as its teacher. UserError if the run has
    several."""
    rows = [other for other in variants if other.kind == "s2"]
    if variant.kind != "distilled" or variant.recipe == "s1" or variant.teacher is not None or not rows:
        return variant
    if len(rows) > 1:
        named = next((row.method for row in rows if row.method), "METHOD")
        raise UserError(
            f"--models {variant.name}: the run has several System 2 rows "
            f"({', '.join(row.name for row in rows)}): name the one it learns from, such as "
            f"{variant.name}:{named}"
        )
    return replace(variant, teacher=rows[0].method)


def teacher_row(variant: Variant, variants: Sequence[Variant], s2_method: str) -> Variant | None:
    """The row of the run that a distilled variant learns from, on a task whose System 2 is `s2_method`;
    None if the run has no such row."""
    if variant.kind != "distilled" or variant.recipe == "s1":
        return None
    wanted = get_method(variant.teacher_for(s2_method)).name
    return next(
        (
            row
            for row in variants
            if row.kind == "s2" and get_method(row.method_for(s2_method)).name == wanted
        ),
        None,
    )


def check_teachers(variants: Sequence[Variant], s2_methods: Mapping[str, str]) -> None:
    """UserError if a run has System 2 rows, and a distilled variant learns from none of them on some task
    of `s2_methods` (task -> its System 2)."""
    if all(variant.kind != "s2" for variant in variants):
        return
    for variant in variants:
        if variant.kind != "distilled" or variant.recipe == "s1":
            continue
        for task, s2_method in s2_methods.items():
            if teacher_row(variant, variants, s2_method) is None:
                method = variant.teacher_for(s2_method)
                raise UserError(
                    f"--models {variant.name}: on {task} it learns from {method}, which is not a row of this "
                    f"run: add s2:{method}"
                )


def with_noise_floor(variants: Sequence[Variant]) -> list[Variant]:
    """`variants` and a second run of `base`: a difference between the two is noise. UserError without
    `base`."""
    if "base" not in {variant.name for variant in variants}:
        raise UserError("--noise-floor runs base twice: put base into --models")
    return [*variants, Variant(AGAIN, "base", repeat=1)]


def _parse(text: str) -> Variant:
    if "=" in text:
        name, _, rest = text.partition("=")
        _check_name(name)
        if name in {"base", "s2", AGAIN, *RECIPES}:
            raise UserError(f"--models {text}: {name} is the name of a built-in variant; choose another name")
        location, method = _split_method(rest)
        path, _, revision = (location, "", "") if location.startswith(SERVED) else location.partition("@")
        if not path:
            raise UserError(f"--models {text}: no checkpoint after '='; give a folder or a hub id")
        return Variant(name, "named", method, path, revision or None)
    head, colon, method = text.partition(":")
    if head not in {"base", "s2", *RECIPES}:
        raise UserError(
            f"--models {text}: no such variant; choose base, s2, s2:METHOD, {', '.join(RECIPES)}, "
            "distilled:METHOD "
            "or NAME=PATH_OR_ID[@revision][:method]"
        )
    kind: Kind = "base" if head == "base" else "s2" if head == "s2" else "distilled"
    if colon and not method:
        raise UserError(f"--models {text}: no method after ':'; write s2:cot, or s2 for the task's own")
    if not method:
        return Variant(head, kind, recipe=RECIPES.get(head, "s2"))
    if head == "distilled-s1":
        raise UserError(f"--models {text}: distilled-s1 learns from System 1 and takes no method")
    if head == "base":
        raise UserError(f"--models {text}: base takes no method; write s2:{method}")
    name = _known_method(method)
    if head == "s2":
        return Variant(f"s2-{name}", kind, method)
    return Variant(f"{head}-from-{name}", kind, recipe=RECIPES[head], teacher=method)


def _split_method(text: str) -> tuple[str, str | None]:
    """Location and method; a drive letter, a URL scheme or a server's `name:tag` is not a method."""
    location, colon, method = text.rpartition(":")
    if not colon or "/" in method or "\\" in method:
        return text, None
    if text.startswith(SERVED) and (location + ":" == SERVED or not is_method(method)):
        return text, None
    _known_method(method)
    return location, method


def _known_method(name: str) -> str:
    get_method(name)
    return re.sub(r"[^A-Za-z0-9._+*-]", "-", name)


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise UserError(
            f"--models {name!r}=...: a name is letters, digits, '.', '_', '+', '*' or '-', at most 64"
        )
