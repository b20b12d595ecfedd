"""The leaderboard as tables for people, in a terminal and in Markdown. Percent and points.

This file puts the parts together; `rows` makes the cells, `cells` formats and escapes, `layout` fits a
terminal. `latex` and `csv_file` write the other formats. All read the leaderboard dict alone.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from results.analysis.verdicts import is_primary
from results.schema import ClaimTable, Leaderboard
from results.tables import cells, distillation, frontier, layout, looks, seeds
from results.tables import rows as table_rows


def terminal(leaderboard: Leaderboard, width: int = 100, verbose: bool = False, color: bool = False) -> str:
    """The leaderboard as text with the verdict first; no line is longer than `width` columns (60 or more).

    `verbose` adds parts that leaderboard.md always has: sentences over all tasks, secondary metrics, tokens
    by kind, full legends and the methods. `color` marks verdicts and the best scores with ANSI colours.
    """
    paint = _paint if color else None
    headline = _wrapped([leaderboard["headline"]], width, bullet="")
    parts = [layout.painted(line, "1" if color else "") for line in headline]
    parts += ["", *_wrapped([_of_run(leaderboard)], width, bullet="")]
    parts += _wrapped(_verdicts(leaderboard), width) if verbose else []
    names, rows = table_rows.narrow_score_cells(leaderboard, verbose)
    parts += ["", layout.table(names, rows, width, table_rows.RIGHT, 3, paint, table_rows.SHARED)]
    parts += _wrapped([cells.LEGEND, *table_rows.footers(leaderboard)], width, bullet="")
    if rows := seeds.seed_cells(leaderboard, cells.plain):
        parts += ["", layout.table(seeds.SEED_HEADERS, rows, width, table_rows.RIGHT, 2)]
        parts += _wrapped(seeds.seed_legend(leaderboard), width, bullet="")
    if verbose or leaderboard["prices"]:
        rows = table_rows.cost_cells(leaderboard, cells.plain)
        parts += ["", layout.table(table_rows.COST_HEADERS, rows, width, table_rows.RIGHT, 2)]
        parts += _wrapped(table_rows.price_legend(leaderboard), width, bullet="")
    if leaderboard["comparisons"]:
        parts += ["", _claims(leaderboard, width, verbose, color)]
    if leaderboard.get("looks"):
        parts += ["", layout.table(looks.HEADERS, looks.rows(leaderboard, cells.plain), width, looks.RIGHT)]
        parts += _wrapped([looks.SAVED_LEGEND], width, bullet="")
    parts += frontier.terminal(leaderboard, width)
    parts += distillation.terminal(leaderboard, width)
    if verbose:
        used = [table_rows.method_text(row) for row in leaderboard["methods"] if row["used"]]
        parts += ["", "Methods used", *_wrapped(used, width)]
    if leaderboard["notes"]:
        parts += ["", "Notes", *_wrapped(leaderboard["notes"], width)]
    if not verbose:
        parts += ["", *_wrapped([MORE_IN_MARKDOWN], width, bullet="")]
    return "\n".join(parts) + "\n"


MORE_IN_MARKDOWN = "Secondary metrics, tokens by kind, tests and legends: leaderboard.md, or --verbose."


def _of_run(leaderboard: Leaderboard) -> str:
    """Run, model and seeds of the tables."""
    seeds = leaderboard["seeds"]
    told = f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}" if seeds else ""
    parts = [leaderboard["model"] and f"model {leaderboard['model']}", told]
    return ", ".join([f"Run {leaderboard['run']}", *(part for part in parts if part)])


def _paint(header: str, cell: str) -> str:
    """The colour of a verdict, bold for the best score."""
    if header == "verdict":
        words = {"yes": "32", "no": "31", "cannot tell": "33", "same": "2"}
        return next((color for word, color in words.items() if cell.startswith(word)), "")
    return "1" if header == table_rows.SCORE and cell.endswith(cells.BEST) else ""


def _claims(leaderboard: ClaimTable, width: int, verbose: bool, color: bool) -> str:
    """The claims with their legend."""
    rows = table_rows.claim_cells(leaderboard, cells.plain, brief=True, short=not verbose)
    legends = table_rows.claim_legends(leaderboard) if verbose else [table_rows.SHORT_CLAIM_LEGEND]
    if any(row.get("named") for row in leaderboard["comparisons"]):
        legends.append(table_rows.BRIEF_LEGEND)
    paint = _paint if color else None
    table = layout.table(table_rows.CLAIM_HEADERS, rows, width, table_rows.RIGHT, 2, paint)
    return "\n".join([table, *_wrapped([" ".join(legends)], width, bullet="")])


def markdown(leaderboard: Leaderboard) -> str:
    """The same tables as Markdown, verdict sentences first."""
    escape = cells.markdown
    parts = [escape(leaderboard["headline"]), "", f"# {escape(_of_run(leaderboard))}", ""]
    parts += [f"- {escape(sentence)}" for sentence in _verdicts(leaderboard)]
    parts += [
        "",
        layout.grid(
            table_rows.HEADERS, table_rows.score_cells(leaderboard, escape, bold="**{}**"), table_rows.RIGHT
        ),
    ]
    for legend in (cells.LEGEND, *table_rows.footers(leaderboard)):
        parts += ["", escape(legend)]
    if rows := seeds.seed_cells(leaderboard, escape):
        parts += ["", "## Seeds", "", layout.grid(seeds.SEED_HEADERS, rows, table_rows.RIGHT)]
        parts += ["", *map(escape, seeds.seed_legend(leaderboard))]
    parts += [
        "",
        "## Cost",
        "",
        layout.grid(table_rows.COST_HEADERS, table_rows.cost_cells(leaderboard, escape), table_rows.RIGHT),
    ]
    parts += [part for text in table_rows.price_legend(leaderboard) for part in ("", escape(text))]
    if leaderboard["comparisons"]:
        parts += [
            "",
            "## Comparisons",
            "",
            layout.grid(
                table_rows.CLAIM_HEADERS, table_rows.claim_cells(leaderboard, escape), table_rows.RIGHT
            ),
        ]
        parts += ["", escape(" ".join(table_rows.claim_legends(leaderboard))), ""]
        parts += [f"- {escape(row['sentence'])}" for row in leaderboard["comparisons"] if is_primary(row)]
    if leaderboard.get("looks"):
        history = looks.history(leaderboard, escape)
        parts += [
            "",
            "## Planned looks",
            "",
            layout.grid(looks.HEADERS, looks.rows(leaderboard, escape), table_rows.RIGHT),
            "",
            escape(looks.SAVED_LEGEND),
            "",
            layout.grid(looks.history_headers(leaderboard), history, table_rows.RIGHT),
            "",
            escape(looks.HISTORY_LEGEND),
        ]
    parts += frontier.markdown(leaderboard)
    parts += distillation.markdown(leaderboard)
    parts += ["", "## Methods", ""] + [
        f"- {escape(table_rows.method_text(row))}" for row in leaderboard["methods"] if row["used"]
    ]
    if leaderboard["notes"]:
        notes = [escape(note).strip() or "(empty)" for note in leaderboard["notes"]]
        parts += ["", "## Notes", "", *(f"- {note}" for note in notes)]
    return "\n".join(parts) + "\n"


def _verdicts(leaderboard: Leaderboard) -> list[str]:
    """Sentences over all tasks, for base, s2 and distilled. Other pairs, and the cost of two variants of one
    program, which says nothing, are only in the table.
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
            cells.plain(sentence),
            width,
            initial_indent=bullet,
            subsequent_indent=" " * len(bullet),
            break_on_hyphens=False,
        )
    return lines
