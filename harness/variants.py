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
from harness.programs.budget import budget_of
from harness.recipes import DISTILLED, LABELS, RECIPES, Recipe

Kind = Literal["base", "s2", "distilled", "named"]

KNOWN = {
    "base": "the model, answering at once",
    "s2": "the model with the task's System 2 method (s2:METHOD names another)",
    **{recipe.name: recipe.description for recipe in RECIPES.values()},
    "distilled:METHOD": "distilled from s2:METHOD, where the run has several s2 (and distilled-...:METHOD)",
    "distilled:ROW": "the same from the row s2 or s2:METHOD, under the name distilled",
    "NAME=PATH_OR_ID[@revision][:method]": "any checkpoint or adapter, any method (served:MODEL: a server's)",
}


def listing() -> list[tuple[str, str, str, str]]:
    """(name, what it is, what it costs, where it is from) of every variant, for `ls variants`."""
    return [
        (name, text, RECIPES[name].cost, RECIPES[name].paper) if name in RECIPES else (name, text, "", "")
        for name, text in KNOWN.items()
    ]


AGAIN = "base-again"
"""The second run of `base` that `--noise-floor` adds."""

_ROW = "s2"
"""`distilled:s2` and `distilled:s2:METHOD` name the System 2 row that teaches, not only its method."""

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
    recipe: Recipe = DISTILLED
    """How a distilled variant is trained."""
    teacher: str | None = None
    """System 2 method that a distilled variant learns from; None is the task's own."""
    repeat: int = 0
    """If above 0, the calls are made again, even if equal ones are in the store."""

    def method_for(self, s2_method: str) -> str:
        """The method's name on a task whose System 2 is `s2_method`."""
        if self.method is not None:
            return self.method
        if self.kind == "distilled" and self.recipe.asked == "teacher":
            return self.teacher_for(s2_method)
        return s2_method if self.kind == "s2" else "direct"

    def teacher_for(self, s2_method: str) -> str:
        """The method that a distilled variant learns from on a task whose System 2 is `s2_method`; LABELS
        where no model is asked."""
        if self.recipe.from_system_2:
            return self.teacher or s2_method
        return LABELS if self.recipe.taught_by == "labels" else "direct"

    @property
    def learns_from_system_2(self) -> bool:
        """Whether a System 2 method teaches it."""
        return self.kind == "distilled" and self.recipe.from_system_2


def untrained_first(variants: Sequence[Variant]) -> list[Variant]:
    """`variants` in the order in which a run asks them: those without training first."""
    return sorted(variants, key=lambda variant: variant.kind == "distilled")


def parse_variants(models: str) -> list[Variant]:
    """Variants of a `--models` value, in order. UserError for an unknown one, a repeated name, or a
    distilled one whose teacher is not clear."""
    texts = variant_texts(models)
    variants = [_parse(text) for text in texts]
    if not variants:
        raise UserError("--models is empty: try --models base,s2,distilled")
    names = [variant.name for variant in variants]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"--models names {name} twice: give one of them another name (NAME=...)")
    return [
        variant if ":" in text else with_teacher(variant, variants)
        for text, variant in zip(texts, variants, strict=True)
    ]


def variant_texts(models: str) -> list[str]:
    """The variants of a `--models` value as they are typed."""
    return [part.strip() for part in models.split(",") if part.strip()]


def variant_names(models: str) -> list[str]:
    """Their names. UserError for an unknown variant."""
    return [_parse(text).name for text in variant_texts(models)]


def with_teacher_typed(text: str, variant: Variant) -> str:
    """`text`, which `variant` was parsed from, in a form that means the same beside any other variants."""
    if ":" in text or not variant.learns_from_system_2:
        return text
    return f"{text}:{_ROW}" if variant.teacher is None else f"{text}:{_ROW}:{variant.teacher}"


def with_teacher(variant: Variant, variants: Sequence[Variant]) -> Variant:
    """`variant`; a distilled one gets the run's System 2 row as its teacher. UserError if the run has
    several."""
    every = [other for other in variants if other.kind == "s2"]
    # A System 2 under a budget is a point between the two, and no teacher unless it is named or alone.
    rows = [row for row in every if row.method is None or budget_of(get_method(row.method)) is None] or every
    if not variant.learns_from_system_2 or variant.teacher is not None or not rows:
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
    if not variant.learns_from_system_2:
        return None
    wanted = get_method(variant.teacher_for(s2_method)).name
    rows = [
        row for row in variants if row.kind == "s2" and get_method(row.method_for(s2_method)).name == wanted
    ]
    # `s2` and `s2:METHOD` may run one method: then the row that was named.
    return next((row for row in rows if row.method == variant.teacher), rows[0] if rows else None)


def check_teachers(variants: Sequence[Variant], s2_methods: Mapping[str, str]) -> None:
    """UserError if a run has System 2 rows, and a distilled variant learns from none of them on some task
    of `s2_methods` (task -> its System 2)."""
    if all(variant.kind != "s2" for variant in variants):
        return
    for variant in variants:
        if not variant.learns_from_system_2:
            continue
        for task, s2_method in s2_methods.items():
            if teacher_row(variant, variants, s2_method) is None:
                method = variant.teacher_for(s2_method)
                raise UserError(
                    f"--models {variant.name}: on {task} it learns from {method}, which is not a row of this "
                    f"run: add s2:{method}"
                )


def check_recipes(variants: Sequence[Variant], s2_methods: Mapping[str, str]) -> None:
    """UserError where a variant's recipe can make a checkpoint on no task of `s2_methods` (task -> its
    System 2). Where it can on some, the rows of the others say why not."""
    for variant in variants:
        if variant.learns_from_system_2:
            refusals = [unteachable(variant, s2_method) for s2_method in s2_methods.values()]
            if refusals and None not in refusals:
                raise UserError(f"--models {variant.name}: {refusals[0]}")


def unteachable(variant: Variant, s2_method: str) -> str | None:
    """Why a distilled variant cannot learn from its teacher on a task whose System 2 is `s2_method`; None
    where it can."""
    if not variant.learns_from_system_2:
        return None
    return variant.recipe.refuses(get_method(variant.teacher_for(s2_method)))


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
        return Variant(head, kind, recipe=RECIPES.get(head, DISTILLED))
    if kind == "distilled" and not RECIPES[head].from_system_2:
        whom = {"s1": "System 1", "labels": "labels"}[RECIPES[head].taught_by]
        raise UserError(f"--models {text}: {head} learns from {whom} and takes no method")
    if head == "base":
        raise UserError(f"--models {text}: base takes no method; write s2:{method}")
    if kind == "distilled" and method.partition(":")[0] == _ROW:
        _, colon, method = method.partition(":")
        if method or colon:
            _known_method(method)
        return Variant(head, kind, recipe=RECIPES[head], teacher=method or None)
    name = _known_method(method)
    if head == "s2":
        return Variant(f"s2-{name}", kind, method)
    return Variant(f"{head}-from-{name}", kind, recipe=RECIPES[head], teacher=method)


def _split_method(text: str) -> tuple[str, str | None]:
    """Location and method; a drive letter, a URL scheme or a server's `name:tag` is not a method."""
    location, colon, method = text.rpartition(":")
    if not colon or ("/" in method and not is_method(method)) or "\\" in method:
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
