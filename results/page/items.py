"""Where two variants differ, item by item: which items to show, and their texts, for the page.

A samples file is read twice: once for scores and answers, keeping only the place of each row, then only the
rows that are shown. So a run of 5 tasks, 6 variants and 2,000 items is read without its texts ever being in
memory together.

Two rows differ when their scores or their answers do. At most 200 differing items per task and pair are
shown, rare kinds first in turn, in an order made from the item's hash, so that what is shown is not a choice
of ours; all are counted.

This file does not know HTML or statistics.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from results.page.latency import Wait, longest_way
from results.records.lines import parse
from results.records.load import sample_files
from results.schema import USAGE, JsonObject, Manifest
from results.schema import Task as TaskEntry

LIMIT = 200
"""Differing items that are shown per task and pair."""
BUDGET = 11_000_000
"""Bytes of item data on one page; the whole page stays under 15 MB."""
CLIPS = (6000, 2500, 1000, 400)
"""Characters of one text that are shown: the longest of these with which a task keeps to its share of the
budget."""
KINDS = ("gained", "lost", "both_right", "both_wrong", "same_score")
"""`gained`: b scores higher than a. The last three have equal scores and other answers; `same_score` is
neither 0 nor 1."""

Key = tuple[str, int, int]
"""item_id, seed, sample_index: what rows of two variants are paired by."""


@dataclass
class Place:
    """One row of a samples file: where it lies and what decides whether it differs."""

    offset: int
    line: int
    score: float | None
    answer: str | None
    metric: str | None


@dataclass
class Scan:
    """What one pass over a samples file leaves: places of rows, and what each waits for."""

    path: Path
    places: dict[Key, Place] = field(default_factory=dict)
    waits: list[Wait] = field(default_factory=list)
    """What each row waits for."""


@dataclass
class Pair:
    """Two variants on one task: how many rows differ, by kind, and which of them are shown."""

    a: str
    b: str
    compared: int
    counts: dict[str, int]
    shown: dict[Key, str]
    """Key -> kind, in the order in which items are shown."""


class ShownRow(TypedDict):
    """What one variant did with an item, as page.js reads it."""

    answer: str | None
    score: float | None
    failure: str | None
    usage: list[float | None]
    """In the order of `USAGE`."""
    steps: list[list[str | int | None]]
    """Name, text, generated tokens and finish reason of each."""
    response: NotRequired[str | None]
    """Where it is not the text of the last step."""


class ShownItem(TypedDict):
    """An item with what the variants did, as page.js reads it."""

    id: str
    seed: int
    sample: int
    metric: str | None
    prompt: str | None
    target: str | None
    variants: dict[str, ShownRow]


@dataclass
class TaskItems:
    """Everything of one task that the page's item viewer gets, ready for JSON."""

    task: str
    pairs: list[Pair]
    items: dict[Key, ShownItem]
    clipped: int
    """Characters that a text keeps; longer ones are cut in the middle."""

    def as_json(self) -> str:
        """JSON that stands safely in a script element: no `<`, `>`, `&` and no line separators."""
        place = {key: number for number, key in enumerate(self.items)}
        pairs = [
            {"a": pair.a, "b": pair.b, "compared": pair.compared, "counts": pair.counts,
             "shown": [[place[key], kind] for key, kind in pair.shown.items()]}
            for pair in self.pairs
        ]  # fmt: skip
        document = {
            "task": self.task,
            "clipped": self.clipped,
            "pairs": pairs,
            "items": list(self.items.values()),
        }
        return embeddable(document)


