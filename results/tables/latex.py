r"""The leaderboard for an article: scores, verdicts and break-even, each a float as wide as one column.

Needs `\usepackage{booktabs,tabularx}`; `\input{leaderboard.tex}` brings the tables in, and
`\ref{tab:RUN-scores}`, `-verdicts` and `-break-even` refer to them. The column of names takes the rest of
`\columnwidth` and wraps, so a table is never wider than that. A table that is too long for a page continues
in another float.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from results.schema import Leaderboard
from results.tables import cells, distillation, seeds
from results.tables import rows as table_rows

LONGEST = 40
"""Maximum lines of one float, so that it fits on a page with its caption."""
HEAD = (
    "% Needs \\usepackage{booktabs,tabularx}. One column wide: \\input it, or use table* for a page's width."
)

SCORE = r"score \% [95 \%]"

Group = tuple[str, list[list[str]]]
"""A line over rows of cells, all escaped."""


def latex(leaderboard: Leaderboard) -> str:
    """The tables as LaTeX, in floats with caption and label."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", leaderboard["run"]).strip("-") or "run"
    margin = f"{100 * leaderboard['margin']:g}"
    model = f" of {cells.latex(leaderboard['model'])}" if leaderboard["model"] else ""
    below = [*_teachers(leaderboard), *table_rows.footers(leaderboard), *seeds.seed_legend(leaderboard)]
    parts = [
        HEAD,
        *_floats(
            ["variant", SCORE, "tokens", r"failed \%"],
            _scores(leaderboard, primary=True),
            f"Scores{model} in percent with 95~\\% intervals, and generated tokens per item. Bold: the best "
            "of its task; =: a tie with it within noise.",
            f"tab:{name}-scores",
            below,
        ),
    ]
    if others := _scores(leaderboard, primary=False):
        caption = f"Other metrics{model}: scores in percent with 95~\\% intervals."
        parts += _floats(["variant", SCORE], others, caption, f"tab:{name}-other")
    if leaderboard["comparisons"]:
        caption = (
            f"What {'the run' if not model else 'this run' + model} shows. Estimates in points with the "
            "interval at the level that decided the claim (h: Holm's; else 95~\\%); for cheaper, the ratio "
            f"of generated tokens. As good as: within {margin} points."
        )
        parts += _floats(
            ["claim", "verdict", "estimate"], _verdicts(leaderboard), caption, f"tab:{name}-verdicts"
        )
    if paid := _break_even(leaderboard):
        parts += _floats(
            ["", "queries"],
            paid,
            "Break-even: queries after which teacher sampling and training are paid back, with the 95~\\% "
            "interval of the saving per item.",
            f"tab:{name}-break-even",
        )
    return "\n\n".join(parts) + "\n"


def _scores(leaderboard: Leaderboard, primary: bool) -> list[Group]:
    """A group per task and metric; secondary metrics have only the scores."""
    groups: dict[tuple[str, str], list[list[str]]] = {}
    counts: dict[tuple[str, str], int] = {}
    made = table_rows.score_cells(leaderboard, _name, bold=r"\textbf{{{}}}")
    for found, row in zip(made, leaderboard["rows"], strict=True):
        if row["primary"] != primary:
            continue
        # A bold score needs no star.
        score, tokens = (cell.replace(cells.latex(cells.BEST), "").strip() for cell in (found[5], found[6]))
        variant = _name(" ".join([row["variant"], *table_rows.doubts(row)]))
        of_metric = (row["task"], row["metric"])
        groups.setdefault(of_metric, []).append([variant, score, *([tokens, found[8]] if primary else [])])
        counts[of_metric] = max(row["n"], counts.get(of_metric, 0))
    return [
        (rf"\textit{{{_name(task)}}}, {_name(metric)}, n = {counts[task, metric]:,}", rows)
        for (task, metric), rows in groups.items()
    ]


