"""Rows of cells for the tables: one function per table, already formatted and escaped, not yet laid out.

`render` lays them out as terminal, Markdown or LaTeX and hands in the escape function of its format.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal

from results.analysis import cut, reasoning
from results.analysis.verdicts import Claim, is_primary, known, p_figure, points, shown_interval, word
from results.schema import ClaimTable, Comparison, Leaderboard, MethodRow, ScoreRow
from results.tables import cells, looks
from results.tables.columns import IN_TABLE

Escape = Callable[[object], str]

SCORE = "score % [95 %]"
HEADERS = ("task", "variant", "method", "metric", "n", SCORE, "tokens", "calls", "failed %")
COST_HEADERS = ("task", "variant", *(column.header or "" for column in IN_TABLE))
KEPT, KEPT_CLAIM = "gain kept %", "gain kept by"
CLAIM_HEADERS = ("task", "claim", "verdict", "estimate [interval]", "p", "MDE (points)")
RIGHT = (
    "n",
    SCORE,
    "tokens",
    "calls",
    "failed %",
    *CLAIM_HEADERS[3:],
    *COST_HEADERS[2:],
    "SD",
    "trained anew [95 %]",
)
SHARED = ("metric", "n")
"""Columns of scores that are often the same in all rows of a task."""
SHORT_CLAIM_LEGEND = (
    "Estimate: points; for cheaper, the ratio of generated tokens (x). h: after Holm; other intervals have "
    "95 %. MDE: smallest difference that these items could have shown."
)
CLAIM_LEGEND = (
    "Estimates: points, the first minus the second; for cheaper, the ratio of generated tokens (x). p with h "
    "is after Holm, and its interval has the level at which Holm decided; other p are unadjusted, other "
    "intervals have 95 %. Better: the interval is above 0. As good as, within {margin:g} points: it is "
    "above -{margin:g} (p at most .025). Cheaper: it is below 1; ? if the items are too few. MDE: the "
    "smallest difference that these items could have shown."
)
KEPT_LEGEND = (
    "Gain kept: (distilled - base) / (teacher - base), 95 % interval; not defined if the teacher gains "
    "nothing, ? if the items give no end: they are too few, the teacher may gain nothing, or distilled and "
    "teacher (or base) have equal scores on every item."
)
CUT_LEGEND = "(cut): with the cut texts of the losing side counted as right, the verdict would not hold."
BRIEF_LEGEND = (
    "For pairs other than base, s2 and distilled, leaderboard.md has the tokens, and the claims that follow "
    "from a better score."
)


def score_cells(leaderboard: Leaderboard, escape: Escape, bold: str = "{}") -> list[list[str]]:
    """One row of cells per row of the leaderboard; repeated names are left out, tokens are on the first
    metric's row.
    """
    marked = cells.marks(leaderboard["rows"], leaderboard["comparisons"])
    fewest = cells.fewest_tokens(leaderboard["rows"])
    table = []
    for row in leaderboard["rows"]:
        mark = marked.get((row["task"], row["variant"], row["metric"]), "")
        score = cells.score(row)
        score = bold.format(score) if mark == cells.BEST else score
        tokens = cells.number(row["generated_tokens"])
        least = (row["task"], row["variant"]) in fewest
        tokens = bold.format(tokens) if least else tokens
        names = [escape(row[key]) for key in ("task", "variant", "method")]
        names[1] = " ".join([names[1], *map(escape, doubts(row))])
        spent = [
            f"{tokens}{escape(cells.BEST) if least else ' '}",
            cells.number(row["calls"]),
            cells.failures(row),
        ]
        if not row["primary"]:
            names, spent = [""] * 3, [""] * 3
        score += escape(mark) if mark else " "
        n = f"{row['n']:,}" + (f" of {row['planned_n']:,}{looks.MARK}" if "planned_n" in row else "")
        table.append([*names, escape(row["metric"]), n, score, *spent])
    return table


def narrow_score_cells(leaderboard: Leaderboard, every: bool = True) -> tuple[list[str], list[list[str]]]:
    """Headers and cells for a terminal: the method is in the variant's cell, unless it is `direct` or in the
    variant's name. Without `every`, only primary metrics.
    """
    method = HEADERS.index("method")
    headers = [*HEADERS[:method], *HEADERS[method + 1 :]]
    table = []
    made = zip(leaderboard["rows"], score_cells(leaderboard, cells.plain), strict=True)
    for one, row in made:
        if not every and not one["primary"]:
            continue
        variant, ran = row[method - 1], row[method]
        if ran not in ("", "direct") and not one["variant"].endswith(f"-{_in_a_name(one['method'])}"):
            variant = f"{variant} {ran}"
        table.append([*row[: method - 1], variant, *row[method + 1 :]])
    return headers, table


def _in_a_name(method: str) -> str:
    """A method as the name of a variant has it: `cot/64` is in `s2-cot-64`."""
    return re.sub(r"[^A-Za-z0-9._+*-]", "-", method)


def cost_cells(leaderboard: Leaderboard, escape: Escape) -> list[list[str]]:
    """Tokens per item by kind, and the cost of a correct answer, on the primary metric."""
    return [
        [
            escape(row["task"]),
            named(row, escape),
            *(column.show(column.value(row)) for column in IN_TABLE),
        ]
        for row in leaderboard["rows"]
        if row["primary"]
    ]


def claim_cells(
    leaderboard: ClaimTable, escape: Escape, brief: bool = False, short: bool = False
) -> list[list[str]]:
    """Claims on primary metrics and tokens; those over all tasks come last.

    `brief` leaves out, for pairs other than base, s2 and distilled, the tokens and the claims that follow
    from a better score; `short` leaves out the tokens of two variants with one method: they differ by chance.
    """
    compared: list[Claim] = [*leaderboard["comparisons"], *leaderboard["overall"]]
    shown_rows = [row for row in compared if is_primary(row)]
    better = {
        (row["task"], row["a"], row["b"])
        for row in shown_rows
        if (row["claim"], row["verdict"]) == ("superior", "yes")
    }
    if brief:
        shown_rows = [
            row
            for row in shown_rows
            if not row.get("named")
            or row["claim"] == "superior"
            or (row["claim"] == "non_inferior" and (row["task"], row["a"], row["b"]) not in better)
        ]
    if short:
        shown_rows = [row for row in shown_rows if not (row["claim"] == "cheaper" and row.get("one_program"))]
    table: list[list[str]] = []
    previous = None
    for row in shown_rows:
        claim = looks.CLAIMS[row["claim"]].format(**{side: side_name(row, side) for side in ("a", "b")})
        if row.get("noise_floor"):
            claim = f"noise floor: {claim}"
        p = (
            "-"
            if row["p"] is None or row["claim"] == "cheaper"
            else p_figure(row["p"] if row["p_adjusted"] is None else row["p_adjusted"])
        )
        p += " h" if row["p_adjusted"] is not None else "  "
        if row["claim"] == "cheaper":
            estimate = cells.token_ratio(row)
            shown = ""
        else:
            low, high = shown_interval(row)
            ends = f"[{points(low, True)}, {points(high, True)}]"
            estimate = f"{points(known(row['difference']), True)} {ends}"
            shown = cells.detectable(row)
        estimate += looks.MARK if row.get("looks") or row.get("in_looks") else ""
        task = "" if row["task"] == previous else row["task"]
        previous = row["task"]
        verdict = escape(word(row))
        table.append([escape(task), escape(claim), verdict, estimate, p, shown])
        if "gain_kept" in row:
            table.append(["", escape(f"{KEPT_CLAIM} {row['b']}"), "", cells.kept(row), "", ""])
    return table


def price_legend(leaderboard: Leaderboard) -> list[str]:
    """The sentence on prices; empty without prices."""
    prices = leaderboard["prices"]
    if prices is None:
        return []
    rates = prices["per_million_tokens"]
    told = ", ".join(f"{kind} {cells.dollars(rates[kind])}" for kind in ("prompt", "cached", "generated"))
    train = "" if rates["train"] is None else f", train {cells.dollars(rates['train'])}"
    return [f"Prices of {prices['date']} ({prices['file']}), dollars for a million tokens: {told}{train}."]


def named(row: ScoreRow, escape: Escape) -> str:
    """The variant of a row, marked if it was trained on labels."""
    return " ".join([escape(row["variant"]), *([escape(LABELS)] if row.get("uses_labels") else [])])


def side_name(row: Claim, side: Literal["a", "b"]) -> str:
    """A side of a claim, marked if it was trained on labels."""
    name: str = row[side]
    return f"{name} {LABELS}" if name in row.get("uses_labels", ()) else name


def claim_legends(leaderboard: ClaimTable) -> list[str]:
    """The legends under the claims: only those that they need."""
    compared: list[Claim] = [*leaderboard["comparisons"], *leaderboard["overall"]]
    legends = [CLAIM_LEGEND.format(margin=100 * leaderboard["margin"])]
    legends += [looks.LEGEND] if any(row.get("looks") for row in compared) else []
    legends += [KEPT_LEGEND] if any("gain_kept" in row for row in compared) else []
    return legends + ([CUT_LEGEND] if any(row.get("turned_by_cut") for row in compared) else [])


NO_TURNS = "[no examples]"
LABELS = "[uses labels]"


def doubts(row: ScoreRow) -> list[str]:
    """The marks after a variant's name: what makes its row doubtful."""
    marks = {
        cut.MARK: row.get("cut"),
        NO_TURNS: row.get("without_turns"),
        reasoning.MARK: row.get("no_reasoning"),
        LABELS: row.get("uses_labels"),
    }
    return [mark for mark, there in marks.items() if there]


