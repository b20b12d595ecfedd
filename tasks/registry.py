"""The tasks, their names, and what `--tasks` means for a source of data.

People write short names (`gsm8k`), lm-eval knows `s2d_gsm8k`, and files always hold the short one. A short
name of ours never means lm-eval's own task of that name. Judging is several tasks, one per source, so `judge`
is resolved here once the source is known.

lm-eval skips a broken YAML file silently; `check_folder` finds such a file first. A task's own module is
imported only when its spec is needed.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tasks.errors import TaskError
from tasks.sources import data_source
from tasks.spec import TaskSpec

TASK_ROOT = Path(__file__).resolve().parent
PREFIX = "s2d_"
TAG = "s2d"
"""lm-eval tag, and name for `--tasks`, of all our tasks."""
JUDGE_GROUP = "s2d_judge"

_ORDERED: dict[str, str] = {
    "last_letter": "tasks.last_letter.task",
    "coin_flip": "tasks.coin_flip.task",
    "trivia_bias": "tasks.trivia_bias.task",
    "judge": "tasks.judge.task",
    "judge_mtbench": "tasks.judge.task",
    "judge_oasst2": "tasks.judge.task",
    "judge_oasst1": "tasks.judge.task",
    "judge_pandalm": "tasks.judge.task",
    "gsm8k": "tasks.gsm8k.task",
}
"""The order in every table, and the folder with several tasks."""


def found(root: Path = TASK_ROOT) -> dict[str, str]:
    """Short name -> module with the task's `SPEC`. A folder with a `task.py` is a task with the folder's
    name."""
    folders = sorted(path.parent.name for path in root.glob("*/task.py"))
    return _ORDERED | {
        name: f"tasks.{name}.task" for name in folders if f"tasks.{name}.task" not in _ORDERED.values()
    }


MODULES: dict[str, str] = found()
"""This table decides the default, the tag, the listed names and the overlap check."""
RENAMED = {"judge": "s2d_judge_generated"}
"""Short names whose lm-eval name is not just prefixed: there, `s2d_judge` is the group."""

JUDGE_PARTS: dict[str, tuple[str, ...]] = {
    "embedded": ("judge",),
    "hub": ("judge_mtbench", "judge_oasst2"),
    "folder": ("judge_mtbench", "judge_oasst1", "judge_pandalm"),
}
ARGUMENTS = (
    "seed", "difficulty", "wording", "extra", "validation", "pairs", "train_questions",
    "validation_questions",
)  # fmt: skip
"""All names that our tasks accept in `--task-args`. Each task gets all of them and ignores those of
others."""
IGNORED_FOLDERS = frozenset({"__pycache__", ".ipynb_checkpoints"})
"""Folders that lm-eval does not search."""


def families() -> tuple[str, ...]:
    """The names for people: every task of ours, judging as one (`judge` means the parts that the source
    has)."""
    return tuple(dict.fromkeys(family_of(short) for short in MODULES))


def family_of(short: str) -> str:
    """The name for people of a task of ours: `judge` for each of its parts; other names as they are."""
    parts = {part for of_source in JUDGE_PARTS.values() for part in of_source}
    return "judge" if short in parts else short


def builtin() -> tuple[str, ...]:
    """lm-eval names of all single tasks of ours."""
    return tuple(RENAMED.get(short, PREFIX + short) for short in MODULES)


def lm_eval_name(name: str) -> str:
    """lm-eval's name of a single task, from a short or an `s2d_` name; other names are returned unchanged."""
    short = short_name(name)
    return RENAMED.get(short, PREFIX + short) if short in MODULES else name


def short_name(name: str) -> str:
    """The name in files of a single task, from an lm-eval or short name; other names are returned
    unchanged."""
    if name in builtin():
        return list(MODULES)[builtin().index(name)]
    return name.removeprefix(PREFIX) if name.removeprefix(PREFIX) in MODULES else name


def expand(names: Iterable[str], data: str, others: Sequence[str] = ()) -> list[str]:
    """Short names of the single tasks that `names` mean with `data` (`embedded`, `hub` or a folder).

    The tag `s2d` is all our tasks, `judge` (or `s2d_judge`) the parts that the source has. `others` are names
    of the user's own tasks (`check_folder`), which follow ours unchanged. Without repetition, in the order of
    the tables. TaskError for an unknown name, no name at all, or a name of both ours and a user's task.
    """
    source = data_source(data)
    parts = JUDGE_PARTS["folder" if isinstance(source, Path) else source]
    meanings = {"judge": parts, JUDGE_GROUP: parts, TAG: tuple(f for f in families() if f != "judge") + parts}
    wanted: set[str] = set()
    own: list[str] = []
    for name in (given.strip() for given in names):
        if name in others and (name in meanings or short_name(name) in MODULES):
            raise TaskError(
                f"{name!r} is a task of s2d-bench and one of --include-path: rename yours in its YAML, or "
                "leave that folder out (lm-eval's own is lm_eval:NAME)"
            )
        if name in others:
            own.append(name)
        elif name in meanings:
            wanted.update(meanings[name])
        elif short_name(name) in MODULES:
            wanted.add(short_name(name))
        else:
            raise TaskError(_unknown(name, others))
    if not wanted and not own:
        raise TaskError(f"no task was named: give some of {', '.join(families())}, or {TAG} for all")
    return [short for short in MODULES if short in wanted] + list(dict.fromkeys(own))


