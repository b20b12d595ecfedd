"""How a run grows: a later command on the same folder may ask for more, and never takes anything away.

More items, tasks, variants and seeds are joined with those that the run has: their calls are in the store, so
only what is new is asked. What the command leaves out stays in the run; `report RUN --limit N` shows less.
Every other option that changes calls or training has to stay, so another value of it is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.options import ONLY_HOW, RunOptions
from harness.programs.outside import load_files
from harness.types import Settings
from harness.variants import Variant, parse_variants, variant_names, variant_texts, with_teacher_typed
from results.schema import JsonObject


def _union(before: Sequence[str], now: Sequence[str]) -> tuple[str, ...]:
    """Returns the names of both, in the order of `now` if that has all of them."""
    return tuple(now) if set(before) <= set(now) else tuple(dict.fromkeys([*before, *now]))


def _more(before: int | None, now: int | None) -> int | None:
    """Returns the larger number; None means all."""
    return None if before is None or now is None else max(before, now)


_GROW: Mapping[str, Callable[[Any, Any], Any]] = {
    "limit": _more,
    "seeds": max,
    "noise_floor": lambda before, now: before or now,
    "tasks": _union,
    "include_path": _union,
    "method_path": _union,
    # This file may be added with the first task that needs one.
    "task_config": lambda before, now: now or before,
}
GROWS = frozenset({*_GROW, "models"})
"""Options whose values may grow."""

OTHER_BATCHES = frozenset({"limit", "tasks"})
"""Options that, when they grow, change which prompts share a batch."""


def joined(path: Path, held: Settings, now: RunOptions) -> RunOptions:
    """Returns `now` joined with `held`, the options of the run in `path`. UserError, with both values, if
    they cannot be joined."""
    values = now.as_dict()
    # An earlier version may lack some of them.
    before = RunOptions.from_dict({name: held.get(name, value) for name, value in values.items()})
    same = now.compared()
    for name, value in before.compared().items():
        if name not in GROWS and value != same[name]:
            raise _refusal(path, name, before.as_dict()[name], values[name])
    if before.task_config and now.task_config not in (None, before.task_config):
        raise _refusal(path, "task_config", before.task_config, now.task_config)
    if before.until_decided:  # its looks were planned for these claims and this number of items
        for name in sorted(GROWS):
            if before.as_dict()[name] != values[name] and not (name == "limit" and _is_larger(before, now)):
                raise _refusal(
                    path, name, before.as_dict()[name], values[name], ", and its looks are planned"
                )
    more = {name: grow(getattr(before, name), getattr(now, name)) for name, grow in _GROW.items()}
    load_files(more["method_path"])
    return replace(now, **more, models=_models(path, before.models, now.models))


def _is_larger(before: RunOptions, now: RunOptions) -> bool:
    return before.limit is not None and (now.limit is None or now.limit > before.limit)


def require_error_left(path: Path, manifest: Mapping[str, Any], now: RunOptions) -> None:
    """UserError if a larger `--limit` cannot help a run with planned looks: they are not over, or no claim
    has error left to spend."""
    held = manifest.get("options", {}).get("limit")
    if not now.until_decided or held == now.limit:
        return
    tasks = (manifest.get("looks") or {}).get("tasks", {})
    if manifest.get("status") != "finished":
        raise UserError(
            f"{path} asks its items in planned looks, which are not over: finish it with --limit {held} "
            "first; a larger one is a new plan"
        )
    ended = {name: entry.get("ended") for name, entry in tasks.items()}
    if "given up" not in ended.values():
        listed = ", ".join(f"{name}: {why}" for name, why in ended.items())
        raise UserError(
            f"{path}: more items cannot change its claims ({listed}): decided claims stay decided, and at "
            "its planned end a claim has spent its error; name another --output for a new plan"
        )


def added(held: Settings, now: Settings) -> JsonObject:
    """Returns what the options `now` add to a run with the options `held`, and other ways to do its work:
    option -> `[before, after]`."""
    grown = (name for name in sorted({*GROWS, *ONLY_HOW}) if name in held and held[name] != now[name])
    return {name: [held[name], now[name]] for name in grown}


def kept_beyond(now: RunOptions, whole: RunOptions) -> list[str]:
    """Returns the options in which `now` asks for less than the run has, as they are typed."""
    names = ["limit", "tasks", "models", "seeds"]
    if set(variant_names(now.models)) == set(variant_names(whole.models)):
        names.remove("models")  # a text that only names a teacher is not less
    pairs = [(name, getattr(now, name), getattr(whole, name)) for name in names]
    return [
        f"--{name} {_typed(value)} (the run has {'all' if has is None else _typed(has)})"
        for name, value, has in pairs
        if value != has
    ]


def _refusal(path: Path, name: str, before: Any, now: Any, why: str = "") -> UserError:
    return UserError(
        f"{path} was begun with --{name.replace('_', '-')} {_typed(before)}, now it is {_typed(now)}"
        f"{why}: repeat the options of the run, or name another --output"
    )


def _typed(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _models(path: Path, before: str, now: str) -> str:
    """Returns both values of `--models` joined. A distilled variant keeps the teacher that it had: where a
    second System 2 would make that unclear, its text names the row."""
    held = _by_name(before)
    kept = {
        name: with_teacher_typed(text, held[name])
        for name, text in zip(held, variant_texts(before), strict=True)
    }
    try:
        asked = _by_name(now)
    except UserError:
        texts = zip(variant_names(now), variant_texts(now), strict=True)
        now = ",".join(kept.get(name, text) if text == name else text for name, text in texts)
        asked = _by_name(now)
    for name in held.keys() & asked.keys():
        if held[name] != asked[name]:
            raise _refusal(path, "models", before, now, f", and {name} would be two different variants")
    if held.keys() <= asked.keys():
        return now
    new = {name: text for name, text in zip(asked, variant_texts(now), strict=True) if name not in held}
    named = [*kept.values(), *(with_teacher_typed(text, asked[name]) for name, text in new.items())]
    why = ""
    for whole in (",".join([*variant_texts(before), *new.values()]), ",".join(named)):
        try:
            found = _by_name(whole)
        except UserError as error:
            why = f" ({error})"
            continue
        if all(found[name] == variant for name, variant in {**held, **asked}.items()):
            return whole
    raise _refusal(path, "models", before, now, f", and one run cannot have both{why}")


def _by_name(models: str) -> dict[str, Variant]:
    return {variant.name: variant for variant in parse_variants(models)}