def footers(leaderboard: Leaderboard) -> list[str]:
    """The sentences under the scores: one for each kind of mark."""
    rows = leaderboard["rows"]
    looked = [looks.LEGEND] if leaderboard.get("looks") else []
    return [*looked, *cut.footer(rows), *_turns_footer(rows), *reasoning.footer(rows), *_labels_footer(rows)]


def _labels_footer(rows: Sequence[ScoreRow]) -> list[str]:
    names = list(dict.fromkeys(row["variant"] for row in rows if row.get("uses_labels")))
    return [
        f"{LABELS} {' and '.join(names)} learnt from labels of training rows, which no other variant sees: "
        "a reference for supervised training."
    ] if names else []  # fmt: skip


def _turns_footer(rows: Sequence[ScoreRow]) -> list[str]:
    cases = [
        f"{row['task']} {row['variant']} (step {', '.join(row['without_turns'])})"
        for row in rows
        if row["primary"] and row.get("without_turns")
    ]
    return [
        f"{NO_TURNS} The task puts a description or examples before its prompt; these steps cannot use them "
        f"and get none: {'; '.join(cases)}."
    ] if cases else []  # fmt: skip


def kept_by_row(leaderboard: Leaderboard) -> dict[tuple[str, str, str], Comparison]:
    """(task, variant, metric) -> the comparison with `gain_kept` of the variant."""
    return {
        (row["task"], row["b"], row["metric"]): row
        for row in leaderboard["comparisons"]
        if "gain_kept" in row
    }


def method_text(row: MethodRow) -> str:
    """A row of the method table as one sentence."""
    used = " and ".join(part for part in (row["test"], row["interval"]) if part)
    return f"{row['data']}: {used} ({row['reason']})."
