"""Compares two runs, or logs of any harness, on the items that both have.

Items are paired by the hash of their content or by their harness's id. Runs may have different items: the
intersection is compared, and the number of items left out is reported; an empty intersection is an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from results.analysis import choose_test as methods
from results.analysis.cost import CostModel
from results.analysis.leaderboard import NAMED_CLAIMS
from results.analysis.prices import load_prices
from results.compare.claims import LogComparisons, perplexity_ratio
from results.compare.metrics import Asked, none_shared, shared
from results.compare.pairs import Matched, NoCommonItem, match
from results.compare.sides import OURS, Side, Table, load_side, with_content
from results.errors import ResultsError
from results.records.log import NATS
from results.schema import SCHEMA, Compared, LeftOut
from results.statistics.sequential.plan import Plan

PAIR_NAME = re.compile(r"(?P<side>[AB])(?::(?P<variant>.+))?")


@dataclass(frozen=True)
class Chosen:
    """Two tables to compare, with their sides."""

    first: Side
    second: Side
    task: str
    one: str
    other_task: str
    other: str


@dataclass(frozen=True)
class Outcome:
    """The result of `compare`, with the paired rows."""

    compared: Compared
    matched: tuple[tuple[Matched, Mapping[str, str]], ...]
    """For each pair, its rows and its metrics: name on the first side -> name on the second."""


def compare(
    a: Path,
    b: Path,
    margin: float | None = None,
    prices: Path | None = None,
    *,
    pairs: Sequence[str] = (),
    asked: Asked | None = None,
    allow_other_targets: bool = False,
    exact: bool = False,
) -> Compared:
    """Paired comparison of two run folders, or logs of any harness (files or folders).

    Variants of the same name are compared; if a side has only one variant, it is compared with each of the
    other side. `pairs` names others, two by two: `("A:s2", "B:cot")`. Returns `a`, `b`, `comparisons[]` (as
    in `leaderboard.json`), `read[]`, `left_out[]` with `task, a, b, paired, only_a, only_b` (in rows),
    `methods[]`, `notes[]`. `margin` in points. ResultsError if nothing can be paired.
    """
    asked = asked or Asked(margin)
    return outcome(
        load_side(Path(a)), load_side(Path(b)), asked, prices, pairs, allow_other_targets, exact
    ).compared


def outcome(
    first: Side,
    second: Side,
    asked: Asked,
    prices: Path | None = None,
    pairs: Sequence[str] = (),
    allow_other_targets: bool = False,
    exact: bool = False,
) -> Outcome:
    """`compare` of two loaded sides, with the paired rows."""
    same_size = first.parameters if first.parameters == second.parameters else None
    costs = CostModel(same_size, load_prices(prices) if prices else None)
    used: set[str] = set()
    chosen, notes = choose(first, second, pairs)
    claims = LogComparisons(asked.share_margin(), costs, used, exact, plans=plans(chosen), asked=asked)
    left_out: list[LeftOut] = []
    apart: list[str] = []
    everything: list[tuple[Matched, Mapping[str, str]]] = []
    for each in chosen:
        tables = _tables(each)
        matched = _matched(each, tables, allow_other_targets)
        metrics, about_metrics = shared(*tables, asked)
        if not metrics:
            apart.append(none_shared(*tables))
            continue
        names = labels(each)
        kinds = NAMED_CLAIMS if all(table.has_tokens for table in tables) else NAMED_CLAIMS[:2]
        claims.add_matched(matched, metrics, kinds, names)
        left_out.append({"task": each.task, "a": names[0], "b": names[1], **matched.count})
        notes += [*_counted(left_out[-1]), *matched.notes, *about_metrics]
        everything.append((matched, {name: other for name, (other, _) in metrics.items()}))
    if not claims.scores:
        raise ResultsError("; ".join(dict.fromkeys(apart)) or "no metric has a number on both sides")
    rows = claims.decide()
    for row in rows:
        if row.get("unit") == NATS and row["claim"] == "superior":
            row["sentence"] += f" ({perplexity_ratio(row['difference'])})"
    notes += [f"{text}." for text in dict.fromkeys(apart)]
    notes += _about_sides(first, second)
    return Outcome(
        {
            "schema": SCHEMA,
            "a": first.name,
            "b": second.name,
            "margin": asked.share_margin(),
            "comparisons": rows,
            "read": [
                {"task": task, "a": first.sources[task], "b": second.sources[other]}
                for task, other in dict.fromkeys((each.task, each.other_task) for each in chosen)
            ],
            "left_out": left_out,
            "methods": [row for row in methods.as_rows(used) if row["used"]],
            "notes": list(dict.fromkeys(notes)),
        },
        tuple(everything),
    )


def choose(first: Side, second: Side, pairs: Sequence[str]) -> tuple[list[Chosen], list[str]]:
    """The pairs of tables to compare, and notes. ResultsError if the sides share no task."""
    tasks, notes = _shared_tasks(first, second)
    found: list[Chosen] = []
    for task, other_task in tasks:
        if pairs:
            found += _named(first, second, task, other_task, pairs)
            continue
        ours, theirs = first.variants(task), second.variants(other_task)
        if len(ours) == 1 or len(theirs) == 1:
            both = [(one, other) for one in ours for other in theirs]
        else:
            both = [(variant, variant) for variant in ours if variant in theirs]
        found += [Chosen(first, second, task, one, other_task, other) for one, other in both]
    if not found:
        raise ResultsError(_no_task(first, second))
    return found, notes


def _no_task(first: Side, second: Side) -> str:
    """The message that two sides share no task, with the tasks of each."""
    listed = "; ".join(
        f"{task}: {', '.join(side.variants(task))}" for side in (first, second) for task in side.tasks
    )
    return (
        f"{first.name} and {second.name} share no task with a variant of one name ({listed}): compare runs "
        "of the same tasks, or name a pair, such as A:s2 B:cot"
    )


def plans(chosen: Sequence[Chosen]) -> dict[str, Plan]:
    """The plan of each task with planned looks on a side. ResultsError if two plans differ: there are no
    levels for looks by two plans.
    """
    found: dict[str, Plan] = {}
    for each in chosen:
        ours, theirs = each.first.plans.get(each.task), each.second.plans.get(each.other_task)
        if ours and theirs and ours != theirs:
            raise ResultsError(
                f"task {each.task!r}: {each.first.name} and {each.second.name} have different plans "
                "of looks: compare runs of one plan"
            )
        if plan := ours or theirs:
            found[each.task] = plan
    return found


def _shared_tasks(first: Side, second: Side) -> tuple[list[tuple[str, str]], list[str]]:
    tasks = [(task, task) for task in first.tasks if task in second.tasks]
    if tasks:
        return tasks, _alone(first, second, tasks)
    plain = {_plain(task): task for task in second.tasks}
    tasks = [(task, plain[_plain(task)]) for task in first.tasks if _plain(task) in plain]
    if not tasks and first.harness != second.harness and len(first.tasks) == len(second.tasks) == 1:
        tasks = [(first.tasks[0], second.tasks[0])]
    notes = [f"{task} of the first is compared with {other} of the second." for task, other in tasks]
    return tasks, [*notes, *(_alone(first, second, tasks) if tasks else [])]


def _alone(first: Side, second: Side, tasks: Sequence[tuple[str, str]]) -> list[str]:
    ours, theirs = {task for task, _ in tasks}, {task for _, task in tasks}
    lacking = [task for task in first.tasks if task not in ours], [t for t in second.tasks if t not in theirs]
    return [
        f"Only the {side} has {', '.join(names)}: not compared."
        for side, names in zip(("first", "second"), lacking, strict=True)
        if names
    ]


def _plain(task: str) -> str:
    """A task's name without a harness's prefix or suffix: `s2d_gsm8k`, `lm_eval:gsm8k`, `gsm8k|5`."""
    return re.sub(r"^(s2d_|lm_eval:|[a-z]+\|)|\|\d+(\|\d+)?$", "", task).lower()


def _named(first: Side, second: Side, task: str, other_task: str, pairs: Sequence[str]) -> list[Chosen]:
    """Pairs that the user names. ResultsError if a name is wrong."""
    if len(pairs) % 2:
        raise ResultsError(f"{' '.join(pairs)}: name variants in pairs, such as A:s2 B:cot")
    found = []
    for one, other in zip(pairs[::2], pairs[1::2], strict=True):
        ends = []
        for name in (one, other):
            match = PAIR_NAME.fullmatch(name)
            if match is None:
                raise ResultsError(f"{name!r} is not A:VARIANT or B:VARIANT: write, for example, A:s2 B:cot")
            side, of_task = (first, task) if match["side"] == "A" else (second, other_task)
            known = side.variants(of_task)
            variant = match["variant"] or (known[0] if len(known) == 1 else None)
            if variant not in known:
                raise ResultsError(
                    f"{name!r}: {side.name} has {', '.join(known)} on {of_task}: name one of these"
                )
            ends.append((side, of_task, variant))
        (side_a, task_a, variant_a), (side_b, task_b, variant_b) = ends
        if (side_a is side_b) and variant_a == variant_b:
            raise ResultsError(f"{one} {other} compares {variant_a} with itself: name two variants")
        found.append(Chosen(side_a, side_b, task_a, variant_a, task_b, variant_b))
    return found


def _matched(each: Chosen, tables: tuple[Table, Table], allow_other_targets: bool) -> Matched:
    """Both tables paired. ResultsError if they share no item; if the tasks have only similar names, it says
    that the second side does not have the task."""
    try:
        return match(*tables, allow_other_targets)
    except NoCommonItem as error:
        if _plain(each.task) == _plain(each.other_task):
            raise
        raise ResultsError(_no_task(each.first, each.second)) from error


def _tables(each: Chosen) -> tuple[Table, Table]:
    """Both tables; those of a run get the hashes of their texts if the other side is a log."""
    a, b = each.first.tables[each.task, each.one], each.second.tables[each.other_task, each.other]
    if a.harness != b.harness:
        a, b = (
            with_content(side.run, table) if side.run is not None else table
            for side, table in ((each.first, a), (each.second, b))
        )
    return a, b


def labels(each: Chosen) -> tuple[str, str]:
    """Names of the two tables: run and variant, or the model of a log. A and B distinguish equal names."""
    names = each.first.label(each.one), each.second.label(each.other)
    return (
        names
        if each.first.name != each.second.name or each.first is each.second
        else (f"A {names[0]}", f"B {names[1]}")
    )


def _counted(row: LeftOut) -> list[str]:
    return [
        f"{row['task']}, {row['a']} and {row['b']}: {row['paired']:,} rows paired; left out: "
        f"{row['only_a']:,} of the first only, {row['only_b']:,} of the second only."
    ]


def _about_sides(first: Side, second: Side) -> list[str]:
    notes = [f"{letter}: {note}" for letter, side in (("A", first), ("B", second)) for note in side.notes]
    ours = {table.file.resolve() for table in first.tables.values()}
    theirs = {table.file.resolve() for table in second.tables.values()}
    if ours & theirs and first.run is None:
        notes.append("Both sides read the same file.")
    notes += [side.no_tokens for side in (first, second) if side.no_tokens]
    harnesses = {table.harness for side in (first, second) for table in side.tables.values()}
    if first.tokens and second.tokens and harnesses != {OURS}:
        notes.append(f"Tokens: A's are {first.tokens}; B's are {second.tokens}.")
    return list(dict.fromkeys(notes))
