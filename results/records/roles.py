"""The roles of variants in a run: which is base, s2 and distilled, and which taught which.

Roles follow the usual names, else the kinds in the manifest. This file reads only the manifest;
`results.analysis.pairing` finds the rows that two variants share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from results import schema
from results.schema import Distillation, Manifest

ALL_TASKS = "all"
"""Task of a distillation that taught every task of the run at once."""
_BEFORE = {"distilled-s1": "s1"}
"""Teachers by variant name, for manifests that do not record them."""


def taught_by(manifest: Manifest, variant: str) -> str | None:
    """Teacher of a distilled variant: `s2`, `s1` or `labels`; None for other variants. Only a variant that
    System 2 taught can have the role `distilled`."""
    entry = manifest["variants"].get(variant)
    if entry is None or entry.get("kind") != "distilled":
        return None
    return entry.get("taught_by") or _BEFORE.get(variant, "s2")


def standing(manifest: Manifest) -> dict[str, str]:
    """Role -> variant for `base`, `s2`, `distilled`: the variant of that name, else the first of that kind.
    A role without a variant is left out.
    """
    found = {}
    for kind in ("base", "s2", "distilled"):
        of_kind = [
            name
            for name, entry in manifest["variants"].items()
            if entry.get("kind") == kind and taught_by(manifest, name) in (None, "s2")
        ]
        if kind in manifest["variants"] or of_kind:
            found[kind] = kind if kind in manifest["variants"] else of_kind[0]
    return found


def distillations(manifest: Manifest) -> list[Distillation]:
    """The manifest's entries, each with its variant named."""
    return [{**entry, "variant": entry.get("variant") or "distilled"} for entry in manifest["distillation"]]


def tasks_of(manifest: Manifest, entry: Distillation) -> list[str]:
    """Tasks that one distillation taught: its own, or those of the run."""
    if entry.get("task") == ALL_TASKS and ALL_TASKS not in manifest["tasks"]:
        return [task for task in manifest["tasks"] if task in (entry.get("tasks") or manifest["tasks"])]
    return [str(entry.get("task"))]


def missing_seeds(manifest: Manifest) -> dict[tuple[str, str], set[int]]:
    """(task, variant) -> seeds that were not distilled, because the filter kept too few inputs."""
    found: dict[tuple[str, str], set[int]] = {}
    for entry in distillations(manifest):
        if entry.get("status") == "not_distilled":
            for task in tasks_of(manifest, entry):
                found.setdefault((task, entry["variant"]), set()).add(int(entry.get("seed") or 0))
    return found


def not_distilled(manifest: Manifest) -> set[tuple[str, str]]:
    """(task, variant) of which no seed was distilled: its row has no score."""
    trained = {
        (task, entry["variant"])
        for entry in distillations(manifest)
        if entry.get("status") != "not_distilled"
        for task in tasks_of(manifest, entry)
    }
    return set(missing_seeds(manifest)) - trained


def noise_floor(manifest: Manifest, a: str, b: str) -> bool:
    """Whether a pair is one variant run twice, so that it differs by chance alone. Two distilled variants are
    never such a pair: each has its own weights.
    """
    first, second = (manifest["variants"].get(name) for name in (a, b))
    taught = {entry["variant"] for entry in distillations(manifest)}
    if first is None or second is None or {a, b} & taught:
        return False
    if "distilled" in (first.get("kind"), second.get("kind")):
        return False
    return (first.get("weights"), first.get("method")) == (second.get("weights"), second.get("method"))


@dataclass(frozen=True)
class Trio:
    """The variants in the headline, on one task: the distilled one, its teacher, and the base of both.

    `base` and `teacher` are None if the run has no such row."""

    task: str
    base: str | None
    teacher: str | None
    distilled: str

    def as_json(self) -> schema.Trio:
        """For `leaderboard.json`."""
        return {
            "task": self.task,
            "base": self.base,
            "teacher": self.teacher,
            "distilled": self.distilled,
        }


def trios(manifest: Manifest, task: str, methods: Mapping[str, str]) -> list[Trio]:
    """The variant in the role `distilled`, and all others taught by another System 2, each with its teacher.

    `methods` are those of the variants that have samples of the task.
    """
    roles = standing(manifest)
    variants = manifest["variants"]
    first = roles.get("distilled")
    if first is None:
        return []
    found = [Trio(task, roles.get("base"), teacher_on(manifest, task, first, methods), first)]
    for name in variants:
        if name == first or taught_by(manifest, name) != "s2":
            continue
        teacher = teacher_on(manifest, task, name, methods)
        of_s2 = teacher is not None and variants[teacher].get("kind") == "s2"
        if of_s2 and teacher not in [trio.teacher for trio in found]:
            found.append(Trio(task, roles.get("base"), teacher, name))
    return found


def teacher_on(manifest: Manifest, task: str, variant: str, methods: Mapping[str, str]) -> str | None:
    """The variant of the run that taught `variant` on a task; None if it is not in the run, or none did.

    Without a record, the teacher is the variant in the role `s2`. System 1 as teacher is base; labels are
    not a variant.
    """
    if taught_by(manifest, variant) == "labels":
        return None
    for entry in distillations(manifest):
        if entry["variant"] == variant and task in tasks_of(manifest, entry):
            return teacher_of(manifest, entry, methods)
    own = manifest["variants"].get(variant)
    if variant != "distilled" and (own is None or own.get("kind") != "distilled"):
        return None
    if own is not None and "teacher" in own:
        return _named_teacher(manifest, variant)
    return standing(manifest).get("base" if taught_by(manifest, variant) == "s1" else "s2")


def _named_teacher(manifest: Manifest, variant: str) -> str | None:
    own = manifest["variants"].get(variant)
    name = None if own is None else own.get("teacher")
    return name if name is not None and name in manifest["variants"] and name != variant else None


def teacher_of(manifest: Manifest, entry: Distillation, methods: Mapping[str, str]) -> str | None:
    """The variant that taught a distillation: claims and break-even are against it.

    The manifest names it. Older manifests name only its method: then it is the variant with that method,
    or None if there is none. An entry of all tasks, or without a method, was taught by the variant in the
    role `s2`. `methods` are those of the variants that have samples of the task.
    """
    if named := _named_teacher(manifest, entry["variant"]):
        return named
    if taught_by(manifest, entry["variant"]) == "labels":
        return None
    roles = standing(manifest)
    asked = entry.get("teacher_method")
    if not isinstance(asked, str) or entry.get("task") == ALL_TASKS:
        return roles.get("s2")
    known = [name for name, found in manifest["variants"].items() if found.get("kind") in roles]
    undistilled = [name for name in known if name not in {e["variant"] for e in distillations(manifest)}]
    # Variants with a role come first, before a second run of the same variant.
    ordered = sorted(undistilled, key=lambda name: name not in roles.values())
    return next((name for name in ordered if methods.get(name) == asked), None)
