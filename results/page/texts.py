"""Texts of items as the page's script reads them: prompt, target, and what each variant did step by step.

Rows are read by their positions, one at a time; long texts are cut in the middle.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict

from results.page.scan import Key, Place, Scan
from results.records.lines import parse
from results.schema import USAGE, JsonObject


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
    """Missing if it is the text of the last step."""


class ShownItem(TypedDict):
    """An item with what the variants did, as page.js reads it."""

    metric: str | None
    prompt: str | None
    target: str | None
    variants: dict[str, ShownRow]


def embeddable(document: Any) -> str:
    """JSON text for a script element. Model text cannot end the element: every `<`, `>` and `&` is an
    escape."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode("utf-8", "replace").decode("utf-8")


def read_rows(scans: Mapping[str, Scan], wanted: Sequence[Key]) -> dict[tuple[str, Key], JsonObject]:
    rows = {}
    for variant, scanned in scans.items():
        with scanned.path.open("rb") as handle:
            for key in wanted:
                if place := scanned.places.get(key):
                    handle.seek(place.offset)
                    rows[variant, key] = parse(handle.readline(), scanned.path, place.line)
    return rows


def shown_item(
    key: Key, rows: Mapping[tuple[str, Key], JsonObject], scans: Mapping[str, Scan], clip: int
) -> ShownItem:
    there = [variant for variant in scans if (variant, key) in rows]
    first = rows[there[0], key]
    return {
        "metric": scans[there[0]].places[key].metric,
        "prompt": _clip(first.get("prompt"), clip),
        "target": _clip(first.get("target"), clip),
        "variants": {
            variant: _record(rows[variant, key], scans[variant].places[key], clip) for variant in there
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
    # For most programs this is the text of the last step: it is not stored twice.
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
