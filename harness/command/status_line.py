"""The last line on standard output: one JSON object for scripts.

It is printed if standard output is not a terminal, and with `--json`. It has at most 2 KB, so that a shell
can keep it in a variable. Only `compare` prints a longer line, with all comparisons.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from results.schema import JsonObject

LONGEST = 2048
"""Bytes of the line, with its line break."""
SHORTENED = 600
"""Characters kept of a text that is too long."""


def status_line(facts: JsonObject) -> str:
    """Returns `facts` as one line of at most `LONGEST` bytes. If they do not fit, entries at the end of the
    longest lists are removed, and `left_out` counts them."""
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
    """Prints the line if it was `asked` for or standard output is not a terminal; `whole`: at any length."""
    if asked or not sys.stdout.isatty():
        print(json.dumps(facts) if whole else status_line(facts))
