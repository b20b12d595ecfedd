"""Claims about two variants: the rows of `comparisons[]` and `overall[]` in `leaderboard.json`.

`results` alone writes them; import them from `results.schema`. Differences and shares are fractions (0 to 1);
null means unknown.
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
"""Keys of a ratio and of the ends of its interval."""


class Share(TypedDict):
    """A share with its 95 % interval."""

    value: float
    """The share."""
    low: float | None
    """Lower end; null if the items give none."""
    high: float | None
    """Upper end; null if the items give none."""


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
    """The first variant: the reference of the claim."""
    b: str
    """The second variant: the claim is about it."""


class Counted(TypedDict):
    """Rows of both sides."""

    a: int
    """Rows of the first side."""
    b: int
    """Rows of the second side."""


class OfComparison(TypedDict):
    """Keys that only `compare` writes."""

    unit: NotRequired[str]
    """Unit of difference, interval and margin: `share` of 1, `nats`, or empty for the metric's own."""
    score_a: NotRequired[float]
    """Score of a over the paired rows, in that unit; mean tokens where the claim is `cheaper`."""
    score_b: NotRequired[float]
    """The same for b."""
    without_number: NotRequired[Counted]
    """Paired rows that have the metric but no number, by side."""
    turned_by_missing: NotRequired[bool]
    """True if such rows could change the verdict; it is then `cannot_tell`."""


class Look(TypedDict):
    """State of a claim at one planned look."""

    look: int
    """Number of the look, from 1."""
    n: int
    """Clusters asked by then."""
    z: float
    """Test statistic, standard normal if both are equal; positive values favour b."""
    boundary: float
    """The claim is decided if the absolute value of `z` reaches this."""


class InLooks(TypedDict):
    """Keys of a claim over all tasks that only some have."""

    in_looks: NotRequired[Literal[True]]
    """True where a task was asked in planned looks: interval and p are adjusted for them."""


class PairMarks(InLooks):
    """Keys of a pair that are equal on all of its claims."""

    named: NotRequired[bool]
    """True if the pair is not one of base, s2 and distilled; not in `compare`."""
    looks: NotRequired[list[Look]]
    """Planned looks of the task, if it has any: p, interval and difference are adjusted for them."""
    noise_floor: NotRequired[bool]
    """True where one variant is compared with itself, run again."""
    no_reasoning: NotRequired[list[str]]
    """Sides that should reason and did not, each with its figures."""
    uses_labels: NotRequired[list[str]]
    """Sides that were trained on labels."""


class ClaimHead(Sides, PairMarks):
    """The claim, its metric, and how it is decided."""

    metric: str
    """Name; `generated_tokens` where the claim is `cheaper`."""
    claim: ClaimName
    """`superior`: better; `non_inferior`: at most the margin worse; `cheaper`: fewer generated tokens."""
    n: int
    """Clusters."""
    p_adjusted: float | None
    """p-value after Holm; null if the claim is not in the family."""
    alpha: float
    """Level of the claim before any correction."""
    level: float
    """Level at which it was decided: Holm's for claims in the family."""
    family: NotRequired[int]
    """Claims in the family of Holm's correction, if this is one of them."""
    margin: float | None
    """Margin of `non_inferior`; else null."""
    needed_n: int | None
    """Clusters needed to show a difference as large as this one, or the margin; null if no number suffices,
    or there are fewer than 5 to estimate it from."""
    interval: str
    """How the interval was made."""
    primary: bool
    """Whether the metric is the task's primary one."""
    direction: Direction | Literal["unknown"]
    """Direction of the metric; `unknown` if the logs of `compare` do not say."""


class ClaimOutcome(TypedDict):
    """Test and verdict."""

    test: str
    """Name of the test."""
    p: float | None
    """Its unadjusted p-value."""
    mde: float | None
    """Smallest difference that this many clusters can detect (two-sided 5 %, power 80 %); null if they are
    fewer than 5 and can detect none."""
    verdict: Verdict
    """Whether the claim holds."""
    turned_by_cut: NotRequired[bool]
    """True if the verdict would change with the losing side's cut texts counted as right."""
    verdict_as_scored: NotRequired[Verdict]
    """The verdict without this correction."""
    same: NotRequired[bool]
    """`cheaper`: whether both spend equally many tokens on every item."""
    one_program: NotRequired[bool]
    """`cheaper`: whether both use the same method."""
    gain_kept: NotRequired[Share | None]
    """`superior` to base: share of System 2's gain that b keeps; null if System 2 gains nothing."""
    sentence: NotRequired[str]
    """The claim and its verdict in plain words; missing until the claim is decided."""


class TokenRatio(TypedDict):
    """Generated tokens of b divided by those of a."""

    token_ratio: float | None
    """Generated tokens of b divided by those of a."""
    token_ratio_low: float | None
    """Lower end of its 95 % interval; null with fewer than 6 clusters."""
    token_ratio_high: float | None
    """Upper end."""


class Ratios(TokenRatio):
    """Costs of b divided by those of a."""

    flops_ratio: float | None
    """FLOPs of b divided by those of a."""
    flops_ratio_low: float | None
    """Lower end of its 95 % interval."""
    flops_ratio_high: float | None
    """Upper end."""
    usd_ratio: float | None
    """Dollars of b divided by those of a."""
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
    """Clusters on which the two differ."""
    rows_left_out: int
    """Rows that have the metric on one side only."""
    cut: CutShares
    """Share of rows with a cut text, by side."""


class OverallHead(ClaimHead, TokenRatio):
    """Keys of a claim over all tasks."""

    tasks: list[str]
    """Tasks that have the claim."""
    overall: Literal[True]
    """Always true: marks rows over all tasks."""


class Overall(OverallHead, ClaimOutcome):
    """A claim over all tasks together, each with equal weight; the geometric mean for ratios."""

    difference: float | None
    """Mean of the tasks' differences; for `cheaper`, this and the next four are null."""
    ci_low: float | None
    """Lower end of its 95 % interval."""
    ci_high: float | None
    """Upper end."""
    ci_low_adjusted: float | None
    """Lower end of the interval that agrees with the test."""
    ci_high_adjusted: float | None
    """Upper end."""
    flops_ratio: NotRequired[float | None]
    """`cheaper`: FLOPs of b divided by those of a."""
    flops_ratio_low: NotRequired[float | None]
    """`cheaper`: lower end of its 95 % interval."""
    flops_ratio_high: NotRequired[float | None]
    """`cheaper`: upper end."""
    usd_ratio: NotRequired[float | None]
    """`cheaper`: dollars of b divided by those of a."""
    usd_ratio_low: NotRequired[float | None]
    """`cheaper`: lower end of its 95 % interval."""
    usd_ratio_high: NotRequired[float | None]
    """`cheaper`: upper end."""
    cut: NotRequired[CutShares]
    """Share of rows with a cut text, by side; for claims about scores."""
