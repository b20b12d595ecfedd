"""Results of a run: the keys of `leaderboard.json`.

`results` alone writes them; import them from `results.schema`. Scores, differences and shares are fractions
(0 to 1), tokens and costs are means per item unless a key says otherwise; null means unknown.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from results.schema_claims import Comparison, Overall, Verdict
from results.schema_manifest import Direction, Ended

RowStatus = Literal["scored", "not_distilled"]


class Queries(TypedDict):
    """A number of queries with its 95 % interval; null means never."""

    value: float | None
    """The number."""
    low: float | None
    """Lower end."""
    high: float | None
    """Upper end."""


class Means(TypedDict):
    """Calls and tokens per item."""

    calls: float
    """Calls to the model."""
    prompt_tokens: float
    """Tokens of their prompts."""
    cached_tokens: float | None
    """Prompt tokens from the engine's cache; null if it did not report them."""
    generated_tokens: float
    """Tokens generated."""


class Cut(TypedDict):
    """Texts of a row that were cut at a maximum of tokens, if they are many."""

    share: float
    """Share of rows with a cut text."""
    steps: list[str]
    """Kinds of steps that were cut, most often cut first."""
    context_length: int | None
    """The model's context length, if most cut calls filled it; else null."""


class NoReasoning(TypedDict):
    """Signs that a System 2 did not reason."""

    token_ratio: float | None
    """Its generated tokens divided by those of base."""
    share_without: float | None
    """Share of its texts with almost no words before the answer."""


class SeedScore(TypedDict):
    """The score of one seed."""

    seed: int
    """Seed of sampling and training."""
    score: float
    """Weighted mean of its rows."""


class Planned(TypedDict):
    """Key of a score on a task with planned looks."""

    planned_n: NotRequired[int]
    """Planned clusters, if the task has planned looks; the interval is adjusted for the looks."""


class Scored(Planned):
    """What one variant scored and spent on one metric of one task."""

    task: str
    """Short name."""
    variant: str
    """Name."""
    method: str
    """The method that answered."""
    metric: str
    """Name."""
    n: int
    """Clusters that were scored."""
    score: float | None
    """Weighted mean; null if nothing was scored."""
    ci_low: float | None
    """Lower end of its 95 % interval; null if all scores are equal and not limited to 0 to 1."""
    ci_high: float | None
    """Upper end. For pooled seeds, the interval covers other items but only these checkpoints."""
    by_seed: list[SeedScore]
    """The score of each seed; empty if the run has one seed."""
    seed_spread: float | None
    """Standard deviation of those scores; null with one seed."""
    anew_low: float | None
    """Lower end of the 95 % interval that covers other seeds as well as other items; null with fewer than
    three seeds."""
    anew_high: float | None
    """Upper end."""
    calls: float | None
    """Calls per item."""
    prompt_tokens: float | None
    """Prompt tokens per item."""
    cached_tokens: float | None
    """Prompt tokens per item from the engine's cache; null if it did not report them."""
    generated_tokens: float | None
    """Generated tokens per item."""
    failures: dict[str, int]
    """Rows that failed, by kind; they score as wrong."""
    truncated: int
    """Rows in which any step was cut at its maximum of tokens."""
    usd_per_1k_items: float | None
    """Dollars for 1,000 items; null without prices."""
    flops_per_item: float | None
    """FLOPs per item: 2 per parameter for each prompt token and each generated one."""
    tokens_per_correct: float | None
    """Generated tokens per right answer; null if lower scores are better."""
    usd_per_correct: float | None
    """Dollars per right answer."""
    primary: bool
    """Whether it is the task's primary metric."""
    direction: Direction
    """Which end of the metric is better."""
    interval: str | None
    """How the interval was made."""
    n_rows: int
    """Rows of the samples file."""
    status: RowStatus
    """`not_distilled`: the variant was not distilled; its row has no score."""
    steps: dict[str, Means]
    """Calls and tokens per item, by kind of step."""


class LookedTask(TypedDict):
    """A task with planned looks (`--until-decided`): where it stopped, and what that saved."""

    task: str
    """Short name."""
    clusters: list[int]
    """Planned clusters by each look."""
    asked: int
    """Looks made so far."""
    ended: Ended | None
    """Why it stopped, as in the manifest; null while it continues."""
    stopped_earlier: dict[str, int]
    """Variant -> clusters it was asked, for variants whose claims were closed before the task's last look."""
    spending: str
    """How the error is shared out over the looks."""
    futility: bool
    """Whether a claim may be given up as hardly decidable."""
    generated_tokens: int
    """Tokens generated by all variants on the items asked."""
    full_tokens: int
    """Tokens for all planned items, at the same mean."""
    saved: float
    """Share of `full_tokens` that was not generated."""


class ScoreRow(Scored):
    """One variant on one metric of one task; the first row of a task and variant is its primary metric."""

    teacher: str | None
    """The variant that taught a distilled one; null if it is not in this run."""
    cut: Cut | None
    """Cut texts, if they are many; else null."""
    without_turns: list[str]
    """Kinds of steps that could not use the task's turns before the prompt."""
    no_reasoning: NoReasoning | None
    """Signs that this System 2 did not reason; else null."""
    uses_labels: bool
    """Whether the variant was trained on labels, which no other variant sees."""


