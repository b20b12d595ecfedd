"""Cells of tables: figures as people read them, the marks of the best, and escaping of names.

Task and variant names are data from a user or a hub: they may hold terminal escapes, pipes, HTML or LaTeX.
Each format has one escape function here, and every text cell of `results.tables.render` passes through it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from results.analysis.verdicts import points, shown_interval

Row = Mapping[str, Any]
BEST, TIE = "*", "="
LEGEND = (
    f"{BEST} best of the task, {TIE} a tie with it within noise (the interval of their comparison holds 0)."
)

LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{",
    "}": r"\}",
    # A bracket or a star right behind the end of a row would be an argument of it.
    "[": "{[}", "]": "{]}", "*": "{*}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}",
}  # fmt: skip

FORMULA = re.compile(r"((?:^|[,;|])[\s\"]*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")
"""Where a formula may begin, also behind quotes; the last four are the signs in full width, which some
spreadsheets take too."""


def plain(text: object) -> str:
    """For a terminal: one line, control and bidirectional characters shown as a question mark."""
    line = " ".join(str(text).split())
    return "".join("?" if unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Co") else sign for sign in line)


def markdown(text: object) -> str:
    """For a Markdown cell or line: no markup, no HTML, no column break, no heading, list or rule."""
    safe = plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # Within a word an underscore is no markup, and names are full of them.
    safe = re.sub(r"([\\`*\[\]|~#$!]|(?<![^\W_])_|_(?![^\W_]))", r"\\\1", safe)
    return re.sub(r"^(\d*)([-+.)])(?=[-\s]|$)", r"\1\\\2", safe)


def latex(text: object) -> str:
    """For LaTeX text: every active character as a command."""
    return "".join(LATEX.get(sign, sign) for sign in plain(text))


def csv(text: object) -> str:
    """For a CSV cell: what a spreadsheet would take for a formula gets a quote before it, also behind a
    separator that another locale splits at.
    """
    return FORMULA.sub(r"\1'", plain(text))


def score(row: Row) -> str:
    """Percent with its interval: `61.5 [54.6, 68.0]`."""
    if row["score"] is None:
        return "not distilled" if row["status"] == "not_distilled" else "-"
    return f"{points(row['score'])} [{points(row['ci_low'])}, {points(row['ci_high'])}]"


def number(value: float | None, digits: int = 1) -> str:
    """A figure with thousands separators; `-` where unknown."""
    if value is None:
        return "-"
    return f"{value:,.{digits}f}"


def compact(value: float | None) -> str:
    """Large figures to three digits: 1.23e+12 -> 1.23T."""
    if value is None:
        return "-"
    for size, unit in ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def dollars(value: float | None) -> str:
    """Dollars with as many digits as small prices need."""
    if value is None:
        return "-"
    return f"{value:,.2f}" if value >= 1 else f"{value:.3g}"


def failures(row: Row) -> str:
    """Failed rows as a share in percent; `-` where nothing was scored."""
    if not row["n_rows"]:
        return "-"
    return f"{100 * sum(row['failures'].values()) / row['n_rows']:.1f}"


def kept(row: Row) -> str:
    """The share of System 2's gain that is kept: `72 % [40, 105]`; empty where none is claimed."""
    if "gain_kept" not in row:
        return ""
    share = row["gain_kept"]
    if share is None:
        return "not defined"
    ends = ("?" if share[end] is None else f"{100 * share[end]:.0f}" for end in ("low", "high"))
    return f"{100 * share['value']:.0f} % [{', '.join(ends)}]"


def pays_after(entry: Mapping[str, float | None] | None) -> str:
    """`1,200 [900, 1,700]`; never where it does not pay; `-` where it cannot be computed."""
    if entry is None:
        return "-"
    if entry["value"] is None:
        return "never"
    ends = ["never" if entry[end] is None else compact(entry[end]) for end in ("low", "high")]
    return f"{compact(entry['value'])} [{ends[0]}, {ends[1]}]"


def marks(rows: Sequence[Row], comparisons: Sequence[Row]) -> dict[tuple[str, str, str], str]:
    """(task, variant, metric) -> the mark of its score: best, tie with the best, or nothing.

    A tie is a paired interval, at the level that decided its claim, that holds 0; for two variants without a
    comparison, intervals that overlap.
    Where all scores are equal, none is the best.
    """
    result = {}
    for task, metric in dict.fromkeys((row["task"], row["metric"]) for row in rows):
        scored = [
            row for row in rows if (row["task"], row["metric"]) == (task, metric) and row["score"] is not None
        ]
        if len(scored) < 2 or scored[0]["direction"] == "none":
            continue
        sign = -1 if scored[0]["direction"] == "lower" else 1
        best = max(scored, key=lambda row: sign * row["score"])
        equal = all(row["score"] == best["score"] for row in scored)
        for row in scored:
            if row["score"] == best["score"]:
                mark = TIE if equal else BEST
            elif _tied(row, best, comparisons):
                mark = TIE
            else:
                mark = ""
            result[task, row["variant"], metric] = mark
    return result


def _tied(row: Row, best: Row, comparisons: Sequence[Row]) -> bool:
    for compared in comparisons:
        if (
            compared["claim"] != "cheaper"
            and (compared["task"], compared["metric"]) == (row["task"], row["metric"])
            and {compared["a"], compared["b"]} == {row["variant"], best["variant"]}
        ):
            low, high = shown_interval(compared)
            return bool(low <= 0 <= high)
    return bool(row["ci_low"] <= best["ci_high"] and best["ci_low"] <= row["ci_high"])


def fewest_tokens(rows: Sequence[Row]) -> set[tuple[str, str]]:
    """(task, variant) with the fewest generated tokens of its task, as they are printed, so that figures that
    read alike are marked alike. None where all of a task are equal.
    """
    found = set()
    for task in dict.fromkeys(row["task"] for row in rows):
        spent = {
            row["variant"]: round(row["generated_tokens"], 1)
            for row in rows
            if row["task"] == task and row["generated_tokens"] is not None
        }
        if len(set(spent.values())) > 1:
            least = min(spent.values())
            found |= {(task, variant) for variant, tokens in spent.items() if tokens == least}
    return found
