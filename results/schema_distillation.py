"""The record of a distillation: an entry of the manifest's `distillation`, also kept beside the checkpoint.

`distill` writes it, `results` reads it; import it from `results.schema`.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

JsonObject = dict[str, Any]
"""An object of JSON or YAML that somebody else wrote (a server, a hub, a user): whoever uses a value looks at
it first."""

Settings = dict[str, Any]
"""Name -> value, as users write them: options, `--engine-args`, `--sampling`, `--task-args`, `--train-args`;
whoever owns the names checks the values."""

TaughtBy = Literal["s2", "s1", "labels"]
"""Who teaches a distilled variant: a System 2 method, System 1 itself, or the labels of the training rows."""

Taught = Literal["answer", "shortest", "random", "steps", "label"]
"""What a training target is: the agreed answer, the shortest or a random reply that gave it, the answer with
reasoning before it that is removed in stages, the label."""


class ReplyTokens(TypedDict):
    """Mean generated tokens of replies, where replies are taught."""

    taught: float
    """Of those that were picked."""
    fitting: float
    """Of all that gave the kept answer, ended by themselves and keep to the bound."""


class DistillationCounts(TypedDict):
    """What the teacher was asked, what was kept and what was trained on."""

    task: str
    """Name of the task."""
    tasks: NotRequired[list[str]]
    """Tasks that were taught, where `task` is `all`."""
    status: Literal["trained", "not_distilled"]
    """`not_distilled`: too few inputs were kept."""
    teacher_method: str
    """Name of the method that taught; `labels` where labels did."""
    taught: NotRequired[Taught]
    """What a target is; `answer` where it is left out."""
    reply_tokens: NotRequired[ReplyTokens]
    """How long the taught replies are beside those that they were picked from."""
    teacher_tokens: int
    """Tokens that the teacher generated, all samples and choices together."""
    teacher_prompt_tokens: int
    """Prompt tokens of the same calls."""
    teacher_flops: float
    """2 per parameter and token of both kinds."""
    samples_per_input: int
    """Teacher samples that each input's vote is over."""
    samples_drawn: NotRequired[int]
    """Teacher samples drawn over all prompts."""
    samples_planned: NotRequired[int]
    """Those and the ones that were not drawn, because their vote was certain without them."""
    filter: str
    """Name of the filter."""
    majority_share: float
    """Share of all samples that a majority must pass."""
    inputs: int
    """Unlabeled inputs that the teacher was asked about."""
    kept: int
    """Inputs that the filter kept."""
    dropped: dict[str, int]
    """Inputs that it dropped, by reason."""
    overlap: dict[str, int]
    """Candidates that overlap a test item, by kind (`exact`, `normalised`, `ngram`, `symbols`); left out
    before sampling unless allowed."""
    overlap_unchecked: list[str]
    """Tasks whose test items could not be had and were not checked."""
    allow_overlap: bool
    """Whether overlapping inputs were let in on purpose."""
    examples: int
    """Training examples: prompts with a target."""
    train_tokens: int
    """Tokens trained on, every pass counted."""
    train_flops: float
    """4 per parameter and token with LoRA, 6 with full training."""
    pseudo_label_accuracy: float | None
    """Share of targets (of replies: of their answers) that the task's labels call right; used for nothing.
    Null without labels."""
    already_given: float | None
    """Share of targets that the model gives before training; null where it was not asked."""
    settings: Settings
    """Training settings: name -> value."""


class DistillationAccount(DistillationCounts):
    """The counts, and what is to be said of them."""

    reason: NotRequired[str]
    """Why nothing could be taught, as sentences."""
    warnings: list[str]
    """Sentences on what speaks against this distillation."""


class Distillation(DistillationAccount):
    """A checkpoint of one task and seed, or why there is none."""

    variant: str
    """The variant that it was made for."""
    seed: int
    """Seed of sampling and training."""
    checkpoint: str | None
    """Its folder; null where nothing was distilled."""
    probe_change: NotRequired[float]
    """Largest change of the probe prompt's logits that the adapter makes."""
