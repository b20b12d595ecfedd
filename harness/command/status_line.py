"""The last line on standard output: one JSON object for scripts, where somebody may read it by a program.

It is printed where standard output is not a terminal, and with `--json`; it has at most 2 KB, so that a shell
can keep it in a variable. `compare` alone is longer: its line holds all comparisons.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from results.schema import JsonObject

LONGEST = 2048
"""Bytes of the line, its end included."""
SHORTENED = 600
"""Characters that are kept of a text that is too long."""


def status_line(facts: JsonObject) -> str:
    """`facts` as one line of at most `LONGEST` bytes. What does not fit is taken from the end of the longest
    lists, and `left_out` counts it."""
    fitted: dict[str, Any] = {
        name: value[:SHORTENED] + "..." if isinstance(value, str) and len(value) > SHORTENED else value
        for name, value in facts.items()
    }
    left_out = 0
    while len(text := json.dumps(fitted)) >= LONGEST:
        lists = [name for name, value in fitted.items() if isinstance(value, list) and value]
        if not lists:
            return json.dumps({name: fitted[name] for name in ("status", "error") if name in fitted})
        longest = max(lists, key=lambda name: len(json.dumps(fitted[name])))
        left_out += 1
        fitted |= {longest: fitted[longest][:-1], "left_out": left_out}
    return text


def show_status(facts: JsonObject, asked: bool, whole: bool = False) -> None:
    """Print the line, if it was `asked` for or no person is looking; `whole`: however long it is."""
    if asked or not sys.stdout.isatty():
        print(json.dumps(facts) if whole else status_line(facts))
