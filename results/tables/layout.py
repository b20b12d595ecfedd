"""Lays out cells as tables for a terminal, within a width and without cutting anything.

Wide content is wrapped: first the headers, then the widest column of text, at spaces or, within a long name,
after `_`, `-`, `/`. Figures are never wrapped. If the table is still too wide, its first column becomes
headings between the rows; if that is not enough, it is split into several tables that repeat the names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence

GUTTER = "  "
NARROWEST = 8
"""Minimum characters of a column of text."""

Paint = Callable[[str, str], str]
"""(header, cell) -> ANSI colour code, such as `32`; empty for none."""
Rows = Sequence[Sequence[str]]


def table(
    headers: Sequence[str],
    rows: Rows,
    width: int,
    right: Collection[str],
    names: int = 1,
    paint: Paint | None = None,
) -> str:
    """A table of at most `width` columns; headers in `right` name the columns of figures.

    The first `names` columns name the row. Columns that are completely empty are left out, except the first.
    """
    kept, body = _with_content(headers, rows)
    names = sum(1 for name in headers[:names] if name in kept)
    if fits(kept, body, width, right):
        return "\n".join(_lines(kept, body, width, right, paint))
    grouped = names > 1
    parts = []
    for columns in _parts(kept, body, width, right, names, grouped):
        of_part = [kept[i] for i in columns]
        cells = [[row[i] for i in columns] for row in body]
        told = [row for row in cells if any(cell.strip() for cell in row[names:])]
        lines = (
            _grouped(of_part, told, width, right, paint)
            if grouped
            else _lines(of_part, told, width, right, paint)
        )
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def fits(headers: Sequence[str], rows: Rows, width: int, right: Collection[str]) -> bool:
    """Whether one table shows every figure and every word whole."""
    names, body = _with_content(headers, rows)
    widths = fitted(names, body, width, right)
    whole = all(
        len(part) <= wide
        for row in body
        for cell, wide in zip(row, widths, strict=True)
        for part in pieces(cell, 1)
        if len(cell) > wide
    )
    return whole and sum(widths) + len(GUTTER) * (len(names) - 1) <= width


def _parts(
    headers: Sequence[str], rows: Rows, width: int, right: Collection[str], names: int, grouped: bool
) -> list[list[int]]:
    """Splits a table into as few as fit: the numbers of the columns of each."""
    found: list[list[int]] = []
    first = list(range(names))
    for column in range(names, len(headers)):
        longer = [*(found[-1] if found else first), column]
        shown = longer[1:] if grouped else longer
        if found and not fits(
            [headers[i] for i in shown], [[row[i] for i in shown] for row in rows], width, right
        ):
            found.append([*first, column])
        elif found:
            found[-1] = longer
        else:
            found.append(longer)
    return found or [first]


def _grouped(
    headers: Sequence[str], rows: Rows, width: int, right: Collection[str], paint: Paint | None
) -> list[str]:
    """A table whose first column becomes headings above its rows."""
    body = [row[1:] for row in rows]
    widths = fitted(headers[1:], body, width, right)
    lines = _head(headers[1:], widths, right)
    previous = ""
    for row in rows:
        if row[0].strip() and row[0] != previous:
            lines += pieces(f"-- {row[0]}", width)
            previous = row[0]
        lines += _row(headers[1:], row[1:], widths, right, paint)
    return lines


def _lines(
    headers: Sequence[str], rows: Rows, width: int, right: Collection[str], paint: Paint | None
) -> list[str]:
    widths = fitted(headers, rows, width, right)
    lines = _head(headers, widths, right)
    for row in rows:
        lines += _row(headers, row, widths, right, paint)
    return lines


def _head(headers: Sequence[str], widths: Sequence[int], right: Collection[str]) -> list[str]:
    return [*_row(headers, headers, widths, right, None), GUTTER.join("-" * wide for wide in widths)]


def _with_content(headers: Sequence[str], rows: Rows) -> tuple[list[str], list[list[str]]]:
    """Without the columns that are completely empty, except the first."""
    keep = [
        i for i, _ in enumerate(headers) if i == 0 or any(row[i].strip() not in ("", "-") for row in rows)
    ]
    return [headers[i] for i in keep], [[row[i] for i in keep] for row in rows]


def fitted(names: Sequence[str], body: Rows, width: int, right: Collection[str]) -> list[int]:
    """Width of every column, so that all of them with the gutters fit in `width` if possible."""
    cells = [[row[i] for row in body] for i, _ in enumerate(names)]
    room = width - len(GUTTER) * (len(names) - 1)
    widths = [max(len(text) for text in (name, *column)) for name, column in zip(names, cells, strict=True)]
    if sum(widths) <= room:
        return widths
    widths = [
        max([max(map(len, pieces(name, 1))), *map(len, column)])
        for name, column in zip(names, cells, strict=True)
    ]
    narrow = [i for i, name in enumerate(names) if name not in right]
    while sum(widths) > room and narrow:
        widest = max(narrow, key=lambda i: widths[i])
        wanted = max(widths[widest] - (sum(widths) - room), NARROWEST)
        # Not narrower than the next column of text, which is narrowed next.
        others = [widths[i] for i in narrow if i != widest]
        wanted = min(max([wanted, *(other - 1 for other in others)]), widths[widest] - 1)
        if wanted < NARROWEST:
            break
        wrapped = [piece for text in cells[widest] for piece in pieces(text, wanted)]
        widths[widest] = max([*map(len, wrapped), *map(len, pieces(names[widest], wanted))])
    return widths


def pieces(text: str, width: int) -> list[str]:
    """`text` in lines: broken at spaces, within a word that is longer than `width` after `_`, `-`, `/`.

    A part of a word that is still longer is broken anywhere, unless `width` is below the narrowest column:
    then it stays whole, because the caller asks for the parts themselves.
    """
    lines = [""]
    for word in re.findall(r"\S+\s*", text):
        parts = [word] if len(word.rstrip()) <= width else re.findall(r"[^_/-]*[_/-]+|[^_/-]+", word)
        for part in parts:
            if len(lines[-1]) + len(part.rstrip()) <= width:
                lines[-1] += part
                continue
            while width >= NARROWEST and len(part) > width:
                lines.append(part[:width])
                part = part[width:]
            lines.append(part)
    return [line.rstrip() for line in lines if line.strip()] or [""]


def _row(
    headers: Sequence[str],
    cells: Sequence[str],
    widths: Sequence[int],
    right: Collection[str],
    paint: Paint | None,
) -> list[str]:
    """One row as lines. Figures keep their trailing spaces, so that marks of other rows align."""
    lines = [[cell] if len(cell) <= wide else pieces(cell, wide)
             for cell, wide in zip(cells, widths, strict=True)]  # fmt: skip
    made = []
    for place in range(max(map(len, lines))):
        shown = []
        for name, cell, found, wide in zip(headers, cells, lines, widths, strict=True):
            text = found[place] if place < len(found) else ""
            padded = f"{text:{'>' if name in right else '<'}{wide}}"
            shown.append(painted(padded, paint(name, cell)) if paint else padded)
        made.append(GUTTER.join(shown).rstrip())
    return made


def painted(text: str, color: str) -> str:
    """`text` in a colour of the terminal, without colour on the spaces around it."""
    inner = text.strip()
    if not color or not inner:
        return text
    before, _, after = text.partition(inner)
    return f"{before}\x1b[{color}m{inner}\x1b[0m{after}"


def grid(headers: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[str]) -> str:
    """A table of Markdown; columns named in `right` are right-aligned."""
    from tabulate import tabulate

    aligned = ["right" if header in right else "left" for header in headers]
    return tabulate(rows, headers, tablefmt="pipe", disable_numparse=True, colalign=aligned if rows else None)
