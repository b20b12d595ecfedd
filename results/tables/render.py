"""The leaderboard as tables: terminal, Markdown, CSV, LaTeX. Percent and points for people.

This file puts the parts together; `rows` makes the cells, `cells` formats and escapes,
`layout` fits a terminal. All read the leaderboard dict alone.
"""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Mapping, Sequence

from results.schema import ClaimTable, Leaderboard
from results.tables import cells, layout, looks
from results.tables import rows as table_rows
from results.tables.columns import IN_FILE


def terminal(leaderboard: Leaderboard, width: int = 100) -> str:
    """The whole leaderboard as text, no line longer than `width` columns."""
    parts = _wrapped([leaderboard["headline"]], width, bullet="")
    parts += ["", *_wrapped([f"Run {leaderboard['run']}"], width, bullet="")]
    parts += _wrapped(_verdicts(leaderboard), width)
    headers, rows = table_rows.narrow_score_cells(leaderboard)
    parts += ["", layout.table(headers, rows, width, table_rows.RIGHT)]
    parts += _wrapped([cells.LEGEND, *table_rows.footers(leaderboard)], width, bullet="")
    rows = table_rows.cost_cells(leaderboard, cells.plain)
    parts += ["", layout.table(table_rows.COST_HEADERS, rows, width, table_rows.RIGHT)]
    if leaderboard["comparisons"]:
        parts += ["", claims_text(leaderboard, width)]
    if leaderboard.get("looks"):
        parts += ["", layout.table(looks.HEADERS, looks.rows(leaderboard, cells.plain), width, looks.RIGHT)]
        parts += _wrapped([looks.SAVED_LEGEND], width, bullet="")
    if leaderboard["distillation"]:
        parts += _distillation(leaderboard, width)
        if any(any(row["break_even"].values()) for row in leaderboard["distillation"]):
            parts += _wrapped([table_rows.DISTILLATION_LEGEND], width, bullet="")
    parts += ["", "Methods used"]
    parts += _wrapped([table_rows.method_text(row) for row in leaderboard["methods"] if row["used"]], width)
    if leaderboard["notes"]:
        parts += ["", "Notes", *_wrapped(leaderboard["notes"], width)]
    return "\n".join(parts) + "\n"


def _distillation(leaderboard: Leaderboard, width: int) -> list[str]:
    """What distillation cost and when it pays: one table, or two where one would be too wide."""
    headers, right = table_rows.DISTILLATION_HEADERS, table_rows.RIGHT
    rows = table_rows.distillation_cells(leaderboard, cells.plain)
    if layout.fits(headers, rows, width, right):
        return ["", layout.table(headers, rows, width, right)]
    pays = headers.index("teacher tokens") + 1
    named = [[*row[:2], *row[pays:]] for row in rows]
    return [
        "",
        layout.table(headers[:pays], [row[:pays] for row in rows], width, right),
        "",
        layout.table([*headers[:2], *headers[pays:]], named, width, right),
    ]


def claims_text(leaderboard: ClaimTable, width: int = 100) -> str:
    """The claims alone, with their legend; also for `compare`, whose dict has the same keys."""
    rows = table_rows.claim_cells(leaderboard, cells.plain, brief=True)
    legends = table_rows.claim_legends(leaderboard)
    if any(row.get("named") for row in leaderboard["comparisons"]):
        legends.append(table_rows.BRIEF_LEGEND)
    table = layout.table(table_rows.CLAIM_HEADERS, rows, width, table_rows.RIGHT)
    return "\n".join([table, *_wrapped([" ".join(legends)], width, bullet="")])


def markdown(leaderboard: Leaderboard) -> str:
    """The same tables as Markdown, verdict sentences first."""
    escape = cells.markdown
    parts = [escape(leaderboard["headline"]), "", f"# {escape(leaderboard['run'])}", ""]
    parts += [f"- {escape(sentence)}" for sentence in _verdicts(leaderboard)]
    parts += [
        "",
        _grid(table_rows.HEADERS, table_rows.score_cells(leaderboard, escape, bold="**{}**"), "pipe"),
    ]
    for legend in (cells.LEGEND, *table_rows.footers(leaderboard)):
        parts += ["", escape(legend)]
    parts += [
        "",
        "## Cost",
        "",
        _grid(table_rows.COST_HEADERS, table_rows.cost_cells(leaderboard, escape), "pipe"),
    ]
    if leaderboard["comparisons"]:
        parts += [
            "",
            "## Comparisons",
            "",
            _grid(table_rows.CLAIM_HEADERS, table_rows.claim_cells(leaderboard, escape), "pipe"),
        ]
        parts += ["", escape(" ".join(table_rows.claim_legends(leaderboard))), ""]
        parts += [
            f"- {escape(row['sentence'])}"
            for row in leaderboard["comparisons"]
            if row["primary"] or row["claim"] == "cheaper"
        ]
    if leaderboard.get("looks"):
        history = looks.history(leaderboard, escape)
        parts += [
            "",
            "## Planned looks",
            "",
            _grid(looks.HEADERS, looks.rows(leaderboard, escape), "pipe"),
            "",
            escape(looks.SAVED_LEGEND),
            "",
            _grid(looks.history_headers(leaderboard), history, "pipe"),
            "",
            escape(looks.HISTORY_LEGEND),
        ]
    if leaderboard["distillation"]:
        parts += [
            "",
            "## Distillation",
            "",
            _grid(
                table_rows.DISTILLATION_HEADERS, table_rows.distillation_cells(leaderboard, escape), "pipe"
            ),
        ]
        parts += ["", table_rows.DISTILLATION_LEGEND]
    parts += ["", "## Methods", ""] + [
        f"- {escape(table_rows.method_text(row))}" for row in leaderboard["methods"] if row["used"]
    ]
    if leaderboard["notes"]:
        notes = [escape(note).strip() or "(empty)" for note in leaderboard["notes"]]
        parts += ["", "## Notes", "", *(f"- {note}" for note in notes)]
    return "\n".join(parts) + "\n"


