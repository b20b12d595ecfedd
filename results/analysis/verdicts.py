"""Three claims of distillation, each with a verdict in plain words: yes, no, or cannot tell.

- superior: the second variant scores better than the first.
- non_inferior: the second is at most the margin worse than the first.
- cheaper: the second generates fewer tokens per item.

"Cannot tell" always comes with the smallest difference that these items could have shown, and with the
number of items that would decide. Sentences use percent and points; files use fractions.

Tables have more words: equal token counts are `same`, a verdict that cut texts could change is
`cannot tell (cut)`, and one about a System 2 that did not reason says so.
"""

from __future__ import annotations

from typing import cast

from results.analysis import cut, reasoning
from results.schema import ClaimName, Comparison, CutShares, OfComparison, Overall, Verdict
from results.statistics.bootstrap import FEWEST_CLUSTERS
from results.statistics.noninferiority import ALPHA as NON_INFERIOR_ALPHA

Claim = Comparison | Overall
NOTHING_CUT: CutShares = {"a": 0.0, "b": 0.0}

ALPHA = 0.05
"""Two-sided level of superiority."""
ALPHAS: dict[ClaimName, float] = {"superior": ALPHA, "non_inferior": NON_INFERIOR_ALPHA, "cheaper": ALPHA}
EXACT = "McNemar exact"
WORDS: dict[Verdict, str] = {"yes": "yes", "no": "no", "cannot_tell": "cannot tell"}


def superior(gain: float, p: float, level: float = ALPHA) -> Verdict:
    """`gain`: difference in the direction where more is better; `p`: two-sided and unadjusted; `level`: its
    level, Holm's for claims in the family.
    """
    if p > level or gain == 0:
        return "cannot_tell"
    return "yes" if gain > 0 else "no"


def cheaper(ratio_low: float | None, ratio_high: float | None) -> Verdict:
    """Verdict from the interval of the token ratio (second over first)."""
    if ratio_low is None or ratio_high is None:
        return "cannot_tell"
    if ratio_high < 1:
        return "yes"
    return "no" if ratio_low >= 1 else "cannot_tell"


def is_primary(row: Claim) -> bool:
    """Whether tables and verdicts show a claim first: it is on a primary metric, on tokens, or over all
    tasks."""
    return row["primary"] or row["claim"] == "cheaper" or bool(row.get("overall"))


def word(row: Claim) -> str:
    """The verdict of a comparison in the words of a table."""
    if row.get("same"):
        text = "same"
    elif row.get("turned_by_cut"):
        text = f"{WORDS['cannot_tell']} (cut)"
    elif of_compare(row).get("turned_by_missing"):
        text = f"{WORDS['cannot_tell']} (rows)"
    else:
        text = WORDS[row["verdict"]]
    return f"{text} {reasoning.MARK}" if row.get("no_reasoning") else text


def sentence(row: Claim) -> str:
    """One comparison of `leaderboard.json` in plain words."""
    said = {"superior": _superior, "non_inferior": _non_inferior, "cheaper": _cheaper}[row["claim"]](row)
    return said + "".join(against(row))


def against(row: Claim) -> list[str]:
    """Sentences on what makes a verdict doubtful: cut texts, a System 2 that did not reason."""
    doubt = reasoning.sentence(row["no_reasoning"]) if row.get("no_reasoning") else ""
    return [text for text in (_missing(row), _cut(row), doubt) if text]


def shown_interval(row: Claim) -> tuple[float, float]:
    """The ends printed with the verdict of a claim about scores: those at the level that decided it."""
    return known(row["ci_low_adjusted"]), known(row["ci_high_adjusted"])


def known(figure: float | None) -> float:
    """A figure that every claim has, except one on tokens over all tasks. ValueError if it is missing."""
    if figure is None:
        raise ValueError("a claim about scores lacks a figure")
    return figure


def confidence(row: Claim) -> str:
    """The confidence of that interval: `95 %`, `98.8 %`."""
    return f"{100 * (1 - row['level']):.1f} %".replace(".0 %", " %")


def points(value: float, sign: bool = False) -> str:
    """A fraction as points, one decimal: 0.123 -> 12.3; never a minus zero."""
    text = f"{100 * value + 0.0:+.1f}" if sign else f"{100 * value + 0.0:.1f}"
    return {"-0.0": "0.0", "+0.0": "0.0"}.get(text, text)


def of_compare(row: Claim) -> OfComparison:
    """The keys that only `compare` writes; empty for a claim of a leaderboard."""
    return cast(OfComparison, row)


