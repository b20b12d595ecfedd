"""Which module may import which: from the command down to the tasks, never up, and no cycles."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("harness", "tasks", "distill", "results")
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
}
FLOORS = {
    # A folder -> which of our modules its files may import; the longest name that fits a file counts.
    "harness.command": ("harness", "distill", "results", "tasks"),
    "distill": ("distill", "harness", "tasks", "results.schema", "results.files"),
    "harness": ("harness", "tasks", "results.schema", "results.files"),
    "harness.programs": ("harness.programs", "harness.types", "harness.errors", "results.schema", "tasks"),
    "harness.engines": ("harness.engines", "harness.answer_text", "harness.errors",
                        "harness.installed", "harness.models",
                        "harness.option_checks", "harness.progress", "harness.settings", "harness.storage",
                        "harness.telemetry", "harness.types", "results.schema", "tasks.thoughts",
                        "results.files"),
    "harness.types": ("results.schema",),
    "tasks": ("tasks",),
    "results": ("results",),
    "results.schema": ("results.schema_manifest", "results.schema_distillation", "results.schema_leaderboard",
                       "results.schema_claims", "results.schema_compare"),
    "results.files": (),
    "results.statistics": ("results.statistics", "results.schema"),
    "results.records": ("results.records", "results.schema", "results.files", "results.errors"),
}  # fmt: skip
HEAVY = {
    # Imported only inside functions, so that --help and bad input do not wait for them.
    "lm_eval": ("harness.lm", "tasks"),
    "vllm": ("harness.engines.vllm",),
    "trl": ("distill.training",),
}


def imported(name: str, inside: bool = True) -> Iterator[str]:
    """Full names of a module's imports; without `inside` only those that run when it is loaded."""
    tree = ast.parse(FILES[name].read_text(encoding="utf-8"))
    for node in ast.walk(tree) if inside else tree.body:
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for each in node.names:
                full = f"{node.module}.{each.name}"
                yield full if full in FILES else node.module


def within(name: str, places: tuple[str, ...]) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in places)


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_module_imports_only_its_own_layer_and_lower_ones(name: str) -> None:
    floor = max((each for each in FLOORS if within(name, (each,))), key=len)
    ours = {each for each in imported(name) if each.split(".")[0] in PACKAGES}
    above = sorted(each for each in ours if not within(each, FLOORS[floor]))
    assert not above, f"{name} may import {', '.join(FLOORS[floor]) or 'nothing of ours'}"


@pytest.mark.parametrize("library", HEAVY)
def test_a_heavy_library_is_imported_in_one_place_and_late(library: str) -> None:
    users = {name for name in FILES if any(within(each, (library,)) for each in imported(name))}
    assert users and all(within(name, HEAVY[library]) for name in users)
    late = {
        name for name in users if not any(within(each, (library,)) for each in imported(name, inside=False))
    }
    # lm-eval loads a task's Python, and a trainer is a TRL class.
    assert all(name.endswith((".task", ".trainer")) for name in users - late)


def test_there_is_no_import_cycle() -> None:
    graph = {name: {each for each in imported(name) if each in FILES and each != name} for name in FILES}
    while free := [name for name, needs in graph.items() if not needs & graph.keys()]:
        for name in free:
            del graph[name]
    left = [name for name in graph if any(name in needs for needs in graph.values())]
    assert not left, "these import each other"
