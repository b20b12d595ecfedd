"""What a task will ask and how it will be scored, shown on one row before any model is loaded.

It prints the prompts of base, of each step of System 2 and of training, with stops and limits, and the round
trip that distillation depends on: an answer is written as a target, read back by the task's rule, and scored.
Placeholders replace a model's replies; nothing is trained, sampled or written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any

from harness.answer_text import turn_marks
from harness.command.command_line import parse_options, run_parser
from harness.command.exit import Course
from harness.limits import token_limit
from harness.lm.asked import NO_ANSWER, system2_text
from harness.lm.chosen import loaded_tasks
from harness.lm.round_trip import RoundTrip, round_trip
from harness.lm.task import TaskData
from harness.options import RunOptions
from harness.programs.base import Method, Running, get_method
from harness.programs.outside import load_files
from harness.types import Completion, Item, Message, user
from harness.variants import parse_variants
from results.schema import step_kind
from tasks.spec import TaskRow

Row = Mapping[str, Any]
ROWS = 8
"""Rows that the round trip is tested on."""
MOST_STEPS = 20
LONGEST = 1_500
"""Characters shown of one turn, at most."""


def check(arguments: list[str], course: Course) -> int:
    """Prints the report of each task that is named. Returns 1 if a round trip fails."""
    parser = run_parser(
        "s2d-bench check TASK ...",
        "Show one row of a task: the prompts of base, of each System 2 step and of training, stops and "
        "limits, and whether a target is read back as the answer that it was made from. Loads no model.",
        "examples:\n"
        "  s2d-bench check lm_eval:triviaqa --data hub\n"
        "  s2d-bench check lm_eval:gsm8k --data ./data --task-config blocks.yaml --models s2:rar_1step\n\n"
        "exit status: 0 the round trip holds, 1 it fails",
    )
    named = list(takewhile(lambda word: not word.startswith("-"), arguments))
    rest = arguments[len(named) :]
    if named:
        rest = [*rest, "--tasks", ",".join(named)]
    options = parse_options(parser, rest)
    if not any(word.split("=")[0] in ("--pretrained", "--config") for word in rest):
        # Without a named model: show what real models are asked.
        options = replace(options, engine="scripted")
    load_files(options.method_path)
    found = []
    for task in loaded_tasks(options):
        lines, facts = report(options, task)
        print("\n".join(lines) + "\n")
        found.append(facts)
    fails = any(not facts["round_trip"] for facts in found)
    course.tell({"status": "fails" if fails else "ok", "tasks": found})
    return 1 if fails else 0


def report(options: RunOptions, task: TaskData) -> tuple[list[str], TaskRow]:
    """Returns lines for people and facts for scripts. `round_trip` says whether it holds; `reason` says why
    it fails, or why nothing can be distilled."""
    row = task.rows("test")[task.indices[0]]
    item = task.item(row)
    lines = [
        f"task {task.name}",
        f"  System 2: {task.spec.s2_method}; primary metric: {task.spec.primary.name}; "
        f"{len(task.indices)} scored rows",
        *_rule_lines(task),
        *_base(options, task, item),
    ]
    for name in _methods(options, task):
        lines += _system2(options, task, item, get_method(name))
    made = [(each, round_trip(task, each)) for each in _spread(task)]
    trips = [(each, trip) for each, trip in made if trip is not None]
    lines += _training(options, task)
    lines += _trip_lines([trip for _, trip in trips])
    lines += _reasoned(task, trips)
    held = bool(trips) and sum(trip.held for _, trip in trips) * 2 >= len(trips)
    reason = task.spec.undistillable
    if reason is None and not held:
        reason = "An answer that is written as a target is not read back as that answer and scored as right."
    facts = {
        "task": task.name,
        "s2_method": task.spec.s2_method,
        "round_trip": reason is None,
        "distillable": reason is None and task.undistillable is None,
        "reason": reason or task.undistillable,
    }
    lines.append("round trip: holds" if reason is None else f"round trip: fails. {reason}")
    if reason is None and task.undistillable:
        lines.append(f"not distilled: {task.undistillable}")
    return lines, facts


def _spread(task: TaskData) -> list[TaskRow]:
    rows = task.rows("test")
    step = max(1, len(task.indices) // ROWS)
    return [rows[index] for index in task.indices[::step][:ROWS]]


def _methods(options: RunOptions, task: TaskData) -> list[str]:
    named = [
        each.method_for(task.spec.s2_method) for each in parse_variants(options.models) if each.kind == "s2"
    ]
    return list(dict.fromkeys(named or [task.spec.s2_method]))


def _rule_lines(task: TaskData) -> Iterator[str]:
    if task.foreign is None:
        return
    rule = task.foreign.rule
    how = "extracts the answer" if rule.extracts else "extracts nothing: the answer follows a mark"
    yield f"  filter {rule.reader.name} {how}; the mark is {rule.mark.pattern!r}"
    yield f"  scored part of a text: {'what follows the mark' if rule.behind else 'all of it'}"
    yield f"  training rows: {task.foreign.training.label or 'none'} ({len(task.rows('train'))})"
    for note in task.notes:
        yield f"  note: {note}"


def _base(options: RunOptions, task: TaskData, item: Item) -> list[str]:
    limit = token_limit(task.spec, "direct", options.sampling)
    head = f"base, direct: at most {limit} tokens, stops {list(task.stops)}"
    return [head, *_shown([*task.history(item.fields), user(item.prompt)])]


def _system2(options: RunOptions, task: TaskData, item: Item, method: Method) -> list[str]:
    lines = []
    settings = task.spec.method_options.get(method.options_name, {})
    running = Running(
        method.start(item, settings, lambda text: task.spec.vote_of(text, item.fields)), method.name
    )
    asked = 0
    while running.asks and asked < MOST_STEPS:
        asks = running.asks
        for ask in asks:
            asked += 1
            kind = step_kind(ask.step)
            limit = ask.max_tokens or token_limit(task.spec, kind, options.sampling)
            stops = [*turn_marks(task.stops), *ask.stop]
            turns = () if kind in method.without_turns else task.history(item.fields)
            lines.append(f"s2 {method.name}, {ask.step}: at most {limit} tokens, stops {stops}")
            lines += _shown([*turns, *ask.messages])
        running.send([Completion(f"<reply to {ask.step}>", "stop", 0, 0) for ask in asks])
    lines.append(f"  after the answer, its text is cut at {list(task.stops)}")
    return lines


def _training(options: RunOptions, task: TaskData) -> list[str]:
    rows = task.rows("train")
    if not rows:
        return ["training: no rows"]
    item = task.item(rows[0])
    trip = round_trip(task, rows[0])
    target = task.spec.target(trip.answer if trip else "...")
    return [
        "training: base's prompt on a training row, and the target for the answer that System 2 agrees on",
        *_shown([*task.history(rows[0]), user(item.prompt)]),
        f"  target    | {target}",
    ]


def _trip_lines(trips: Sequence[RoundTrip]) -> Iterator[str]:
    if not trips:
        yield "no row has an answer for the round trip"
        return
    trip = next((each for each in trips if each.held), trips[0])
    yield (
        f"answer {trip.answer!r} -> target {trip.target!r} -> read as {trip.read!r} -> score "
        f"{'only over all items' if trip.score is None else f'{trip.score:g}'}"
    )
    if len(trips) > 1:
        yield f"the round trip holds on {sum(each.held for each in trips)} of {len(trips)} rows tried"


def _reasoned(task: TaskData, trips: Sequence[tuple[Row, RoundTrip]]) -> Iterator[str]:
    """Shows what is read from a System 2 text that gives the right answer after others."""
    held = next((pair for pair in trips if pair[1].held), None)
    if task.foreign is None or held is None:
        return
    rule = task.foreign.rule
    row, trip = held
    text, _ = rule.finish(system2_text(rule, trip.answer, trip.answer, NO_ANSWER), row)
    yield f"System 2 that ends with it -> read as {rule.read(text, row)!r} from {text[-60:]!r}"


def _shown(messages: Sequence[Message]) -> Iterator[str]:
    for message in messages:
        text = message["content"]
        if len(text) > LONGEST:
            half = LONGEST // 2
            text = f"{text[:half]} [... {len(text) - LONGEST:,} characters ...] {text[-half:]}"
        for number_of_line, line in enumerate(text.splitlines() or [""]):
            yield f"  {message['role'] if number_of_line == 0 else '':9} | {line}"
