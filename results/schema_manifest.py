"""The record of a run: the keys of `manifest.json`, with their types and what they mean.

`harness` and `distill` write these entries, `results` reads them; import them from `results.schema`. Paths,
versions and wall-clock figures are only here, so that tables made again are equal.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from results.schema_distillation import Distillation, JsonObject, Settings, TaughtBy

Status = Literal["running", "finished", "failed", "stopped"]
RunKind = Literal["run", "distill"]
Direction = Literal["higher", "lower", "none"]
MetricKind = Literal["binary", "number"]
Ended = Literal["decided", "given up", "planned end"]
VariantKind = Literal["base", "s2", "distilled", "named"]

DIRECTIONS: dict[bool | None, Direction] = {True: "higher", False: "lower", None: "none"}
"""Which end of a metric is better, by a task's `higher_is_better`; `none`: it is best in the middle."""


class Hardware(TypedDict):
    """Machine of the last session."""

    cpu: str
    """Name of the processor."""
    cores: int | None
    """Cores that the process may use."""
    memory_gb: float
    """Main memory in units of 10^9 bytes."""
    gpu: str | None
    """Name of the accelerator; null if the run did not use it."""
    memory_bandwidth_gbs: float | None
    """10^9 bytes per second; null if unknown."""


class Model(TypedDict):
    """The model behind every variant."""

    name: str
    """As given to `--pretrained`."""
    fingerprint: str
    """Hash of weights, tokenizer and template: equal models have equal call keys."""
    parameters: int
    """Number of weights."""
    dtype: str
    """Type of the weights as loaded."""
    template_hash: str
    """Hash of the chat template."""
    context_length: int
    """Maximum tokens of prompt and answer together."""
    folder: str | None
    """Folder with the same weights for training; null if they are not on this machine."""


class Batches(TypedDict):
    """How the `hf` engine makes batches; a trial chooses it when the model is loaded."""

    way: str
    """Name of the batching mode."""
    difference: float
    """Largest difference between a prompt's logits alone and in a batch."""
    refused: list[str]
    """Faster modes that the trial ruled out, each with its reason."""


class Engine(TypedDict):
    """Description of the engine; the later keys depend on which engine it is."""

    engine: str
    """Name of the engine: `hf`, `vllm`, `openai`, `scripted`."""
    same_batches_same_text: bool
    """Whether equal calls give equal texts on this engine."""
    notes: NotRequired[list[str]]
    """Warnings that readers of the results must know, as sentences."""
    device: NotRequired[str]
    """`hf`: device of the weights."""
    batch_rows: NotRequired[int]
    """`hf`: maximum rows of a batch."""
    batch_tokens: NotRequired[int]
    """`hf`: maximum tokens of a batch."""
    attention: NotRequired[str]
    """`hf`: the implementation of attention."""
    batches: NotRequired[Batches]
    """`hf`: how batches are made."""
    base_url: NotRequired[str]
    """`openai`: address of the server."""
    concurrency: NotRequired[int]
    """`openai`: maximum concurrent calls."""
    timeout: NotRequired[float]
    """`openai`: timeout of a call, in seconds."""
    max_retries: NotRequired[int]
    """`openai`: maximum retries of a failed call."""
    model: NotRequired[str]
    """`openai`: the model's name on the server."""
    version: NotRequired[str | None]
    """`openai`: version that the server reports."""
    token_counts: NotRequired[str]
    """`openai`: where token counts come from."""
    prompt_ids: NotRequired[str]
    """`openai`: where prompt ids come from."""
    optional_parameters: NotRequired[list[str]]
    """`openai`: optional parameters that the server accepts."""
    served: NotRequired[JsonObject]
    """`openai`: what the server reports about its model."""
    left_out: NotRequired[dict[str, str]]
    """`openai`: parameters that are not sent, each with the server's reason."""
    most_stops: NotRequired[int | None]
    """`openai`: maximum number of stop strings; null without a limit."""
    body: NotRequired[JsonObject]
    """`openai`: fields that the user adds to every request."""
    vllm: NotRequired[str]
    """`vllm`: its version."""
    arguments: NotRequired[Settings]
    """`vllm`: its engine arguments."""
    max_num_seqs: NotRequired[int]
    """`vllm`: maximum concurrent sequences."""
    max_model_len: NotRequired[int]
    """`vllm`: maximum tokens of a sequence."""


class Metric(TypedDict):
    """One score of a task."""

    kind: MetricKind
    """`binary`: every row scores 0 or 1."""
    direction: Direction
    """Which end is better."""
    aggregation: Literal["mean"]
    """How the scores of rows are aggregated."""
    description: str
    """What it measures, in words."""


class Task(TypedDict):
    """A task as this run asked it."""

    primary: str
    """Name of the primary metric."""
    s2_method: str
    """Name of the task's System 2 method."""
    n_items: int
    """Scored prompts."""
    n_clusters: int
    """Number of clusters: prompts that belong together, such as both orders of a pair."""
    metrics: dict[str, Metric]
    """By name, in the task's order."""
    items_hash: str
    """Hash of the ids of all scored items."""
    task_hash: str
    """Hash of the task's configuration and limits."""
    data: str
    """Source of the items: `embedded`, `hub` or a folder."""
    turns: bool
    """Whether turns (a description, examples) stand before the prompts."""
    s2d: NotRequired[JsonObject]
    """Settings of a task that is not built in; the keys of an `s2d` block."""


