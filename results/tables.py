"""The leaderboard as tables: terminal, Markdown, CSV, LaTeX. Percent and points for people.

This file lays out; `results.cells` formats and escapes. It reads the leaderboard dict alone.
"""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Callable, Mapping, Sequence
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


def terminal(leaderboard: Leaderboard, width: int = 100) -> str:
    """The whole leaderboard as text, no line longer than `width` columns."""
    parts = [f"Run {cells.plain(leaderboard['run'])}"]
    parts += _wrapped([row["sentence"] for row in leaderboard["overall"]], width)
    parts += ["", _table(HEADERS, score_cells(leaderboard, cells.plain), width)]
    parts += _wrapped([cells.LEGEND], width, bullet="")
    parts += ["", _table(COST_HEADERS, cost_cells(leaderboard, cells.plain), width)]
    if leaderboard["comparisons"]:
        parts += ["", _table(CLAIM_HEADERS, claim_cells(leaderboard, cells.plain), width)]
        parts += _wrapped([CLAIM_LEGEND.format(margin=100 * leaderboard["margin"])], width, bullet="")
    if leaderboard["distillation"]:
        parts += [
            "",
            "Distillation",
            *_wrapped([distillation_text(row) for row in leaderboard["distillation"]], width),
        ]
    parts += ["", "Methods used"]
    parts += _wrapped([method_text(row) for row in leaderboard["methods"] if row["used"]], width)
    if leaderboard["notes"]:
        parts += ["", "Notes", *_wrapped(leaderboard["notes"], width)]
    return "\n".join(parts) + "\n"


CLAIM_LEGEND = (
    "Estimates: points, second minus first; for cheaper, the ratio of generated tokens (x). p with h: after Holm, "
    "else unadjusted. As good as: within {margin:g} points. Could show: the smallest difference that so many items "
    "could have shown, in points."
)
DISTILLATION_LEGEND = "Pays after: queries until teacher sampling and training are paid back, with the 95 % interval of the saving."


def markdown(leaderboard: Leaderboard) -> str:
    """The same tables as Markdown, verdict sentences first."""
    escape = cells.markdown
    parts = [f"# {escape(leaderboard['run'])}", ""]
    parts += [f"- {escape(row['sentence'])}" for row in leaderboard["overall"]]
    parts += [
        "",
        _grid(HEADERS, score_cells(leaderboard, escape, bold="**{}**"), "pipe"),
        "",
        escape(cells.LEGEND),
    ]
    parts += ["", "## Cost", "", _grid(COST_HEADERS, cost_cells(leaderboard, escape), "pipe")]
    if leaderboard["comparisons"]:
        parts += ["", "## Comparisons", "", _grid(CLAIM_HEADERS, claim_cells(leaderboard, escape), "pipe")]
        parts += ["", CLAIM_LEGEND.format(margin=100 * leaderboard["margin"]), ""]
        parts += [
            f"- {escape(row['sentence'])}"
            for row in leaderboard["comparisons"]
            if row["primary"] or row["claim"] == "cheaper"
        ]
    if leaderboard["distillation"]:
        parts += [
            "",
            "## Distillation",
            "",
            _grid(DISTILLATION_HEADERS, distillation_cells(leaderboard, escape), "pipe"),
        ]
        parts += ["", DISTILLATION_LEGEND]
    parts += ["", "## Methods", ""] + [
        f"- {escape(method_text(row))}" for row in leaderboard["methods"] if row["used"]
    ]
    if leaderboard["notes"]:
        parts += ["", "## Notes", "", *(f"- {escape(note)}" for note in leaderboard["notes"])]
    return "\n".join(parts) + "\n"


def latex(leaderboard: Leaderboard) -> str:
    """The score table for a paper (needs the package booktabs)."""
    rows = score_cells(leaderboard, cells.latex, bold=r"\textbf{{{}}}")
    text = _grid([cells.latex(header) for header in HEADERS], rows, "latex_raw")
    for rule in (r"\toprule", r"\midrule", r"\bottomrule"):
        text = text.replace(r"\hline", rule, 1)
    return "% \\usepackage{booktabs}\n" + text + "\n"


CSV_KEYS = (
    "task", "variant", "method", "metric", "primary", "direction", "n", "n_rows", "score", "ci_low", "ci_high",
    "generated_tokens", "prompt_tokens", "cached_tokens", "calls", "tokens_per_correct", "flops_per_item",
    "usd_per_1k_items", "usd_per_correct", "truncated", "status",
)  # fmt: skip


