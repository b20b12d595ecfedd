"""Hashes of the code that a result depends on: changed code means another result.

A checkpoint is found again by what made it, and the wording of a method or a task's answer rule is part of
that, just as a number is. Each function is represented by the whole file that defines it, with its constants
and helpers, comments included.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import date
from functools import partial
from pathlib import Path
from types import CodeType
from typing import Any

from harness.programs import base
from harness.programs.base import Method, get_method
from harness.types import stable_hash
from results.files import file_hash


def files_hash(paths: Iterable[Path]) -> str:
    """Hash of the names and bytes of some files, in whatever folder."""
    return stable_hash(sorted((path.name, file_hash(path)) for path in paths))


def method_hash(method: Method) -> str:
    """Hash of a method's file, of the code that all methods share, and of the method that it wraps."""
    inner = [method_hash(get_method(method.inner))] if method.inner else []
    return stable_hash([files_hash([Path(str(base.__file__))]), _of(method.function, ()), *inner])


def without_functions(value: Any) -> Any:
    """`value` with every function, at any depth, replaced by its name and a hash: a function's own text
    contains its address, which differs between processes. Other values that JSON lacks become text."""
    return _plain(value, ())


def _plain(value: Any, seen: tuple[int, ...]) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(each, seen) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each, seen) for each in value]
    if isinstance(value, set | frozenset):
        return sorted(str(_plain(each, seen)) for each in value)
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, date | bytes):
        return str(value)
    return _of(value, seen) if callable(value) else type(value).__qualname__


def _of(function: Any, seen: tuple[int, ...]) -> list[Any]:
    """Represents a callable by its name, the file of its code, and the values that it carries."""
    if id(function) in seen:  # an inner function that calls itself
        return []
    seen = (*seen, id(function))
    if isinstance(function, partial):
        return ["partial", _of(function.func, seen), _plain([function.args, function.keywords], seen)]
    function = inspect.unwrap(function)
    if not hasattr(function, "__qualname__"):
        return [_of(type(function), seen), _plain(getattr(function, "__dict__", {}), seen)]
    found: list[Any] = [function.__qualname__]
    for cell in getattr(function, "__closure__", None) or ():
        with suppress(ValueError):  # a cell that is still empty
            found.append(_plain(cell.cell_contents, seen))
    try:
        file = Path(inspect.getsourcefile(function) or "")
    except (TypeError, OSError):  # not written in Python, or without a file
        return found
    if file.is_file():
        return [*found, files_hash([file])]
    code = getattr(function, "__code__", None)  # defined in a notebook or at a prompt
    return found if code is None else [*found, code.co_code.hex(), str(code.co_names), _constants(code)]


def _constants(code: CodeType) -> list[Any]:
    return [
        [each.co_code.hex(), _constants(each)] if isinstance(each, CodeType) else repr(each)
        for each in code.co_consts
    ]