class Trio(TypedDict):
    """The three variants in the headline, on one task."""

    task: str
    """Short name."""
    base: str | None
    """The variant in the role of base; null if the run has none."""
    teacher: str | None
    """The variant that taught; null if it is not in the run."""
    distilled: str
    """The variant that was taught."""


class Rates(TypedDict):
    """Dollars for a million tokens of each kind."""

    prompt: float
    """Prompt tokens that are not cached."""
    cached: float
    """Prompt tokens from the engine's cache."""
    generated: float
    """Generated tokens."""
    train: float | None
    """Tokens trained on; null: a training FLOP costs the same as a prompt FLOP."""


class FrontierPoint(TypedDict):
    """One variant by score and tokens."""

    variant: str
    """Name."""
    score: float
    """Its primary score, over the rows of all variants of the entry."""
    tokens: float
    """Generated tokens per item, over the same rows."""
    on_front: bool
    """Whether it is on the Pareto front: no other variant is as good in both and better in one."""
    p_on_front: float | None
    """Share of bootstrap draws, joint over variants, in which it is on the front; null with fewer than 6
    clusters."""
    as_good: Verdict | None
    """Whether it is as good as `against` within the margin; null unless it generates fewer tokens."""
    uses_labels: bool
    """Whether it was trained on labels."""


class Frontier(TypedDict):
    """Score against tokens of all variants of a task, fewest tokens first."""

    task: str
    """Short name."""
    metric: str
    """The primary metric."""
    n: int
    """Clusters that all variants have."""
    margin: float
    """Non-inferiority margin."""
    against: str | None
    """The variant in the role of System 2; null if it has no row."""
    points: list[FrontierPoint]
    """The variants; those with other rows than System 2 are left out."""
    cheapest: str | None
    """The variant with the fewest tokens that is shown to be as good as `against`; null if none is."""
    sentence: str
    """The same in words; empty without System 2."""


class PriceNote(TypedDict):
    """The prices behind dollar figures."""

    date: str
    """Day of the prices."""
    file: str
    """Name of the price file."""
    per_million_tokens: Rates
    """Dollars for a million tokens; `report` without `--prices` reads them here."""


class BreakEven(TypedDict):
    """Queries after which a distillation has paid for itself, by unit; null if unknown."""

    tokens: Queries | None
    """Teacher and training tokens divided by generated tokens saved per query."""
    flops: Queries | None
    """The same in FLOPs."""
    usd: Queries | None
    """The same in dollars."""


class DistillationRow(TypedDict):
    """A distillation with its cost and break-even; the first keys are those of the manifest."""

    task: str | None
    """Short name; `all` if one checkpoint learnt from every task."""
    variant: str
    """The variant that uses the checkpoint."""
    seed: int | None
    """Seed of sampling and training."""
    status: str | None
    """`trained` or `not_distilled`."""
    teacher_method: str | None
    """Name of the teacher's method."""
    teacher_tokens: int | None
    """Tokens that the teacher generated."""
    teacher_prompt_tokens: int | None
    """Prompt tokens of the same calls."""
    samples_per_input: int | None
    """Teacher samples drawn for each input."""
    inputs: int | None
    """Unlabeled inputs."""
    kept: int | None
    """Inputs that the filter kept."""
    dropped: dict[str, int]
    """Inputs that the filter dropped, by reason."""
    train_tokens: int | None
    """Tokens trained on."""
    train_flops: float | None
    """FLOPs of training."""
    teacher_flops: float | None
    """FLOPs of the teacher's calls."""
    pseudo_label_accuracy: float | None
    """Share of targets that match the task's labels."""
    checkpoint: str | None
    """Last part of its folder."""
    reason: str | None
    """Why nothing was distilled."""
    teacher: str | None
    """The variant of the run that taught."""
    break_even: BreakEven
    """Queries until it has paid for itself."""


class MethodRow(TypedDict):
    """One row of the table that decides which test and which interval run."""

    data: str
    """The kind of data."""
    test: str
    """Its test; empty if there is none."""
    interval: str
    """Its interval."""
    reason: str
    """Why."""
    used: bool
    """Whether this leaderboard used it."""


class ClaimTable(TypedDict):
    """Claims, on tasks and over all of them."""

    margin: float
    """Non-inferiority margin."""
    comparisons: list[Comparison]
    """Claims on single tasks."""
    overall: list[Overall]
    """Claims over all tasks together; empty with fewer than two tasks."""


class Board(ClaimTable):
    """A leaderboard before its headline is written."""

    schema: int
    """Version of this format."""
    run: str
    """Name of the run."""
    model: str | None
    """The model, as `--pretrained` named it."""
    seeds: list[int]
    """Seeds of the run."""
    prices: PriceNote | None
    """The prices; null if none were given."""
    trios: list[Trio]
    """The three variants in the headline, per task."""
    rows: list[ScoreRow]
    """Scores and costs."""
    distillation: list[DistillationRow]
    """Cost and break-even of each distillation."""
    frontier: list[Frontier]
    """Score against tokens, for each task with two variants or more."""
    methods: list[MethodRow]
    """Which test and interval were used, and why."""
    notes: list[str]
    """Warnings and remarks on the figures, as sentences."""
    looks: NotRequired[list[LookedTask]]
    """Tasks with planned looks; missing if there are none."""


class Leaderboard(Board):
    """`leaderboard.json`."""

    headline: str
    """Was it worth it? One to four sentences."""