class Variant(TypedDict):
    """One column of the comparison."""

    kind: VariantKind
    """Role of the variant."""
    weights: str
    """Weights: `model`, `adapter per task`, or a folder or hub id."""
    method: str
    """Name of its method; `task's` where each task names its own System 2."""
    teacher: str | None
    """The variant of this run that taught it; null if none did."""
    taught_by: NotRequired[TaughtBy | None]
    """Who teaches a distilled variant: `s2`, a System 2 method; `s1`, System 1 itself; `labels`. Null for
    other variants."""


class Method(TypedDict):
    """A method of this run."""

    without_turns: list[str]
    """Kinds of steps that cannot use the turns before a prompt."""


class EarlierLooks(TypedDict):
    """A plan of one task that another one followed."""

    clusters: list[int]
    """Planned clusters by each look."""
    asked: int
    """Looks that were made."""
    ended: Ended | None
    """Why it stopped: `given up`."""
    variants: dict[str, int]
    """Looks at which each variant was asked."""


class LooksOfTask(TypedDict):
    """The planned looks of one task."""

    clusters: list[int]
    """Planned clusters by each look, with those asked under earlier plans; the last is the planned end."""
    asked: int
    """Looks that were made."""
    variants: dict[str, int]
    """Looks at which each variant was asked: fewer than `asked` if its claims were closed before."""
    earlier: NotRequired[list[EarlierLooks]]
    """The plans that this one followed, if `--limit` was raised after the task was given up."""
    ended: Ended | None
    """Why the task stopped; null while it continues."""


class LookPlan(TypedDict):
    """The plan of a run with `--until-decided`, written before its first call."""

    spending: str
    """How the error is shared out over the looks: `obrien-fleming` or `pocock`."""
    futility: bool
    """Whether a claim is given up if it can hardly be decided by the planned end."""
    margin: float
    """Non-inferiority margin in the stopping rule, in points."""
    made_anew: list[str]
    """Tasks with a further plan for new clusters: `gsm8k from 200 to 500 clusters`."""
    planned: list[dict[str, int]]
    """Clusters by task of each plan, oldest first: several if `--limit` was raised after a stop."""
    tasks: dict[str, LooksOfTask]
    """By short name."""


class Execution(TypedDict):
    """Work of the engine in the last session, including overhead."""

    padding_tokens: int
    """Padding tokens in batches."""
    decode_rows: int
    """Rows of decode steps, useful or not."""
    useful_decode_rows: int
    """Rows of decode steps that produced a token of a text."""
    shared_prefix_tokens: int
    """Prompt tokens not computed because another row had the same prefix."""
    retries: int
    """Calls that were repeated."""
    splits: int
    """Batches that were halved because memory ran out."""
    seconds: float
    """Seconds in which the engine worked."""
    generated_tokens: int
    """Tokens generated."""
    prompt_tokens: int
    """Prompt tokens read."""
    useful_decode_share: float
    """`useful_decode_rows` divided by `decode_rows`, 0 to 1."""


class Command(TypedDict):
    """A command that began or continued a run."""

    command: str
    """The command line."""
    started: str
    """When it began, in UTC."""
    added: JsonObject
    """Option -> `[before, after]`: options that it changed in an existing run."""


class RunStart(TypedDict):
    """Keys written before the run does anything else."""

    schema: int
    """Version of this format."""
    kind: RunKind
    """The command that made the folder."""
    run: str
    """Name of the run: the name of its folder."""
    status: Status
    """`running`: at work, or killed; `stopped`: stopped by a signal (Ctrl-C, a scheduler)."""
    command: str
    """The last command line."""
    options: Settings
    """All options of the run, with names as in a `--config` file."""
    versions: dict[str, str]
    """Versions of Python and of the packages that can change results."""
    git_commit: str | None
    """Commit of the source checkout; null for an installed package."""
    hardware: Hardware
    """The machine."""
    template_date: str
    """Day (YYYY-MM-DD) for chat templates that insert a date; kept when the run is continued."""
    started: str
    """When the run began, in UTC."""
    history: NotRequired[list[Command]]
    """The commands of the run, without repeats in a row."""


class RunEntries(TypedDict):
    """Keys added while the run works."""

    model: NotRequired[Model]
    """The model; this and the next six keys are added when it is loaded."""
    engine: NotRequired[Engine]
    """The engine."""
    tasks: NotRequired[dict[str, Task]]
    """By short name, in the order of the run."""
    variants: NotRequired[dict[str, Variant]]
    """By name, in the order of `--models`."""
    methods: NotRequired[dict[str, Method]]
    """By name."""
    looks: NotRequired[LookPlan]
    """The plan of looks; only with `--until-decided`."""
    comparisons: NotRequired[list[list[str]]]
    """Extra pairs `[a, b]` of variants to compare, besides those of base, s2 and distilled."""
    notes: NotRequired[list[str]]
    """Warnings that readers of the results must know, as sentences."""
    distillation: NotRequired[list[Distillation]]
    """One entry per distilled variant, task and seed."""
    samples: NotRequired[dict[str, str]]
    """Samples file -> SHA-256 of what was written."""
    timing: NotRequired[dict[str, float]]
    """Seconds of the last session by variant, and `total`."""
    execution: NotRequired[Execution]
    """Work of the engine in the last session."""


class Manifest(RunStart, RunEntries):
    """Record of a run: options, versions, machine, model, status."""
