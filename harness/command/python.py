"""The Python interface: `from harness import run, compare, load`.

`run` does what the command does and writes the same files; `load` opens a folder that either has written.
Both return a `Run`, whose figures are pandas frames. Options are the long options of the command with
underscores: `--distill-inputs 100` is `distill_inputs=100`, `--sampling max_tokens=512` is
`sampling={"max_tokens": 512}`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.command.command_line import options_from
from harness.command.libraries import quiet
from harness.errors import UserError
from results.notebook import Compared, Run, compare, load

__all__ = ["Compared", "Run", "compare", "load", "run"]

NOT_HERE = ("config", "dry_run", "push_to_hub", "json", "verbose")
"""Options that only the command has."""


def run(
    models: str | Sequence[str] = "base,s2,distilled",
    tasks: str | Sequence[str] | None = None,
    **options: Any,
) -> Run:
    """Starts or continues a run, writes its tables and page, and returns it.

        r = run(models="base,s2", tasks="coin_flip", limit=50)
        r.scores

    `tasks` None: all of the package. Lists may be written as the command has them (`"gsm8k,coin_flip"`) or as
    Python lists; mappings as dictionaries. Raises UserError, TaskError or ResultsError for wrong options, and
    RunError if the work fails: finished work is kept, and the same call continues.
    """
    for name in NOT_HERE:
        if name in options:
            raise UserError(f"run() does not take {name}: only the command s2d-bench has this option")
    quiet()
    given = {"models": models, "tasks": tasks, **options}
    values = {name: _plain(value) for name, value in given.items() if value is not None}
    from harness.command.again import run_or_show
    from harness.folder import sweep
    from results.analysis.leaderboard import build
    from results.publish import publish

    chosen = options_from(values)
    prices = Path(chosen.prices) if chosen.prices else None
    if prices:
        from results.analysis.prices import load_prices

        load_prices(prices)  # check now, not after hours
    folder, _ = run_or_show(chosen, _as_call(values))
    sweep(folder)  # a kill while tables were written
    leaderboard = build(folder, chosen.margin, prices, interval=chosen.interval)
    publish(folder, leaderboard)
    return Run(folder, leaderboard)


def _plain(value: Any) -> Any:
    """Returns paths as text, as options have them."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


def _as_call(values: dict[str, Any]) -> str:
    """Returns the call as text, for the manifest."""
    return f"run({', '.join(f'{name}={value!r}' for name, value in values.items())})"
