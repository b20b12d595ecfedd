"""What a run folder holds: its manifest, the rows of its samples files, its leaderboard.

These formats and the words in them are declared only here: `harness` and `distill` write by it,
`results` reads by it, and every floor may import it. The manifest is declared in `schema_manifest.py` and
`schema_distillation.py`, the leaderboard in `schema_leaderboard.py` and `schema_claims.py`; all are imported
from here. `python -m results.schema_page` makes docs/results-schema.md of the declarations and the sentence
under each key.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Literal, NotRequired, TypedDict, get_args

from results.schema_claims import (
    RATIO_KEYS,
    UNITS,
    ClaimHead,
    ClaimName,
    ClaimOutcome,
    Comparison,
    Counted,
    CutShares,
    InLooks,
    Look,
    OfComparison,
    Overall,
    OverallHead,
    PairMarks,
    RatioKey,
    Ratios,
    Share,
    Sides,
    TokenRatio,
    Unit,
    Verdict,
)
from results.schema_compare import Compared, LeftOut, Paired, Read
from results.schema_distillation import (
    Distillation,
    DistillationAccount,
    DistillationCounts,
    JsonObject,
    ReplyTokens,
    Settings,
    Taught,
    TaughtBy,
    overlap_sentence,
)
from results.schema_leaderboard import (
    Board,
    BreakEven,
    ClaimTable,
    Cut,
    DistillationRow,
    Frontier,
    FrontierPoint,
    Leaderboard,
    LookedTask,
    Means,
    MethodRow,
    NoReasoning,
    Planned,
    PriceNote,
    Queries,
    Rates,
    Scored,
    ScoreRow,
    SeedScore,
    Trio,
)
from results.schema_manifest import (
    DIRECTIONS,
    Batches,
    Command,
    Direction,
    EarlierLooks,
    Ended,
    Engine,
    Execution,
    Hardware,
    LookPlan,
    LooksOfTask,
    Manifest,
    Method,
    Metric,
    MetricKind,
    Model,
    RunEntries,
    RunKind,
    RunStart,
    Status,
    Task,
    Variant,
    VariantKind,
)

SCHEMA = 1
"""Version of manifest, samples rows and leaderboard."""

MARGIN_POINTS = 5.0
"""Default non-inferiority margin, in points."""

LARGEST = 1e15
"""Upper bound of counts, weights and scores of a row: squares of their sums still fit a float."""

Failure = Literal["no_answer", "truncated", "stopped", "empty", "error"]
FAILURES: tuple[Failure, ...] = get_args(Failure)
"""Ways a row can fail; each scores as wrong and is counted in its own column."""

FinishReason = Literal["stop", "length", "budget", "error"]
CUT: FinishReason = "length"
"""Finish reason of a call whose text was cut at its maximum of tokens."""
SPENT: FinishReason = "budget"
"""Finish reason of a call that used up the method's own budget; the method continued from there."""

StepUsageKey = Literal["prompt_tokens", "cached_tokens", "generated_tokens"]
UsageKey = Literal["calls", "prompt_tokens", "cached_tokens", "generated_tokens"]
STEP_USAGE: tuple[StepUsageKey, ...] = get_args(StepUsageKey)
"""What is counted of a call."""
USAGE: tuple[UsageKey, ...] = get_args(UsageKey)
"""What is counted of a row."""


def step_kind(name: str) -> str:
    """Kind of a step: `3/solve:2`, the second solve call of the third sample, is `solve`."""
    return name.rsplit("/", 1)[-1].split(":", 1)[0]


def short_hash(value: list[str]) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of some names as JSON."""
    named = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(named.encode()).hexdigest()[:16]


def drawn(task: str, clusters: Iterable[str], limit: int | None) -> list[str]:
    """The clusters of a task that `--limit` takes, by their hashes: a smaller limit takes a subset."""
    return sorted(clusters, key=lambda cluster: short_hash([task, cluster]))[:limit]


class Usage(TypedDict):
    """Sums over all calls of a row. Tokens are counted as ids by the engine that generated them."""

    calls: int
    """Calls to the model."""
    prompt_tokens: int
    """Ids of the templated prompts."""
    cached_tokens: int | None
    """Prompt tokens from the engine's cache; null if it did not report them."""
    generated_tokens: int
    """Generated ids, including the one that ended the text."""


