"""What a task defines for all other parts: its answer rule, its metrics, its System 2 method.

A task is a folder with an lm-eval YAML and a `task.py`; `task.py` exports one `SPEC`. Everything that must be
the same for all variants of a model is here, so that no variant can be scored by another rule. Methods and
steps are only names here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tasks.answers import MARKER

TaskRow = dict[str, Any]
"""A row of a task's data set: its own columns by name, and those that every task has (`item_id`, `prompt`,
`target`, ...)."""

RawScores = dict[str, Any]
"""The result of a task's `process_results` for one row, by metric, before conversion to numbers."""

Answer = str
"""A parsed answer, spelled as the model should write it; `TaskSpec.vote_key` decides which are equal."""


@dataclass(frozen=True)
class Metric:
    """One score of a task, and how rows become one figure."""

    name: str
    kind: Literal["binary", "number"]
    """`binary`: every row scores 0 or 1; `number`: anything else between 0 and 1."""
    description: str
    higher_is_better: bool | None = True
    """None: neither end is better, as for a rate that is best in the middle."""
    aggregation: Literal["mean", "pair_disagreement"] = "mean"
    """`mean`: weighted mean over rows. `pair_disagreement`: the row's raw value is a token that must be
    equal over the rows of one cluster; the harness turns it into 0 (all equal) or 1 for every row."""


@dataclass(frozen=True)
class PaperSetup:
    """How arXiv 2407.06023 distilled a task, for `--preset paper`."""

    method: str
    """Registered name of the System 2 method that the paper uses on this task, in the paper's wording if
    it is public."""
    inputs: int
    """Unlabeled inputs."""
    steps: int
    """Optimizer steps."""
    tokens_per_step: int
    """Tokens of all examples of a step, prompts included."""
    filter: str = "majority"
    learning_rate: float = 5.5e-6
    dropout: float = 0.1


@dataclass(frozen=True)
class TaskSpec:
    """The part of a task that variants, programs, distillation and results share."""

    name: str
    """Short name, as in files: `coin_flip`."""
    s2_method: str
    """Registered name of the System 2 method that gains most on real models
    (tests/benchmarks/reasoning.py); `paper.method` is the paper's own."""
    metrics: tuple[Metric, ...]
    """The first one is the primary metric."""
    answer: Callable[[str], Answer | None]
    """Model text -> answer, or None without an answer. One rule for all variants."""
    target: Callable[[Answer], str]
    """Answer -> the text that System 1 is asked for, which is also the training target."""
    max_tokens: Mapping[str, int] = field(default_factory=dict)
    """Token limits by kind of step that the task itself sets (`direct` is System 1,
    `default` every kind that is not named); `harness.limits` has those that real models need."""
    answer_mark: re.Pattern[str] = MARKER
    """The mark before an answer: reasoning ends there, and a stop of the task counts only behind it."""
    method_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Keyword options per method name, such as the paper's wording for this task."""
    samples: int = 8
    """Teacher samples per unlabeled input."""
    samples_embedded: int = 3
    """The same on embedded data, where a run must end in minutes."""
    inputs_embedded: int = 100
    """Default number of unlabeled inputs on embedded data, for the same reason."""
    samples_per_order: int | None = None
    """On real data, samples per order if both orders of a pair are asked; None: `samples`."""
    read: Callable[[str, Mapping[str, Any]], Answer | None] | None = None
    """Replaces `answer` for a rule that needs the row too (for example, which choice a letter means).
    None: `answer`."""
    finish: Callable[[str, Mapping[str, Any]], tuple[str, bool]] | None = None
    """A program's last text and the row -> the text to score, and whether a stop left it without an
    answer. None: the text is cut at the first stop behind its answer."""
    undistillable: str | None = None
    """Why nothing can be distilled on this task, as a sentence; None if it can."""
    vote_key: Callable[[Answer], str] = str
    """Answers with equal keys are one answer in a vote: `Paris` and `paris`."""
    swap: Callable[[Answer], Answer] | None = None
    """For pairwise tasks: the answer with the same meaning after the two responses are exchanged."""
    perturb: Callable[[Mapping[str, Any]], Mapping[str, Any] | None] | None = None
    """A row -> the same question in other words, with the same answer; None if the row has no other form.
    For the filter `perturbation`."""
    paper: PaperSetup | None = None
    teacher_sampling: Mapping[str, float] = field(default_factory=lambda: {"temperature": 0.7, "top_p": 1.0})
    train_args: Mapping[str, Any] = field(default_factory=dict)
    """Training settings of this task that differ from the defaults."""

    def answer_of(self, text: str, row: Mapping[str, Any]) -> Answer | None:
        """The answer in a text about `row`, or None."""
        return self.answer(text) if self.read is None else self.read(text, row)

    def vote_of(self, text: str, row: Mapping[str, Any]) -> str | None:
        """The vote of a text about `row`: the key of its answer, or None without one."""
        answer = self.answer_of(text, row)
        return None if answer is None else self.vote_key(answer)

    def vote(self, text: str) -> str | None:
        """The vote of a text if the row does not matter."""
        return self.vote_of(text, {})

    @property
    def primary(self) -> Metric:
        return self.metrics[0]

    def metric(self, name: str) -> Metric:
        """The metric with that name. KeyError lists the known ones."""
        for metric in self.metrics:
            if metric.name == name:
                return metric
        raise KeyError(f"{self.name} has no metric {name!r}: it has {[m.name for m in self.metrics]}")
