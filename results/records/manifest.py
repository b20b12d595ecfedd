"""Reads and checks `manifest.json` of a run folder, so that tables are made only of valid values.

A run writes the file, but people copy, edit and truncate files. `EXPECTED` lists every key that `results`
uses, with its kind; other keys are allowed and shown as they are.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from results.errors import ResultsError
from results.files import parse_json
from results.schema import DIRECTIONS, Manifest

DEEPEST = 40
"""Maximum levels of nesting; a run writes eight."""
LARGEST = 1e30
"""Upper bound of counts, FLOPs and seconds of a run; its square still fits a float."""


def _is_amount(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LARGEST


TEXT, AMOUNT, WHOLE, COUNTS, PAIR = "text", "a number", "a whole number", "a number or counts", "two names"
DIRECTION, FLAG = "higher, lower or none", "true or false"
KINDS: dict[str, Callable[[Any], bool]] = {
    TEXT: lambda value: isinstance(value, str),
    AMOUNT: _is_amount,
    FLAG: lambda value: isinstance(value, bool),
    DIRECTION: lambda value: value in DIRECTIONS.values(),
    WHOLE: lambda value: isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63,
    COUNTS: lambda value: all(map(_is_amount, value.values() if isinstance(value, dict) else [value])),
    PAIR: lambda value: (
        isinstance(value, list) and len(value) == 2 and all(isinstance(name, str) for name in value)
    ),
}
EVERY = "*"
"""Stands for every key of a mapping."""
NEVER_NULL = frozenset({"run", "task", "variant", "primary", "metrics", "clusters", "asked", "spending"})
"""Keys that may be missing but not null; all others may be null."""
DISTILLATION: dict[str, Expected] = {
    "task": TEXT, "variant": TEXT, "seed": WHOLE, "status": TEXT, "teacher_method": TEXT, "checkpoint": TEXT,
    "tasks": [TEXT], "warnings": [TEXT], "dropped": {EVERY: AMOUNT}, "overlap": COUNTS,
    "teacher_tokens": AMOUNT, "teacher_prompt_tokens": AMOUNT, "teacher_flops": AMOUNT,
    "samples_per_input": AMOUNT, "inputs": AMOUNT, "kept": AMOUNT, "train_tokens": AMOUNT,
    "train_flops": AMOUNT, "pseudo_label_accuracy": AMOUNT,
}  # fmt: skip
PARTS: dict[str, type[dict[str, object]] | type[list[object]]] = {
    **dict.fromkeys(("options", "model", "hardware", "timing", "execution", "samples", "methods"), dict),
    **dict.fromkeys(("notes", "comparisons", "distillation"), list),
}
"""Keys that the returned manifest always has, empty if the file lacks them."""

Expected = str | list["Expected"] | dict[str, "Expected"]
"""The kind of a value, or of its parts."""
LOOKS: dict[str, Expected] = {
    "clusters": [WHOLE], "asked": WHOLE, "ended": TEXT, "variants": {EVERY: WHOLE},
}  # fmt: skip
EXPECTED: dict[str, Expected] = {
    "run": TEXT, "status": TEXT, "command": TEXT, "git_commit": TEXT,
    "options": {"margin": AMOUNT},
    "model": {"parameters": AMOUNT, "context_length": AMOUNT},
    "hardware": {"memory_bandwidth_gbs": AMOUNT},
    "timing": {},
    "execution": {
        "seconds": AMOUNT, "generated_tokens": AMOUNT, "prompt_tokens": AMOUNT, "decode_rows": AMOUNT,
        "useful_decode_share": AMOUNT,
    },
    "notes": [TEXT],
    "looks": {
        "spending": TEXT, "futility": FLAG, "margin": AMOUNT, "made_anew": [TEXT],
        "planned": [{EVERY: WHOLE}],
        "tasks": {EVERY: {**LOOKS, "earlier": [LOOKS]}},
    },
    "comparisons": [PAIR],
    "distillation": [DISTILLATION],
    "samples": {EVERY: TEXT},
    "variants": {EVERY: {"kind": TEXT, "method": TEXT, "teacher": TEXT, "taught_by": TEXT}},
    "methods": {EVERY: {"without_turns": [TEXT]}},
    "tasks": {
        EVERY: {
            "primary": TEXT, "turns": FLAG, "metrics": {EVERY: {"kind": TEXT, "direction": DIRECTION}}
        }
    },
}  # fmt: skip


def read_manifest(folder: Path) -> Manifest:
    """`manifest.json` of a run folder; missing parts (null, or an unfinished run) are empty.
    ResultsError names the file and the wrong key."""
    path = Path(folder) / "manifest.json"
    if not path.is_file():
        why = "it has no manifest.json" if path.parent.is_dir() else "there is no such folder"
        raise ResultsError(
            f"{folder} is not a run folder: {why}; name the folder a run wrote (by default runs/TIME-NAME)"
        )
    try:
        manifest = parse_json(path.read_text(encoding="utf-8"))
        json.dumps(manifest, ensure_ascii=False).encode()  # half a surrogate pair is JSON, but not text
    except ValueError as error:
        raise ResultsError(f"{path} is not valid JSON ({error}): run again, or restore the file") from error
    for key in ("tasks", "variants"):
        named = manifest.get(key) if isinstance(manifest, dict) else None
        if not isinstance(named, dict) or not named:
            raise ResultsError(f"{path} names no {key}: run again, or restore the file")
    if _is_deeper(manifest, DEEPEST):
        raise ResultsError(f"{path} is nested more than {DEEPEST} levels deep: restore the file")
    wrong = _wrong(manifest, EXPECTED, "")
    if wrong is not None:
        raise ResultsError(f"{path}: {wrong}; run again, or restore the file")
    for task, entry in manifest["tasks"].items():
        metrics = entry.get("metrics")
        if not metrics or entry.get("primary") not in metrics:
            raise ResultsError(
                f"{path}: task {task!r} has a primary metric that is not among its metrics: restore the file"
            )
    manifest.setdefault("run", Path(folder).resolve().name)
    for key, empty in PARTS.items():
        manifest[key] = manifest.get(key) or empty()
    complete: Manifest = manifest
    return complete


def _wrong(value: Any, expected: Expected, place: str) -> str | None:
    """The first difference from `expected`, with its place in the file; None if there is none."""
    if isinstance(expected, str):
        return None if KINDS[expected](value) else f"{place} must be {expected}"
    parts: list[tuple[str, Any, Expected]]
    if isinstance(expected, list):
        if not isinstance(value, list):
            return f"{place} must be a list"
        parts = [(f"{place}[{number}]", each, expected[0]) for number, each in enumerate(value)]
    else:
        if not isinstance(value, dict):
            return f"{place} must be a mapping"
        wanted = dict.fromkeys(value, expected[EVERY]) if EVERY in expected else expected
        parts = [
            (f"{place}.{key}".lstrip("."), value[key], kind)
            for key, kind in wanted.items()
            if key in value and (value[key] is not None or key in NEVER_NULL or EVERY in expected)
        ]
    found = (_wrong(each, kind, where) for where, each, kind in parts)
    return next((wrong for wrong in found if wrong is not None), None)


def _is_deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    parts = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(each, levels - 1) for each in parts)
