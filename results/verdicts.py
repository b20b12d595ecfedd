"""Three claims of distillation, each with a verdict that a person understands: yes, no, or cannot tell.

- superior: the second variant scores better than the first.
- non_inferior: the second is at most the margin worse than the first.
- cheaper: the second generates fewer tokens per item.

"Cannot tell" always comes with the smallest difference that so many items could have shown, and with the
number of items that would settle the matter. Sentences speak in percent and points; files in fractions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from results.statistics.noninferiority import ALPHA as NON_INFERIOR_ALPHA

Verdict = Literal["yes", "no", "cannot_tell"]
Claim = Literal["superior", "non_inferior", "cheaper"]

ALPHA = 0.05
"""Two-sided level of superiority."""
ALPHAS: dict[str, float] = {"superior": ALPHA, "non_inferior": NON_INFERIOR_ALPHA, "cheaper": ALPHA}
WORDS: dict[str, str] = {"yes": "yes", "no": "no", "cannot_tell": "cannot tell"}


def superior(gain: float, p: float) -> Verdict:
    """`gain`: difference in the direction where more is better; `p`: two-sided, adjusted where in a
    family.
    """
    if p > ALPHA or gain == 0:
        return "cannot_tell"
    return "yes" if gain > 0 else "no"


def cheaper(ratio_low: float | None, ratio_high: float | None) -> Verdict:
    """From the interval of the token ratio (second over first)."""
    if ratio_low is None or ratio_high is None:
        return "cannot_tell"
    if ratio_high < 1:
        return "yes"
    return "no" if ratio_low >= 1 else "cannot_tell"


def sentence(row: Mapping[str, Any]) -> str:
    """One comparison of `leaderboard.json` in plain words."""
    return {"superior": _superior, "non_inferior": _non_inferior, "cheaper": _cheaper}[row["claim"]](row)


def points(value: float, sign: bool = False) -> str:
    """A fraction as points, one decimal: 0.123 -> 12.3; never a minus zero."""
    text = f"{100 * value + 0.0:+.1f}" if sign else f"{100 * value + 0.0:.1f}"
    return {"-0.0": "0.0", "+0.0": "0.0"}.get(text, text)


def p_text(p: float) -> str:
    """p-values to three decimals, very small ones as a bound."""
    return "p < .001" if p < 0.0005 else f"p = {p:.3f}".replace("0.", ".", 1)


def _where(row: Mapping[str, Any]) -> str:
    return f"over {row['task']}" if row.get("overall") else f"on {row['task']} ({row['metric']})"


def _interval(row: Mapping[str, Any]) -> str:
    return (
        f"{points(row['difference'], sign=True)} points, 95 % interval "
        f"{points(row['ci_low'], sign=True)} to {points(row['ci_high'], sign=True)}"
    )


def _p(row: Mapping[str, Any]) -> str:
    if row["p_adjusted"] is not None:
        return p_text(row["p_adjusted"]) + " after Holm"
    return p_text(row["p"]) + ", unadjusted"


def _superior(row: Mapping[str, Any]) -> str:
    figures = f"{_interval(row)}; {_p(row)}"
    if row["verdict"] == "yes":
        return f"{row['b']} is better than {row['a']} {_where(row)}: {figures}."
    if row["verdict"] == "no":
        return f"{row['b']} is worse than {row['a']} {_where(row)}: {figures}."
    return (
        f"Cannot tell whether {row['b']} is better than {row['a']} {_where(row)}: {figures}. "
        f"{_could_have_shown(row)}{_would_need(row, 'a difference as large as this one')}"
    )


def _non_inferior(row: Mapping[str, Any]) -> str:
    margin = f"{100 * row['margin']:g} points"
    if row["verdict"] == "yes":
        return f"{row['b']} is as good as {row['a']} {_where(row)}, within {margin}: {_interval(row)}."
    if row["verdict"] == "no":
        return f"{row['b']} is worse than {row['a']} by more than {margin} {_where(row)}: {_interval(row)}."
    return (
        f"Cannot tell whether {row['b']} is as good as {row['a']} within {margin} {_where(row)}: "
        f"{_interval(row)}. "
        f"{_could_have_shown(row, 'a margin')}{_would_need(row, f'a margin of {margin}')}"
    )


def _cheaper(row: Mapping[str, Any]) -> str:
    if row["token_ratio"] is None:
        return f"{row['a']} generated no tokens {_where(row)}, so there is nothing to compare."
    if row["token_ratio_high"] is None:
        return (
            f"Cannot tell whether {row['b']} is cheaper than {row['a']} {_where(row)}: "
            f"{row['token_ratio']:.2f} times the generated tokens, but so few items of {row['a']} have any "
            "that this ratio has no interval."
        )
    figures = (
        f"{row['token_ratio']:.2f} times the generated tokens, 95 % interval "
        f"{row['token_ratio_low']:.2f} to {row['token_ratio_high']:.2f}"
    )
    if row["verdict"] == "yes":
        return f"{row['b']} is cheaper than {row['a']} {_where(row)}: {figures}."
    if row["verdict"] == "no":
        return f"{row['b']} is not cheaper than {row['a']} {_where(row)}: {figures}."
    return f"Cannot tell whether {row['b']} is cheaper than {row['a']} {_where(row)}: {figures}."


def _could_have_shown(row: Mapping[str, Any], what: str = "a difference") -> str:
    if row["mde"] is None:
        return ""
    return f"{row['n']:,} items could have shown {what} of {points(row['mde'])} points or more."


def _would_need(row: Mapping[str, Any], target: str) -> str:
    if row["needed_n"] is None or row["needed_n"] <= row["n"]:
        return ""
    return f" About {row['needed_n']:,} items would show {target}."
