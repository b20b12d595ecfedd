"""One variant on its tasks: ask every item, then let lm-eval's filters and metrics score the replies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

from harness.engines.base import AdapterInfo
from harness.lm.score import asked, score
from harness.lm.task import TaskData
from harness.programs.base import get_method
from harness.sample_rows import build_rows
from harness.session import Session
from harness.variants import Variant
from results.schema import SampleRow


def evaluate(
    session: Session,
    variant: Variant,
    seed: int,
    tasks: Sequence[TaskData],
    adapters: Mapping[str, AdapterInfo | None],
) -> dict[str, list[SampleRow]]:
    """Sample rows of one variant by task; all tasks share one stream of batches."""
    methods = {task.name: get_method(variant.method_for(task.spec.s2_method)) for task in tasks}
    jobs = [
        session.job(
            task,
            item,
            methods[task.name],
            seed,
            adapter=adapters[task.name],
            history=turns,
            repeat=variant.repeat,
        )
        for task in tasks
        for item, turns in asked(task)
    ]
    phase = variant.name if session.options.seeds == 1 else f"{variant.name} seed {seed}"
    responses = iter(session.scheduler.run(jobs, phase) if jobs else [])
    rows = {}
    for task in tasks:
        replies = list(islice(responses, len(task.indices)))
        scored = score(task, [reply.text for reply in replies])
        rows[task.name] = build_rows(task, variant.name, methods[task.name].name, seed, scored, replies)
    return rows
