"""Tasks as lm-eval (0.4.12 up to 0.5) loads them: ours, a user's and lm-eval's own, with their scored rows.

In `harness`, only this folder imports lm-eval.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness.errors import UserError, named
from harness.lm import catalog as lm_catalog
from harness.lm.block import TaskConfig, block_of
from harness.lm.data import local_files, needed_splits, swapped
from harness.lm.foreign import check_kind, foreign_task
from harness.lm.task import TaskData
from harness.progress import say
from results.schema import drawn
from tasks import registry
from tasks.errors import TaskError

_NAME = re.compile(r"\w[\w.+ -]*")
LONGEST_NAME = 200
"""Bytes; file systems allow 255, endings included."""


def load_tasks(
    names: Sequence[str],
    data: str,
    include_path: Sequence[str],
    arguments: Mapping[str, Any],
    limit: int | None,
    task_config: str | None = None,
) -> list[TaskData]:
    """Loads tasks with their rows. UserError for an unknown task, bad data or an empty task.

    `limit` takes that many clusters per task, the ones whose ids have the smallest hashes, so that the
    templates, orders and votes of one question stay together and the choice depends on nothing else.
    `task_config` is a file of s2d blocks for tasks that are not ours.
    """
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    _compile_templates_once()
    try:
        blocks = TaskConfig.read(task_config)
        loaded = list(_load(names, data, include_path, arguments, limit, blocks))
        blocks.check_all_used([task.lm_name for task in loaded if not task.own])
    except TaskError as error:
        raise UserError(str(error)) from error
    except UserError:
        raise
    except Exception as error:  # a task's Python and templates are its author's code and may raise anything
        hint = "it seems to have no test items; " if isinstance(error, IndexError) else ""
        raise UserError(
            f"a task of {', '.join(names)} could not be loaded: {named(error)} "
            f"({hint}check --tasks, --data, the task's YAML and the Python beside it)"
        ) from error
    return loaded


def _load(
    names: Sequence[str],
    data: str,
    include_path: Sequence[str],
    arguments: Mapping[str, Any],
    limit: int | None,
    blocks: TaskConfig,
) -> Iterator[TaskData]:
    from lm_eval.tasks import TaskManager

    shipped = list(dict.fromkeys(lm_catalog.bare(name) for name in names if lm_catalog.is_shipped(name)))
    rest = [name for name in names if not lm_catalog.is_shipped(name)]
    if not include_path and not shipped:
        registry.check_arguments(arguments)
    others = [name for folder in include_path for name in registry.check_folder(folder)]
    short = registry.expand(rest, data, others) if rest or not shipped else []
    metadata = {**arguments, "data": data}

    def manager(folders: Sequence[str | Path]) -> TaskManager:
        return TaskManager(
            include_path=[str(folder) for folder in folders], include_defaults=False, metadata=metadata
        )

    ours = manager(registry.folders()) if any(name in registry.MODULES for name in short) else None
    theirs = manager(registry.folders(list(include_path))[1:]) if include_path else None
    for name in short:
        own = name in registry.MODULES
        chosen = ours if own else theirs
        if chosen is None:  # `expand` refused unknown names before
            raise TaskError(f"task {name}: name the folder that defines it with --include-path")
        lm_name = registry.lm_eval_name(name) if own else name
        with nullcontext() if own else _data_of(data, lm_name, None):
            found = chosen.load([lm_name])["tasks"]
        for single, task in found.items():
            yield _task_data(name if len(found) == 1 else single, single, task, limit, blocks)
    for name in shipped:
        for single, path in lm_catalog.find(name).items():
            with _data_of(data, single, path):
                task = _shipped(manager([]), single, path)
            yield _task_data(lm_catalog.name_in_files(single), single, task, limit, blocks)


def _shipped(manager: Any, name: str, path: Path) -> Any:
    """lm-eval's own task in a file. UserError if its data or a package of its Python is missing."""
    try:
        [task] = manager.load([str(path)])["tasks"].values()
    except (TaskError, UserError):
        raise
    except Exception as error:  # the hub's client and the task's Python may raise anything
        raise UserError(
            f"{lm_catalog.PREFIX}{name} could not be loaded: {named(error)} (its rows come from the hub; "
            "--data DIR takes them from files, docs/lm-eval-tasks.md says which)"
        ) from error
    return task


def _compile_templates_once() -> None:
    """Caches lm-eval's compiled templates. lm-eval compiles one again for each row and example: minutes in
    a run."""
    from lm_eval import utils

    environment = getattr(utils, "env", None)
    if environment is not None and not hasattr(environment.from_string, "cache_info"):
        environment.from_string = lru_cache(maxsize=1 << 10)(environment.from_string)


def _data_of(data: str, task: str, path: Path | None) -> AbstractContextManager[None]:
    """Inside the block, a task that is not ours gets the files of `--data DIR`, if the folder has any for
    it. For a task of lm-eval's own (`path`) it must."""
    files = local_files(data, task)
    if path is None:
        # A user's own task brings its data; a folder with its name replaces them.
        mine = files and all(file.parent.name == task for file in files.values())
        return swapped(files, task, Path(data), None) if mine else nullcontext()
    if data in {"embedded", "hub"}:  # lm-eval's tasks have no embedded data: their data sets are on the hub
        return nullcontext()
    return swapped(files, task, Path(data), needed_splits(lm_catalog.config_of(path)))


def _task_data(name: str, lm_name: str, task: Any, limit: int | None, blocks: TaskConfig) -> TaskData:
    if not _NAME.fullmatch(name) or len(name.encode()) > LONGEST_NAME:
        raise UserError(
            f"task {name!r}: its name becomes the name of a file, so it may have letters, digits, spaces and "
            f"'.', '_', '+', '-', at most {LONGEST_NAME} bytes: rename it in its YAML"
        )
    if lm_name in registry.builtin():
        check_kind(name, task)
        until = (task.config.generation_kwargs or {}).get("until") or []
        stops = tuple(stop for stop in ([until] if isinstance(until, str) else until) if stop)
        data = TaskData(name, lm_name, registry.spec(name), task, [], stops)
    else:
        metadata = task.config.metadata
        in_yaml = metadata.get("s2d") if isinstance(metadata, Mapping) else None
        block = block_of((f"task {name}, metadata", in_yaml), blocks.layer(lm_name))
        data = foreign_task(name, lm_name, task, block)
    for note in data.notes:
        say(f"task {name}: {note}")
    rows = data.rows("test")
    if not rows:
        raise UserError(f"task {name} has no test items: check its data")
    items = data.items("test")
    apart = data.foreign.training.apart if data.foreign else frozenset()
    scored = {item.cluster_id for item in items} - apart
    chosen = set(drawn(name, scored, limit))
    first: dict[str, int] = {}
    for index, item in enumerate(items):
        first.setdefault(item.item_id, index)
    if len(first) < len(items):
        say(
            f"task {name}: {len(items) - len(first)} of {len(items)} test rows repeat another row and are "
            "left out"
        )
    data.indices = [index for index in first.values() if items[index].cluster_id in chosen]
    return data
