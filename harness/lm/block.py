"""The `s2d` block: what a user adds to an lm-eval task because lm-eval has no key for it.

It is in the task's YAML (`metadata: {s2d: {...}}`) or, without changing the task, in a separate file
(`--task-config FILE`), which wins key by key. All keys are optional; docs/lm-eval-tasks.md shows them.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.limits import LARGEST
from harness.lm.catalog import bare
from harness.programs.base import get_method
from results.schema import JsonObject

ANSWER = "{answer}"
SHIPPED_PROMPT = "shipped"
_SHARE = r"(?P<{}>\d+(?:\.\d+)?)\s*%"
_TRAIN_FROM = re.compile(
    rf"(?:{_SHARE.format('before')}\s+of\s+)?(?P<split>[\w.+-]+)(?:\s*\[\s*{_SHARE.format('behind')}\s*\])?"
)
"""`test[20%]`, or `20% of test`: inside curly brackets, YAML reads square ones as a list."""


@dataclass(frozen=True)
class TrainFrom:
    """Where training inputs come from."""

    split: str
    """Split of the data set: `train`, `validation`, ..."""
    share: float | None = None
    """Share of the split's questions, above 0 and below 1; None means all."""

    def __str__(self) -> str:
        return self.split if self.share is None else f"{100 * self.share:g}% of {self.split}"


@dataclass(frozen=True)
class TaskBlock:
    """The values of a block; None for keys without a value."""

    method: str | None = None
    """System 2 method."""
    answer_filter: str | None = None
    """Name of the filter that reads the answer. Its score is the primary metric."""
    answer_form: str | None = None
    """How System 2 is asked to finish, as a noun phrase: `"Answer: " and the number`."""
    target: str | None = None
    """The form of a training target, with `{answer}`."""
    max_tokens: Mapping[str, int] = field(default_factory=dict)
    """Most generated tokens by kind of step."""
    train_from: TrainFrom | None = None
    prompt: str | None = None
    """`shipped`: System 1 gets the unchanged prompt, including a request to think step by step."""


KEYS = tuple(entry.name for entry in fields(TaskBlock))


def block_of(*layers: tuple[str, Any]) -> TaskBlock:
    """One block from several, each with the place where it was written; the last one wins, key by key.
    UserError with place and key for an invalid value."""
    values: JsonObject = {}
    for place, layer in layers:
        if layer is None:
            continue
        if not isinstance(layer, Mapping):
            raise UserError(f"{place}: the s2d block holds {layer!r}: write `key: value` lines")
        for key, value in layer.items():
            values[str(key)] = _checked(str(key), value, place)
    return TaskBlock(**values)


def _checked(key: str, value: Any, place: str) -> Any:
    if key not in KEYS:
        close = difflib.get_close_matches(key, KEYS, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise UserError(f"{place}: the s2d block has no key {key!r}: {hint}there are {', '.join(KEYS)}")
    if key == "max_tokens":
        return _limits(value, place)
    if not isinstance(value, str) or not value.strip():
        raise UserError(f"{place}: {key} is {value!r}: give it as text")
    if key == "method":
        get_method(value)  # its error lists the known methods
    elif key == "target":
        _check_target(value, place)
    elif key == "train_from":
        return _train_from(value, place)
    elif key == "prompt" and value != SHIPPED_PROMPT:
        raise UserError(
            f"{place}: prompt is {value!r}: the one value is {SHIPPED_PROMPT!r}; else leave it out"
        )
    return value


def _check_target(value: str, place: str) -> None:
    if value.count(ANSWER) != 1:
        raise UserError(
            f"{place}: target is {value!r}: it must hold {ANSWER} once, as in 'The answer is {ANSWER}.'"
        )


def _train_from(value: str, place: str) -> TrainFrom:
    found = _TRAIN_FROM.fullmatch(value.strip())
    said = [each for each in (found["before"], found["behind"]) if each] if found else []
    share = float(said[0]) / 100 if said else None
    if found is None or len(said) > 1 or (share is not None and not 0 < share < 1):
        raise UserError(
            f"{place}: train_from is {value!r}: name a split, or a share of one that is kept apart, "
            "such as train, validation or 20% of test"
        )
    return TrainFrom(found["split"], share)


def _limits(value: Any, place: str) -> dict[str, int]:
    if not isinstance(value, Mapping) or not value:
        raise UserError(f"{place}: max_tokens is {value!r}: give tokens by step, such as {{reason: 2048}}")
    for step, most in value.items():
        if isinstance(most, bool) or not isinstance(most, int) or not 1 <= most <= LARGEST:
            raise UserError(
                f"{place}: max_tokens of {step} is {most!r}: give a whole number from 1 to {LARGEST:,}"
            )
    return {str(step): most for step, most in value.items()}


class TaskConfig:
    """A `--task-config` file: blocks by task name, or one block for every lm-eval task of the run."""

    def __init__(self, place: str = "", blocks: Mapping[str, Any] | None = None, every: Any = None) -> None:
        self.place = place
        self._blocks = dict(blocks or {})
        self._every = every
        self._taken: set[str] = set()

    @classmethod
    def read(cls, path: str | None) -> TaskConfig:
        """UserError for a file that cannot be read as such, and for unknown keys."""
        if path is None:
            return cls()
        place = f"--task-config {path}"
        values = _read_yaml(Path(path), place)
        if not isinstance(values, Mapping) or not values:
            raise UserError(
                f"{place}: write a block of `key: value` lines, or one block under each task's name"
            )
        if set(map(str, values)) <= set(KEYS):
            return cls(place, every=values)
        for name, block in values.items():
            if not isinstance(block, Mapping):
                block_of((place, {name: block}))  # a mistyped key of a block, probably
                raise UserError(
                    f"{place}: {name} holds {block!r}: write `key: value` lines under a task's name"
                )
        return cls(place, blocks={bare(str(name)): block for name, block in values.items()})

    def layer(self, task: str) -> tuple[str, Any]:
        """The file's block for an lm-eval task, and its place."""
        if self._every is not None:
            return self.place, self._every
        self._taken.add(task)
        return f"{self.place}, {task}", self._blocks.get(task)

    def check_all_used(self, tasks: Sequence[str]) -> None:
        """UserError for a name that no task of the run has: its block would have no effect."""
        for name in self._blocks:
            if name not in self._taken:
                close = difflib.get_close_matches(name, tasks, n=1)
                hint = f"did you mean {close[0]}? " if close else ""
                raise UserError(
                    f"{self.place}: no lm-eval task {name!r} is in this run: {hint}"
                    f"its lm-eval tasks are {', '.join(tasks) or 'none'}"
                )


def _read_yaml(path: Path, place: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UserError(f"{place}: {error.strerror}; name a YAML file") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{place} is not UTF-8 text: fix the file") from error
    except Exception as error:  # values that contradict their tags raise whatever the conversion raises
        raise UserError(f"{place} is not YAML ({' '.join(str(error).split())}): fix the file") from error
