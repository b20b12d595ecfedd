"""`s2d-bench ls`: the tasks, methods and variants that the options of a run may name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.command.command_line import LineParser
from harness.command.exit import Course

WIDEST_DEFAULT = 12
"""Characters; a longer default is a template, which the listing leaves out."""
METHOD_WIDTHS = (None, 19, 23, 36)
METHOD_NOTES = """
METHOD*K takes K samples of a method and a vote. METHOD/N lets a method of one call spend N tokens,
and then asks for the answer: --models base,s2:cot,s2:cot*5,s2:cot/64,s2:cot/64*5
Options: --method-args cot.wording=paper,bsm.max_criteria=3 (for METHOD*K and METHOD/N too). A
wording is default, paper or tiny; a wrong one lists those of the method. An option with the name of
a step is its prompt, a text with {question}, {answer_form}, {finish}. Options in brackets are
lists, which a task gives (docs/extending.md). The limit of a step: --sampling max_tokens.STEP=N.
The prompts that come out: s2d-bench check TASK --models s2:METHOD"""


def ls(arguments: Sequence[str], course: Course) -> int:
    """Prints the tasks, methods or variants."""
    parser = LineParser(prog="s2d-bench ls", description="List the tasks, methods or variants.")
    parser.add_argument("what", choices=("tasks", "methods", "variants"))
    parser.add_argument(
        "--include-path", action="append", default=[], metavar="DIR", help="also your own lm-eval tasks"
    )
    parser.add_argument(
        "--method-path", action="append", default=[], metavar="FILE.py", help="also your own methods"
    )
    given = parser.parse_args(list(arguments))
    from tabulate import tabulate

    from harness.programs.outside import load_files

    load_files(given.method_path)
    if given.what == "tasks":
        rows = [*_our_tasks(), *(row for folder in given.include_path for row in _tasks_in(folder))]
        print(tabulate(rows, ["task", "lm-eval name", "System 2", "primary metric"]))
    elif given.what == "methods":
        heads = ["method", "steps", "options", "what it does"]
        print(tabulate(list(_methods()), heads, maxcolwidths=list(METHOD_WIDTHS)))
        print(METHOD_NOTES)
    else:
        from harness.variants import listing

        heads = ["variant", "what it is", "cost", "source"]
        print(tabulate(listing(), heads, maxcolwidths=[None, 28, 12, None]))
    course.tell({"status": "ok"})
    return 0


Row = tuple[str, str, str, str]


def _our_tasks() -> Iterator[Row]:
    from tasks import registry

    for name in registry.MODULES:
        spec = registry.spec(name)
        yield name, registry.lm_eval_name(name), spec.s2_method, spec.primary.name


def _tasks_in(folder: str) -> Iterator[Row]:
    """Yields the tasks and groups that the files of a folder define; their data and functions are not
    loaded. TaskError for a file that lm-eval could not read."""
    from harness.lm.catalog import config_of
    from harness.lm.foreign import DEFAULT_METHOD
    from tasks import registry

    registry.check_folder(folder)
    for file in sorted(Path(folder).expanduser().glob("**/*.yaml")):
        if registry.IGNORED_FOLDERS.intersection(file.parts):
            continue
        config = config_of(file)
        name = config.get("group") or config.get("task")
        if not isinstance(name, str):
            continue
        if "group" in config:
            yield name, name, "", "(a group)"
        elif (kind := config.get("output_type")) != "generate_until":
            yield name, name, "", f"(not run: output_type {kind})"
        else:
            block = (config.get("metadata") or {}).get("s2d") or {}
            yield name, name, str(block.get("method") or DEFAULT_METHOD), _first_metric(config)


def _first_metric(config: dict[str, Any]) -> str:
    listed = config.get("metric_list") or [{}]
    return str(listed[0].get("metric") or "-")


def _methods() -> Iterator[Row]:
    from harness.method_args import options_of
    from harness.programs.base import methods

    for method in methods():
        options = ", ".join(_option(name, default) for name, default in options_of(method).items())
        yield method.name, " -> ".join(method.steps), options, method.description


def _option(name: str, default: Any) -> str:
    from harness.method_args import is_typed

    if not is_typed(default):
        return f"({name})"
    shown = str(default).lower() if isinstance(default, bool) else str(default)
    return name if default is None or len(shown) > WIDEST_DEFAULT else f"{name}={shown}"
