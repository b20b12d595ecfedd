"""The record of a distillation: an entry of the manifest's `distillation`, also kept beside the checkpoint.

`distill` writes it, `results` reads it; import it from `results.schema`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NotRequired, TypedDict

JsonObject = dict[str, Any]
"""An object of JSON or YAML from outside (a server, a hub, a user): check each value before you use it."""

Settings = dict[str, Any]
"""Name -> value, as users write them: options, `--engine-args`, `--sampling`, `--task-args`, `--train-args`;
the code that owns a name checks its value."""

TaughtBy = Literal["s2", "s1", "labels"]
"""Who teaches a distilled variant: a System 2 method, System 1 itself, or the labels of the training rows."""

Taught = Literal["answer", "shortest", "random", "steps", "label"]
"""Kind of training target: the agreed answer, the shortest or a random reply that gave it, the answer after
reasoning that is removed in stages, or the label."""


class ReplyTokens(TypedDict):
    """Mean generated tokens of replies, if replies are taught."""

    taught: float
    """Mean of the picked replies."""
    fitting: float
    """Mean of all replies that gave the kept answer, ended by themselves and fit the maximum length."""


class DistillationCounts(TypedDict):
    """What the teacher was asked, what was kept and what was trained on."""

    task: str
    """Name of the task."""
    tasks: NotRequired[list[str]]
    """Tasks that were taught, if `task` is `all`."""
    status: Literal["trained", "not_distilled"]
    """`not_distilled`: too few inputs were kept."""
    teacher_method: str
    """Name of the teacher's method; `labels` if labels taught."""
    taught: NotRequired[Taught]
    """Kind of training target; `answer` if missing."""
    reply_tokens: NotRequired[ReplyTokens]
    """Length of the taught replies, and of those they were picked from."""
    teacher_tokens: int
    """Tokens that the teacher generated, all samples and choices together."""
    teacher_prompt_tokens: int
    """Prompt tokens of the same calls."""
    teacher_flops: float
    """2 per parameter and token of both kinds."""
    samples_per_input: int
    """Teacher samples in each input's vote."""
    samples_drawn: NotRequired[int]
    """Teacher samples drawn over all prompts."""
    samples_planned: NotRequired[int]
    """Drawn samples plus those not drawn because the vote was already certain."""
    filter: str
    """Name of the filter."""
    majority_share: float
    """Share of all samples that a majority must exceed."""
    inputs: int
    """Unlabeled inputs that the teacher was asked about."""
    kept: int
    """Inputs that the filter kept."""
    dropped: dict[str, int]
    """Inputs that the filter dropped, by reason."""
    overlap: dict[str, int]
    """Candidates that overlap a test item, by kind (`exact`, `normalised`, `ngram`, `symbols`); left out
    before sampling unless allowed."""
    overlap_unchecked: list[str]
    """Tasks whose test items could not be loaded, so they were not checked."""
    allow_overlap: bool
    """Whether the user allowed overlapping inputs."""
    examples: int
    """Training examples: prompts with a target."""
    train_tokens: int
    """Tokens trained on, every pass counted."""
    train_flops: float
    """4 per parameter and token with LoRA, 6 with full training."""
    pseudo_label_accuracy: float | None
    """Share of targets (for replies: of their answers) that match the task's labels; null without labels.
    For information only: training does not use it."""
    already_given: float | None
    """Share of targets that the model already answers before training; null if it was not asked."""
    settings: Settings
    """Training settings: name -> value."""


class DistillationAccount(DistillationCounts):
    """The counts, with reasons and warnings."""

    reason: NotRequired[str]
    """Why nothing was distilled, as sentences."""
    warnings: list[str]
    """Warnings about this distillation, as sentences."""


class Distillation(DistillationAccount):
    """A checkpoint of one task and seed, or why there is none."""

    variant: str
    """The variant that it was made for."""
    seed: int
    """Seed of sampling and training."""
    checkpoint: str | None
    """Its folder; null if nothing was distilled."""
    probe_change: NotRequired[float]
    """Largest change that the adapter makes to the logits of a probe prompt."""


OVERLAPS = {
    "exact": "same prompt",
    "normalised": "same words",
    "ngram": "13 words in a row",
    "symbols": "same names or words",
}
"""Kind of overlap -> what a training row and a test item have in common."""


def overlap_sentence(task: str, overlap: Mapping[str, int], allowed: bool) -> str | None:
    """Says how many training rows of a task overlap test items, and what was done with them; None if no row
    does."""
    rows = sum(overlap.values())
    if not rows:
        return None
    kinds = "; ".join(f"{OVERLAPS.get(kind, kind)}: {count:,}" for kind, count in overlap.items() if count)
    what = "used for training, because of --allow-overlap" if allowed else "left out of training"
    some = "1 training row overlaps" if rows == 1 else f"{rows:,} training rows overlap"
    was = "was" if rows == 1 else "were"
    return f"{task}: {some} test items ({kinds}) and {was} {what}."
