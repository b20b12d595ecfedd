"""The parts of a checkpoint's cards: one per task, and an example per prompt."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from harness.types import Message, Settings
from results.schema import Distillation, JsonObject


class PromptShown(TypedDict):
    """The prompt of a kind of step, as sent."""

    step: str
    messages: list[Message]


class MethodShown(TypedDict):
    """A method in words."""

    name: str
    description: str
    paper: str


class StepShown(TypedDict):
    """One call of the teacher."""

    name: str
    messages: list[Message]
    text: str
    generated_tokens: int


class WholeSample(TypedDict):
    """One response of the teacher with all its calls and the answer in it."""

    steps: list[StepShown]
    answer: str | None


class ShownExample(TypedDict):
    """A prompt that was kept or dropped; `answers` and `text` are the teacher's."""

    prompt: str
    target: str | None
    margin: float
    reason: str | None
    answers: list[str | None]
    text: str | None


class Margins(TypedDict):
    """Margins at the quantiles that a card shows; empty without inputs."""

    kept: list[float]
    all: list[float]


class TaskPart(Distillation):
    """One task's part of the cards: the manifest's entry, and more."""

    method: MethodShown
    sampling: dict[str, Settings]
    """The teacher's sampling, by kind of step."""
    prompts: list[PromptShown]
    trained_prompt: str
    """The method whose prompt it was trained with."""
    sample: WholeSample | None
    margins: Margins
    answers: list[tuple[str, int]]
    """The most frequent kept answers, each with its number."""
    distinct_answers: int
    shown: dict[str, ShownExample]
    """One prompt that was `kept` and one that was `dropped`, if there are any."""


class ModelShown(TypedDict):
    """The distilled model; more of its facts may be added."""

    name: str
    fingerprint: str
    template_hash: str
    dtype: str
    parameters: int
    context_length: NotRequired[int]
    folder: NotRequired[str | None]
    revision: NotRequired[str | None]
    template_date: NotRequired[str | None]


class Facts(TypedDict):
    """All facts for the cards. Missing ones are read from the folder, from the installed packages, or left
    for the user to fill in."""

    model: ModelShown
    tasks: list[TaskPart]
    training: NotRequired[JsonObject]
    versions: NotRequired[dict[str, str]]
    licences: NotRequired[dict[str, str]]
    """Licence of `base`, `inputs`, `checkpoint`."""


class ExampleRow(TypedDict):
    """A prompt of the data set, with all of the teacher's replies."""

    task: str
    item_id: str
    cluster_id: str
    prompt: str
    question: str
    target: str | None
    answer: str | None
    margin: float
    reason: str | None
    """Why it was dropped; None if it was kept."""
    samples: list[str]
    answers: list[str | None]
    label: NotRequired[str]
    """The task's own label, for people who look into the data."""
