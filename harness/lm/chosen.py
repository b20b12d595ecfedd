"""The tasks that the options of a run name, with the limits and methods of the model that is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from harness import embedded
from harness.engines import KINDS
from harness.errors import UserError
from harness.limits import LARGEST, OPTION
from harness.lm.task import TaskData
from harness.lm.tasks import load_tasks
from harness.options import RunOptions

_DRAWN: dict[str, tuple[float, float, Any]] = {
    "temperature": (0, 100, int | float),
    "top_p": (0, 1, int | float),
    "top_k": (0, 1_000_000, int),
}
SAMPLING_KEYS = {f"{prefix}{key}": bounds for prefix in ("", "teacher_") for key, bounds in _DRAWN.items()}
"""Keys of `--sampling` with the least and the largest value and its type; `max_tokens` and
`max_tokens.STEP` come on top."""
_TOKENS = (1, LARGEST, int)


def loaded_tasks(options: RunOptions) -> list[TaskData]:
    """The tasks that the options name, with the limits of the model that is asked. UserError for bad ones."""
    options.check()
    for key, value in options.sampling.items():
        bounds = _TOKENS if key.split(".", 1)[0] == OPTION else SAMPLING_KEYS.get(key)
        if bounds is None:
            known = ", ".join([*sorted(SAMPLING_KEYS), OPTION, f"{OPTION}.STEP"])
            raise UserError(f"--sampling {key}: not known; there are {known}")
        least, most, kind = bounds
        if isinstance(value, bool) or not isinstance(value, kind) or not least <= value <= most:
            number = "a whole number" if kind is int else "a number"
            raise UserError(
                f"--sampling {key}={value}: give {number} of at least {least} and at most {most:,}"
            )
    arguments = {"seed": 0, **options.task_args}
    tasks = load_tasks(
        options.tasks, options.data, options.include_path, arguments, options.limit, options.task_config
    )
    for task in tasks:
        if options.pretrained == embedded.NAME and KINDS[options.engine].weights != "none":
            task.spec = embedded.embedded_spec(task.spec)
        elif options.preset == "paper" and task.spec.paper is not None:
            task.spec = replace(task.spec, s2_method=task.spec.paper.method)
    return tasks
