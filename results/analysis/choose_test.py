"""The table that decides which test and interval run; the same rows are printed with results.

Each question (a score, a difference of scores, tokens ...) has its rows. The first row that fits the data
runs. A `Method` holds the predicate, the function, and the printed words. If a method failed its coverage in
simulation (`tests/benchmarks/simulate.py`), the row says what replaced it and why.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from results.analysis import table_functions as functions
from results.analysis.clusters import Pair, Sample
from results.analysis.table_functions import At, Combined, Combining, Difference, Fitted, SharePart
from results.schema import MethodRow, Verdict
from results.statistics import bootstrap, corpus, gain, noninferiority
from results.statistics.outcomes import Floats, Interval

CONFIDENCE, ALPHA = 0.95, 0.05
Data = TypeVar("Data")
Found = TypeVar("Found")


@dataclass(frozen=True)
class Printed:
    """The words of one row of the table."""

    key: str
    data: str
    test: str
    interval: str
    reason: str


@dataclass(frozen=True)
class Method(Printed, Generic[Data, Found]):
    """One row of the table: its words, its predicate and its function."""

    run: Callable[[Data], Found]
    """Computes the row's test and interval."""
    fits: Callable[[Data], bool] = lambda data: True
    """Whether the row is for these data, if no row above it is."""


@dataclass(frozen=True)
class Claimed:
    """A difference to test."""

    pair: Pair
    exact: bool = False
    """The exact McNemar test (gates)."""


SCORES: tuple[Method[Sample, At], ...] = (
    Method(
        "proportion", "one proportion", "", "Wilson",
        "never of width 0, never outside 0 to 100 %, right coverage on average over the true shares",
        run=functions.wilson_of,
        fits=lambda sample: sample.binary,
    ),
    Method(
        "proportion_clustered", "one proportion, clustered items", "", "Wilson at the effective n",
        "a cluster bootstrap has width 0 if every item is right; the design effect accounts for clusters",
        run=functions.wilson_of_clusters,
        fits=lambda sample: sample.zero_one,
    ),
    Method(
        "number_few", "one mean of graded scores, fewer than 6 clusters or all equal", "",
        "Wilson at the number of clusters",
        "a bootstrap of equal clusters has width 0, one of very few is too short",
        run=functions.wilson_of_graded,
        fits=functions.too_few_to_draw,
    ),
    Method(
        "number", "one mean of graded scores", "", "BCa (cluster) bootstrap",
        "assumes no distribution; clusters are drawn whole",
        run=functions.bootstrapped_score,
    ),
)  # fmt: skip
"""The interval of one variant's score."""

DIFFERENCES: tuple[Method[Claimed, Fitted], ...] = (
    Method(
        "paired_binary", "two proportions, paired", "McNemar mid-p (exact in a gate)", "Bonett-Price",
        "the exact test is conservative, mid-p is near its level; the naive interval has width 0 if "
        "nothing differs",
        run=lambda claimed: functions.mcnemar_bonett_price(claimed.pair, claimed.exact),
        fits=lambda claimed: claimed.pair.binary and not functions.many_differ(claimed.pair),
    ),
    Method(
        "paired_binary_large", "two proportions, paired, above 5,000 items",
        "McNemar mid-p (exact in a gate)", "multinomial bootstrap (BCa)",
        "three cells, so 2 ms for any number of items; Bonett-Price if fewer than 200 items differ",
        run=lambda claimed: functions.mcnemar_multinomial(claimed.pair, claimed.exact),
        fits=lambda claimed: claimed.pair.binary,
    ),
    Method(
        "paired_number", "paired graded scores", "sign-flip permutation",
        "adjusted, after Bonett and Price",
        "in simulation BCa covered 85 to 94 % if few items differ and 93 to 95 % if many do; "
        "this one covers 94 %",
        run=lambda claimed: functions.sign_flip_adjusted(claimed.pair),
        fits=lambda claimed: claimed.pair.single,
    ),
    Method(
        "clustered", "clustered items (votes, templates, orders, samples, seeds)", "cluster permutation",
        "adjusted, after Bonett and Price, on whole clusters",
        "ignoring clusters gave 43 % false alarms; the cluster bootstrap (BCa) covered 84 to 94 % if few "
        "clusters differ",
        run=lambda claimed: functions.sign_flip_adjusted(claimed.pair),
    ),
)  # fmt: skip
"""Test and interval of a paired difference of scores."""

