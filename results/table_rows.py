"""Rows of cells for the tables: one function per table, already formatted and escaped, not yet laid out.

`results.tables` lays them out as terminal, Markdown or LaTeX and hands in the escape function of its format.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from results import cells
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
    "status",
    "kept",
    "dropped",
    "teacher tokens",
    "pays after (tokens)",
    "(FLOPs)",
    "($)",
)
RIGHT = ("n", "score % [95 %]", "tokens", "calls", "failed %", *CLAIM_HEADERS[3:], *COST_HEADERS[2:])
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
DISTILLATION_LEGEND = (
    "Pays after: queries until teacher sampling and training are paid back, with the 95 % interval of "
    "the saving."
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


def claim_cells(leaderboard: Leaderboard, escape: Escape) -> list[list[str]]:
    """Claims on primary metrics and tokens, the whole over all tasks last."""
    table: list[list[str]] = []
    previous = None
    for row in [*leaderboard["comparisons"], *leaderboard["overall"]]:
        if not (row["primary"] or row["claim"] == "cheaper" or row.get("overall")):
            continue
        claim = CLAIMS[row["claim"]].format(a=row["a"], b=row["b"])
        if row.get("noise_floor"):
            claim = f"noise floor: {claim}"
        p = "-" if row["p"] is None else p_text(row["p"] if row["p_adjusted"] is None else row["p_adjusted"])
        p = p.removeprefix("p ").removeprefix("= ") + (" h" if row["p_adjusted"] is not None else "  ")
        if row["claim"] == "cheaper":
            figures = [row[key] for key in ("token_ratio", "token_ratio_low", "token_ratio_high")]
            estimate = "-" if None in figures else "x{:.2f} [{:.2f}, {:.2f}]".format(*figures)
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
        dropped = ", ".join(f"{escape(reason)} {count:,}" for reason, count in row["dropped"].items()) or "0"
        table.append(
            [
                escape(row["task"]), escape(row["variant"] or ""), escape(row["status"] or ""),
                f"{row['kept']} of {row['inputs']}", dropped,
                cells.compact(row["teacher_tokens"]),
                *(cells.pays_after(row["break_even"][unit]) for unit in ("tokens", "flops", "usd")),
            ]
        )  # fmt: skip
    return table


def distillation_text(row: Row) -> str:
    """One distillation as a sentence, for narrow places."""
    dropped = ", ".join(f"{reason} {count:,}" for reason, count in row["dropped"].items()) or "none"
    text = (
        f"{row['task']}, {row['variant'] or 'distilled'}: {row['status']}, kept {row['kept']} of "
        f"{row['inputs']} "
        f"inputs (dropped: {dropped}), {cells.compact(row['teacher_tokens'])} teacher tokens"
    )
    paid = [
        f"{cells.pays_after(row['break_even'][unit])} in {name}"
        for unit, name in (("tokens", "tokens"), ("flops", "FLOPs"), ("usd", "dollars"))
        if row["break_even"][unit] is not None
    ]
    return f"{text}; pays after queries: {', '.join(paid)}." if paid else f"{text}."


def method_text(row: Row) -> str:
    """A row of the method table as one sentence."""
    used = " and ".join(part for part in (row["test"], row["interval"]) if part)
    return f"{row['data']}: {used} ({row['reason']})."