def _unknown(name: str, others: Sequence[str]) -> str:
    known = list(dict.fromkeys([*families(), *MODULES, *others]))
    close = difflib.get_close_matches(name.removeprefix(PREFIX), known, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"unknown task {name!r}: {hint}known are {', '.join(known)}, and {TAG} for all of ours"


def spec(short: str) -> TaskSpec:
    """The spec of one of our single tasks, by its short name. TaskError if there is no such task."""
    if short not in MODULES:
        raise TaskError(_unknown(short, ()))
    module = importlib.import_module(MODULES[short])
    found: TaskSpec = getattr(module, "SPECS", {}).get(short, module.SPEC)
    return found if found.name == short else dataclasses.replace(found, name=short)


def source_files(short: str) -> list[Path]:
    """The files that define one of our tasks: its Python, YAML and facts, and the shared code that reads
    answers."""
    folder = Path(str(importlib.import_module(MODULES[short]).__file__)).parent
    own = sorted(path for path in folder.iterdir() if path.suffix in {".py", ".yaml", ".json"})
    return [*own, *(TASK_ROOT / f"{name}.py" for name in ("answers", "numbers", "thoughts"))]


def check_arguments(names: Iterable[str]) -> None:
    """TaskError for a task argument that none of our tasks has. A user's own task may have others."""
    for name in names:
        if name not in ARGUMENTS:
            close = difflib.get_close_matches(name, ARGUMENTS, n=1)
            hint = f"did you mean {close[0]}? " if close else ""
            raise TaskError(f"--task-args {name}: not known: {hint}there are {', '.join(ARGUMENTS)}")


def folders(include_path: str | Path | Sequence[str | Path] | None = None) -> list[str]:
    """Task folders for lm-eval's TaskManager: ours, then the user's, each of which is checked first."""
    given = [include_path] if isinstance(include_path, (str, Path)) else list(include_path or ())
    paths = [TASK_ROOT]
    for path in (Path(folder).expanduser().resolve() for folder in given):
        if path not in paths:
            check_folder(path)
            paths.append(path)
    return [str(path) for path in paths]


def check_folder(path: str | Path) -> list[str]:
    """Names of tasks, groups and tags that the YAML files under `path` define.

    TaskError for what lm-eval would silently skip or resolve: a file that does not parse or is not a mapping,
    a missing `include`, a name that is defined twice. Functions (`!function`) are not loaded. Our own folder
    counts as empty.
    """
    root = Path(path).expanduser()
    if not root.is_dir():
        raise TaskError(f"{root} is not a folder: --include-path takes a folder with lm-eval task files")
    if root.resolve() == TASK_ROOT:
        return []
    places: dict[str, Path] = {}
    tags: list[str] = []
    for file in sorted(root.glob("**/*.yaml")):
        if IGNORED_FOLDERS.intersection(file.parts):
            continue
        config = _read_yaml(file)
        name = config.get("group") or config.get("task")
        if isinstance(name, str):
            if name in places:
                raise TaskError(f"{file}: {name!r} is defined in {places[name]} too: rename one of them")
            places[name] = file
        tag = config.get("tag") or []
        tags += [tag] if isinstance(tag, str) else [str(entry) for entry in tag]
    if not places:
        raise TaskError(f"{root} defines no task: lm-eval task files end in .yaml and have a `task:` line")
    return list(dict.fromkeys([*places, *(tag for tag in tags if tag != TAG)]))


def _read_yaml(file: Path) -> dict[str, Any]:
    """The mapping in a task file; functions are text. TaskError with the line that does not parse."""
    import yaml

    class Loader(yaml.SafeLoader):
        """Reads `!function module.name` as its text."""

    def function_name(_: yaml.SafeLoader, node: yaml.Node) -> str:
        return str(node.value)

    Loader.add_constructor("!function", function_name)
    try:
        config = yaml.load(file.read_bytes(), Loader)
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise TaskError(f"{file}{line}: not valid YAML ({error.problem}): fix the file") from error
    # A value that contradicts its tag raises whatever the conversion raises: KeyError, AttributeError, ...
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise TaskError(f"{file}: cannot be read as YAML ({reason}): fix the file") from error
    if not isinstance(config, dict):
        raise TaskError(f"{file}: holds no mapping: an lm-eval task file has `key: value` lines")
    includes = config.get("include") or []
    for include in [includes] if isinstance(includes, str) else includes:
        if not (file.parent / str(include)).is_file():
            raise TaskError(f"{file}: include {include!r} is not a file: correct the path")
    return config