def csv_text(leaderboard: Leaderboard) -> str:
    """`rows[]` as CSV, figures as they are in the JSON file, one column per kind of failure."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    kinds = sorted({kind for row in leaderboard["rows"] for kind in row["failures"]})
    writer.writerow([*CSV_KEYS, *(f"failures_{kind}" for kind in kinds)])
    for row in leaderboard["rows"]:
        values = [cells.csv(row[key]) if isinstance(row[key], str) else row[key] for key in CSV_KEYS]
        writer.writerow([*values, *(row["failures"].get(kind, 0) for kind in kinds)])
    return out.getvalue()


def score_cells(leaderboard: Leaderboard, escape: Escape, bold: str = "{}") -> list[list[str]]:
    """One row of cells per row of the leaderboard; names that repeat are left out, tokens on the first metric."""
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
        head = (
            [escape(row["task"]), escape(row["variant"]), escape(row["method"])]
            if row["primary"]
            else ["", "", ""]
        )
        tail = [
            f"{tokens}{escape(cells.BEST if least else ' ').strip() or ' '}", cells.number(row["calls"]), cells.failures(row)
        ] if row["primary"] else ["", "", ""]  # fmt: skip
        table.append(
            [*head, escape(row["metric"]), f"{row['n']:,}", f"{score}{escape(mark) if mark else ' '}", *tail]
        )
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
            claim = f"{claim} (noise floor)"
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
                *(pays_after(row["break_even"][unit]) for unit in ("tokens", "flops", "usd")),
            ]
        )  # fmt: skip
    return table


def distillation_text(row: Row) -> str:
    """One distillation as a sentence, for narrow places."""
    dropped = ", ".join(f"{reason} {count:,}" for reason, count in row["dropped"].items()) or "none"
    text = (
        f"{row['task']}, {row['variant'] or 'distilled'}: {row['status']}, kept {row['kept']} of {row['inputs']} "
        f"inputs (dropped: {dropped}), {cells.compact(row['teacher_tokens'])} teacher tokens"
    )
    paid = [
        f"{pays_after(row['break_even'][unit])} in {name}"
        for unit, name in (("tokens", "tokens"), ("flops", "FLOPs"), ("usd", "dollars"))
        if row["break_even"][unit] is not None
    ]
    return f"{text}; pays after queries: {', '.join(paid)}." if paid else f"{text}."


def pays_after(entry: Mapping[str, float | None] | None) -> str:
    """`1,200 [900, 1,700]`; never where it does not pay; `-` where it cannot be computed."""
    if entry is None:
        return "-"
    if entry["value"] is None:
        return "never"
    ends = ["never" if entry[end] is None else cells.compact(entry[end]) for end in ("low", "high")]
    return f"{cells.compact(entry['value'])} [{ends[0]}, {ends[1]}]"


def method_text(row: Row) -> str:
    """A row of the method table as one sentence."""
    used = " and ".join(part for part in (row["test"], row["interval"]) if part)
    return f"{row['data']}: {used} ({row['reason']})."


def _wrapped(sentences: Sequence[str], width: int, bullet: str = "- ") -> list[str]:
    lines = []
    for sentence in sentences:
        lines += textwrap.wrap(
            cells.plain(sentence), width, initial_indent=bullet, subsequent_indent=" " * len(bullet)
        )
    return lines


def _grid(headers: Sequence[str], rows: Sequence[Sequence[str]], style: str) -> str:
    from tabulate import tabulate

    aligned = ["right" if header.replace("\\", "") in RIGHT else "left" for header in headers]
    return tabulate(rows, headers, tablefmt=style, disable_numparse=True, colalign=aligned if rows else None)


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> str:
    """A table of at most `width` columns: columns that are empty throughout go, then the widest text is cut."""
    keep = [
        i for i, _ in enumerate(headers) if i == 0 or any(row[i].strip() not in ("", "-") for row in rows)
    ]
    names = [headers[i] for i in keep]
    table = [[row[i] for i in keep] for row in rows]
    while True:
        widths = [max(len(line[i].rstrip()) for line in [names, *table]) for i in range(len(names))]
        over = sum(widths) + 2 * (len(widths) - 1) - width
        texts = [i for i, name in enumerate(names) if name not in RIGHT]
        widest = max(texts, key=lambda i: widths[i])
        if over <= 0 or widths[widest] <= 8:
            break
        room = max(
            widths[widest] - over,
            8,
            sorted((widths[i] for i in texts), reverse=True)[min(1, len(texts) - 1)] - 1,
        )
        room = min(room, widths[widest] - 1)
        names[widest] = names[widest][:room]
        for line in table:
            if len(line[widest]) > room:
                line[widest] = line[widest][: room - 1] + "…"
    return "\n".join(line.rstrip()[:width] for line in _grid(names, table, "simple").splitlines())
