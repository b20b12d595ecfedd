"""Outside text inside a card: Markdown and YAML that look as intended, whatever the text contains.

Inputs, model texts and names are data: they may contain markup, HTML, fences, a line `---` or half a
surrogate pair. `environment` escapes every value of a template whose type is not Markdown, so a forgotten
escape does no harm.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

HERE = Path(__file__).parent
SHOWN = 3000
"""Most characters of one text in a card; whole texts are in the data files."""
UNKNOWN = "not recorded"
KEPT = frozenset("\n\t\u200c\u200d")
"""Control characters that stay: line ends, tabs, and the joiners of scripts and emoji."""


class Markdown(str):
    """Text that is Markdown already."""


def environment() -> Environment:
    """Templates of this folder; each value is escaped as inline text unless it is `Markdown`."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(HERE),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=lambda value: value if isinstance(value, Markdown) else inline(value),
    )


def inline(value: object) -> str:
    """One line without markup, even at the start of a line; None is `not recorded`."""
    if value is None:
        return UNKNOWN
    line = " ".join(_printable(str(value)).split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = re.sub(r"([\\`*_\[\]|~$#!])", r"\\\1", line)
    return re.sub(r"^(\d*)([-+.)])(?=[-\s]|$)", r"\1\\\2", line)


def fenced(text: object, language: str = "text") -> Markdown:
    """A block that shows `text` unchanged. Its fence is longer than any run of backticks inside."""
    shown = _printable(str(text))
    if len(shown) > SHOWN:
        shown = f"{shown[:SHOWN]}\n[... {len(shown) - SHOWN:,} more characters]"
    longest = max((len(run) for run in re.findall(r"`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    return Markdown(f"{fence}{language}\n{shown}\n{fence}")


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> Markdown:
    """A table; cells are escaped unless they are `Markdown`."""
    from tabulate import tabulate

    cells = [[str(cell) if isinstance(cell, Markdown) else inline(cell) for cell in row] for row in rows]
    return Markdown(tabulate(cells, header, tablefmt="github", disable_numparse=True))


def tidy(card: str) -> str:
    """A rendered card with at most one empty line in a row, except inside fences, which are unchanged."""
    lines: list[str] = []
    fence = ""
    for line in card.strip().split("\n"):
        if fence:
            fence = "" if line == fence else fence
        elif not line.strip() and not lines[-1]:
            continue
        elif line.startswith("```"):
            fence = line[: len(line) - len(line.lstrip("`"))]
        lines.append(line)
    return "\n".join(lines) + "\n"


def front_matter(values: Mapping[str, Any]) -> Markdown:
    """The YAML block that the hub and `datasets` read at the top of a card."""
    import yaml

    # ASCII only: YAML escapes the rest, and a line `---` inside a value is indented.
    return Markdown(f"---\n{yaml.safe_dump(dict(values), sort_keys=False)}---")


def _printable(text: str) -> str:
    """`text` without control, direction and surrogate characters, which hide or break the display."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(
        "\ufffd" if unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Co") and sign not in KEPT else sign
        for sign in text
    )
