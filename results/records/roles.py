"""Who plays which part in a run: what stands for base, s2 and distilled, who was taught, and by whom.

Variants go by name where they have the usual one, else by the kind that the manifest gives them. This file
reads the manifest alone; which rows two variants share is `results.analysis.pairing`'s business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from results import schema
from results.schema import Distillation, Manifest

ALL_TASKS = "all"
"""Task of a distillation that taught every task of the run at once."""
_BEFORE = {"distilled-s1": "s1"}
"""Who taught, by name, in manifests that do not say it."""


def taught_by(manifest: Manifest, variant: str) -> str | None:
    """Who teaches a distilled variant: `s2`, `s1` or `labels`; None for other variants. One that System 2
    does not teach never stands for what was distilled from it."""
    entry = manifest["variants"].get(variant)
    if entry is None or entry.get("kind") != "distilled":
        return None
    return entry.get("taught_by") or _BEFORE.get(variant, "s2")


def standing(manifest: Manifest) -> dict[str, str]:
    """What stands for `base`, `s2` and `distilled`: the variant of that name, else the first of that kind.
    A part that nobody plays is left out.
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
    """(task, variant) of which no seed was distilled: its row stays, without a score."""
    trained = {
        (task, entry["variant"])
        for entry in distillations(manifest)
        if entry.get("status") != "not_distilled"
        for task in tasks_of(manifest, entry)
    }
    return set(missing_seeds(manifest)) - trained


def noise_floor(manifest: Manifest, a: str, b: str) -> bool:
    """Whether a pair is one variant run twice: what it shows is chance alone. Two distilled variants have
    weights of their own, whatever the manifest calls them.
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
    """Who is asked about on one task: what was distilled, the variant that taught it, and the base of both.

    `base` and `teacher` are None where the run has no such row."""

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
    """What stands for distilled, and every other variant that another System 2 taught, each with its teacher.

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
    """The variant of the run that taught `variant` on a task; None where it is not a row, or none did.

    Where no record says who did, what stands for s2 is taken to have; what System 1 taught was taught by
    base, and labels are no variant.
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

    The manifest names it; older ones name its method alone, and then it is the variant that answers by that.
    `methods` are those of the variants that have samples of the task. None where no variant of the run
    answers as the teacher did. An entry of all tasks, or without a method, was taught by what stands for s2.
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
    # What stands for a part goes first, before a second run of the same variant.
    ordered = sorted(undistilled, key=lambda name: name not in roles.values())
    return next((name for name in ordered if methods.get(name) == asked), None)
