"""The commands `compare` and `gate`: their options, and what they print."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from harness.command.command_line import LineParser, path_argument
from harness.command.exit import Course
from harness.errors import UserError, one_line

if TYPE_CHECKING:
    from results.schema import Compared

WHAT = "run folder, or a log of another harness (docs/compare.md lists them)"
EXAMPLES = """examples:
  s2d-bench compare runs/before runs/after
  s2d-bench compare runs/mine logs/inspect A:s2 B              one variant of a run against a log
  s2d-bench compare lm_eval_a lm_eval_b --metrics all --margin 2,bleu_max=1 --output compared
"""


def compare(arguments: Sequence[str], course: Course) -> int:
    """Compares two runs item by item. The last line is JSON with `comparisons`, `left_out` and `notes`."""
    parser = LineParser(
        prog="s2d-bench compare",
        description="Compare two runs over the items that both have, item by item.\nA run is a folder of "
        "s2d-bench, a log of lm-eval, inspect_ai, lighteval, evalscope, HELM, alpaca_eval or FastChat, or a "
        "table.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run_a", type=path_argument, help=WHAT)
    parser.add_argument("run_b", type=path_argument, help="the same")
    parser.add_argument("pairs", nargs="*", metavar="A:VARIANT B:VARIANT", help="pairs of variants")
    parser.add_argument(
        "--margin",
        metavar="POINTS[,METRIC=VALUE]",
        help="non-inferiority margin in points (default: 5); for metrics that are not shares, in their unit",
    )
    parser.add_argument(
        "--metrics", choices=("primary", "all"), default="primary", help="which metrics are printed"
    )
    parser.add_argument(
        "--output", type=path_argument, metavar="DIR", help="write comparison.* and items.csv"
    )
    parser.add_argument("--prices", type=path_argument, help="dated prices (YAML), for the ratio in dollars")
    parser.add_argument(
        "--higher-is-better", action="append", default=[], metavar="METRIC", help="if no log says so"
    )
    parser.add_argument("--lower-is-better", action="append", default=[], metavar="METRIC")
    parser.add_argument(
        "--same-metric",
        action="append",
        default=[],
        metavar="A=B",
        help="A's metric is called B on the other side",
    )
    parser.add_argument(
        "--allow-other-targets",
        action="store_true",
        help="compare rows even if they were scored against different targets",
    )
    given = parser.parse_args(list(arguments))
    from results.compare.metrics import Asked
    from results.compare.run import outcome
    from results.compare.sides import load_side
    from results.compare.text import render
    from results.compare.write import write_all

    points, margins = margins_of(given.margin)
    asked = Asked(
        margin=points,
        margins=margins,
        directions={
            **dict.fromkeys(given.higher_is_better, "higher"),
            **dict.fromkeys(given.lower_is_better, "lower"),
        },
        same=dict(_named(text, "--same-metric") for text in given.same_metric),
    )
    found = outcome(
        load_side(given.run_a),
        load_side(given.run_b),
        asked,
        given.prices,
        given.pairs,
        given.allow_other_targets,
    )
    text = render(found.compared, every_metric=given.metrics == "all")
    print(text)
    files = {}
    if given.output is not None:
        course.writing = True
        written = write_all(given.output, found, text)
        print(one_line(f"written: {', '.join(str(path) for path in written)}"))
        files = {"output": str(given.output)}
    course.tell({"status": "ok", **last_line(found.compared), **files}, whole=True)
    return 0


def last_line(compared: Compared) -> Mapping[str, object]:
    """Returns what scripts need: rows without unknown values, pairing and notes."""
    unused = (
        "flops_ratio",
        "flops_ratio_low",
        "flops_ratio_high",
        "usd_ratio",
        "usd_ratio_low",
        "usd_ratio_high",
    )
    rows = [
        {key: value for key, value in row.items() if key not in unused or value is not None}
        for row in compared["comparisons"]
    ]
    kept = ("a", "b", "left_out", "notes")
    return {"comparisons": rows, **{key: value for key, value in compared.items() if key in kept}}


def margins_of(text: str | None) -> tuple[float | None, dict[str, float]]:
    """Returns (margin in points, margin by metric) for `5`, `bleu=1` or `5,bleu=1`; else UserError."""
    points: float | None = None
    margins: dict[str, float] = {}
    for part in (text or "").split(","):
        if not part.strip():
            continue
        name, found, value = part.rpartition("=")
        try:
            figure = float(value)
        except ValueError as error:
            raise UserError(
                f"--margin {text}: {part!r} is neither a number of points nor METRIC=VALUE; give for example "
                "--margin 5,bleu=1"
            ) from error
        if found:
            margins[name.strip()] = figure
        else:
            points = figure
    return points, margins


def _named(text: str, option: str) -> tuple[str, str]:
    first, found, second = text.partition("=")
    if not found or not first or not second:
        raise UserError(f"{option} {text}: write A's name, =, and B's name")
    return first, second


def gate(arguments: Sequence[str], course: Course) -> int:
    """Checks one run or two against a policy. Returns the exit status of the gate."""
    from results.policy import GRAMMAR

    parser = LineParser(
        prog="s2d-bench gate",
        description="Check a run, or a run against an earlier one, with a policy: exit 0 holds, 1 fails, 3 "
        "cannot tell.",
        epilog=GRAMMAR,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", type=path_argument, help=f"{WHAT}; with two runs, the earlier one, A")
    parser.add_argument("run_b", type=path_argument, nargs="?", help="the run that is checked against it, B")
    parser.add_argument("--policy", type=path_argument, required=True, help="file with one rule per line")
    parser.add_argument("--prices", type=path_argument, help="dated prices (YAML), for rules on usd")
    given = parser.parse_args(list(arguments))
    from results.gate import check

    outcome = check(given.run, given.policy, given.prices, given.run_b)
    for line in outcome.lines:
        print(line)
    course.tell({"status": outcome.status})
    return int(outcome.exit_code)