def unit(row: Claim) -> str:
    """Unit of a claim about scores; those of a leaderboard are shares of 1."""
    return of_compare(row).get("unit", "share")


def amount(row: Claim, value: float, sign: bool = False) -> str:
    """A figure of a claim about scores, without its unit: points of a share, else four digits."""
    if unit(row) == "share":
        return points(value, sign)
    return f"{value + 0.0:+.4g}" if sign else f"{value + 0.0:.4g}"


def unit_text(row: Claim) -> str:
    """The unit after an amount, with a space before it; empty if the metric has its own unit."""
    return {"share": " points", "": ""}.get(unit(row), f" {unit(row)}")


def p_text(p: float) -> str:
    """p-values to three decimals, very small ones as a bound."""
    return "p < .001" if p < 0.0005 else f"p = {p:.3f}".replace("0.", ".", 1)


def p_figure(p: float) -> str:
    """The same as a figure in a table, without `p =`."""
    return p_text(p).removeprefix("p ").removeprefix("= ")


def _where(row: Claim) -> str:
    return f"over {row['task']}" if row.get("overall") else f"on {row['task']} ({row['metric']})"


def _interval(row: Claim) -> str:
    low, high = shown_interval(row)
    return (
        f"{amount(row, known(row['difference']), sign=True)}{unit_text(row)}, {confidence(row)} interval "
        f"{amount(row, low, sign=True)} to {amount(row, high, sign=True)}"
    )


def _p(row: Claim) -> str:
    # A gate uses the exact test and may have more claims than the tables, so its p can differ from theirs.
    exact = " (exact test; tables print the mid-p)" if row["test"] == EXACT else ""
    if row["p_adjusted"] is not None:
        return f"{p_text(row['p_adjusted'])} after Holm over {row['family']:,} claims{exact}"
    p = known(row["p"])
    apart = (row.get("overall") and row["verdict"] == "cannot_tell" and p <= row["level"]
             and not row.get("turned_by_cut"))  # fmt: skip
    doubt = ": test and interval disagree, and a verdict needs both" if apart else ""
    return f"{p_text(p)}, unadjusted{exact}{doubt}"


def _cut(row: Claim) -> str:
    """The sentence on cut texts of a claim: they could change its verdict, or they are many."""
    shares = row.get("cut") or NOTHING_CUT
    if row.get("turned_by_cut"):
        side: cut.Side = cut.losing_side(row["verdict_as_scored"]) or "a"
        claim = {"superior": "better", "non_inferior": "as good"}[row["claim"]]
        scored = {"yes": f"it is {claim}", "no": "it is worse"}[row["verdict_as_scored"]]
        return (
            f" As scored {scored}, but {cut.percent(shares[side])} of the texts of {row[side]} were cut, and "
            "this may change if those were right."
        )
    many = [f"{cut.percent(shares[side])} of the texts of {row[side]}" for side in cut.SIDES
            if shares[side] > cut.MANY]  # fmt: skip
    return f" Texts cut before their end: {' and '.join(many)}." if many else ""


def _missing(row: Claim) -> str:
    """The sentence on rows without a number: how many there are, and whether they could change the
    verdict."""
    lacking = of_compare(row).get("without_number")
    if not lacking or not (lacking["a"] or lacking["b"]):
        return ""
    counted = f" Rows without a number: {lacking['a']:,} of {row['a']}, {lacking['b']:,} of {row['b']}."
    if not of_compare(row).get("turned_by_missing"):
        return counted
    claim = {"superior": "better", "non_inferior": "as good"}[row["claim"]]
    scored = {"yes": f"it is {claim}", "no": "it is worse"}[row["verdict_as_scored"]]
    return f"{counted} By the other rows {scored}, but these could change that."


def _superior(row: Claim) -> str:
    figures = f"{_interval(row)}; {_p(row)}"
    if row["direction"] == "unknown":
        return (
            f"{row['b']} and {row['a']} {_where(row)}: {figures}. The metric's direction is unknown, so "
            "neither is called better."
        )
    if row.get("turned_by_cut") or of_compare(row).get("turned_by_missing"):
        return f"Cannot tell whether {row['b']} is better than {row['a']} {_where(row)}: {figures}."
    if row["verdict"] == "yes":
        return f"{row['b']} is better than {row['a']} {_where(row)}: {figures}."
    if row["verdict"] == "no":
        return f"{row['b']} is worse than {row['a']} {_where(row)}: {figures}."
    unsure = f"Cannot tell whether {row['b']} is better than {row['a']} {_where(row)}: {figures}."
    return f"{unsure} {could_have_shown(row)}{_would_need(row, 'a difference as large as this one')}".rstrip()


