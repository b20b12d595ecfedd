"""Claims about two variants: the rows of `comparisons[]` and `overall[]` in `leaderboard.json`.

`results` alone writes them; import them from `results.schema`. Differences and shares are fractions (0 to 1);
null stands for what is not known.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict, get_args

from results.schema_manifest import Direction

Verdict = Literal["yes", "no", "cannot_tell"]
ClaimName = Literal["superior", "non_inferior", "cheaper"]
Unit = Literal["tokens", "flops", "usd"]
UNITS: tuple[Unit, ...] = get_args(Unit)
"""What costs are counted in."""

RatioKey = Literal[
    "token_ratio", "token_ratio_low", "token_ratio_high", "flops_ratio", "flops_ratio_low",
    "flops_ratio_high", "usd_ratio", "usd_ratio_low", "usd_ratio_high",
]  # fmt: skip
RATIO_KEYS: dict[Unit, tuple[RatioKey, RatioKey, RatioKey]] = {
    "tokens": ("token_ratio", "token_ratio_low", "token_ratio_high"),
    "flops": ("flops_ratio", "flops_ratio_low", "flops_ratio_high"),
    "usd": ("usd_ratio", "usd_ratio_low", "usd_ratio_high"),
}
"""Keys of a ratio and of both ends of its interval."""


class Share(TypedDict):
    """A share with its 95 % interval."""

    value: float
    """The share."""
    low: float | None
    """Lower end; null where it may be anything."""
    high: float | None
    """Upper end; null where it may be anything."""


class CutShares(TypedDict):
    """Share of rows with a cut text on both sides of a claim."""

    a: float
    """Share of the first variant."""
    b: float
    """Share of the second variant."""


class Sides(TypedDict):
    """The two variants of a claim."""

    task: str
    """Short name; `all tasks` in `overall[]`."""
    a: str
    """The first variant, which the claim is held against."""
    b: str
    """The second variant, of which something is claimed."""


class Counted(TypedDict):
    """Rows of both sides."""

    a: int
    """Of the first."""
    b: int
    """Of the second."""


class OfComparison(TypedDict):
    """What `compare` alone writes."""

    unit: NotRequired[str]
    """Unit of difference, interval and margin: `share` of 1, `nats`, or empty for the metric's own."""
    score_a: NotRequired[float]
    """Score of a over the paired rows, in that unit; mean tokens where the claim is `cheaper`."""
    score_b: NotRequired[float]
    """Score of b."""
    without_number: NotRequired[Counted]
    """Paired rows that have the metric but no number, by side."""
    turned_by_missing: NotRequired[bool]
    """True where such rows could turn the verdict, which is `cannot_tell` then."""


class Look(TypedDict):
    """What was seen of a claim at one planned look."""

    n: int
    """Clusters that had been asked."""
    z: float
    """Test statistic, as a standard normal one; positive where it speaks for b."""
    boundary: float
    """What its size was held against."""


class InLooks(TypedDict):
    """What is to be known of a claim over all tasks."""

    in_looks: NotRequired[Literal[True]]
    """True where a task was asked in planned looks: interval and p are adjusted for them."""


class PairMarks(InLooks):
    """What is to be known of a pair, whatever is claimed of it."""

    named: NotRequired[bool]
    """Whether the pair is beyond the standing three; not in `compare`."""
    looks: NotRequired[list[Look]]
    """Each planned look, where the task was asked in looks: p, interval and difference are adjusted for
    them."""
    noise_floor: NotRequired[bool]
    """True where one variant is compared with itself, run again."""
    no_reasoning: NotRequired[list[str]]
    """Sides that did not reason though they should, each with its figures."""
    uses_labels: NotRequired[list[str]]
    """Sides that were trained on labels."""


class ClaimHead(Sides, PairMarks):
    """What is claimed, of what, and how it is decided."""

    metric: str
    """Name; `generated_tokens` where the claim is `cheaper`."""
    claim: ClaimName
    """`superior`: better; `non_inferior`: at most the margin worse; `cheaper`: fewer generated tokens."""
    n: int
    """Clusters."""
    p_adjusted: float | None
    """p-value after Holm, for claims of its family; else null."""
    alpha: float
    """Level of the claim before any correction."""
    level: float
    """Level that it was decided at: Holm's in its family."""
    family: NotRequired[int]
    """Claims in the family that Holm's correction runs over, where it is one of them."""
    margin: float | None
    """Margin of `non_inferior`; else null."""
    needed_n: int | None
    """Clusters that would show a difference as large as this one, or the margin."""
    interval: str
    """How the interval was made."""
    primary: bool
    """Whether the metric is the task's primary one."""
    direction: Direction | Literal["unknown"]
    """Which end of the metric is better; `unknown` where no log of `compare` says."""


