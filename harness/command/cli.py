"""The command `s2d-bench`: reads options, prints a card for people and one JSON line for scripts.

Heavy modules are imported inside the function that needs them, so `--help` starts at once.
"""

from __future__ import annotations

import re
import shlex
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from harness.command.command_line import LineParser, parse_options, path_argument, run_parser
from harness.command.exit import Course, guarded
from harness.command.libraries import quiet
from harness.errors import UserError, one_line
from harness.option_checks import refuse_typed_keys
from harness.options import RunOptions
from results.schema import Distillation, RunKind

EXAMPLES = """examples:
  s2d-bench --models base,s2,distilled
      the embedded model on embedded data: minutes, no GPU, no hub, no key
  s2d-bench --models base,s2,distilled --pretrained Qwen/Qwen2.5-7B-Instruct --tasks gsm8k,coin_flip
      a hub model on hub data
  s2d-bench --models base,s2:cot,tuned=./my-adapter --tasks gsm8k --data ./data --limit 200
      another method, your own adapter, data from a folder

exit status: 0 success, also with status partly; 1 failed; 2 bad input; 128 + N stopped by signal N.
The last line on standard output is JSON for scripts, if that is not a terminal or with --json.

other commands (each has --help):
  distill   make checkpoints only          report RUN         tables again, no model
  compare   two runs, item by item         gate RUN           exit 0 holds, 1 fails, 3 cannot tell
  ls        tasks, methods, variants       doctor             what is installed, what is missing
  check TASK  its prompts, stops, limits and round trip of an answer, on one row
  prices    check a price file, or print one    cache ls|rm        what is kept on this machine
"""

COMMANDS = ("distill", "report", "compare", "gate", "ls", "doctor", "check", "prices", "cache")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point. Exit status: 0 success, 1 failed run, 2 bad input, 3 gate cannot tell; 129, 130, 138, 143
    stopped by SIGHUP, SIGINT, SIGUSR1, SIGTERM."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    quiet()
    return guarded(lambda course: _checked(arguments, course))


def _checked(arguments: list[str], course: Course) -> int:
    try:
        return _dispatch(arguments, course)
    except Exception as error:
        from results.errors import ResultsError
        from tasks.errors import TaskError

        if isinstance(error, ResultsError | TaskError):
            raise UserError(str(error)) from error
        raise


def _dispatch(arguments: list[str], course: Course) -> int:
    refuse_typed_keys(arguments)
    course.json = "--json" in arguments  # before any parser, so that scripts get its errors too
    arguments = [word for word in arguments if word != "--json"]
    handlers = {
        "run": _run,
        "distill": _distill,
        "report": _report,
        "compare": _compare,
        "gate": _gate,
        "ls": _ls,
        "doctor": _doctor,
        "check": _check,
        "prices": _prices,
        "cache": _cache,
    }
    named = arguments[0] if arguments and arguments[0] in COMMANDS else None
    return handlers[named or "run"](arguments[1:] if named else arguments, course)


def _run(arguments: list[str], course: Course) -> int:
    parser = run_parser(
        "s2d-bench",
        "Was it worth distilling System 2 into System 1? Scores base, System 2 and distilled variants of a "
        "model side by side, with every token counted.",
        EXAMPLES,
    )
    options = parse_options(parser, arguments)
    course.fresh = options.fresh
    if options.prices:
        from results.analysis.prices import load_prices

        load_prices(Path(options.prices))  # check now, not after hours
    if options.dry_run:
        return _dry_run(options, "run", course)
    from harness.command.again import run_or_show

    course.writing = True
    folder, records = run_or_show(options, shlex.join(["s2d-bench", *arguments]))
    _push(records, options.push_to_hub)
    prices = Path(options.prices) if options.prices else None
    return _show(folder, options.margin, prices, course, options.interval, "--verbose" in arguments)


def _dry_run(options: RunOptions, kind: RunKind, course: Course) -> int:
    """Prints what the command would cost: a table, and the line for scripts."""
    from harness.command.forecast_text import as_json, table
    from harness.command.run import dry_run

    found = dry_run(options, kind)
    print(table(found))
    course.tell(as_json(found))
    return 0


def _show(
    folder: Path,
    margin: float | None,
    prices: Path | None,
    course: Course,
    interval: str | None = None,
    verbose: bool = False,
    paper: bool = False,
) -> int:
    """Writes the tables of a finished run, prints the card and the JSON line."""
    from harness.command.screen import colored, width
    from harness.folder import sweep
    from results.analysis.lacking import lacking
    from results.analysis.leaderboard import build
    from results.hardware import time_text
    from results.publish import publish
    from results.records.manifest import read_manifest
    from results.tables.render import terminal

    leaderboard = build(folder, margin, prices, interval=interval)
    course.writing = True
    sweep(folder)  # a kill while tables were written
    page = publish(folder, leaderboard, paper)
    print(terminal(leaderboard, width(), verbose, colored()))
    manifest = read_manifest(folder)
    if measured := time_text(manifest, width()):
        print(f"{measured}\n")
    print(one_line(f"page: {page}"))
    why = lacking(manifest, leaderboard)
    course.tell(
        {
            "status": "partly" if why else "ok",
            "run": str(folder),
            "leaderboard": str(folder / "leaderboard.json"),
            "n_rows": len(leaderboard["rows"]),
            **({"why": why} if why else {}),
        }
    )
    return 0


