"""Rows of cells for the tables: one function per table, already formatted and escaped, not yet laid out.

`results.tables` lays them out as terminal, Markdown or LaTeX and hands in the escape function of its format.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from results import cells
from results.roles import ALL_TASKS
from results.verdicts import WORDS, p_text, points

Leaderboard = Mapping[str, Any]
Row = Mapping[str, Any]
Escape = Callable[[object], str]

HEADERS = ("task", "variant", "method", "metric", "n", "score % [95 %]", "tokens", "calls", "failed %")
COST_HEADERS = (
    "task",
    "variant",
    "prompt",
    "cached",
    "generated",
    "tokens/correct",
    "FLOPs/item",
    "$/1k",
    "$/correct",
)
CLAIM_HEADERS = ("task", "claim", "verdict", "estimate [95 %]", "p", "could show")
DISTILLATION_HEADERS = (
    "task",
    "variant",
    "inputs kept",
    "dropped",
    "teacher tokens",
    "pays after (tokens)",
    "pays after (FLOPs)",
    "pays after ($)",
)
RIGHT = (
    "n",
    "score % [95 %]",
    "tokens",
    "calls",
    "failed %",
    *CLAIM_HEADERS[3:],
    *COST_HEADERS[2:],
    *DISTILLATION_HEADERS[4:],
)
CLAIMS = {
    "superior": "{b} better than {a}",
    "non_inferior": "{b} as good as {a}",
    "cheaper": "{b} cheaper than {a}",
}

CLAIM_LEGEND = (
    "Estimates: points, second minus first; for cheaper, the ratio of generated tokens (x). p with h: "
    "after Holm, "
    "else unadjusted. As good as: within {margin:g} points. Could show: the smallest difference that so "
    "many items "
    "could have shown, in points."
)
BRIEF_LEGEND = (
    "Of pairs beyond base, s2 and distilled, the tokens and what follows from a better score stand in "
    "leaderboard.md."
)
DISTILLATION_LEGEND = (
    "Pays after: queries until teacher sampling and training are paid back by what an item costs less than "
    "with the teacher, with the 95 % interval of that saving."
)


def score_cells(leaderboard: Leaderboard, escape: Escape, bold: str = "{}") -> list[list[str]]:
    """One row of cells per row of the leaderboard; names that repeat are left out, tokens on the first
    metric.
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
        spent = [
            f"{tokens}{escape(cells.BEST) if least else ' '}",
            cells.number(row["calls"]),
            cells.failures(row),
        ]
        if not row["primary"]:
            names, spent = [""] * 3, [""] * 3
        score += escape(mark) if mark else " "
        table.append([*names, escape(row["metric"]), f"{row['n']:,}", score, *spent])
    return table


def narrow_score_cells(leaderboard: Leaderboard) -> tuple[list[str], list[list[str]]]:
    """Headers and cells for a terminal: the method stands in the variant's cell, unless it is `direct`."""
    method = HEADERS.index("method")
    headers = [*HEADERS[:method], *HEADERS[method + 1 :]]
    table = []
    for row in score_cells(leaderboard, cells.plain):
        variant = row[method - 1] if row[method] in ("", "direct") else f"{row[method - 1]} {row[method]}"
        table.append([*row[: method - 1], variant, *row[method + 1 :]])
    return headers, table


def cost_cells(leaderboard: Leaderboard, escape: Escape) -> list[list[str]]:
    """Tokens per item by kind, and what a correct answer costs, on the primary metric."""
    return [
        [
            escape(row["task"]), escape(row["variant"]),
            *(cells.number(row[key]) for key in ("prompt_tokens", "cached_tokens", "generated_tokens")),
            cells.number(row["tokens_per_correct"]), cells.compact(row["flops_per_item"]),
            cells.dollars(row["usd_per_1k_items"]), cells.dollars(row["usd_per_correct"]),
        ]
        for row in leaderboard["rows"]
        if row["primary"]
    ]  # fmt: skip


def claim_cells(leaderboard: Leaderboard, escape: Escape, brief: bool = False) -> list[list[str]]:
    """Claims on primary metrics and tokens, the whole over all tasks last.

    `brief` leaves out, of pairs beyond the standing three, the tokens and what follows from a better score.
    """
    shown_rows = [
        row
        for row in [*leaderboard["comparisons"], *leaderboard["overall"]]
        if row["primary"] or row["claim"] == "cheaper" or row.get("overall")
    ]
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
    table: list[list[str]] = []
    previous = None
    for row in shown_rows:
        claim = CLAIMS[row["claim"]].format(a=row["a"], b=row["b"])
        if row.get("noise_floor"):
            claim = f"noise floor: {claim}"
        p = "-" if row["p"] is None else p_text(row["p"] if row["p_adjusted"] is None else row["p_adjusted"])
        p = p.removeprefix("p ").removeprefix("= ") + (" h" if row["p_adjusted"] is not None else "  ")
        if row["claim"] == "cheaper":
            ratio, *limits = (row[key] for key in ("token_ratio", "token_ratio_low", "token_ratio_high"))
            estimate = "-" if ratio is None else f"x{ratio:.2f}"
            estimate += "" if None in limits else " [{:.2f}, {:.2f}]".format(*limits)
            shown = ""
        else:
            ends = f"[{points(row['ci_low'], True)}, {points(row['ci_high'], True)}]"
            estimate = f"{points(row['difference'], True)} {ends}"
            shown = "-" if row["mde"] is None else points(row["mde"])
        task = "" if row["task"] == previous else row["task"]
        previous = row["task"]
        table.append([escape(task), escape(claim), WORDS[row["verdict"]], estimate, p, shown])
    return table


def distillation_cells(leaderboard: Leaderboard, escape: Escape) -> list[list[str]]:
    """Counts of each distillation and after how many queries it pays."""
    table = []
    for row in leaderboard["distillation"]:
        kept = f"{row['kept']} of {row['inputs']}"
        kept += ", not distilled" if row["status"] == "not_distilled" else ""
        dropped = [f"{reason} {count:,}".replace("_", " ") for reason, count in row["dropped"].items()]
        paid = [cells.pays_after(row["break_even"][unit]) for unit in ("tokens", "flops", "usd")]
        names = [escape(distilled_name(row)), escape(row["variant"])]
        table.append(
            [*names, kept, escape(", ".join(dropped)) or "0", cells.compact(row["teacher_tokens"]), *paid]
        )
    return table


def distilled_name(row: Row) -> str:
    """What a distillation taught: a task, with its seed where that is not the first, or all tasks."""
    name = "all tasks" if row["task"] == ALL_TASKS else str(row["task"])
    return f"{name}, seed {row['seed']}" if row["seed"] else name


def method_text(row: Row) -> str:
    """A row of the method table as one sentence."""
    used = " and ".join(part for part in (row["test"], row["interval"]) if part)
    return f"{row['data']}: {used} ({row['reason']})."
