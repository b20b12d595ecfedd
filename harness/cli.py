"""The command `s2d-bench`: options in, a card for people and one JSON line for scripts out.

It is the one file of `harness` that looks up at `distill` and across at `results`. Everything heavy is
imported inside the function that needs it, so `--help` starts at once.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from harness.errors import RunError, UserError
from harness.options import RunOptions, key_values

EXAMPLES = """examples:
  s2d-bench --models base,s2,distilled
      the small model that comes without a hub, on embedded data
  s2d-bench --models base,s2,distilled --pretrained Qwen/Qwen2.5-7B-Instruct --tasks gsm8k,coin_flip
      a hub model on hub data
  s2d-bench --models base,s2:cot,tuned=./my-adapter --tasks gsm8k --data ./data --limit 200
      another method, your own adapter, data from a folder

other commands (each has --help):
  distill   make checkpoints only          report RUN         tables again, no model
  compare   two runs, item by item         gate RUN           exit 0 holds, 1 fails, 3 cannot tell
  ls        tasks, methods, variants       doctor             what is installed, what is missing
"""

COMMANDS = ("distill", "report", "compare", "gate", "ls", "doctor")


class _Parser(argparse.ArgumentParser):
    """One line on standard error and exit 2, without the usage text."""

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {message} (see {self.prog} --help)", file=sys.stderr)
        sys.exit(2)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point. Exit status: 0 well, 1 failed run, 2 bad input, 3 gate cannot tell, 130/143 stopped."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    signal.signal(signal.SIGTERM, _terminated)
    # Threads that wait by spinning slow a shared machine tenfold; it must be set before torch loads.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    command = arguments[0] if arguments and arguments[0] in COMMANDS else "run"
    try:
        return _dispatch(command, arguments if command == "run" else arguments[1:])
    except UserError as error:
        return _fail(str(error), 2)
    except RunError as error:
        return _fail(str(error), 1)
    except KeyboardInterrupt:
        return _fail("stopped; the same command continues where this one ended", 130)
    except Exception as error:
        from results.errors import ResultsError
        from tasks.errors import TaskError

        if isinstance(error, ResultsError | TaskError):
            return _fail(str(error), 2)
        if os.environ.get("S2D_DEBUG"):
            raise
        return _fail(
            f"unexpected {type(error).__name__}: {error} (S2D_DEBUG=1 shows where; what was finished is kept)", 1
        )


def _fail(message: str, status: int) -> int:
    line = " ".join(message.split())
    print(f"s2d-bench: {line}", file=sys.stderr)
    print(json.dumps({"status": {1: "failed", 2: "bad_input"}.get(status, "stopped"), "error": line}))
    return status


def _terminated(signum: int, frame: object) -> None:
    print("s2d-bench: stopped; the same command continues where this one ended", file=sys.stderr)
    sys.exit(143)


def _dispatch(command: str, arguments: list[str]) -> int:
    handlers = {
        "run": _run,
        "distill": _distill,
        "report": _report,
        "compare": _compare,
        "gate": _gate,
        "ls": _ls,
        "doctor": _doctor,
    }
    return handlers[command](arguments)


def run_parser(prog: str, description: str, epilog: str) -> argparse.ArgumentParser:
    """Options of a run; `distill` takes the same."""
    parser = _Parser(prog=prog, description=description, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    add = parser.add_argument
    add("--models", help="variants, comma separated: base, s2, s2:METHOD, distilled, NAME=PATH_OR_ID[@revision][:method] (default: base,s2,distilled)")  # fmt: skip
    add("--pretrained", help="hub id, folder, GGUF file, or smollm2 (default: smollm2)")
    add("--engine", help="hf or scripted (default: hf)")
    add("--engine-args", metavar="K=V,...", help="settings of the engine, such as batch_rows=32")
    add("--tasks", help="comma separated: last_letter, coin_flip, trivia_bias, judge, gsm8k, or your own (default: all five)")  # fmt: skip
    add("--include-path", action="append", metavar="DIR", help="folder with your own lm-eval tasks; may be repeated")  # fmt: skip
    add("--data", help="embedded, hub, or a folder (default: embedded with smollm2, else hub)")
    add("--limit", type=int, metavar="N", help="questions (clusters) per task, drawn by content hash")
    add("--seed", type=int, help="seed of sampling and training (default: 0)")
    add("--seeds", type=int, metavar="N", help="repeat sampling and training over N seeds (default: 1)")
    add("--output", metavar="DIR", help="run folder; an existing one is resumed (default: runs/TIME-NAME, or the newest unfinished run with the same options)")  # fmt: skip
    add("--fresh", action="store_true", help="start anew instead of continuing an unfinished run")
    add("--dry-run", action="store_true", help="say what the run will cost, and stop")
    add("--sampling", metavar="K=V,...", help="temperature, top_p, top_k, max_tokens; teacher_temperature, ... for the teacher")  # fmt: skip
    add("--task-args", metavar="K=V,...", help="handed to the tasks, such as difficulty=3")
    add("--dtype", help="auto, float32, bfloat16, float16 (default: auto)")
    add("--revision", help="hub revision of --pretrained")
    add("--trust-remote-code", action="store_true", help="let a hub model run its own code; stamped in the manifest")  # fmt: skip
    add("--distill-inputs", type=int, metavar="N", help="unlabeled inputs per task (default: at most 1000)")
    add("--samples", type=int, metavar="K", help="teacher samples per input (default: the task's)")
    add("--train-args", metavar="K=V,...", help="epochs, learning_rate, batch, rank, alpha, dropout, warmup, weight_decay")  # fmt: skip
    add("--margin", type=float, metavar="POINTS", help="non-inferiority margin (default: 5)")
    add("--prices", metavar="FILE", help="dated prices in dollars per million tokens (YAML)")
    add("--allow-overlap", action="store_true", help="train on inputs that overlap test items; stamped in every table")  # fmt: skip
    add("--config", metavar="FILE", help="the same options from YAML; each run writes its own config.yaml")
    return parser


def parse_options(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> RunOptions:
    """Options from the command line over those of --config over the defaults. UserError for bad ones."""
    given = {name: value for name, value in vars(parser.parse_args(list(arguments))).items() if value}
    seed = parser.parse_args(list(arguments)).seed
    values: dict[str, Any] = {}
    if config := given.pop("config", None):
        values = _read_config(Path(config))
    for name, value in given.items():
        if name in {"engine_args", "sampling", "task_args", "train_args"}:
            values[name] = key_values(value, "--" + name.replace("_", "-"))
        elif name == "tasks":
            values[name] = tuple(part.strip() for part in value.split(",") if part.strip())
        else:
            values[name] = tuple(value) if isinstance(value, list) else value
    if seed is not None:
        values["seed"] = seed
    for name in ("limit", "seeds", "distill_inputs", "samples", "margin"):
        explicit = getattr(parser.parse_args(list(arguments)), name)
        if explicit is not None:
            values[name] = explicit
    options = RunOptions.from_dict(values)
    if "data" not in values and options.engine != "scripted" and options.pretrained != "smollm2":
        options = RunOptions.from_dict({**values, "data": "hub"})
    return options


def _read_config(path: Path) -> dict[str, Any]:
    import yaml

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"--config {path}: {error.strerror}; name a YAML file of options") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"--config {path} is not YAML ({' '.join(str(error).split())})") from error
    if not isinstance(values, dict):
        raise UserError(f"--config {path}: write one `option: value` a line")
    return {str(name).replace("-", "_"): value for name, value in values.items() if value is not None}


def _run(arguments: list[str]) -> int:
    parser = run_parser(
        "s2d-bench",
        "Was it worth distilling System 2 into System 1? Scores base, System 2 and distilled variants of a "
        "model side by side, with every token counted.",
        EXAMPLES,
    )
    options = parse_options(parser, arguments)
    from distill.pipeline import find_or_make
    from harness.run import run

    folder = run(options, shlex.join(["s2d-bench", *arguments]), find_or_make)
    if options.dry_run:
        print(json.dumps({"status": "dry_run"}))
        return 0
    return _show(folder, options.margin, Path(options.prices) if options.prices else None)


def _show(folder: Path, margin: float | None, prices: Path | None) -> int:
    """Tables of a finished run: files, the card, the JSON line."""
    from results.leaderboard import build
    from results.page import write_page
    from results.tables import terminal
    from results.write import write_all

    leaderboard = build(folder, margin, prices)
    write_all(folder, leaderboard)
    page = write_page(folder, leaderboard)
    print(terminal(leaderboard))
    print(f"page: {page}")
    summary = {
        "status": "ok",
        "run": str(folder),
        "leaderboard": str(folder / "leaderboard.json"),
        "n_rows": len(leaderboard["rows"]),
    }
    print(json.dumps(summary))
    return 0


def _distill(arguments: list[str]) -> int:
    parser = run_parser(
        "s2d-bench distill",
        "Make the distilled checkpoints of a model and its tasks, and evaluate nothing.",
        "example:\n  s2d-bench distill --pretrained smollm2 --tasks coin_flip --distill-inputs 200 --samples 8",
    )
    options = parse_options(parser, arguments)
    from distill.pipeline import find_or_make
    from harness.run import make_checkpoints

    folder, records = make_checkpoints(options, shlex.join(["s2d-bench", "distill", *arguments]), find_or_make)
    for record in records:
        kept = f"{record['kept']} of {record['inputs']} inputs kept"
        print(f"{record['task']}: {kept}, {record['checkpoint'] or 'not distilled (too few)'}")
    print(json.dumps({"status": "ok", "run": str(folder), "checkpoints": [r["checkpoint"] for r in records]}))
    return 0


def _report(arguments: list[str]) -> int:
    parser = _Parser(prog="s2d-bench report", description="Tables and page again from the records of a run; no model is loaded.")  # fmt: skip
    parser.add_argument("run", type=Path, help="run folder")
    parser.add_argument("--margin", type=float, help="non-inferiority margin in points")
    parser.add_argument("--prices", type=Path, help="dated prices (YAML)")
    parser.add_argument("--paper", action="store_true", help="lay the figures of the paper beside the run")
    given = parser.parse_args(arguments)
    status = 0
    if given.paper:
        from results.leaderboard import build
        from results.paper import beside, render

        print(render(beside(build(given.run, given.margin, given.prices))))
    status = _show(given.run, given.margin, given.prices)
    return status


def _compare(arguments: list[str]) -> int:
    parser = _Parser(prog="s2d-bench compare", description="Two runs over the items that both have, paired item by item; also reads samples_*.jsonl of lm-eval.")  # fmt: skip
    parser.add_argument("run_a", type=Path)
    parser.add_argument("run_b", type=Path)
    parser.add_argument("--margin", type=float, default=None, help="non-inferiority margin in points")
    given = parser.parse_args(arguments)
    from results.compare import compare, render

    outcome = compare(given.run_a, given.run_b, margin=given.margin)
    print(render(outcome))
    print(json.dumps({"status": "ok", **outcome}))
    return 0


def _gate(arguments: list[str]) -> int:
    parser = _Parser(prog="s2d-bench gate", description="Check a run against a policy: exit 0 holds, 1 fails, 3 cannot tell.")  # fmt: skip
    parser.add_argument("run", type=Path)
    parser.add_argument("--policy", type=Path, required=True, help="file with one rule a line")
    given = parser.parse_args(arguments)
    from results.gate import check

    outcome = check(given.run, given.policy)
    for line in outcome.lines:
        print(line)
    print(json.dumps({"status": outcome.status}))
    return int(outcome.exit_code)


def _ls(arguments: list[str]) -> int:
    parser = _Parser(prog="s2d-bench ls", description="What there is to choose from.")
    parser.add_argument("what", choices=("tasks", "methods", "variants"))
    given = parser.parse_args(arguments)
    from tabulate import tabulate

    if given.what == "tasks":
        from tasks import registry

        rows = [
            (name, registry.lm_eval_name(name), registry.spec(name).s2_method, registry.spec(name).primary.name)
            for name in registry.MODULES
        ]
        print(tabulate(rows, ["task", "lm-eval name", "System 2", "primary metric"]))
    elif given.what == "methods":
        from harness.programs.base import methods

        print(tabulate([(m.name, " -> ".join(m.steps), m.description) for m in methods()], ["method", "steps", "what it does"], maxcolwidths=[None, 24, 52]))  # fmt: skip
    else:
        from harness.variants import KNOWN

        print(tabulate(list(KNOWN.items()), ["variant", "what it is"]))
    return 0


def _doctor(arguments: list[str]) -> int:
    parser = _Parser(prog="s2d-bench doctor", description="What is installed, and the command that adds what is missing.")  # fmt: skip
    parser.parse_args(arguments)
    from harness.doctor import examine

    lines, fine = examine()
    for line in lines:
        print(line)
    print(json.dumps({"status": "ok" if fine else "incomplete"}))
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
