"""How a distilled variant is made: one object per recipe holds everything that differs between them.

A recipe says who teaches, what is taught, with which prompt the variant is trained and evaluated, whether
teacher answers are filtered, and how many samples are drawn. The variants of `--models`, `ls variants`,
estimate, sampling, training, cards and tables follow from `RECIPES`. `distill.teacher` picks replies
and reads labels.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.programs.base import Method
from results.schema import Taught, TaughtBy

LABELS = "labels"
"""Replaces the teacher's method if labels teach and no model is asked."""


@dataclass(frozen=True)
class Recipe:
    """One way to make a checkpoint, named as its variant is in `--models`."""

    name: str
    description: str
    """One line for `ls variants`."""
    taught_by: TaughtBy = "s2"
    taught: Taught = "answer"
    asked: str = "direct"
    """Whose prompt is used for training and evaluation: that of `direct`, or its `teacher`'s."""
    filtered: bool = True
    """Whether teacher answers must pass the task's filter."""
    samples: int | None = None
    """Teacher samples per input; None: as options and task say."""
    together: bool = False
    """Whether all tasks of the run make one adapter."""
    settings: tuple[str, ...] = ()
    """Training settings that not every recipe uses."""
    paper: str = ""
    """Its reference."""

    @property
    def from_system_2(self) -> bool:
        """Whether a System 2 method teaches, so that `:METHOD` may name it."""
        return self.taught_by == "s2"

    @property
    def teaches_replies(self) -> bool:
        """Whether replies are taught, whole or in parts. That needs a method whose reasoning is one reply."""
        return self.taught in ("shortest", "random", "steps")

    @property
    def compares_replies(self) -> bool:
        """Whether a reply is picked from all samples, so that all are drawn even if the vote is certain."""
        return self.taught in ("shortest", "random")

    @property
    def asks_before(self) -> bool:
        """Whether System 1 is asked before training, to count the targets that it gives already. Not if it
        teaches itself (it gives nearly all), and not if replies are taught."""
        return self.taught_by != "s1" and self.asked == "direct"

    @property
    def identity(self) -> tuple[str, ...]:
        """The recipe's part of a checkpoint's key, beside method, samples and filter. Empty if an answer is
        taught to System 1, as in the first recipes: their keys stay valid."""
        plain = self.taught == "answer" and self.asked == "direct"
        return () if plain else (self.taught, self.asked)

    @property
    def cost(self) -> str:
        """What it costs to make, in a few words."""
        return {None: "k samples, training", 0: "training"}.get(
            self.samples, f"{self.samples} sample, training"
        )

    def refuses(self, method: Method) -> str | None:
        """Returns why this recipe cannot teach `method`, as a sentence; None if it can."""
        if not self.teaches_replies or (len(method.steps) == 1 and not method.votes):
            return None
        calls = " and ".join(method.steps) if len(method.steps) > 1 else "one for each sample"
        return (
            f"{self.name} trains on whole replies, and {method.name} makes several calls ({calls}): name a "
            f"method of one call, such as s2:cot."
        )


DISTILLED = Recipe(
    "distilled",
    "an adapter per task, distilled from s2, answering at once",
    paper="arXiv 2407.06023",
)
"""The paper's method."""

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        DISTILLED,
        Recipe(
            "distilled-s1",
            "the control: trained on the model's own filtered System 1 answers",
            taught_by="s1",
            paper=DISTILLED.paper,
        ),
        Recipe(
            "distilled-nofilter",
            "the ablation: one System 2 answer per input, unfiltered",
            filtered=False,
            samples=1,
            paper=DISTILLED.paper,
        ),
        Recipe(
            "distilled-all",
            "one adapter from the kept System 2 answers of all tasks together",
            together=True,
            paper=DISTILLED.paper,
        ),
        Recipe(
            "distilled-short",
            "reasons as s2 does, trained on the shortest reply that gave the majority's answer",
            taught="shortest",
            asked="teacher",
            settings=("shortest", "longest_reply"),
            paper="arXiv 2502.20122",
        ),
        Recipe(
            "distilled-cot",
            "its control: reasons as s2 does, trained on a random reply that gave the majority's answer",
            taught="random",
            asked="teacher",
            settings=("longest_reply",),
            paper="arXiv 2502.20122",
        ),
        Recipe(
            "distilled-gold",
            "uses labels: System 1 trained on the labels of the same inputs, as supervision would",
            taught_by="labels",
            taught="label",
            filtered=False,
            samples=0,
        ),
        Recipe(
            "distilled-steps",
            "answers at once, trained with the reasoning before the answer removed in stages",
            taught="steps",
            settings=("stages", "longest_reply"),
            paper="arXiv 2405.14838",
        ),
    )
}
"""The variants that are trained, by name."""