ADJUSTED = "adjusted"
INTERVALS = {
    ADJUSTED: "adjusted, after Bonett and Price",
    "cr2": "CR2 with Satterthwaite degrees of freedom (Bell and McCaffrey)",
    "obuchowski": "Obuchowski's variance of clustered matched pairs, normal",
    "durkalski": "Durkalski's test of clustered matched pairs, inverted",
    "bootstrap-t": "studentised bootstrap of clusters",
}
"""The values of `--interval`, for graded and clustered differences."""


def differences(interval: str) -> tuple[Method[Claimed, Fitted], ...]:
    """`DIFFERENCES`, with the requested interval for graded and clustered scores."""
    if interval == ADJUSTED:
        return DIFFERENCES
    return tuple(
        replace(
            row,
            interval=INTERVALS[interval],
            reason="requested with --interval; the default covers better if few clusters differ",
            run=lambda claimed: functions.sign_flip_published(interval, claimed.pair),
        )
        if row.key in ("paired_number", "clustered")
        else row
        for row in DIFFERENCES
    )


PROPORTIONS_IN_LOOKS: Method[Claimed, Fitted] = Method(
    "paired_binary_looks", "two proportions, paired, asked in planned looks",
    "McNemar mid-p (exact in a gate)", "Tango's score interval",
    "a multinomial bootstrap does not reach the levels of early looks; at a margin Bonett-Price claimed "
    '"as good as" in up to 5 % of the cases exactly at the margin, the score test in 3 %',
    run=lambda claimed: functions.mcnemar_tango(claimed.pair, claimed.exact),
    fits=lambda claimed: claimed.pair.binary,
)  # fmt: skip
NUMBERS_IN_LOOKS: Method[Claimed, Fitted] = Method(
    "clustered_looks", "graded or clustered scores, asked in planned looks",
    "(cluster) sign-flip permutation", "adjusted, after Bonett and Price, in score form",
    'with the error about the estimate, "as good as" was claimed in up to 3.1 % of the cases exactly at the '
    "margin, with the error about the margin in 2.9 %",
    run=lambda claimed: functions.sign_flip_score_form(claimed.pair),
)  # fmt: skip
DIFFERENCES_IN_LOOKS = (PROPORTIONS_IN_LOOKS, NUMBERS_IN_LOOKS)
"""The same for items asked in planned looks."""

SOME_TOKENS: Method[Pair, Fitted] = Method(
    "tokens", "tokens, paired", "sign-flip permutation", "BCa bootstrap", "token counts are skewed",
    run=functions.sign_flip_bootstrap,
    fits=functions.can_be_drawn,
)  # fmt: skip
MANY_TOKENS: Method[Pair, Fitted] = Method(
    "large_number", "tokens, paired, above 5,000 items", "normal sign-flip", "linearised",
    "at this size equal to the permutation and the bootstrap, and much faster",
    run=functions.sign_flip_linearised,
)  # fmt: skip
TOKENS = (SOME_TOKENS, MANY_TOKENS)
"""Test and interval of a paired difference of tokens."""

TOKEN_RATIO: Method[tuple[Floats, Floats], Interval] = Method(
    "token_ratio", "a ratio of mean tokens", "", "BCa bootstrap of the ratio",
    "items are drawn in pairs, clusters whole",
    run=functions.bootstrapped_ratio,
)  # fmt: skip
NON_INFERIORITY: Method[tuple[Interval, float], Verdict] = Method(
    "non_inferiority", "as good as", "paired non-inferiority at the margin, alpha .025",
    "lower end of the two-sided 95 % interval",
    "a difference that is not significant does not show equality",
    run=lambda asked: noninferiority.non_inferior(*asked),
)  # fmt: skip
FAMILY: Method[tuple[Sequence[float], float], tuple[list[float], list[float]]] = Method(
    "family", "superiority on primary metrics, over tasks and pairs", "Holm",
    "the pair's own interval at the level at which Holm decided",
    "one error rate for the whole leaderboard, everything else is unadjusted and marked; if test and "
    "interval disagree about 0, the test decides and sets that end (Miettinen)",
    run=lambda asked: functions.holm_with_levels(*asked),
)  # fmt: skip
CORPUS: Method[tuple[corpus.Summed, bool], corpus.CorpusDifference] = Method(
    "corpus", "a figure of the whole corpus (perplexity per word, F1, ...)",
    "paired permutation of both sides", "BCa (cluster) bootstrap",
    "documents are drawn with both sides' values together; linearised above 5,000 documents",
    run=corpus.difference,
)  # fmt: skip
GAIN_KEPT: Method[tuple[Sequence[SharePart], float], gain.Kept | None] = Method(
    "gain_kept", "the share of System 2's gain that is kept", "", "BCa bootstrap of the ratio of both gains",
    "all three variants of an item are drawn together",
    run=lambda asked: gain.gain_kept(*asked),
)  # fmt: skip
OVERALL: Method[Combining, Combined] = Method(
    "overall", "all tasks together, each with equal weight", "stratified sign-flip permutation",
    "the tasks' intervals combined (MOVER)",
    "uses each task's own interval; a verdict needs both test and interval",
    run=Combined,
)  # fmt: skip

