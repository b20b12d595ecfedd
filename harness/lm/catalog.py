"""Finds the tasks of the installed lm-eval by name, without parsing all of its files.

lm-eval's own index parses its 14,000 YAML files, which takes ten seconds. This module searches their text for
the line that names a task or a group, and parses only what was asked for. A group or a tag means its tasks.
No function of a task is imported and no data is fetched.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from harness.errors import UserError
from results.schema import JsonObject

PREFIX = "lm_eval:"
"""The prefix for a task of the installed lm-eval: `--tasks lm_eval:triviaqa`."""
FILE_PREFIX = "lm_eval-"
"""The same prefix in files and tables, where a colon is not allowed."""

_DEFINES = re.compile(
    rb"""^["']?(task|group)["']?[ \t]*:[ \t]*["']?([\w.+/:-]+)["']?[ \t]*(?:#.*)?\r?$""", re.M
)
_NO_CHANGE = frozenset({"task", "group", "group_alias", "task_alias", "aggregate_metric_list", "metadata"})
"""Keys of a group's member that do not change how its tasks ask and score."""


def is_shipped(name: str) -> bool:
    """Whether a name in `--tasks` means a task of the installed lm-eval."""
    return name.startswith((PREFIX, FILE_PREFIX))


def bare(name: str) -> str:
    """lm-eval's own name of a shipped task."""
    return name.removeprefix(PREFIX).removeprefix(FILE_PREFIX)


def name_in_files(task: str) -> str:
    """A shipped task's name in files and tables, which never equals the name of one of our tasks."""
    return FILE_PREFIX + task


def task_root() -> Path:
    """The folder of lm-eval's own task files."""
    from lm_eval import tasks

    return Path(str(tasks.__file__)).parent


def find(name: str) -> dict[str, Path]:
    """The single tasks of `name` (a task, a group or a tag, without prefix), each with its file, in
    lm-eval's order. UserError for an unknown name, and for a group that changes its tasks."""
    found = dict(_find(name, name, ()))
    if not found:
        raise UserError(_unknown(name))
    return found


def config_of(path: Path) -> JsonObject:
    """A task file with its includes; functions are text."""
    from lm_eval.tasks._yaml_loader import load_yaml

    config: JsonObject = load_yaml(path, resolve_func=False)
    return config


def files() -> dict[str, Path]:
    """Every task and group that a file of lm-eval names, with that file."""
    return dict(_defined())


def _find(name: str, asked: str, above: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    path = _defined().get(name)
    if path is None:
        yield from _tagged(name).items()
        return
    config = config_of(path)
    if "group" not in config:
        yield name, path
        return
    for member in _members(config, asked):
        # A group may list a task with the group's own name.
        if member not in above:
            listed = list(_find(member, asked, (*above, name)))
            if not listed:
                raise UserError(
                    f"{PREFIX}{asked}: its group {name} lists {member}, for which lm-eval has no file: "
                    "name the tasks one by one"
                )
            yield from listed


def _members(group: JsonObject, asked: str) -> Iterator[str]:
    """Names that a group lists. A member with its own settings is another task, which has no file."""
    listed = group.get("task")
    for member in [listed] if isinstance(listed, str) else listed or ():
        if not isinstance(member, dict):
            yield str(member)
            continue
        if own := sorted(member.keys() - _NO_CHANGE):
            raise UserError(
                f"{PREFIX}{asked}: its group changes {own[0]} of a task: name the tasks one by one"
            )
        if isinstance(member.get("task"), list):
            yield from _members(member, asked)
        else:
            yield str(member.get("task") or member.get("group"))


def _tagged(tag: str) -> dict[str, Path]:
    """Tasks with that tag; the tag may be in a file that theirs includes."""
    word = tag.encode()
    folders = {path.parent for path, text in _files() if word in text}
    found = {}
    for name, path in _defined().items():
        if path.parent in folders:
            tags = config_of(path).get("tag") or []
            if tag in ([tags] if isinstance(tags, str) else tags):
                found[name] = path
    return dict(sorted(found.items()))


@lru_cache(maxsize=1)
def _defined() -> dict[str, Path]:
    return {
        name.decode(): path
        for path, text in _files()
        if path.suffix == ".yaml"
        for _, name in _DEFINES.findall(text)
    }


def _files() -> Iterator[tuple[Path, bytes]]:
    for folder, folders, names in os.walk(task_root()):
        folders.sort()
        for name in sorted(names):
            if name.endswith("yaml"):
                path = Path(folder, name)
                yield path, path.read_bytes()


def _unknown(name: str) -> str:
    close = difflib.get_close_matches(name, _defined(), n=3)
    hint = f"did you mean {' or '.join(PREFIX + each for each in close)}? " if close else ""
    return f"{PREFIX}{name}: the installed lm-eval has no such task: {hint}`lm-eval ls tasks` lists all"
