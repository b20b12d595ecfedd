"""Which test and which interval run when: the table that decides, and the same rows are printed with results.

Each question (a score, a difference of scores, tokens ...) has its rows. They are read from the top, and the
first one that fits the data runs: a `Method` holds the predicate, the function, and the words that are
printed. Where a method failed its coverage in simulation, the row says what replaced it and why
(`tests/benchmarks/simulate.py` shows it).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from results.analysis import table_functions as functions
from results.analysis.clusters import Pair, Sample
from results.analysis.table_functions import Combined, Combining, Difference, Fitted, SharePart
from results.schema import MethodRow, Verdict
from results.statistics import corpus, gain, noninferiority
from results.statistics.outcomes import Floats, Interval

CONFIDENCE = 0.95
Data = TypeVar("Data")
Found = TypeVar("Found")


@dataclass(frozen=True)
class Method(Generic[Data, Found]):
    """One row of the table."""

    key: str
    data: str
    test: str
    interval: str
    reason: str
    run: Callable[[Data], Found]
    """Computes what the row names."""
    fits: Callable[[Data], bool] = lambda data: True
    """Whether the row is for these data, where no row above it is."""


@dataclass(frozen=True)
class Claimed:
    """A difference that is to be tested. `exact` takes the exact McNemar test (gates)."""

    pair: Pair
    exact: bool = False


SCORES: tuple[Method[Sample, Interval], ...] = (
    Method(
        "proportion", "one proportion", "", "Wilson",
        "never a point, never outside 0 to 100 %, right on average over the shares",
        run=functions.wilson_of,
        fits=lambda sample: sample.binary,
    ),
    Method(
        "proportion_clustered", "one proportion, clustered items", "", "Wilson at the effective n",
        "a cluster bootstrap is a point when every item is right; the design effect keeps Wilson honest",
        run=functions.wilson_of_clusters,
        fits=lambda sample: sample.zero_one,
    ),
    Method(
        "number", "one mean of graded scores", "", "BCa (cluster) bootstrap",
        "no shape assumed, clusters drawn whole",
        run=functions.bootstrapped_score,
    ),
)  # fmt: skip
"""The interval of one variant's score."""

DIFFERENCES: tuple[Method[Claimed, Fitted], ...] = (
    Method(
        "paired_binary", "two proportions, paired", "McNemar mid-p (exact in a gate)", "Bonett-Price",
        "the exact test is conservative, mid-p is near its level; the naive interval is a point when "
        "nothing differs",
        run=lambda claimed: functions.mcnemar_bonett_price(claimed.pair, claimed.exact),
        fits=lambda claimed: claimed.pair.binary and not functions.many_differ(claimed.pair),
    ),
    Method(
        "paired_binary_large", "two proportions, paired, above 5,000 items",
        "McNemar mid-p (exact in a gate)", "multinomial bootstrap (BCa)",
        "three cells, 2 ms however many items; Bonett-Price where fewer than 200 items differ",
        run=lambda claimed: functions.mcnemar_multinomial(claimed.pair, claimed.exact),
        fits=lambda claimed: claimed.pair.binary,
    ),
    Method(
        "paired_number", "paired graded scores", "sign-flip permutation",
        "adjusted, after Bonett and Price",
        "in simulation BCa covered 85 to 94 % where few items differ and 93 to 95 % where many do; "
        "this one keeps 94 %",
        run=lambda claimed: functions.sign_flip_adjusted(claimed.pair),
        fits=lambda claimed: claimed.pair.single,
    ),
    Method(
        "clustered", "clustered items (votes, templates, orders, samples, seeds)", "cluster permutation",
        "adjusted, after Bonett and Price, on whole clusters",
        "ignoring clusters gave 43 % false alarms; the cluster bootstrap (BCa) covered 84 to 94 % where few "
        "clusters differ",
        run=lambda claimed: functions.sign_flip_adjusted(claimed.pair),
    ),
)  # fmt: skip
"""Test and interval of a paired difference of scores."""

SOME_TOKENS: Method[Pair, Fitted] = Method(
    "tokens", "tokens, paired", "sign-flip permutation", "BCa bootstrap", "token counts are skewed",
    run=functions.sign_flip_bootstrap,
    fits=functions.can_be_drawn,
)  # fmt: skip
MANY_TOKENS: Method[Pair, Fitted] = Method(
    "large_number", "tokens, paired, above 5,000 items", "normal sign-flip", "linearised",
    "at this size equal to the permutation and the bootstrap, in no time",
    run=functions.sign_flip_linearised,
)  # fmt: skip
TOKENS = (SOME_TOKENS, MANY_TOKENS)
"""Test and interval of a paired difference of tokens."""

