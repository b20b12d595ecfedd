"""Files of a comparison: `comparison.json`, `.txt`, `.csv`, and `items.csv` with both sides of every item."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from results.compare.claims import scored_name
from results.compare.run import Outcome
from results.files import write_whole
from results.schema import Compared
from results.tables import cells

ROW_KEYS = (
    "task", "a", "b", "metric", "unit", "direction", "claim", "verdict", "n", "score_a", "score_b",
    "difference", "ci_low", "ci_high", "p", "p_adjusted", "margin", "mde", "needed_n", "token_ratio",
    "token_ratio_low", "token_ratio_high",
)  # fmt: skip
ITEM_KEYS = (
    "task", "a", "b", "item", "sample", "metric", "score_a", "score_b", "generated_tokens_a",
    "generated_tokens_b", "answer_a", "answer_b",
)  # fmt: skip


def write_all(folder: Path, found: Outcome, text: str) -> list[Path]:
    """Write the four files, each whole or not at all; returns their paths."""
    document = json.dumps(found.compared, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    files = {
        "comparison.json": document,
        "comparison.txt": text,
        "comparison.csv": _rows(found.compared),
        "items.csv": _items(found),
    }
    return [write_whole(folder / name, content) for name, content in files.items()]


def _rows(compared: Compared) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(ROW_KEYS)
    for row in compared["comparisons"]:
        known = dict(row)
        writer.writerow([_cell(known.get(key)) for key in ROW_KEYS])
    return out.getvalue()


def _items(found: Outcome) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(ITEM_KEYS)
    for (matched, metrics), names in zip(found.matched, found.compared["left_out"], strict=True):
        a, b = matched.a, matched.b
        has_tokens = a.has_tokens and b.has_tokens
        for metric, other in metrics.items():
            if metric not in a.columns.scores or other not in b.columns.scores:
                continue  # a metric of the whole corpus has no value per item
            name = scored_name(metric, other)
            scores = a.columns.scores[metric]
            for row, item in enumerate(a.columns.item_id.tolist()):
                spent = (
                    side.columns.usage["generated_tokens"][row] if has_tokens else None for side in (a, b)
                )
                values = (
                    names["task"], names["a"], names["b"], item, int(a.columns.sample_index[row]), name,
                    _number(scores[row]), _number(b.columns.scores[other][row]), *spent,
                    a.content.answer[row], b.content.answer[row],
                )  # fmt: skip
                writer.writerow([_cell(value) for value in values])
    return out.getvalue()


def _number(value: float) -> float | None:
    return None if value != value else float(value)


def _cell(value: object) -> object:
    return cells.csv(value) if isinstance(value, str) else value
