"""What a phase of a run needs: model, store and tasks, and how a program becomes a job under the options."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from harness.answer_text import cut_at_stop, final_text, turn_marks
from harness.engines.base import AdapterInfo, Engine
from harness.jobs import Job
from harness.limits import token_limit
from harness.lm.task import TaskData
from harness.models.source import ModelSource
from harness.options import RunOptions
from harness.programs.base import Method
from harness.progress import say
from harness.scheduler import Scheduler
from harness.types import Item, Message, Sampling, Settings
from tasks.spec import TaskSpec

Made = TypeVar("Made")


@dataclass
class Session:
    """What a phase needs. Distillation gets it too, so that its calls land in the same store as those of
    evaluation."""

    options: RunOptions
    source: ModelSource
    engine: Engine
    scheduler: Scheduler
    tasks: list[TaskData]
    _known: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False)
    _said: set[str] = field(default_factory=set, init=False, repr=False)

    def once(self, name: Hashable, make: Callable[[], Made]) -> Made:
        """Returns what `make` returned under this name: it is called once, for all variants and seeds."""
        if name not in self._known:
            self._known[name] = make()
        found: Made = self._known[name]
        return found

    def say_once(self, text: str) -> None:
        """Prints a line for people that several variants and seeds would repeat."""
        if text not in self._said:
            self._said.add(text)
            say(text)

    def sampling(
        self, task: TaskData, teacher: bool = False, votes: bool = False
    ) -> Callable[[str], Sampling]:
        """Returns step kind -> sampling. Evaluation is greedy unless the options say otherwise; the teacher,
        and methods that vote over samples, sample as the task says."""
        asked = self.options.sampling
        drawn = task.spec.teacher_sampling if teacher or votes else {"temperature": 0.0, "top_p": 1.0}
        prefix = "teacher_" if teacher else ""
        base = Sampling(
            temperature=float(asked.get(f"{prefix}temperature", drawn.get("temperature", 0.0))),
            top_p=float(asked.get(f"{prefix}top_p", drawn.get("top_p", 1.0))),
            top_k=int(asked.get(f"{prefix}top_k", drawn.get("top_k", 0))),
        )

        def of(kind: str) -> Sampling:
            # In other steps a stop would cut the reasoning: there `job` cuts the finished text.
            stops = task.stops if kind == "direct" else turn_marks(task.stops)
            return replace(base, max_tokens=token_limit(task.spec, kind, asked), stop=stops)

        return of

    def _method_options(self, spec: TaskSpec, method: Method) -> Settings:
        """Returns the task's options for a method. A vote over samples of another method may be curtailed."""
        found = dict(spec.method_options.get(method.options_name, {}))
        return {**found, "curtail": True} if method.inner and self.options.curtail_votes else found

    def job(
        self,
        task: TaskData,
        item: Item,
        method: Method,
        seed: int,
        *,
        sample_index: int = 0,
        teacher: bool = False,
        adapter: AdapterInfo | None = None,
        history: tuple[Message, ...] = (),
        repeat: int = 0,
    ) -> Job:
        """Returns a program of `method` on an item of `task`, under the task's options and limits. `history`
        are the turns that lm-eval puts before the prompt."""
        spec = task.spec

        def finish(text: str) -> tuple[str, bool]:
            marked = spec.answer_mark.search(text) is not None
            if spec.finish is not None and (marked or not method.thinking):
                return spec.finish(text, item.fields)
            if method.steps == ("direct",):  # its text ended at a stop when it was generated
                return text, False
            if method.thinking:  # the text after the thoughts is an answer like System 1's
                return cut_at_stop(text, task.stops), False
            return final_text(text, task.stops, spec.answer_mark, spec.answer)

        return Job(
            item=item,
            method=method,
            sampling=self.sampling(task, teacher, method.votes),
            run_seed=seed,
            sample_index=sample_index,
            options=self._method_options(spec, method),
            vote=lambda text: spec.vote_of(finish(text)[0], item.fields),
            adapter=adapter,
            history=history,
            repeat=repeat,
            finish=finish,
        )
