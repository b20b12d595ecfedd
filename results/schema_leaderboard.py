"""What a run comes to: the keys of `leaderboard.json` and of the line that `compare` prints.

`results` alone writes them; import them from `results.schema`. Scores, differences and shares are fractions
(0 to 1), tokens and costs are means per item unless a key says otherwise; null stands for what is not known.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from results.schema_claims import Comparison, Overall, Sides, Verdict
from results.schema_manifest import Direction, Ended

RowStatus = Literal["scored", "not_distilled"]


class Queries(TypedDict):
    """A number of queries with its 95 % interval; null is never."""

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
    """Those of them that the engine had in its cache; null where it did not tell."""
    generated_tokens: float
    """Tokens generated."""


class Cut(TypedDict):
    """Texts of a row that were cut at a maximum of tokens, where they are many."""

    share: float
    """Share of rows with a cut text."""
    steps: list[str]
    """Kinds of steps that were cut, most often cut first."""
    context_length: int | None
    """The model's, where most cut calls filled it; else null."""


class NoReasoning(TypedDict):
    """What speaks against a System 2 having reasoned."""

    token_ratio: float | None
    """Its generated tokens over those of base."""
    share_without: float | None
    """Share of its texts with hardly a word before the answer."""


class SeedScore(TypedDict):
    """The score of one seed."""

    seed: int
    """Seed of sampling and training."""
    score: float
    """Weighted mean of its rows."""


class Planned(TypedDict):
    """What is to be known of a score from a task that was asked in planned looks."""

    planned_n: NotRequired[int]
    """Clusters of the plan, where the task was asked in looks; the interval is adjusted for them."""


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
    """Weighted mean; null where nothing was scored."""
    ci_low: float | None
    """Lower end of its 95 % interval."""
    ci_high: float | None
    """Upper end. Of pooled seeds it covers other items for these very checkpoints."""
    by_seed: list[SeedScore]
    """The score of each seed; empty where the run has one."""
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
    """Prompt tokens per item that the engine had in its cache; null where it did not tell."""
    generated_tokens: float | None
    """Generated tokens per item."""
    failures: dict[str, int]
    """Rows that failed, by kind; they score as wrong."""
    truncated: int
    """Rows in which any step was cut at its maximum of tokens."""
    usd_per_1k_items: float | None
    """Dollars for 1,000 items; null without prices."""
    flops_per_item: float | None
    """2 per parameter and token, prompt and generated."""
    tokens_per_correct: float | None
    """Generated tokens for one right answer; null where lower is better."""
    usd_per_correct: float | None
    """Dollars for one right answer."""
    primary: bool
    """Whether it is the task's primary metric."""
    direction: Direction
    """Which end of the metric is better."""
    interval: str | None
    """How the interval was made."""
    n_rows: int
    """Rows of the samples file."""
    status: RowStatus
    """`not_distilled`: the variant was not made, its row stays."""
    steps: dict[str, Means]
    """Calls and tokens per item, by kind of step."""


class LookedTask(TypedDict):
    """A task that was asked in planned looks (`--until-decided`): where it stopped, and what that saved."""

    task: str
    """Short name."""
    clusters: list[int]
    """Clusters that were to be asked by each look."""
    asked: int
    """Looks that were made."""
    ended: Ended | None
    """Why it stopped, as in the manifest; null while it goes on."""
    spending: str
    """How the error is shared out over the looks."""
    futility: bool
    """Whether claims may be given up."""
    generated_tokens: int
    """Tokens that all variants generated on the items that were asked."""
    full_tokens: int
    """What they would have generated on all planned items, at the same mean."""
    saved: float
    """Share of those that was not generated."""


class ScoreRow(Scored):
    """One variant on one metric of one task; the first row of a task and variant is its primary metric."""

    teacher: str | None
    """The variant that taught a distilled one; null where none of this run did."""
    cut: Cut | None
    """Cut texts, where they are many; else null."""
    without_turns: list[str]
    """Kinds of steps that could not use the turns which the task puts before a prompt."""
    no_reasoning: NoReasoning | None
    """What shows that this System 2 did not reason; else null."""
    uses_labels: bool
    """Whether the variant was trained on labels, which no other variant sees."""


class Trio(TypedDict):
    """The three that the headline is about, on one task."""

    task: str
    """Short name."""
    base: str | None
    """The variant that stands for base; null where the run has none."""
    teacher: str | None
    """The variant that taught; null where it is not a row of the run."""
    distilled: str
    """The variant that was taught."""


class Rates(TypedDict):
    """Dollars for a million tokens of each kind."""

    prompt: float
    """Prompt tokens that are not cached."""
    cached: float
    """Prompt tokens that the engine had in its cache."""
    generated: float
    """Generated tokens."""
    train: float | None
    """Tokens trained on; null: a training FLOP costs what a FLOP of prompt reading costs."""