TOKEN_RATIO: Method[tuple[Floats, Floats], Interval] = Method(
    "token_ratio", "a ratio of mean tokens", "", "BCa bootstrap of the ratio",
    "items drawn in pairs, clusters whole",
    run=functions.bootstrapped_ratio,
)  # fmt: skip
NON_INFERIORITY: Method[tuple[Interval, float], Verdict] = Method(
    "non_inferiority", "as good as", "paired non-inferiority at the margin, alpha .025",
    "lower end of the two-sided 95 % interval",
    "not significant is not equal",
    run=lambda asked: noninferiority.non_inferior(*asked),
)  # fmt: skip
FAMILY: Method[tuple[Sequence[float], float], tuple[list[float], list[float]]] = Method(
    "family", "superiority on primary metrics, over tasks and pairs", "Holm",
    "the pair's own interval at the level that Holm decided it at",
    "one promise for the whole leaderboard, everything else is unadjusted and marked; where test and "
    "interval disagree about 0, the test decides and sets that end (Miettinen)",
    run=lambda asked: functions.holm_with_levels(*asked),
)  # fmt: skip
CORPUS: Method[tuple[corpus.Summed, bool], corpus.CorpusDifference] = Method(
    "corpus", "a figure of the whole corpus (perplexity per word, F1, ...)",
    "paired permutation of both sides", "BCa (cluster) bootstrap",
    "documents are drawn with both sides' values together; linearised above 5,000 documents",
    run=corpus.difference,
)  # fmt: skip
GAIN_KEPT: Method[Sequence[SharePart], gain.Kept | None] = Method(
    "gain_kept", "the share of System 2's gain that is kept", "", "BCa bootstrap of the ratio of both gains",
    "all three variants of an item are drawn together",
    run=gain.gain_kept,
)  # fmt: skip
OVERALL: Method[Combining, Combined] = Method(
    "overall", "all tasks together, each with equal weight", "stratified sign-flip permutation",
    "the tasks' intervals combined (MOVER)",
    "keeps the care of each task's own interval; a verdict needs both test and interval",
    run=Combined,
)  # fmt: skip

ROWS: tuple[Method[Any, Any], ...] = (
    *SCORES, *DIFFERENCES, CORPUS, SOME_TOKENS, TOKEN_RATIO, MANY_TOKENS, NON_INFERIORITY, FAMILY, GAIN_KEPT,
    OVERALL,
)  # fmt: skip
TABLE = {row.key: row for row in ROWS}
"""The rows as they are printed, by key."""


def choose(rows: Sequence[Method[Data, Found]], data: Data) -> Method[Data, Found]:
    """The first row that fits. The last row of each question fits all data."""
    return next(row for row in rows if row.fits(data))


def score_interval(sample: Sample) -> tuple[Interval, str]:
    """Interval of one variant's score, and the key of the table's row."""
    method = choose(SCORES, sample)
    return method.run(sample), method.key


def difference(pair: Pair, margin: float | None = None, exact: bool = False) -> Difference:
    """Test and interval of a paired difference of scores. `exact` takes the exact McNemar test (gates)."""
    claimed = Claimed(pair, exact)
    method = choose(DIFFERENCES, claimed)
    return functions.seen(pair, method.run(claimed), method.key, CONFIDENCE, margin)


def token_difference(pair: Pair) -> Difference:
    """Test and interval of the paired difference of mean tokens."""
    method = choose(TOKENS, pair)
    return functions.seen(pair, method.run(pair), method.key, CONFIDENCE)


def ratio(pair: Pair) -> tuple[float | None, Interval | None]:
    """Mean of the second variant over mean of the first, and its interval; None where the first spent
    nothing.
    """
    return ratio_of(pair.first.total, pair.second.total)


def ratio_of(first: Floats, second: Floats) -> tuple[float | None, Interval | None]:
    """sum(second)/sum(first) over clusters, and its interval. None where the first sum is 0; no interval
    where so few clusters of the first hold anything (their calls failed, say) that it has no upper end.
    """
    if first.sum() <= 0:
        return None, None
    interval = TOKEN_RATIO.run((first, second))
    return float(second.sum() / first.sum()), interval if functions.has_ends(interval) else None


def as_rows(used: set[str]) -> list[MethodRow]:
    """The table as it stands in `leaderboard.json`, each row marked with whether it was used."""
    return [
        {"data": m.data, "test": m.test, "interval": m.interval, "reason": m.reason, "used": m.key in used}
        for m in ROWS
    ]