def _verdicts(leaderboard: Leaderboard) -> list[Group]:
    groups: list[Group] = []
    for task, claim, verdict, estimate, p, _ in table_rows.claim_cells(
        leaderboard, _name, brief=True, short=True
    ):
        if task or not groups:
            groups.append((rf"\textit{{{task}}}", []))
        mark = " h" if p.rstrip().endswith("h") else ""
        groups[-1][1].append([claim, verdict, _figure(estimate) + mark])
    return groups


def _break_even(leaderboard: Leaderboard) -> list[Group]:
    groups: list[Group] = []
    for row in distillation.cells(leaderboard, _name):
        values = dict(zip(distillation.HEADERS, row, strict=True))
        rows = [
            [unit, _figure(values[f"break-even ({name})"])]
            for unit, name in (("in tokens", "tokens"), ("in FLOPs", "FLOPs"), (r"in dollars", "$"))
            if values[f"break-even ({name})"] != "-"
        ]
        if rows:
            head = rf"\textit{{{values['task']}}}, {values['variant']} taught by {values['teacher']}"
            groups.append((f"{head}: {values['inputs kept']} inputs kept", rows))
    return groups


def _floats(
    headers: Sequence[str], groups: Sequence[Group], caption: str, label: str, below: Sequence[str] = ()
) -> list[str]:
    """As many floats as the rows need; `below` is printed under the last one."""
    pages: list[list[Group]] = [[]]
    for head, rows in groups:
        lines = sum(1 + len(each) for _, each in pages[-1])
        if pages[-1] and lines + 1 + len(rows) > LONGEST:
            pages.append([])
        pages[-1].append((head, rows))
    floats = []
    for number, page in enumerate(pages, start=1):
        last = number == len(pages)
        text = caption if number == 1 else "Continued."
        name = label if number == 1 else f"{label}-{number}"
        floats.append(_float(headers, page, text, name, below if last else ()))
    return floats


def _float(
    headers: Sequence[str], groups: Sequence[Group], caption: str, label: str, below: Sequence[str]
) -> str:
    columns = len(headers)
    figures = "r" * (columns - 1) if columns != 3 else "lr"
    across = rf"\multicolumn{{{columns}}}{{@{{}}>{{\raggedright\arraybackslash}}p{{\columnwidth}}@{{}}}}"
    lines = [
        r"\begin{table}",
        r"\centering\footnotesize\setlength{\tabcolsep}{3pt}",
        rf"\caption{{{caption}}}",
        rf"\label{{{label}}}",
        rf"\begin{{tabularx}}{{\columnwidth}}{{@{{}}>{{\raggedright\arraybackslash}}X{figures}@{{}}}}",
        r"\toprule",
        " & ".join(headers) + r" \\",
    ]
    for head, rows in groups:
        lines += [r"\midrule", rf"{across}{{{head}}} \\"]
        lines += [" & ".join(row) + r" \\" for row in rows]
    lines += [r"\bottomrule", r"\end{tabularx}"]
    if below:
        text = " ".join(map(cells.latex, below))
        lines.append(rf"\par\smallskip\parbox{{\columnwidth}}{{\raggedright\scriptsize {text}}}")
    return "\n".join([*lines, r"\end{table}"])


def _name(text: object) -> str:
    """A name that may wrap after `_`, `-` and `/`."""
    return re.sub(r"(\\_|[/-])(?=.)", r"\1\\allowbreak{}", cells.latex(text))


def _figure(text: str) -> str:
    """A figure from `rows`: escaped, with a minus sign instead of a hyphen."""
    return (
        cells.latex(text).replace("{[}", "[").replace("{]}", "]").replace("-", r"\ensuremath{-}")
        if text != "-"
        else text
    )


def _teachers(leaderboard: Leaderboard) -> list[str]:
    """One sentence that names each variant's teacher; empty if nothing was distilled."""
    taught = dict.fromkeys(
        f"{row['variant']} by {row['teacher']}" for row in leaderboard["rows"] if row.get("teacher")
    )
    return [f"Taught: {', '.join(taught)}."] if taught else []
