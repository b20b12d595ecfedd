"""A comparison as text: one row per metric, both scores beside the difference, and notes."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from results.analysis.verdicts import WORDS, amount, is_primary, known, p_figure, shown_interval, unit, word
from results.schema import Compared, Comparison
from results.tables import cells, layout
from results.tables import rows as table_rows

HEADERS = ("task", "metric", "n", "A", "B", "B - A [95 %]", "p", "B better", "B as good")
RIGHT = frozenset(("n", "A", "B", "B - A [95 %]", "p"))
LEGEND = (
    "Shares in percent and points, other metrics in their own unit. p with h is after Holm; its interval "
    "has the level at which Holm decided; other p are unadjusted. As good: B is at most the margin worse "
    "({margin:g} points for shares)."
)
RATIO_LEGEND = "x: tokens of B over those of A."
LOWER_LEGEND = "(-): lower is better."


def render(compared: Compared, width: int = 100, every_metric: bool = False) -> str:
    """The comparison as text of at most `width` columns. `every_metric` shows more than the primary ones."""
    parts: list[str] = []
    for letter, name in (("A", compared["a"]), ("B", compared["b"])):
        sources = list(dict.fromkeys(str(row["a" if letter == "A" else "b"]) for row in compared["read"]))
        text = f"{letter}: {cells.plain(name)} ({'; '.join(cells.plain(source) for source in sources[:3])}"
        text += f"; {len(sources) - 3} more)" if len(sources) > 3 else ")"
        parts += textwrap.wrap(text, width, subsequent_indent="   ", break_on_hyphens=False)
    rows = compared["comparisons"]
    shown = [row for row in rows if every_metric or is_primary(row)]
    table = [_cells(group, _pair(group[0], compared)) for group in _groups(shown)]
    parts += ["", layout.table(HEADERS, _without_repeats(table), width, RIGHT)]
    legend = [LEGEND.format(margin=100 * compared["margin"])]
    legend += [LOWER_LEGEND] if any(_lower(row) for row in shown) else []
    legend += [RATIO_LEGEND] if any(row["claim"] == "cheaper" for row in shown) else []
    parts += textwrap.wrap(" ".join(legend), width)
    hidden = dict.fromkeys(row["metric"] for row in rows if row not in shown)
    if hidden:
        names = ", ".join(cells.plain(name) for name in hidden)
        parts += textwrap.wrap(f"Not shown: {names} (--metrics all shows every metric).", width)
    parts.append("")
    for sentence in [*(str(row.get("sentence")) for row in shown), *compared["notes"]]:
        parts += textwrap.wrap(cells.plain(sentence), width, initial_indent="- ", subsequent_indent="  ")
    parts += ["", "Methods used"]
    for method in compared["methods"]:
        text = cells.plain(table_rows.method_text(method))
        parts += textwrap.wrap(text, width, initial_indent="- ", subsequent_indent="  ")
    return "\n".join(parts) + "\n"


def _groups(rows: Sequence[Comparison]) -> list[list[Comparison]]:
    """Claims grouped by pair and metric: one row each."""
    found: dict[tuple[str, str, str, str], list[Comparison]] = {}
    for row in rows:
        found.setdefault((row["task"], row["a"], row["b"], row["metric"]), []).append(row)
    return list(found.values())


def _pair(row: Comparison, compared: Compared) -> str:
    """Both sides of a claim as on the command line: `A:s2 B:cot`."""
    sides = {"A": compared["a"], "B": compared["b"]}
    return f"{_short(row['a'], sides, 'AB')} {_short(row['b'], sides, 'BA')}"


def _short(label: str, sides: Mapping[str, str], order: str) -> str:
    for letter in order:
        for name in (f"{letter} {sides[letter]}", sides[letter]):
            if label == name:
                return letter
            if label.startswith(f"{name}/"):
                return f"{letter}:{cells.plain(label.removeprefix(f'{name}/'))}"
    return cells.plain(label)


def _cells(group: Sequence[Comparison], pair: str) -> list[str]:
    head = group[0]
    metric = cells.plain(head["metric"])
    names = [cells.plain(head["task"]), pair]
    if head["claim"] == "cheaper":
        ratio = cells.token_ratio(head)
        spent = (cells.number(head.get("score_a")), cells.number(head.get("score_b")))
        said = "same" if head.get("same") else f"cheaper: {WORDS[head['verdict']]}"
        return [*names, "generated tokens", f"{head['n']:,}", *spent, ratio, "", said, ""]
    claims = {row["claim"]: row for row in group}
    low, high = shown_interval(head)
    shift, least, most = (amount(head, value, True) for value in (known(head["difference"]), low, high))
    p = known(head["p"] if head["p_adjusted"] is None else head["p_adjusted"])
    mark = " h" if head["p_adjusted"] is not None else "  "
    unit_name = "" if unit(head) in ("share", "") else f" ({unit(head)})"
    scores = [amount(head, score) for score in (head.get("score_a", 0.0), head.get("score_b", 0.0))]
    verdicts = [word(claims[name]) if name in claims else "-" for name in ("superior", "non_inferior")]
    if head["direction"] == "unknown":
        verdicts = ["which end?", "-"]
    return [
        *names, f"{metric}{unit_name}{' (-)' if _lower(head) else ''}", f"{head['n']:,}", *scores,
        f"{shift} [{least}, {most}]",
        p_figure(p) + mark, *verdicts,
    ]  # fmt: skip


def _lower(row: Comparison) -> bool:
    return row["direction"] == "lower" and row["claim"] != "cheaper"


def _without_repeats(table: Sequence[Sequence[str]]) -> list[list[str]]:
    """Task and pair in one cell, the pair only if there are several; a repeat of the row above is left
    out.
    """
    one_pair = len({row[1] for row in table}) == 1
    found: list[list[str]] = []
    before: tuple[str, str] | None = None
    for task, pair, *rest in table:
        name = task if one_pair else f"{task} {pair}"
        found.append(["" if (task, pair) == before else name, *rest])
        before = task, pair
    return found