def latex(leaderboard: Leaderboard) -> str:
    """The score table for a paper (needs the package booktabs), with what is kept of System 2's gain."""
    rows = table_rows.score_cells(leaderboard, cells.latex, bold=r"\textbf{{{}}}")
    headers, kept = list(table_rows.HEADERS), table_rows.kept_by_row(leaderboard)
    if kept:
        headers.append(table_rows.KEPT)
        for cells_of, row in zip(rows, leaderboard["rows"], strict=True):
            claim = kept.get((row["task"], row["variant"], row["metric"]))
            cells_of.append(cells.latex(cells.kept(claim).replace(" %", "")) if claim else "")
    text = _grid([cells.latex(header) for header in headers], rows, "latex_raw")
    for rule in (r"\toprule", r"\midrule", r"\bottomrule"):
        text = text.replace(r"\hline", rule, 1)
    below = [*_teachers(leaderboard), *table_rows.footers(leaderboard)]
    return "\n\n".join(["% \\usepackage{booktabs}\n" + text, *map(cells.latex, below)]) + "\n"


def _teachers(leaderboard: Leaderboard) -> list[str]:
    """One sentence on who taught whom; nothing where nothing was distilled."""
    taught = dict.fromkeys(
        f"{row['variant']} by {row['teacher']}" for row in leaderboard["rows"] if row.get("teacher")
    )
    return [f"Taught: {', '.join(taught)}."] if taught else []


CSV_KEYS = (
    "task", "variant", "method", "metric", "primary", "direction", "n", "n_rows", "score", "ci_low",
    "ci_high",
    *(column.key for column in IN_FILE), "truncated", "status", "teacher",
)  # fmt: skip


CSV_DOUBTS = ("cut_share", "without_turns", "no_reasoning")
CSV_KEPT = ("gain_kept", "gain_kept_low", "gain_kept_high")


def csv_text(leaderboard: Leaderboard) -> str:
    """`rows[]` as CSV, figures as they are in the JSON file, one column per kind of failure."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    kinds = sorted({kind for row in leaderboard["rows"] for kind in row["failures"]})
    kept = table_rows.kept_by_row(leaderboard)
    writer.writerow([*CSV_KEYS, *(f"failures_{kind}" for kind in kinds), *CSV_DOUBTS, *CSV_KEPT])
    for row in leaderboard["rows"]:
        known: Mapping[str, object] = row
        values = [cells.csv(known[key]) if isinstance(known[key], str) else known[key] for key in CSV_KEYS]
        claim = kept.get((row["task"], row["variant"], row["metric"]))
        share = claim and claim.get("gain_kept")
        writer.writerow(
            [
                *values,
                *(row["failures"].get(kind, 0) for kind in kinds),
                row["cut"] and row["cut"]["share"],
                cells.csv(" ".join(row["without_turns"])),
                bool(row["no_reasoning"]),
                *((share["value"], share["low"], share["high"]) if share else (None, None, None)),
            ]
        )
    return out.getvalue()


def _verdicts(leaderboard: Leaderboard) -> list[str]:
    """Sentences over all tasks, of base, s2 and distilled; the other pairs have their rows, and so has the
    cost of two variants of one program, which says nothing.
    """
    return [
        row["sentence"]
        for row in leaderboard["overall"]
        if not row["named"] and not (row["claim"] == "cheaper" and row["one_program"])
    ]


def _wrapped(sentences: Sequence[str], width: int, bullet: str = "- ") -> list[str]:
    lines = []
    for sentence in sentences:
        lines += textwrap.wrap(
            cells.plain(sentence), width, initial_indent=bullet, subsequent_indent=" " * len(bullet)
        )
    return lines


def _grid(headers: Sequence[str], rows: Sequence[Sequence[str]], style: str) -> str:
    from tabulate import tabulate

    aligned = ["right" if header.replace("\\", "") in table_rows.RIGHT else "left" for header in headers]
    return tabulate(rows, headers, tablefmt=style, disable_numparse=True, colalign=aligned if rows else None)