ROWS: tuple[Method[Any, Any], ...] = (
    *SCORES, *DIFFERENCES, CORPUS, SOME_TOKENS, TOKEN_RATIO, MANY_TOKENS, NON_INFERIORITY, FAMILY, GAIN_KEPT,
    OVERALL,
)  # fmt: skip
LOOKS: tuple[Printed, ...] = (
    PROPORTIONS_IN_LOOKS,
    NUMBERS_IN_LOOKS,
    Printed(
        "looks", "the same, asked in planned looks (--until-decided)",
        "the row's own test at each look, sequential p-value (Lan and DeMets; Liu and Anderson)",
        "repeated, in common over the looks (Jennison and Turnbull); median-unbiased estimate",
        "valid whenever the looks end and for whatever reason",
    ),
    Printed(
        "looks_tokens", "tokens, asked in planned looks",
        "log ratio with Student's t at each look, sequential p-value", "log ratio, repeated",
        "10,000 draws do not reach the levels of early looks",
    ),
)  # fmt: skip
TABLE = {row.key: row for row in ROWS}
"""The printed rows, by key."""


def as_markdown() -> str:
    """The table of docs/statistics.md, made from the rows."""
    printed: list[Printed] = [*ROWS, *LOOKS]
    lines = [f"| {row.data} | {row.test} | {row.interval} | {row.reason} |" for row in printed]
    return "\n".join(["| data | test | interval | why |", "| --- | --- | --- | --- |", *lines])


def choose(rows: Sequence[Method[Data, Found]], data: Data) -> Method[Data, Found]:
    """The first row that fits. The last row of each question fits all data."""
    return next(row for row in rows if row.fits(data))


def score_interval(sample: Sample, confidence: float = CONFIDENCE) -> tuple[Interval, str]:
    """Interval of one variant's score, and the key of the row that made it."""
    method = choose(SCORES, sample)
    return method.run(sample)(confidence), method.key


def difference(
    pair: Pair,
    margin: float | None = None,
    exact: bool = False,
    in_looks: bool = False,
    interval: str = ADJUSTED,
) -> Difference:
    """Test and interval of a paired difference of scores. `exact` uses the exact McNemar test (gates);
    `in_looks` uses the levels of planned looks (`results.analysis.looks`); `interval` is a key of
    `INTERVALS`.
    """
    claimed = Claimed(pair, exact)
    method = choose(DIFFERENCES_IN_LOOKS if in_looks else differences(interval), claimed)
    return functions.seen(pair, method.run(claimed), method.key, CONFIDENCE, margin)


def token_difference(pair: Pair) -> Difference:
    """Test and interval of the paired difference of mean tokens."""
    method = choose(TOKENS, pair)
    return functions.seen(pair, method.run(pair), method.key, CONFIDENCE)


def ratio(pair: Pair) -> tuple[float | None, Interval | None]:
    """Mean of the second variant divided by mean of the first, and its interval; None if the first spent
    nothing.
    """
    return ratio_of(pair.first.total, pair.second.total)


def ratio_of(first: Floats, second: Floats) -> tuple[float | None, Interval | None]:
    """sum(second)/sum(first) over clusters, and its interval. None if the first sum is 0. No interval if
    there are too few clusters to draw from, or if so few of the first are not 0 (for example because calls
    failed) that it has no upper end.
    """
    if first.sum() <= 0:
        return None, None
    value = float(second.sum() / first.sum())
    if first.size < bootstrap.FEWEST_CLUSTERS:
        return value, None
    interval = TOKEN_RATIO.run((first, second))
    return value, interval if functions.has_ends(interval) else None


def as_rows(used: set[str], interval: str = ADJUSTED) -> list[MethodRow]:
    """The table for `leaderboard.json`; `used` marks the rows that ran."""
    asked = {row.key: row for row in differences(interval)}
    rows: list[Printed] = [asked.get(row.key, row) for row in ROWS]
    rows += [row for row in LOOKS if row.key in used]
    return [
        {"data": m.data, "test": m.test, "interval": m.interval, "reason": m.reason, "used": m.key in used}
        for m in rows
    ]
