"""The one adapter to lm-eval: its tasks become items, our programs become its language model.

lm-eval (0.4.12 up to 0.5) hands all requests of all tasks to `generate_until` in one call; they go to
the scheduler from there, and lm-eval's own filters and metrics score what comes back. Nothing else in
`harness` imports lm-eval.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from unittest.mock import patch

from harness.errors import RunError, UserError
from harness.progress import say
from harness.types import Item, Message, Response, stable_hash
from tasks import registry
from tasks.errors import TaskError
from tasks.spec import Metric, TaskSpec

Respond = Callable[[Sequence[tuple[str, Item, tuple[Message, ...]]]], list[Response]]
"""(task, item, turns before the prompt) of every scored prompt -> responses in that order."""


_NAME = re.compile(r"\w[\w.+ -]*")
LONGEST_NAME = 200
"""Bytes; file systems take 255, endings included."""


@dataclass
class TaskData:
    """A loaded task with the rows that a run uses."""

    name: str
    """Short name."""
    lm_name: str
    spec: TaskSpec
    task: Any
    """lm-eval's task object."""
    indices: list[int]
    """Positions in the test split of the rows that are scored, sorted."""
    stops: tuple[str, ...]
    _rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict, repr=False)

    @property
    def own(self) -> bool:
        """Whether it is one of ours and not the user's."""
        return self.lm_name in registry.BUILTIN

    def rows(self, split: str) -> list[dict[str, Any]]:
        """All rows of `train`, `validation` or `test`; empty where the task has no such split."""
        if split not in self._rows:
            source = {
                "train": self.task.training_docs,
                "validation": self.task.validation_docs,
                "test": lambda: self.task.eval_docs,
            }[split]
            # A data set decodes its rows anew each time it is read through; several phases read them.
            self._rows[split] = list(source() or [])
        return self._rows[split]

    def item(self, row: Mapping[str, Any]) -> Item:
        """The item of a row. A user's own task may have a column `cluster_id`; its ids are of the content."""
        prompt = str(row["prompt"]) if self.own else str(self.task.doc_to_text(dict(row)))
        content = stable_hash([self.name, prompt, self.task.doc_to_target(dict(row))])
        return Item(
            item_id=str(row["item_id"]) if self.own else content,
            cluster_id=str(row.get("cluster_id") or content),
            prompt=prompt,
            question=str(row.get("question") if self.own else prompt),
            answer_form=str(row.get("answer_form") or ""),
            fields=row,
        )

    def history(self, row: Mapping[str, Any]) -> tuple[Message, ...]:
        """Turns before a row's prompt, as lm-eval makes them of a user's description and examples. The
        examples of training rows are drawn by content, so a resumed run draws the same."""
        if self.own:
            return ()
        turns = self._turns(row)
        if self.item(row).prompt in [turn["content"] for turn in turns if turn["role"] == "user"]:
            # lm-eval leaves the row itself out only of test rows; with it a training row shows its answer.
            without = partial(self.task.sampler.sample, eval_doc=dict(row))
            with patch.object(self.task.sampler, "sample", lambda n, eval_doc=None: without(n)):
                turns = self._turns(row)
        return turns

    def _turns(self, row: Mapping[str, Any]) -> tuple[Message, ...]:
        self.task.set_fewshot_seed(seed=int(stable_hash(self.item(row).item_id, 8), 16))
        context = self.task.fewshot_context(
            dict(row),
            num_fewshot=self.task.config.num_fewshot or 0,
            apply_chat_template=True,
            fewshot_as_multiturn=True,
            chat_template=_turns_as_text,
        )
        return tuple(json.loads(context)[:-1])


