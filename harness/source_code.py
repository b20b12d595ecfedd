"""Which code a result owes itself to, as a hash: other code, another result.

A checkpoint is found again by what made it, and the wording of a method or a task's answer rule is part of
that as much as a number is. A function stands for the whole file that it is written in, with the constants
and helpers beside it. What the code does is not known here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.programs.base import Method, get_method
from harness.storage import file_hash
from harness.types import stable_hash


def files_hash(paths: Iterable[Path]) -> str:
    """Hash of the names and bytes of some files, wherever they lie."""
    return stable_hash(sorted((path.name, file_hash(path)) for path in paths))


def method_hash(method: Method) -> str:
    """Hash of the file of a method, and of the one that it wraps."""
    inner = [method_hash(get_method(method.inner))] if method.inner else []
    return stable_hash([_of(method.function), *inner])


def without_functions(value: Any) -> Any:
    """`value` with a name and a hash in the place of every function, however deep: a function's own text
    holds its address, which is another one in every process."""
    if isinstance(value, Mapping):
        return {key: without_functions(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [without_functions(each) for each in value]
    return _of(value) if callable(value) else value


def _of(function: Callable[..., Any]) -> list[str]:
    name = str(getattr(function, "__qualname__", type(function).__qualname__))
    try:
        file = inspect.getsourcefile(inspect.unwrap(function))
    except TypeError:  # of a library written in another language
        return [name]
    return [name, files_hash([Path(file)])] if file and Path(file).is_file() else [name]
