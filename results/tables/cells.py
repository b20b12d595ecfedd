"""Cells of tables: figures as people read them, the marks of the best, and escaping of names.

Task and variant names are data from a user or a hub: they may hold terminal escapes, pipes, HTML or LaTeX.
Each format has one escape function here, and every text cell of `results.tables.render` passes through it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from results.analysis.verdicts import Claim, known, points, same_on_every_item, shown_interval
from results.files import one_line
from results.schema import Comparison, Queries, ScoreRow

BEST, TIE = "*", "="
BEYOND = "> 100"
"""A smallest difference that is beyond the scale: too few items to show any."""
LEGEND = (
    f"{BEST} best of the task, {TIE} a tie with it within noise (the interval of their comparison holds 0)."
)

LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{",
    "}": r"\}",
    # After the end of a row, LaTeX would read a bracket or a star as an argument.
    "[": "{[}", "]": "{]}", "*": "{*}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}",
}  # fmt: skip

FORMULA = re.compile(r"((?:^|[,;|])[\s\"]*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")
"""Start of a possible formula, also after quotes; the last four characters are full-width forms, which some
spreadsheets accept too."""


plain = one_line
"""For a terminal: one line, control and bidirectional characters shown as a question mark."""


def markdown(text: object) -> str:
    """For a Markdown cell or line: escapes markup, HTML, column breaks, headings, lists and rules."""
    safe = plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # An underscore within a word is not markup, and names have many.
    safe = re.sub(r"([\\`*\[\]|~#$!]|(?<![^\W_])_|_(?![^\W_]))", r"\\\1", safe)
    return re.sub(r"^(\d*)([-+.)])(?=[-\s]|$)", r"\1\\\2", safe)


def latex(text: object) -> str:
    """For LaTeX text: every active character as a command."""
    return "".join(LATEX.get(sign, sign) for sign in plain(text))


def csv(text: object) -> str:
    """For a CSV cell: a quote before anything that a spreadsheet could read as a formula, also after a
    separator of another locale.
    """
    return FORMULA.sub(r"\1'", plain(text))


def score(row: ScoreRow) -> str:
    """Percent with its interval: `61.5 [54.6, 68.0]`."""
    if row["score"] is None:
        return "not distilled" if row["status"] == "not_distilled" else "-"
    if row["ci_low"] is None or row["ci_high"] is None:
        return points(row["score"])
    return f"{points(row['score'])} [{points(row['ci_low'])}, {points(row['ci_high'])}]"


def number(value: float | None, digits: int = 1) -> str:
    """A figure with thousands separators; `-` where unknown."""
    if value is None:
        return "-"
    return f"{value:,.{digits}f}"


def token_ratio(row: Claim) -> str:
    """The ratio of generated tokens with its interval: `x0.11 [0.10, 0.12]`; `x0.20 on every item` if the
    interval has no width, `[?, ?]` if the items give none."""
    ratio, low, high = row["token_ratio"], row["token_ratio_low"], row["token_ratio_high"]
    if ratio is None:
        return "-"
    if low is None or high is None:
        return f"x{ratio:.2f} [?, ?]"
    if same_on_every_item(ratio, low, high):
        return f"x{ratio:.2f} on every item"
    return f"x{ratio:.2f} [{low:.2f}, {high:.2f}]"


def detectable(row: Claim) -> str:
    """The smallest difference that the items of a claim about scores could have shown, in points."""
    if row["mde"] is not None:
        return points(row["mde"])
    return "-" if row.get("overall") else BEYOND


def compact(value: float | None) -> str:
    """Large figures to three digits: 1.23e+12 -> 1.23T."""
    return "-" if value is None else "".join(scaled(value))


def scaled(value: float) -> tuple[str, str]:
    """Three digits and the prefix of their unit: 1.23e+12 -> 1.23, T."""
    for size, prefix in ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}", prefix
    return f"{value:.3g}", ""


def dollars(value: float | None) -> str:
    """Dollars with as many digits as small prices need."""
    if value is None:
        return "-"
    return f"{value:,.2f}" if value >= 1 else f"{value:.3g}"


def failures(row: ScoreRow) -> str:
    """Failed rows as a share in percent; `-` if nothing was scored."""
    if not row["n_rows"]:
        return "-"
    return f"{100 * sum(row['failures'].values()) / row['n_rows']:.1f}"


def kept(row: Claim) -> str:
    """The share of System 2's gain that is kept: `72 % [40, 105]`; empty if there is none."""
    if "gain_kept" not in row:
        return ""
    share = row["gain_kept"]
    if share is None:
        return "not defined"
    ends = ("?" if end is None else f"{100 * end:.0f}" for end in (share["low"], share["high"]))
    return f"{100 * share['value']:.0f} % [{', '.join(ends)}]"


def pays_after(entry: Queries | None) -> str:
    """`1,200 [900, 1,700]`; `never` if it does not pay; `-` if it cannot be computed. Without an interval if
    the saving is the same on every item."""
    if entry is None:
        return "-"
    if entry["value"] is None:
        return "never"
    if same_on_every_item(entry["value"], entry["low"], entry["high"]):
        return compact(entry["value"])
    ends = ["never" if end is None else compact(end) for end in (entry["low"], entry["high"])]
    return f"{compact(entry['value'])} [{ends[0]}, {ends[1]}]"


def marks(rows: Sequence[ScoreRow], comparisons: Sequence[Comparison]) -> dict[tuple[str, str, str], str]:
    """(task, variant, metric) -> the mark of its score: best, tie with the best, or nothing.

    A tie: the paired interval, at the level that decided its claim, contains 0; for two variants without a
    comparison, their intervals overlap. If all scores are equal, none is the best.
    """
    result = {}
    for task, metric in dict.fromkeys((row["task"], row["metric"]) for row in rows):
        scored = [
            row for row in rows if (row["task"], row["metric"]) == (task, metric) and row["score"] is not None
        ]
        if len(scored) < 2 or scored[0]["direction"] == "none":
            continue
        sign = -1 if scored[0]["direction"] == "lower" else 1
        best = max(scored, key=lambda row: sign * known(row["score"]))
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


def _tied(row: ScoreRow, best: ScoreRow, comparisons: Sequence[Comparison]) -> bool:
    for compared in comparisons:
        if (
            compared["claim"] != "cheaper"
            and (compared["task"], compared["metric"]) == (row["task"], row["metric"])
            and {compared["a"], compared["b"]} == {row["variant"], best["variant"]}
        ):
            low, high = shown_interval(compared)
            return low <= 0 <= high
    if None in (ends := [one[end] for one in (row, best) for end in ("ci_low", "ci_high")]):
        return False
    low, high, least, most = map(known, ends)
    return low <= most and least <= high


def fewest_tokens(rows: Sequence[ScoreRow]) -> set[tuple[str, str]]:
    """(task, variant) with the fewest generated tokens of its task. Printed figures are compared, so equal
    ones get equal marks. Empty for a task whose figures are all equal.
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