def _distill(arguments: list[str], course: Course) -> int:
    from distill.training.settings import settings_help

    parser = run_parser(
        "s2d-bench distill",
        "Make the distilled checkpoints of a model and its tasks, without evaluation.",
        "examples:\n"
        "  s2d-bench distill --pretrained smollm2 --tasks coin_flip --samples 8\n"
        "  s2d-bench distill --pretrained meta-llama/Llama-2-70b-chat-hf --preset paper --tasks trivia_bias\n"
        "  s2d-bench distill --tasks gsm8k --filter majority:0.7 --train-args epochs=2,rank=32 --seeds 3\n\n"
        f"training settings (--train-args):\n{textwrap.indent(settings_help(), '  ')}",
    )
    options = parse_options(parser, arguments)
    course.fresh, course.writing = options.fresh, True
    if options.dry_run:
        return _dry_run(options, "distill", course)
    from harness.command.run import distill

    folder, records = distill(options, shlex.join(["s2d-bench", "distill", *arguments]))
    for record in records:
        kept = f"{record['kept']} of {record['inputs']} inputs kept"
        print(one_line(f"{record['task']}: {kept}, {record['checkpoint'] or 'not distilled (too few)'}"))
    pushed = _push(records, options.push_to_hub)
    made = [record["checkpoint"] for record in records]
    status = "ok" if all(made) else "partly"
    course.tell({"status": status, "run": str(folder), "checkpoints": made, "pushed": pushed})
    return 0


def _push(records: Sequence[Distillation], prefix: str | None) -> list[str]:
    """Uploads checkpoints as `PREFIX-TASK`, each folder once; returns the addresses."""
    if prefix is None:
        return []
    from distill.papers.push import push

    pushed: dict[str, str] = {}
    for record in records:
        folder = record["checkpoint"]
        if folder and folder not in pushed:
            kind = re.sub(r"[^\w.-]", "-", str(record["variant"]).removeprefix("distilled"))
            task = "" if kind.startswith("-all") else f"-{record['task']}"
            pushed[folder] = push(Path(folder), f"{prefix}{kind}{task}".replace("_", "-"))
            print(one_line(f"uploaded: {pushed[folder]}"))
    return list(pushed.values())


def _report(arguments: list[str], course: Course) -> int:
    parser = LineParser(
        prog="s2d-bench report",
        description="Write tables and page again from the records of a run; no model is loaded.",
    )
    parser.add_argument("run", type=path_argument, help="run folder")
    parser.add_argument("--margin", type=float, help="non-inferiority margin in points")
    parser.add_argument("--prices", type=path_argument, help="dated prices (YAML)")
    parser.add_argument(
        "--interval", metavar="NAME", help="for graded and clustered differences, as for a run"
    )
    parser.add_argument("--paper", action="store_true", help="show the figures of the paper beside the run")
    parser.add_argument(
        "--verbose", action="store_true", help="secondary metrics, tokens by kind, full legends, methods too"
    )
    parser.add_argument(
        "--variants", metavar="V,...", default="", help="only these, such as base,s2; writes into RUN/views"
    )
    parser.add_argument("--tasks", metavar="T,...", default="", help="only these")
    parser.add_argument(
        "--limit", type=int, metavar="N", help="only N questions per task, those of a run with --limit N"
    )
    parser.add_argument(
        "--share",
        type=path_argument,
        metavar="FOLDER",
        help="write a copy to publish: without texts of the data set, paths and addresses of this machine",
    )
    given = parser.parse_args(arguments)
    from results.records.share import share
    from results.records.view import Part, write_view

    part = Part(_names(given.variants), _names(given.tasks), given.limit)
    if part:
        given.run = write_view(given.run, part)
    if given.share:
        given.run = share(given.run, given.share)
    if given.paper:
        from results.analysis.leaderboard import build
        from results.paper import beside, render

        print(render(beside(build(given.run, given.margin, given.prices, interval=given.interval))))
    return _show(given.run, given.margin, given.prices, course, given.interval, given.verbose, given.paper)


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _compare(arguments: list[str], course: Course) -> int:
    from harness.command.compare import compare

    return compare(arguments, course)


def _gate(arguments: list[str], course: Course) -> int:
    from harness.command.compare import gate

    return gate(arguments, course)


def _ls(arguments: list[str], course: Course) -> int:
    from harness.command.listings import ls

    return ls(arguments, course)


def _check(arguments: list[str], course: Course) -> int:
    from harness.command.check import check

    return check(arguments, course)


def _doctor(arguments: list[str], course: Course) -> int:
    from harness.command.machine import doctor

    return doctor(arguments, course)


def _prices(arguments: list[str], course: Course) -> int:
    from harness.command.machine import prices

    return prices(arguments, course)


def _cache(arguments: list[str], course: Course) -> int:
    from harness.command.machine import cache

    return cache(arguments, course)


if __name__ == "__main__":
    sys.exit(main())