class ClaimOutcome(TypedDict):
    """What the data say."""

    test: str
    """Name of the test."""
    p: float | None
    """Its unadjusted p-value."""
    mde: float | None
    """Smallest difference that so many clusters could have shown (two-sided 5 %, power 80 %)."""
    verdict: Verdict
    """Whether the claim holds."""
    turned_by_cut: NotRequired[bool]
    """True where the verdict would be another one with the losing side's cut texts right."""
    verdict_as_scored: NotRequired[Verdict]
    """The verdict before that."""
    same: NotRequired[bool]
    """`cheaper`: whether both spend equally many tokens on every item."""
    one_program: NotRequired[bool]
    """`cheaper`: whether both answer by one method."""
    gain_kept: NotRequired[Share | None]
    """`superior` to base: share of System 2's gain that b keeps; null where there is no gain to keep."""
    sentence: NotRequired[str]
    """The claim and its verdict in plain words; there once the claim is decided."""


class TokenRatio(TypedDict):
    """Generated tokens of b over those of a."""

    token_ratio: float | None
    """Generated tokens of b over those of a."""
    token_ratio_low: float | None
    """Lower end of its 95 % interval."""
    token_ratio_high: float | None
    """Upper end."""


class Ratios(TokenRatio):
    """What b spends over what a spends."""

    flops_ratio: float | None
    """FLOPs of b over those of a."""
    flops_ratio_low: float | None
    """Lower end of its 95 % interval."""
    flops_ratio_high: float | None
    """Upper end."""
    usd_ratio: float | None
    """Dollars of b over those of a."""
    usd_ratio_low: float | None
    """Lower end of its 95 % interval."""
    usd_ratio_high: float | None
    """Upper end."""


class Comparison(ClaimHead, ClaimOutcome, Ratios, OfComparison):
    """A claim about two variants on one metric of one task."""

    difference: float
    """Score of b minus score of a; tokens per item where the claim is `cheaper`."""
    ci_low: float
    """Lower end of its 95 % interval."""
    ci_high: float
    """Upper end."""
    ci_low_adjusted: float
    """Lower end of the interval of confidence 1 - `level`."""
    ci_high_adjusted: float
    """Upper end."""
    differing: int
    """Clusters on which both differ."""
    rows_left_out: int
    """Rows that have the metric on one side only."""
    cut: CutShares
    """Share of rows with a cut text, by side."""


class OverallHead(ClaimHead, TokenRatio):
    """What is claimed over all tasks together."""

    tasks: list[str]
    """Tasks that have the claim."""
    overall: Literal[True]
    """Tells these rows from those of one task."""


class Overall(OverallHead, ClaimOutcome):
    """A claim over all tasks together, each with equal weight; the geometric mean for ratios."""

    difference: float | None
    """Mean of the tasks' differences; null where the claim is `cheaper`, as the next four."""
    ci_low: float | None
    """Lower end of its 95 % interval."""
    ci_high: float | None
    """Upper end."""
    ci_low_adjusted: float | None
    """Lower end of the interval that agrees with the test."""
    ci_high_adjusted: float | None
    """Upper end."""
    flops_ratio: NotRequired[float | None]
    """`cheaper`: FLOPs of b over those of a."""
    flops_ratio_low: NotRequired[float | None]
    """`cheaper`: lower end of its 95 % interval."""
    flops_ratio_high: NotRequired[float | None]
    """`cheaper`: upper end."""
    usd_ratio: NotRequired[float | None]
    """`cheaper`: dollars of b over those of a."""
    usd_ratio_low: NotRequired[float | None]
    """`cheaper`: lower end of its 95 % interval."""
    usd_ratio_high: NotRequired[float | None]
    """`cheaper`: upper end."""
    cut: NotRequired[CutShares]
    """Share of rows with a cut text, by side; for claims about scores."""
