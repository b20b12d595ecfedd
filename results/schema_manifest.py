"""The record of a run: the keys of `manifest.json`, with their types and what they mean.

`harness` and `distill` write these entries, `results` reads them; import them from `results.schema`. Paths,
versions and wall-clock figures stand here and nowhere else, so that tables made again are equal.
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
    """The machine of the last session."""

    cpu: str
    """Name of the processor."""
    cores: int | None
    """Cores that the process may use."""
    memory_gb: float
    """Main memory in units of 10^9 bytes."""
    gpu: str | None
    """Name of the accelerator; null where it was not asked for."""
    memory_bandwidth_gbs: float | None
    """10^9 bytes a second; null where it is not known."""


class Model(TypedDict):
    """The model behind every variant."""

    name: str
    """As given to `--pretrained`."""
    fingerprint: str
    """Hash of weights, tokenizer and template: equal models have equal call keys."""
    parameters: int
    """Weights, in numbers."""
    dtype: str
    """Type of the weights as loaded."""
    template_hash: str
    """Hash of the chat template."""
    context_length: int
    """Tokens of prompt and answer together, at most."""
    folder: str | None
    """Where training finds the same weights; null where they are not on this machine."""


class Batches(TypedDict):
    """How the `hf` engine makes its batches, found by a trial when the model is loaded."""

    way: str
    """Name of the way."""
    difference: float
    """Largest difference of logits between a prompt alone and in a batch."""
    refused: list[str]
    """Faster ways that the trial ruled out, each with its reason."""


class Engine(TypedDict):
    """What the engine says of itself; which of the later keys there are depends on the engine."""

    engine: str
    """Name of the engine: `hf`, `vllm`, `openai`, `scripted`."""
    same_batches_same_text: bool
    """Whether equal calls give equal texts on this engine."""
    notes: NotRequired[list[str]]
    """Sentences that readers of the results must know."""
    device: NotRequired[str]
    """`hf`: where the weights are."""
    batch_rows: NotRequired[int]
    """`hf`: rows of a batch, at most."""
    batch_tokens: NotRequired[int]
    """`hf`: tokens of a batch, at most."""
    attention: NotRequired[str]
    """`hf`: the implementation of attention."""
    batches: NotRequired[Batches]
    """`hf`: how batches are made."""
    base_url: NotRequired[str]
    """`openai`: address of the server."""
    concurrency: NotRequired[int]
    """`openai`: calls at a time."""
    timeout: NotRequired[float]
    """`openai`: seconds that a call may take."""
    max_retries: NotRequired[int]
    """`openai`: repetitions of a call that failed."""
    model: NotRequired[str]
    """`openai`: the model's name on the server."""
    version: NotRequired[str | None]
    """`openai`: what the server says of its version."""
    token_counts: NotRequired[str]
    """`openai`: where token counts come from."""
    prompt_ids: NotRequired[str]
    """`openai`: where prompt ids come from."""
    optional_parameters: NotRequired[list[str]]
    """`openai`: optional parameters that the server takes."""
    served: NotRequired[JsonObject]
    """`openai`: what the server tells of its model."""
    left_out: NotRequired[dict[str, str]]
    """`openai`: parameters that are not sent, each with the server's reason."""
    most_stops: NotRequired[int | None]
    """`openai`: stop strings that the server takes, at most; null without a limit."""
    body: NotRequired[JsonObject]
    """`openai`: fields that the user adds to every request."""
    vllm: NotRequired[str]
    """`vllm`: its version."""
    arguments: NotRequired[Settings]
    """`vllm`: its engine arguments."""
    max_num_seqs: NotRequired[int]
    """`vllm`: sequences at a time."""
    max_model_len: NotRequired[int]
    """`vllm`: tokens of a sequence, at most."""


class Metric(TypedDict):
    """One score of a task."""

    kind: MetricKind
    """`binary`: every row scores 0 or 1."""
    direction: Direction
    """Which end is better."""
    aggregation: Literal["mean"]
    """How rows become one figure."""
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
    """Groups of prompts that belong together: the orders of a pair, the templates of a question."""
    metrics: dict[str, Metric]
    """By name, in the task's order."""
    items_hash: str
    """Hash of the ids of all scored items."""
    task_hash: str
    """Hash of the task's configuration and limits."""
    data: str
    """Where items come from: `embedded`, `hub` or a folder."""
    turns: bool
    """Whether turns (a description, examples) stand before the prompts."""
    s2d: NotRequired[JsonObject]
    """How a task that is not built in is asked, read and taught; the keys of an `s2d` block."""