def _non_inferior(row: Claim) -> str:
    share = unit(row) == "share"
    margin = f"{known(row['margin']) * (100 if share else 1):g}{unit_text(row)}"
    if row["verdict"] == "yes":
        return f"{row['b']} is as good as {row['a']} {_where(row)}, within {margin}: {_interval(row)}."
    if row["verdict"] == "no":
        return f"{row['b']} is worse than {row['a']} by more than {margin} {_where(row)}: {_interval(row)}."
    unsure = (
        f"Cannot tell whether {row['b']} is as good as {row['a']} within {margin} {_where(row)}: "
        f"{_interval(row)}."
    )
    if row.get("turned_by_cut") or of_compare(row).get("turned_by_missing"):
        return unsure
    return f"{unsure} {could_have_shown(row)}{_would_need(row, f'a margin of {margin}')}".rstrip()


def _cheaper(row: Claim) -> str:
    if row.get("same"):
        return f"{row['b']} and {row['a']} spend the same {_where(row)}: equally many tokens on every item."
    if row["token_ratio"] is None:
        if row.get("overall"):
            return (
                f"On one of the tasks the tokens of {row['b']} and {row['a']} have no ratio, so there is "
                "none over all."
            )
        return f"{row['a']} generated no tokens {_where(row)}, so there is nothing to compare."
    if row["token_ratio_low"] is None or row["token_ratio_high"] is None:
        if row.get("overall"):
            few = "one of the tasks has too few items for an interval"
        elif row["n"] < FEWEST_CLUSTERS:
            few = f"{items(row['n'])} cannot give an interval"
        else:
            few = f"so few items of {row['a']} have any that the ratio has no interval"
        return (
            f"Cannot tell whether {row['b']} is cheaper than {row['a']} {_where(row)}: "
            f"{row['token_ratio']:.2f} times the generated tokens, but {few}."
        )
    ends = f"95 % interval {row['token_ratio_low']:.2f} to {row['token_ratio_high']:.2f}"
    equal = same_on_every_item(row["token_ratio"], row["token_ratio_low"], row["token_ratio_high"])
    shown = " on every item" if equal and not row.get("overall") else f", {ends}"
    figures = f"{row['token_ratio']:.2f} times the generated tokens{shown}"
    if row["verdict"] == "yes":
        return f"{row['b']} is cheaper than {row['a']} {_where(row)}: {figures}."
    if row["verdict"] == "no":
        return f"{row['b']} is not cheaper than {row['a']} {_where(row)}: {figures}."
    return f"Cannot tell whether {row['b']} is cheaper than {row['a']} {_where(row)}: {figures}."


def same_on_every_item(value: float | None, low: float | None, high: float | None) -> bool:
    """Whether a ratio has an interval without width: then it is the same on every item."""
    if value is None or low is None or high is None:
        return False
    return high - low <= 1e-9 * max(1.0, abs(value))


def items(n: int) -> str:
    """A number of items in words: `1 item`, `1,200 items`."""
    return f"{n:,} item{'' if n == 1 else 's'}"


def could_have_shown(row: Claim) -> str:
    """The smallest difference (or margin) that these items could have shown; empty if unknown."""
    what = "a margin" if row["claim"] == "non_inferior" else "a difference"
    if row["mde"] is not None:
        return (
            f"{items(row['n'])} could have shown {what} of {amount(row, row['mde'])}{unit_text(row)} or more."
        )
    if row.get("overall"):
        return ""
    return f"{items(row['n'])} cannot show {what} of any size."


def _would_need(row: Claim, target: str) -> str:
    if not settles(row):
        return ""
    # The number for a margin assumes that both variants are equal.
    equal = " if the two are equally good" if row["claim"] == "non_inferior" else ""
    return f" About {row['needed_n']:,} items would show {target}{equal}."


def settles(row: Claim) -> bool:
    """Whether more items would help the claim: not if there are already enough, and not if the estimate is
    beyond the margin, because more items would show the opposite.
    """
    if row["needed_n"] is None or row["needed_n"] <= row["n"]:
        return False
    if row["claim"] != "non_inferior":
        return True
    difference = known(row["difference"])
    return (-difference if row["direction"] == "lower" else difference) > -known(row["margin"])
