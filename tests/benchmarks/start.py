"""How soon does the command answer? Seconds of `--help` and `ls tasks`, each in a fresh process.

    python tests/benchmarks/start.py [--rounds 7]

The two take turns; the medians must be below 0.4 s and 3 s. Prints a card and, last, one line of JSON; exit 1
if a limit is broken. For comparison it also starts a bare interpreter, the least that any command takes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from measuring import finish, median_seconds, run_command, take_turns

LIMITS = {"--help": 0.4, "ls tasks": 3.0}


def main(arguments: Sequence[str] | None = None) -> int:
    """Time, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args(arguments)
    installed = str(Path(sys.executable).with_name("s2d-bench"))
    commands = {name: [installed, *name.split()] for name in LIMITS} | {"python": [sys.executable, "-c", ""]}
    arms = {
        name: lambda command=command: {"seconds": run_command(command)[0]}
        for name, command in commands.items()
    }
    for arm in arms.values():
        arm()
    rounds = take_turns(arms, options.rounds)
    medians = {name: median_seconds(rounds, name) for name in commands}
    good = all(medians[name] < limit for name, limit in LIMITS.items())
    card = [f"s2d-bench {name}: {medians[name]:.3f} s (below {limit:g} s)" for name, limit in LIMITS.items()]
    card.append(f"a bare interpreter: {medians['python']:.3f} s")
    seconds = {name: round(value, 4) for name, value in medians.items()}
    return finish(card, {"status": "ok" if good else "missed", "seconds": seconds, "below": LIMITS})


if __name__ == "__main__":
    sys.exit(main())