class Variant(TypedDict):
    """One column of the comparison."""

    kind: VariantKind
    """What it stands for."""
    weights: str
    """`model`, `adapter per task`, or a folder or hub id."""
    method: str
    """Name of its method; `task's` where each task names its own System 2."""
    teacher: str | None
    """The variant of this run that taught it; null where none did."""
    taught_by: NotRequired[TaughtBy | None]
    """Who teaches a distilled variant: `s2`, a System 2 method; `s1`, System 1 itself; `labels`. Null for
    other variants."""


class Method(TypedDict):
    """A method of this run."""

    without_turns: list[str]
    """Kinds of steps that cannot use the turns before a prompt."""


class LooksOfTask(TypedDict):
    """The looks of one task."""

    clusters: list[int]
    """Clusters that have been asked by each look; the last is the planned end."""
    asked: int
    """Looks that were made."""
    ended: Ended | None
    """Why the task stopped; null while it goes on."""


class LookPlan(TypedDict):
    """The plan of a run with `--until-decided`, written before its first call."""

    spending: str
    """How the error is shared out over the looks: `obrien-fleming` or `pocock`."""
    futility: bool
    """Whether a claim is given up that can hardly be decided by the planned end."""
    margin: float
    """Non-inferiority margin that tasks are stopped by, in points."""
    made_anew: list[str]
    """Tasks that got more clusters after a stop, which is a new plan: `gsm8k from 200 to 500 clusters`."""
    tasks: dict[str, LooksOfTask]
    """By short name."""


class Execution(TypedDict):
    """What the engine did in the last session, beside what the methods asked for."""

    padding_tokens: int
    """Prompt tokens that only filled up batches."""
    decode_rows: int
    """Rows of decode steps, useful or not."""
    useful_decode_rows: int
    """Those that gave a token of a text."""
    shared_prefix_tokens: int
    """Prompt tokens not computed because another row had the same prefix."""
    retries: int
    """Calls that were repeated."""
    splits: int
    """Batches that were halved because memory did not suffice."""
    seconds: float
    """Time in which the engine worked."""
    generated_tokens: int
    """Tokens generated."""
    prompt_tokens: int
    """Prompt tokens read."""
    useful_decode_share: float
    """`useful_decode_rows` of `decode_rows`, 0 to 1."""


class Command(TypedDict):
    """A command that began a run or went on with it."""

    command: str
    """The command line."""
    started: str
    """When it began, in UTC."""
    added: JsonObject
    """Option -> `[before, after]`: what it added to a run that was there."""


class RunStart(TypedDict):
    """What a run writes before it does anything."""

    schema: int
    """Version of this format."""
    kind: RunKind
    """The command that made the folder."""
    run: str
    """Name of the run: that of its folder."""
    status: Status
    """`running`: at work, or killed; `stopped`: by a signal (Ctrl-C, a scheduler)."""
    command: str
    """The last command line."""
    options: Settings
    """Every option with its value, of all that the run holds; names as in a `--config` file."""
    versions: dict[str, str]
    """Python and the packages that have a say, with their versions."""
    git_commit: str | None
    """Commit of the source checkout; null for an installed package."""
    hardware: Hardware
    """The machine."""
    template_date: str
    """Day (YYYY-MM-DD) that a template which inserts the date gets, also when the run is continued."""
    started: str
    """When the run began, in UTC."""
    history: NotRequired[list[Command]]
    """The commands of the run, each that differs from the one before it."""


class RunEntries(TypedDict):
    """What a run adds to its manifest while it works."""

    model: NotRequired[Model]
    """The model; this and the next six entries are there once it is loaded."""
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
    """Pairs `[a, b]` of variants beyond the standing ones (base, s2, distilled)."""
    notes: NotRequired[list[str]]
    """Sentences that readers of the results must know."""
    distillation: NotRequired[list[Distillation]]
    """One entry per distilled variant, task and seed."""
    samples: NotRequired[dict[str, str]]
    """Samples file -> SHA-256 of what was written."""
    timing: NotRequired[dict[str, float]]
    """Seconds of the last session by variant, and `total`."""
    execution: NotRequired[Execution]
    """What the engine did in the last session."""


class Manifest(RunStart, RunEntries):
    """What was run, on what, and how it ended."""