def _turns_as_text(turns: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
    """A chat template whose text can be read back as turns."""
    return json.dumps(turns, ensure_ascii=False)


def load_tasks(
    names: Sequence[str],
    data: str,
    include_path: Sequence[str],
    arguments: Mapping[str, Any],
    limit: int | None,
) -> list[TaskData]:
    """Load tasks with their rows. UserError for an unknown task, bad data or an empty task.

    `limit` takes that many clusters per task, the ones whose ids have the smallest hashes, so that the
    templates, orders and votes of one question stay together and the choice depends on nothing else.
    """
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    from lm_eval.tasks import TaskManager

    try:
        if not include_path:
            registry.check_arguments(arguments)
        others = [name for folder in include_path for name in registry.check_folder(folder)]
        short = registry.expand(names, data, others)
        manager = TaskManager(
            include_path=registry.folders(list(include_path)),
            include_defaults=False,
            metadata={**arguments, "data": data},
        )
        loaded: list[TaskData] = []
        for name in short:
            lm_name = registry.lm_eval_name(name)
            found = manager.load([lm_name])["tasks"]
            for single, task in found.items():
                loaded.append(_task_data(name if len(found) == 1 else single, single, task, limit))
    except TaskError as error:
        raise UserError(str(error)) from error
    except UserError:
        raise
    except Exception as error:  # a task's Python and templates are its author's: they raise what they like
        hint = "it seems to have no test items; " if isinstance(error, IndexError) else ""
        raise UserError(
            f"a task of {', '.join(names)} could not be loaded: {_reason(error)} "
            f"({hint}check --tasks, --data, the task's YAML and the Python beside it)"
        ) from error
    return loaded


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _task_data(name: str, lm_name: str, task: Any, limit: int | None) -> TaskData:
    if not _NAME.fullmatch(name) or len(name.encode()) > LONGEST_NAME:
        raise UserError(
            f"task {name!r}: its name becomes the name of a file, so it is letters, digits, spaces and "
            f"'.', '_', '+', '-', at most {LONGEST_NAME} bytes: rename it in its YAML"
        )
    if task.get_config("output_type") != "generate_until":
        raise UserError(
            f"task {name} is {task.get_config('output_type')}: only tasks that generate text "
            "(output_type: generate_until) have a System 2"
        )
    for key, why in (
        ("repeats", "how often an item is asked is the method's choice"),
        ("gen_prefix", "a model that answers in turns begins its own"),
    ):
        if getattr(task.config, key, None) not in (None, "", 1):
            raise UserError(
                f"task {name} sets {key}, which has no meaning here ({why}): take it out of its YAML"
            )
    until = (task.config.generation_kwargs or {}).get("until") or []
    stops = tuple(stop for stop in ([until] if isinstance(until, str) else until) if stop)
    spec = registry.spec(name) if lm_name in registry.BUILTIN else generic_spec(name, task)
    data = TaskData(name, lm_name, spec, task, [], stops)
    rows = data.rows("test")
    if not rows:
        raise UserError(f"task {name} has no test items: check its data")
    items = [data.item(row) for row in rows]
    clusters = sorted({item.cluster_id for item in items}, key=lambda cluster: stable_hash([name, cluster]))
    chosen = set(clusters if limit is None else clusters[:limit])
    first: dict[str, int] = {}
    for index, item in enumerate(items):
        first.setdefault(item.item_id, index)
    if len(first) < len(items):
        say(
            f"task {name}: {len(items) - len(first)} of {len(items)} test rows repeat another one and are "
            "left out"
        )
    data.indices = [index for index in first.values() if items[index].cluster_id in chosen]
    return data


def generic_spec(name: str, task: Any) -> TaskSpec:
    """Spec of a user's own task: its first filter is the answer rule, chain of thought its System 2."""
    directions = task.higher_is_better()
    metrics = tuple(
        Metric(metric, "number", f"as task {name} defines it", bool(directions.get(metric, True)))
        for metric in task.aggregation()
    )
    limit = int((task.config.generation_kwargs or {}).get("max_gen_toks", 256))
    return TaskSpec(
        name=name,
        s2_method="cot",
        metrics=metrics,
        answer=lambda text: filtered_answer(task, text),
        target=lambda answer: answer,
        max_tokens={"direct": limit},
    )


def filtered_answer(task: Any, text: str) -> str | None:
    """What the task's first filter makes of a response; None for lm-eval's mark of no match."""
    from lm_eval.api.instance import Instance

    probe = Instance("generate_until", {}, ("", {}), 0, metadata=(None, 0, 1), resps=[text])
    ensembles = task._filters
    if not ensembles:
        return text.strip() or None
    ensembles[0].apply([probe])
    found = probe.filtered_resps[ensembles[0].name]
    found = found[0] if isinstance(found, list) and found else found
    answer = str(found).strip()
    return None if not answer or answer == "[invalid]" else answer


def score(
    tasks: Sequence[TaskData], respond: Respond
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, list[Response]]]:
    """Responses to every chosen row, scored by lm-eval: its logged samples (one per row and filter) and
    our responses (one per row), by short task name, rows in the order of `indices`."""
    import lm_eval
    from lm_eval.api.model import LM
    from lm_eval.tasks import TaskManager

    by_lm_name = {task.lm_name: task for task in tasks}
    responses: dict[str, list[Response]] = {task.name: [] for task in tasks}
    answered: list[bool] = []

    class ProgramModel(LM):
        """Programs, seen by lm-eval as a model."""

        tokenizer_name = "s2d-bench"

        def apply_chat_template(
            self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
        ) -> str:
            return _turns_as_text(chat_history)

        def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
            asked = []
            for request in requests:
                task = by_lm_name[request.task_name]
                turns = json.loads(request.args[0])
                item = task.item(request.doc)
                asked.append((task.name, item, tuple(turns[:-1])))
            given = respond(asked)
            answered.append(True)
            for (name, _, _), response in zip(asked, given, strict=True):
                responses[name].append(response)
            return [response.text for response in given]

        def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
            raise UserError("log-likelihood tasks have no System 2: choose tasks that generate text")

        def loglikelihood_rolling(self, requests: list[Any]) -> list[float]:
            raise UserError("log-likelihood tasks have no System 2: choose tasks that generate text")

    class Loaded(TaskManager):
        """Hands lm-eval the tasks that are loaded already; loading reads whole data sets."""

        def __init__(self) -> None:
            super().__init__(include_defaults=False)

        def load(self, task_list: Any) -> dict[str, Any]:
            return {"tasks": {task.lm_name: task.task for task in tasks}, "groups": {}}

    try:
        with _without_environment_report():
            results = lm_eval.simple_evaluate(
                model=ProgramModel(),
                tasks=[task.lm_name for task in tasks],
                task_manager=Loaded(),
                samples={task.lm_name: task.indices for task in tasks},
                apply_chat_template=True,
                bootstrap_iters=0,
                log_samples=True,
                random_seed=None,
                numpy_random_seed=None,
                torch_random_seed=None,
            )
    except (UserError, RunError):
        raise
    except Exception as error:
        if not answered:
            raise
        # All texts are there: what is left is the tasks' own filters and metrics.
        named = ", ".join(task.name for task in tasks)
        raise UserError(
            f"the responses to {named} could not be scored: {_reason(error)} (mend the task's filter_list, "
            "process_results or metric_list; finished calls are kept)"
        ) from error
    return {task.name: results["samples"][task.lm_name] for task in tasks}, responses


def _without_environment_report() -> AbstractContextManager[Any]:
    """lm-eval asks pip, the system and git for a report at each evaluation, seconds long; the manifest has
    its own."""
    from lm_eval import evaluator

    return patch.multiple(evaluator, add_env_info=lambda _: None, get_git_commit_hash=lambda: None)
