"""`leaderboard.csv`: one row per task, variant and metric, each complete on its own.

Figures are those of `leaderboard.json`. Every row has run, model and seeds, and the verdicts of the claims in
which its variant is the second side.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

from results.analysis.verdicts import word
from results.schema import ClaimName, Comparison, Leaderboard, ScoreRow
from results.tables import cells
from results.tables import rows as table_rows
from results.tables.columns import IN_FILE

KEYS = (
    "task", "variant", "method", "metric", "primary", "direction", "n", "n_rows", "score", "ci_low",
    "ci_high",
    *(column.key for column in IN_FILE), "truncated", "status", "teacher",
)  # fmt: skip
DOUBTS = ("cut_share", "without_turns", "no_reasoning", "uses_labels")
KEPT = ("gain_kept", "gain_kept_low", "gain_kept_high")
SEEDS = ("by_seed", "seed_spread", "anew_low", "anew_high")
RUN = ("run", "model", "seeds", "prices_date")
VERDICTS: dict[str, tuple[ClaimName, str]] = {
    "better_than_base": ("superior", "base"),
    "cheaper_than_base": ("cheaper", "base"),
    "as_good_as_teacher": ("non_inferior", "teacher"),
    "cheaper_than_teacher": ("cheaper", "teacher"),
}
"""Column -> claim, and the role of the first side. The cell is empty if the claim is not made."""


def csv_text(leaderboard: Leaderboard) -> str:
    """`rows[]` as CSV, one column per kind of failure."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    kinds = sorted({kind for row in leaderboard["rows"] for kind in row["failures"]})
    kept = table_rows.kept_by_row(leaderboard)
    prices = leaderboard["prices"]
    of_run = [
        cells.csv(leaderboard["run"]),
        cells.csv(leaderboard["model"] or ""),
        " ".join(map(str, leaderboard["seeds"])),
        cells.csv(prices["date"]) if prices else None,
    ]
    failed = [f"failures_{kind}" for kind in kinds]
    writer.writerow([*KEYS, *failed, *DOUBTS, *KEPT, *VERDICTS, *SEEDS, *RUN])
    for row in leaderboard["rows"]:
        known: Mapping[str, object] = row
        values = [cells.csv(known[key]) if isinstance(known[key], str) else known[key] for key in KEYS]
        claim = kept.get((row["task"], row["variant"], row["metric"]))
        share = claim and claim.get("gain_kept")
        writer.writerow(
            [
                *values,
                *(row["failures"].get(kind, 0) for kind in kinds),
                row["cut"] and row["cut"]["share"],
                cells.csv(" ".join(row["without_turns"])),
                bool(row["no_reasoning"]),
                row["uses_labels"],
                *((share["value"], share["low"], share["high"]) if share else (None, None, None)),
                *_verdicts(leaderboard, row),
                " ".join(f"{seed['seed']}:{seed['score']!r}" for seed in row["by_seed"]),
                *(row[key] for key in ("seed_spread", "anew_low", "anew_high")),
                *of_run,
            ]
        )
    return out.getvalue()


def _verdicts(leaderboard: Leaderboard, row: ScoreRow) -> list[str]:
    """Verdicts of the leaderboard on a row's variant, in the words of its tables."""
    others = {"base": _base(leaderboard, row["task"]), "teacher": row["teacher"]}
    found = []
    for claim, against in VERDICTS.values():
        rows = [one for one in leaderboard["comparisons"] if _is(one, row, claim, others[against])]
        found.append(word(rows[0]) if rows else "")
    return found


def _is(one: Comparison, row: ScoreRow, claim: ClaimName, other: str | None) -> bool:
    of_metric = row["primary"] if claim == "cheaper" else one["metric"] == row["metric"]
    pair = (one["task"], one["a"], one["b"], one["claim"])
    return of_metric and other is not None and pair == (row["task"], other, row["variant"], claim)


def _base(leaderboard: Leaderboard, task: str) -> str | None:
    """The variant in the role of base on a task."""
    named = [trio["base"] for trio in leaderboard["trios"] if trio["task"] == task and trio["base"]]
    return named[0] if named else "base"
