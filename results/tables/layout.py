"""Cells in columns of a terminal: a table as wide as allowed, in which no name is ever cut.

What does not fit is wrapped: first the headings, then the widest column of text, at spaces or, within a long
name, after `_`, `-`, `/`. Figures are never wrapped.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

GUTTER = "  "
NARROWEST = 8
"""Columns of text are not made narrower than this many characters."""


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], width: int, right: Collection[str]) -> str:
    """A table of at most `width` columns; headers in `right` name the columns of figures.

    Columns that are empty throughout are left out, the first one excepted.
    """
    names, body = _with_content(headers, rows)
    widths = fitted(names, body, width, right)
    lines = _row(names, widths, [name in right for name in names])
    lines.append(GUTTER.join("-" * wide for wide in widths))
    for row in body:
        lines += _row(row, widths, [name in right for name in names])
    return "\n".join(line.rstrip()[:width] for line in lines)


def fits(headers: Sequence[str], rows: Sequence[Sequence[str]], width: int, right: Collection[str]) -> bool:
    """Whether `table` shows every figure and every word whole."""
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


def _with_content(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """Without the columns that are empty throughout, the first one excepted."""
    keep = [
        i for i, _ in enumerate(headers) if i == 0 or any(row[i].strip() not in ("", "-") for row in rows)
    ]
    return [headers[i] for i in keep], [[row[i] for i in keep] for row in rows]


def fitted(
    names: Sequence[str], body: Sequence[Sequence[str]], width: int, right: Collection[str]
) -> list[int]:
    """Width of every column, so that all together with the gutters take `width` where that is possible."""
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
        # No narrower than the next column of text, whose turn it is then.
        others = [widths[i] for i in narrow if i != widest]
        wanted = min(max([wanted, *(other - 1 for other in others)]), widths[widest] - 1)
        if wanted < NARROWEST:
            break
        wrapped = [piece for text in cells[widest] for piece in pieces(text, wanted)]
        widths[widest] = max([*map(len, wrapped), *map(len, pieces(names[widest], wanted))])
    return widths


def pieces(text: str, width: int) -> list[str]:
    """`text` in lines: broken at spaces, within a word that is longer than `width` after `_`, `-`, `/`.

    A part of a word that is longer still stays whole where `width` is below the narrowest column (that asks
    for the parts themselves), else it is broken anywhere.
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


def _row(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> list[str]:
    """One row as lines. Figures keep their trailing spaces, under which marks of other rows stand."""
    lines = [[cell] if len(cell) <= wide else pieces(cell, wide)
             for cell, wide in zip(cells, widths, strict=True)]  # fmt: skip
    return [
        GUTTER.join(
            f"{cell[place] if place < len(cell) else '':{'>' if figures else '<'}{wide}}"
            for cell, wide, figures in zip(lines, widths, right, strict=True)
        )
        for place in range(max(map(len, lines)))
    ]