class FrontierPoint(TypedDict):
    """One variant by score and tokens."""

    variant: str
    """Name."""
    score: float
    """Its primary score, over the rows that all variants of the entry have."""
    tokens: float
    """Generated tokens per item, over the same rows."""
    on_front: bool
    """Whether no other variant scores as well with as few tokens, and better in one of the two."""
    p_on_front: float
    """Share of joint bootstrap draws of the items in which it is on the front."""
    as_good: Verdict | None
    """Whether it is as good as `against` within the margin; null where it generates no fewer tokens."""
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
    """The variant that stands for System 2; null where it has no row."""
    points: list[FrontierPoint]
    """The variants; one on other rows than System 2 is left out."""
    cheapest: str | None
    """The variant of fewest tokens that is as good as `against`; null where none is shown to be."""
    sentence: str
    """The same in words; empty without System 2."""


class PriceNote(TypedDict):
    """Where dollars come from."""

    date: str
    """Day of the prices."""
    file: str
    """Name of the price file."""
    per_million_tokens: Rates
    """What a million tokens cost; `report` without `--prices` takes them from here."""


class BreakEven(TypedDict):
    """Queries after which a distillation has paid for itself, by unit; null where it cannot be known."""

    tokens: Queries | None
    """Teacher and training tokens over generated tokens saved."""
    flops: Queries | None
    """The same in FLOPs."""
    usd: Queries | None
    """The same in dollars."""


class DistillationRow(TypedDict):
    """A distillation with what it cost and when it pays; the first keys are those of the manifest."""

    task: str | None
    """Short name; `all` where one checkpoint learnt from every task."""
    variant: str
    """The variant that it was made for."""
    seed: int | None
    """Seed of sampling and training."""
    status: str | None
    """`trained` or `not_distilled`."""
    teacher_method: str | None
    """Name of the method that taught."""
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
    """Inputs that it dropped, by reason."""
    train_tokens: int | None
    """Tokens trained on."""
    train_flops: float | None
    """FLOPs of training."""
    teacher_flops: float | None
    """FLOPs of the teacher's calls."""
    pseudo_label_accuracy: float | None
    """Share of targets that the task's labels call right."""
    checkpoint: str | None
    """Last part of its folder."""
    reason: str | None
    """Why nothing could be taught."""
    teacher: str | None
    """The variant of the run that taught."""
    break_even: BreakEven
    """When it pays."""


class MethodRow(TypedDict):
    """One row of the table that decides which test and which interval run."""

    data: str
    """The kind of data."""
    test: str
    """Its test; empty where there is none."""
    interval: str
    """Its interval."""
    reason: str
    """Why."""
    used: bool
    """Whether this leaderboard used it."""


class ClaimTable(TypedDict):
    """What a table of claims needs."""

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
    """Where dollars come from; null without prices."""
    trios: list[Trio]
    """The three that the headline is about, per task."""
    rows: list[ScoreRow]
    """Scores and costs."""
    distillation: list[DistillationRow]
    """What distillation cost and when it pays."""
    frontier: list[Frontier]
    """How few tokens are enough, per task with two variants or more."""
    methods: list[MethodRow]
    """Which test and interval were used, and why."""
    notes: list[str]
    """Sentences that a reader must not miss."""
    looks: NotRequired[list[LookedTask]]
    """Tasks that were asked in planned looks; missing where none was."""


class Leaderboard(Board):
    """`leaderboard.json`."""

    headline: str
    """Was it worth it? One to four sentences."""


class Paired(TypedDict):
    """Rows of two sides, counted."""

    paired: int
    """Rows that both have."""
    only_a: int
    """Rows that only the first has."""
    only_b: int
    """Rows that only the second has."""


class LeftOut(Sides, Paired):
    """Rows of two runs that were paired, and those that were not."""


class Read(TypedDict):
    """What was read for a task on both sides."""

    task: str
    """Name of the task."""
    a: str
    """Harness, version and file of the first side."""
    b: str
    """The same of the second side."""


class Compared(TypedDict):
    """`comparison.json` of `compare --output`; the last line of `compare` keeps `a`, `b`, `comparisons`,
    `left_out` and `notes` of it."""

    schema: int
    """Version of this format."""
    a: str
    """Name of the first run."""
    b: str
    """Name of the second run."""
    margin: float
    """Non-inferiority margin."""
    comparisons: list[Comparison]
    """Claims; `a` and `b` are `RUN/VARIANT`, or the model of a log."""
    read: list[Read]
    """What was read, by task."""
    left_out: list[LeftOut]
    """What was paired and what was left out."""
    methods: list[MethodRow]
    """Which test and interval were used, and why."""
    notes: list[str]
    """Sentences that a reader must not miss."""
