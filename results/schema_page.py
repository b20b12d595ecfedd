"""Makes docs/results-schema.md from the declarations in `results.schema`.

Every object of the files gets a table: key, type in words of JSON, meaning. The meaning is the sentence under
the key in the source.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

from results import (
    schema,
    schema_claims,
    schema_compare,
    schema_distillation,
    schema_leaderboard,
    schema_manifest,
)

FILES: Mapping[str, type] = {
    "`manifest.json`": schema.Manifest,
    "`samples/VARIANT/TASK.jsonl`": schema.SampleRow,
    "`leaderboard.json`": schema.Leaderboard,
    "`comparison.json` of `s2d-bench compare`": schema.Compared,
}
"""Heading -> type of a file's top level."""
MODULES = (schema_distillation, schema_manifest, schema_claims, schema_leaderboard, schema_compare, schema)
WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false", NoneType: "null"}
AROUND_TABLES = Path(__file__).with_suffix(".md")
"""The text before and after the tables."""


def page() -> str:
    """The whole document, as Markdown."""
    documented = {
        node.name: node
        for module in MODULES
        for node in ast.parse(inspect.getsource(module)).body
        if isinstance(node, ast.ClassDef)
    }
    parts: list[str] = []
    shown: set[type] = set()
    for heading, top in FILES.items():
        parts.append(f"## {heading}\n")
        for declared in _reachable(top):
            if declared not in shown:
                shown.add(declared)
                title = "" if declared is top else f"### {declared.__name__}\n\n"
                parts.append(f"{title}{_sentence(documented[declared.__name__])}\n")
                parts.append("\n".join(_table(declared, documented)) + "\n")
    return AROUND_TABLES.read_text(encoding="utf-8").replace("TABLES\n", "\n".join(parts))


def keys(declared: type) -> dict[str, tuple[Any, bool]]:
    """Key -> its type and whether it is required, for a TypedDict including inherited keys."""
    found: dict[str, tuple[Any, bool]] = {}
    for key, kind in get_type_hints(declared, include_extras=True).items():
        optional = get_origin(kind) is NotRequired
        found[key] = (get_args(kind)[0] if optional else kind, not optional)
    return found


def _reachable(top: type) -> Iterator[type]:
    """A TypedDict and the TypedDicts in its keys, each before its own parts."""
    yield top
    for kind, _ in keys(top).values():
        for part in _parts(kind):
            yield from _reachable(part)


def _parts(kind: Any) -> Iterator[type]:
    if is_typeddict(kind):
        yield kind
    for part in get_args(kind):
        if not isinstance(part, str):
            yield from _parts(part)


def _table(declared: type, documented: Mapping[str, ast.ClassDef]) -> Iterator[str]:
    yield "| key | type | meaning |"
    yield "| --- | --- | --- |"
    types = keys(declared)
    for key, meaning in _meanings(documented[declared.__name__], documented).items():
        kind, always = types[key]
        mark = "" if always else " \N{DAGGER}"
        yield f"| `{key}`{mark} | {_words(kind)} | {meaning} |"


def _meanings(node: ast.ClassDef, documented: Mapping[str, ast.ClassDef]) -> dict[str, str]:
    """Key -> the sentence under it; inherited keys first."""
    found: dict[str, str] = {}
    for base in node.bases:
        if isinstance(base, ast.Name) and base.id in documented:
            found |= _meanings(documented[base.id], documented)
    for statement, behind in zip(node.body, node.body[1:], strict=False):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            found[statement.target.id] = " ".join(str(ast.literal_eval(_text(behind))).split())
    return found


def _text(statement: ast.stmt) -> ast.expr:
    """The text under a key; it is required."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return statement.value
    raise ValueError(f"line {statement.lineno}: a key has no sentence under it")


def _sentence(node: ast.ClassDef) -> str:
    return " ".join((ast.get_docstring(node) or "").split())


def _words(kind: Any) -> str:
    """A type in words of JSON, with a link to an object's table."""
    if is_typeddict(kind):
        return f"[{kind.__name__}](#{kind.__name__.lower()})"
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is list:
        return f"list of {_words(arguments[0])}"
    if origin is dict:
        return "object" if arguments[1] is Any else f"object, name to {_words(arguments[1])}"
    if origin is Literal:
        return ", ".join("true" if value is True else f"`{value}`" for value in arguments)
    if origin in (Union, UnionType):
        return " or ".join(_words(part) for part in arguments)
    return WORDS[kind]


if __name__ == "__main__":
    print(page(), end="")
