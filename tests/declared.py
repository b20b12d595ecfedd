"""Holds a JSON value against a TypedDict: exactly the declared keys, each with its declared type."""

from __future__ import annotations

from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, is_typeddict

from results.schema_page import keys


def faults(value: Any, kind: Any, place: str = "") -> Iterator[str]:
    """What of `value` is not as `kind` declares it, with its place; nothing where all is."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return
    if is_typeddict(kind):
        yield from _of_object(value, kind, place)
    elif origin in (Union, UnionType):
        every = [list(faults(value, part, place)) for part in arguments]
        if all(every):
            # Of several kinds, the one that fits best says most.
            yield from min(every, key=len)
    elif origin is Literal:
        if value not in arguments:
            yield f"{place}: {value!r} is none of {arguments}"
    elif origin is list:
        if not isinstance(value, list):
            yield f"{place}: {value!r} is not a list"
            return
        for number, each in enumerate(value):
            yield from faults(each, arguments[0], f"{place}[{number}]")
    elif origin is dict or kind is dict:
        if not isinstance(value, dict):
            yield f"{place}: {value!r} is not an object"
            return
        for name, each in value.items():
            yield from faults(each, arguments[1], f"{place}.{name}")
    elif not _is_plain(value, kind):
        yield f"{place}: {value!r} is not {kind.__name__}"


def _of_object(value: Any, kind: Any, place: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{place}: {value!r} is not an object"
        return
    declared = keys(kind)
    for name in value.keys() - declared.keys():
        yield f"{place}.{name}: not declared in {kind.__name__}"
    for name, (part, always) in declared.items():
        if name in value:
            yield from faults(value[name], part, f"{place}.{name}")
        elif always:
            yield f"{place}.{name}: missing"


def _is_plain(value: Any, kind: type) -> bool:
    # JSON knows one kind of number: 1.0 may be written for a number that is declared as such, never for a
    # whole one.
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is NoneType:
        return value is None
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
