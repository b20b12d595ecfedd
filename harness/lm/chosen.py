"""The tasks that the options of a run name, with the limits and methods for the model."""

from __future__ import annotations

from dataclasses import replace

from harness import embedded
from harness.engines import KINDS
from harness.limits import LARGEST, OPTION
from harness.lm.task import TaskData
from harness.lm.tasks import load_tasks
from harness.method_args import check_method_args, with_method_args
from harness.options import RunOptions
from harness.settings import Setting, unknown

_DRAWN = {
    "temperature": Setting(0.0, high=100),
    "top_p": Setting(1.0, high=1),
    "top_k": Setting(0, high=1_000_000, whole=True),
}
SAMPLING = {f"{prefix}{key}": setting for prefix in ("", "teacher_") for key, setting in _DRAWN.items()}
"""Keys of `--sampling`, besides `max_tokens` and `max_tokens.STEP`."""

_TOKENS = Setting(0, low=1, high=LARGEST, whole=True)


def check_sampling(options: RunOptions) -> None:
    """UserError for an unknown key or an impossible value of `--sampling`."""
    for key, value in options.sampling.items():
        setting = _TOKENS if key.split(".", 1)[0] == OPTION else SAMPLING.get(key)
        if setting is None:
            raise unknown("--sampling", key, [*sorted(SAMPLING), OPTION, f"{OPTION}.STEP"])
        setting.check("--sampling", key, value)


def loaded_tasks(options: RunOptions) -> list[TaskData]:
    """The tasks that the options name, with the limits for the model. UserError for bad ones."""
    check_sampling(options)
    check_method_args(options.method_args)
    arguments = {"seed": 0, **options.task_args}
    tasks = load_tasks(
        options.tasks, options.data, options.include_path, arguments, options.limit, options.task_config
    )
    for task in tasks:
        if options.pretrained == embedded.NAME and KINDS[options.engine].weights != "none":
            task.spec = embedded.embedded_spec(task.spec)
        elif options.preset == "paper" and task.spec.paper is not None:
            task.spec = replace(task.spec, s2_method=task.spec.paper.method)
        task.spec = with_method_args(task.spec, options.method_args)
    return tasks