class SampleStep(TypedDict):
    """One call to the model."""

    name: str
    """`KIND`; `KIND:NUMBER` for several asked together, `SAMPLE/KIND` for several samples."""
    messages: list[dict[str, str]]
    """The conversation, as `{"role": ..., "content": ...}`."""
    text: str
    """Text of the model, cut before a stop string."""
    prompt_tokens: int
    """Ids of the templated prompt."""
    cached_tokens: int | None
    """Prompt tokens from the engine's cache; null if it did not report them."""
    generated_tokens: int
    """Generated ids, including the one that ended the text."""
    finish_reason: FinishReason
    """`length`: cut at the maximum of tokens; `budget`: the method's own budget was used up, and the next
    call continues there (it counts only the prompt tokens that were added)."""


class SampleRow(TypedDict):
    """A line of `samples/VARIANT/TASK.jsonl`: one scored prompt (an order of a pair, a template of a
    question)."""

    item_id: str
    """Hash of the content: rows of two variants are paired by it."""
    cluster_id: str
    """Cluster of the item: items of one pair or question share it."""
    weight: float
    """Weight of the row in means."""
    weights: dict[str, float]
    """Weights by metric, if they differ from `weight`."""
    sample_index: int
    """Number of the sample, from 0."""
    look: NotRequired[int]
    """The planned look at which the row was asked, from 1; only with `--until-decided`."""
    task: str
    """Short name."""
    variant: str
    """Name."""
    method: str
    """Name of the method that answered."""
    seed: int
    """Seed of the run."""
    prompt: str
    """The user turn that System 1 gets."""
    response: str
    """The text that was scored."""
    answer: str | None
    """The answer that the task's rule reads in it; null if it finds none."""
    target: str | int | float
    """The right answer; JSON text where the task has something other than text or a number."""
    scores: dict[str, float | None]
    """Score by metric; null where the metric does not apply to the row."""
    failure: Failure | None
    """Why there is no answer; null if there is one."""
    reasoning_words: int
    """Words that the model wrote before its answer, in all calls."""
    truncated: bool
    """Whether any step was cut at its maximum of tokens."""
    error: str | None
    """What went wrong, where `failure` is `error`."""
    usage: Usage
    """Sums over all steps."""
    steps: list[SampleStep]
    """Every call, in the order in which the calls ended."""


__all__ = [
    "CUT",
    "DIRECTIONS",
    "FAILURES",
    "LARGEST",
    "MARGIN_POINTS",
    "RATIO_KEYS",
    "SCHEMA",
    "SPENT",
    "STEP_USAGE",
    "UNITS",
    "USAGE",
    "Batches",
    "Board",
    "BreakEven",
    "ClaimHead",
    "ClaimName",
    "ClaimOutcome",
    "ClaimTable",
    "Command",
    "Compared",
    "Comparison",
    "Counted",
    "Cut",
    "CutShares",
    "Direction",
    "Distillation",
    "DistillationAccount",
    "DistillationCounts",
    "DistillationRow",
    "EarlierLooks",
    "Ended",
    "Engine",
    "Execution",
    "Failure",
    "FinishReason",
    "Frontier",
    "FrontierPoint",
    "Hardware",
    "InLooks",
    "JsonObject",
    "Leaderboard",
    "LeftOut",
    "Look",
    "LookPlan",
    "LookedTask",
    "LooksOfTask",
    "Manifest",
    "Means",
    "Method",
    "MethodRow",
    "Metric",
    "MetricKind",
    "Model",
    "NoReasoning",
    "OfComparison",
    "Overall",
    "OverallHead",
    "PairMarks",
    "Paired",
    "Planned",
    "PriceNote",
    "Queries",
    "Rates",
    "RatioKey",
    "Ratios",
    "Read",
    "ReplyTokens",
    "RunEntries",
    "RunKind",
    "RunStart",
    "SampleRow",
    "SampleStep",
    "ScoreRow",
    "Scored",
    "SeedScore",
    "Settings",
    "Share",
    "Sides",
    "Status",
    "StepUsageKey",
    "Task",
    "Taught",
    "TaughtBy",
    "TokenRatio",
    "Trio",
    "Unit",
    "Usage",
    "UsageKey",
    "Variant",
    "VariantKind",
    "Verdict",
    "drawn",
    "overlap_sentence",
    "short_hash",
    "step_kind",
]