def embeddable(document: Any) -> str:
    """JSON text for a script element. Model text cannot end the element: every `<`, `>` and `&` is an
    escape."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode("utf-8", "replace").decode("utf-8")


def scan_run(folder: Path, manifest: Manifest) -> dict[str, dict[str, Scan]]:
    """task -> variant -> what its samples file holds, in the manifest's order; files that do not exist are
    left out."""
    files = sample_files(folder, manifest)
    return {
        task: {
            variant: scan(files[task, variant], _metrics(entry))
            for variant in manifest["variants"]
            if (task, variant) in files
        }
        for task, entry in manifest["tasks"].items()
    }


def scan(path: Path, metrics: Sequence[str]) -> Scan:
    """One pass over a samples file. The first of `metrics` that applies to a row decides its score."""
    found = Scan(path)
    offset = 0
    with path.open("rb") as handle:
        for number, line in enumerate(handle, start=1):
            if line.strip():
                row = parse(line, path, number)
                scores = row.get("scores") or {}
                metric = next((name for name in metrics if scores.get(name) is not None), None)
                score = None if metric is None else float(scores[metric])
                found.places[_key(row)] = Place(offset, number, score, row.get("answer"), metric)
                found.waits.append(longest_way(row.get("steps") or []))
            offset += len(line)
    return found


def differing_items(
    task: str, scans: Mapping[str, Scan], pairs: Iterable[tuple[str, str]], budget: int, limit: int = LIMIT
) -> TaskItems:
    """The items of one task on which the pairs differ, with their texts, in at most `budget` bytes of JSON.

    Long texts are cut in the middle first; if that is not enough, fewer items are shown.
    """
    compared = [compare(scans, a, b, limit) for a, b in pairs if a in scans and b in scans]
    wanted: dict[Key, list[str]] = {}
    # Pairs take turns, so that a budget which runs out does not starve the last pair.
    for turn in zip_longest(*(pair.shown for pair in compared)):
        for pair, key in zip(compared, turn, strict=True):
            if key is not None:
                variants = wanted.setdefault(key, [])
                variants += [name for name in (pair.a, pair.b) if name not in variants]
    rows = _read_rows(scans, wanted)
    found = TaskItems(task, compared, {}, CLIPS[0])
    for clip in CLIPS:
        items = {key: _item(key, variants, rows, scans, clip) for key, variants in wanted.items()}
        sizes = {key: len(embeddable(item).encode("utf-8")) + 64 for key, item in items.items()}
        found = TaskItems(task, compared, items, clip)
        if sum(sizes.values()) <= budget:
            return found
    kept, total = {}, 0
    for key, item in found.items.items():
        total += sizes[key]
        if total > budget:
            break
        kept[key] = item
    for pair in compared:
        pair.shown = {key: kind for key, kind in pair.shown.items() if key in kept}
    return TaskItems(task, compared, kept, found.clipped)


def compare(scans: Mapping[str, Scan], a: str, b: str, limit: int = LIMIT) -> Pair:
    """Which rows of two variants differ. Rare kinds take turns with common ones until `limit` are shown."""
    left, right = scans[a].places, scans[b].places
    common = left.keys() & right.keys()
    by_kind: dict[str, list[Key]] = {kind: [] for kind in KINDS}
    for key in sorted(common, key=_shuffled):
        kind = _kind(left[key], right[key])
        if kind is not None:
            by_kind[kind].append(key)
    shown: dict[Key, str] = {}
    for group in (("gained", "lost"), ("both_right", "both_wrong", "same_score")):
        for turn in zip_longest(*(by_kind[kind] for kind in group)):
            for kind, key in zip(group, turn, strict=True):
                if key is not None and len(shown) < limit:
                    shown[key] = kind
    counts = {kind: len(keys) for kind, keys in by_kind.items() if keys}
    return Pair(a, b, len(common), counts, shown)


def _metrics(entry: TaskEntry) -> list[str]:
    return [entry["primary"], *(name for name in entry["metrics"] if name != entry["primary"])]


def _key(row: JsonObject) -> Key:
    return str(row.get("item_id")), int(row.get("seed") or 0), int(row.get("sample_index") or 0)


def _shuffled(key: Key) -> bytes:
    return hashlib.sha256(repr(key).encode()).digest()


def _kind(left: Place, right: Place) -> str | None:
    if left.score is not None and right.score is not None and left.score != right.score:
        return "gained" if right.score > left.score else "lost"
    if left.answer == right.answer:
        return None
    return {1.0: "both_right", 0.0: "both_wrong"}.get(
        -1.0 if left.score is None else left.score, "same_score"
    )


def _read_rows(
    scans: Mapping[str, Scan], wanted: Mapping[Key, Sequence[str]]
) -> dict[tuple[str, Key], JsonObject]:
    rows = {}
    for variant, scanned in scans.items():
        with scanned.path.open("rb") as handle:
            for key, variants in wanted.items():
                if variant in variants:
                    place = scanned.places[key]
                    handle.seek(place.offset)
                    rows[variant, key] = parse(handle.readline(), scanned.path, place.line)
    return rows


def _item(
    key: Key,
    variants: Sequence[str],
    rows: Mapping[tuple[str, Key], JsonObject],
    scans: Mapping[str, Scan],
    clip: int,
) -> ShownItem:
    first = rows[variants[0], key]
    return {
        "id": key[0],
        "seed": key[1],
        "sample": key[2],
        "metric": scans[variants[0]].places[key].metric,
        "prompt": _clip(first.get("prompt"), clip),
        "target": _clip(first.get("target"), clip),
        "variants": {
            variant: _record(rows[variant, key], scans[variant].places[key], clip) for variant in variants
        },
    }


def _record(row: JsonObject, place: Place, clip: int) -> ShownRow:
    steps = row.get("steps") or []
    record: ShownRow = {
        "answer": _clip(row.get("answer"), clip),
        "score": place.score,
        "failure": row.get("failure"),
        "usage": [(row.get("usage") or {}).get(name) for name in USAGE],
        "steps": [
            [
                step.get("name") or "",
                _clip(step.get("text"), clip),
                step.get("generated_tokens"),
                step.get("finish_reason"),
            ]
            for step in steps
        ],
    }
    # Most programs end in the text of their last step: it is not stored twice.
    if not steps or row.get("response") != steps[-1].get("text"):
        record["response"] = _clip(row.get("response"), clip)
    return record


def _clip(text: Any, most: int) -> str | None:
    if text is None:
        return None
    words = text if isinstance(text, str) else json.dumps(text, ensure_ascii=False)
    if len(words) <= most:
        return words
    head, tail = most * 2 // 3, most // 3
    left_out = len(words) - head - tail
    return f"{words[:head]}\n[... {left_out:,} characters left out, all are in samples/ ...]\n{words[-tail:]}"
