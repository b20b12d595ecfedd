"""The options of a run on the command line: one table, read into `RunOptions`.

This file reads arguments and YAML; what an option does is defined where it is used.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from distill.teacher.filter_kinds import asked_for
from harness.engines import KINDS
from harness.errors import UserError
from harness.option_checks import check_text, refuse_keys_in_yaml
from harness.options import BUNDLED, RunOptions, key_values
from harness.recipes import RECIPES
from harness.types import Settings
from tasks import registry

VALUE_OPTIONS: tuple[tuple[str, str, str], ...] = (
    (
        "models",
        "V,...",
        f"base, s2, s2:METHOD, {', '.join(RECIPES)}, distilled:METHOD, "
        "NAME=PATH_OR_ID[@revision][:method] (default: base,s2,distilled)",
    ),
    ("pretrained", "MODEL", "hub id, folder, GGUF file, smollm2, or tiny (default: tiny)"),
    (
        "engine",
        "NAME",
        "; ".join(f"{kind.name}: {kind.description}" for kind in KINDS.values()) + " (default: hf)",
    ),
    ("base-url", "URL", "address of the server for --engine openai, such as http://localhost:8000/v1"),
    (
        "tasks",
        "T,...",
        f"{', '.join(registry.families())} (default: all of them), lm_eval:NAME for a task of lm-eval's, or "
        "your own",
    ),
    ("task-config", "FILE", "settings that lm-eval tasks lack: method, target, train_from, ... (YAML)"),
    ("data", "SOURCE", "embedded, hub, or a folder (default: embedded with tiny and smollm2, else hub)"),
    (
        "output",
        "DIR",
        "run folder; an existing run continues, and may get more items, tasks, variants and seeds (default: "
        "runs/TIME-NAME)",
    ),
    ("dtype", "TYPE", "auto, float32, bfloat16, float16 (default: auto)"),
    ("revision", "REV", "hub revision of --pretrained"),
    ("thought-marks", "OPEN,CLOSE", "marks around the thoughts of a model that has its own"),
    ("preset", "NAME", "paper: its samples, sizes, filters and training settings"),
    (
        "filter",
        "NAME[:SHARE]",
        f"filter for teacher answers: {', '.join(asked_for())}; SHARE of samples that a majority must exceed",
    ),
    ("push-to-hub", "USER/NAME", "upload each new checkpoint as USER/NAME-TASK, private"),
    (
        "spending",
        "NAME",
        "with --until-decided: how the error is distributed over the looks, obrien-fleming or pocock "
        "(default: obrien-fleming)",
    ),
    (
        "interval",
        "NAME",
        "interval for graded and clustered differences: adjusted, cr2, obuchowski, durkalski, bootstrap-t "
        "(default: adjusted)",
    ),
    ("prices", "FILE", "dated prices in dollars per million tokens (YAML)"),
    ("config", "FILE", "the same options from YAML; each run writes its own config.yaml"),
)
NUMBER_OPTIONS: tuple[tuple[str, type, str, str], ...] = (
    ("limit", int, "N", "questions (clusters) per task, drawn by content hash (default: all)"),
    ("seed", int, "N", "seed of sampling and training (default: 0)"),
    ("seeds", int, "N", "repeat sampling and training over N seeds (default: 1)"),
    (
        "distill-inputs",
        int,
        "N",
        "unlabeled inputs per task, at most (default: 1000, fewer on embedded data; --preset paper: its own)",
    ),
    ("samples", int, "K", "teacher samples per input (default: the task's)"),
    ("looks", int, "N", "with --until-decided: planned looks at the data (default: 5)"),
    ("margin", float, "POINTS", "non-inferiority margin (default: 5)"),
)
PAIR_OPTIONS: tuple[tuple[str, str], ...] = (
    (
        "engine-args",
        "settings of the engine, such as batch_rows=32; with openai, body.NAME=VALUE goes to the server in "
        "each request, such as body.cache_prompt=false",
    ),
    ("sampling", "temperature, top_p, top_k; max_tokens, max_tokens.STEP; teacher_temperature, ..."),
    ("task-args", "passed to the tasks, such as difficulty=3"),
    ("method-args", "options of System 2 methods, such as cot.wording=paper (ls methods lists them)"),
    (
        "train-args",
        "training settings, such as epochs=3,learning_rate=2e-4 (s2d-bench distill --help lists all of them)",
    ),
)
SWITCHES: tuple[tuple[str, str], ...] = (
    ("fresh", "start anew instead of continuing an unfinished run"),
    ("dry-run", "ask some items for about 20 seconds, print what the run will take, and stop"),
    ("trust-remote-code", "let a hub model run its own code; recorded in the manifest"),
    ("verbose", "print secondary metrics, tokens by kind, full legends and the methods too"),
    ("all-samples", "draw every teacher sample, even when the vote is already certain"),
    ("curtail-votes", "METHOD*K: draw no more samples of an item than its vote needs"),
    ("until-decided", "ask items in planned rounds, and stop a task when its claims are decided"),
    ("no-futility", "with --until-decided: continue claims that are unlikely to be decided"),
    ("noise-floor", "run base twice and show by how much the two differ"),
    ("allow-overlap", "train on inputs that overlap test items; marked in every table"),
)


def path_argument(text: str) -> Path:
    """A path on the command line. UserError if the text cannot be a path (NUL, not UTF-8, too long)."""
    check_text(text, "path")
    return Path(text)


class LineParser(argparse.ArgumentParser):
    """argparse that raises bad input as a UserError, without the usage text."""

    def __init__(self, **settings: Any) -> None:
        # The rest of the program looks for whole names of options, not for `--fres`.
        super().__init__(**settings, allow_abbrev=False)
        self.add_argument(
            "--json",
            action="store_true",
            default=argparse.SUPPRESS,
            help="end with a line of JSON for scripts, also on a terminal",
        )

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message} (see {self.prog} --help)")


class ShowVersion(argparse.Action):
    """`--version`: prints the name and the installed version, and stops. Both are looked up only then."""

    def __init__(self, option_strings: Sequence[str], dest: str, **_: Any) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, help="show name and version, and stop")

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        from importlib import metadata

        try:
            version = metadata.version("s2d-bench")
        except metadata.PackageNotFoundError:  # run from a source tree that is not installed
            version = "of unknown version"
        print(f"s2d-bench {version}")
        parser.exit()


def run_parser(prog: str, description: str, epilog: str) -> argparse.ArgumentParser:
    """Returns a parser of run options. Options not given are absent from its result: it sets no defaults."""
    parser = LineParser(
        prog=prog,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument("--version", action=ShowVersion)
    for name, metavar, text in VALUE_OPTIONS:
        parser.add_argument(f"--{name}", metavar=metavar, help=text)
    parser.add_argument(
        "--include-path", action="append", metavar="DIR", help="folder with your own lm-eval tasks"
    )
    parser.add_argument(
        "--method-path", action="append", metavar="FILE.py", help="file with System 2 methods of your own"
    )
    for name, kind, metavar, text in NUMBER_OPTIONS:
        parser.add_argument(f"--{name}", type=kind, metavar=metavar, help=text)
    for name, text in PAIR_OPTIONS:
        parser.add_argument(f"--{name}", metavar="K=V,...", action="append", help=text)
    for name, text in SWITCHES:
        parser.add_argument(f"--{name}", action="store_true", help=text)
    return parser


def parse_options(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> RunOptions:
    """Returns the options: the command line wins over `--config`, then defaults. UserError for wrong ones."""
    given = vars(parser.parse_args(list(arguments)))
    values = _read_config(path_argument(given.pop("config"))) if "config" in given else {}
    pairs = {name.replace("-", "_") for name, _ in PAIR_OPTIONS}
    for name, value in given.items():
        if name in pairs:
            # An option that is given again adds to its earlier pairs.
            said = [key_values(text, "--" + name.replace("_", "-")) for text in value]
            values[name] = {key: each for pairs_of in said for key, each in pairs_of.items()}
        elif name == "tasks":
            values[name] = tuple(part.strip() for part in value.split(",") if part.strip())
        else:
            values[name] = tuple(value) if isinstance(value, list) else value
    values.pop("verbose", None)
    return options_from(values)


def options_from(values: Settings) -> RunOptions:
    """Returns checked options: `values`, then defaults. UserError for wrong ones."""
    options = RunOptions.from_dict(values)
    kind = KINDS.get(options.engine)  # `check` reports an unknown one
    if "data" not in values and kind and kind.weights != "none" and options.pretrained not in BUNDLED:
        options = RunOptions.from_dict({**values, "data": "hub"})
    options.check()
    return options


def _read_config(path: Path) -> Settings:
    import yaml

    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"--config {path}: {error.strerror}; name a YAML file of options") from error
    except UnicodeDecodeError as error:
        raise UserError(f"--config {path} is not UTF-8 text: fix the file") from error
    refuse_keys_in_yaml(text)
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
            # With aliases, a few lines can expand without end.
            raise UserError(f"--config {path}: options take no YAML aliases (*name): write the value out")
        _refuse_twice(path, yaml.compose(text, yaml.SafeLoader))
        values = yaml.safe_load(text)
    except UserError:
        raise
    # A value that contradicts its tag raises whatever the conversion raises: KeyError, AttributeError, ...
    except Exception as error:
        raise UserError(
            f"--config {path} is not YAML ({' '.join(str(error).split())}): fix the file"
        ) from error
    if not isinstance(values, dict):
        raise UserError(f"--config {path}: write one `option: value` a line")
    return {str(name).replace("-", "_"): value for name, value in values.items() if value is not None}


def _refuse_twice(path: Path, document: Any) -> None:
    """Rejects a key that appears twice: YAML would silently take the last."""
    import yaml

    seen: set[str] = set()
    for key, value in document.value if isinstance(document, yaml.MappingNode) else ():
        name = str(key.value).replace("-", "_")
        if name in seen:
            raise UserError(f"--config {path}: {name!r} appears twice: remove one of them")
        seen.add(name)
        _refuse_twice(path, value)
