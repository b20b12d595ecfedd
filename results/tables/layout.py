"""Lays out cells as tables for a terminal, within a width and without cutting anything.

Wide content is wrapped: first the headers, then the widest column of text, at spaces or, within a long name,
after `_`, `-`, `/`. Figures are never wrapped, nor words that a `GLUE` holds together. Of the forms that fit,
the one with fewest lines is taken:

- one table;
- its first column as headings between the rows, which also take what is the same in all rows below them;
- the same, with the other names on lines of their own above the figures;
- several tables that repeat the names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence

GUTTER = "  "
NARROWEST = 8
"""Minimum characters of a column of text."""
GLUE = "\N{NO-BREAK SPACE}"
"""A space at which no cell is wrapped; it is printed as a plain one."""

Paint = Callable[[str, str], str]
"""(header, cell) -> ANSI colour code, such as `32`; empty for none."""
Rows = Sequence[Sequence[str]]
Groups = Sequence[tuple[str, Rows]]
"""Headings with the rows below them; an empty heading is not printed."""


def table(
    headers: Sequence[str],
    rows: Rows,
    width: int,
    right: Collection[str],
    names: int = 1,
    paint: Paint | None = None,
    shared: Collection[str] = (),
) -> str:
    """A table of at most `width` columns; headers in `right` name the columns of figures.

    The first `names` columns name the row. A column in `shared` goes into the headings, if the table has any
    and its cells are equal below each. Columns that are completely empty are left out, except the first.
    """
    kept, body = _with_content(headers, rows)
    names = sum(1 for name in headers[:names] if name in kept)
    forms = [_parts(kept, [("", body)], width, right, names, paint)]
    if fits(kept, body, width, right):
        forms = [_lines(kept, [("", body)], width, right, paint)]
    if names > 1:
        left, groups = _headed(kept, body, right, shared)
        still = sum(1 for name in kept[1:names] if name in left)
        forms.append(_parts(left, groups, width, right, still, paint))
        figures = [row[still:] for _, of in groups for row in of]
        if fits(left[still:], figures, width - len(GUTTER), right):
            forms.append(_stacked(left, groups, width, right, still, paint))
    best = min(forms, key=lambda lines: (max(map(_shown, lines)) > width, len(lines)))
    return "\n".join(best).replace(GLUE, " ")


def _shown(line: str) -> int:
    """Columns that a line takes on a terminal."""
    return len(re.sub(r"\x1b\[\d*m", "", line))


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


def _headed(
    headers: Sequence[str], rows: Rows, right: Collection[str], shared: Collection[str]
) -> tuple[list[str], list[tuple[str, list[list[str]]]]]:
    """The headers and groups of a table whose first column becomes headings, with the shared cells."""
    groups: list[tuple[str, list[Sequence[str]]]] = []
    for row in rows:
        if not groups or (row[0].strip() and row[0] != groups[-1][0]):
            groups.append((row[0], []))
        groups[-1][1].append(row)
    told = [
        i
        for i, name in enumerate(headers)
        if i and name in shared and all(len({row[i] for row in of}) == 1 for _, of in groups)
    ]
    left = [i for i, _ in enumerate(headers) if i and i not in told]
    found = []
    for name, of in groups:
        both = [f"{headers[i]} {of[0][i]}" if headers[i] in right else of[0][i] for i in told]
        heading = ", ".join(part.strip() for part in (name, *both) if part.strip())
        found.append((heading, [[row[i] for i in left] for row in of]))
    return [headers[i] for i in left], found


def _parts(
    headers: Sequence[str],
    groups: Groups,
    width: int,
    right: Collection[str],
    names: int,
    paint: Paint | None,
) -> list[str]:
    """The lines of one table, or of as few as fit, each with the names."""
    body = [row for _, rows in groups for row in rows]
    columns: list[list[int]] = []
    first = list(range(names))
    for column in range(names, len(headers)):
        longer = [*(columns[-1] if columns else first), column]
        if columns and not fits([headers[i] for i in longer], _taken(body, longer), width, right):
            columns.append([*first, column])
        elif columns:
            columns[-1] = longer
        else:
            columns.append(longer)
    lines: list[str] = []
    for of in columns or [first]:
        told = [
            (head, [row for row in rows if any(row[i].strip() for i in of[names:])]) for head, rows in groups
        ]
        part = [(head, _taken(rows, of)) for head, rows in told if rows]
        lines += ["", *_lines([headers[i] for i in of], part, width, right, paint)]
    return lines[1:]


def _taken(rows: Rows, columns: Sequence[int]) -> list[list[str]]:
    return [[row[i] for i in columns] for row in rows]


def _lines(
    headers: Sequence[str], groups: Groups, width: int, right: Collection[str], paint: Paint | None
) -> list[str]:
    """One table, with the headings above the rows of each group."""
    widths = fitted(headers, [row for _, rows in groups for row in rows], width, right)
    lines = _head(headers, widths, right)
    for heading, rows in groups:
        lines += pieces(f"-- {heading}", width) if heading else []
        for row in rows:
            lines += _row(headers, row, widths, right, paint)
    return lines


def _stacked(
    headers: Sequence[str],
    groups: Groups,
    width: int,
    right: Collection[str],
    names: int,
    paint: Paint | None,
) -> list[str]:
    """A table whose rows have their names on a line above the figures."""
    figures = headers[names:]
    body = [row[names:] for _, rows in groups for row in rows]
    widths = fitted(figures, body, width - len(GUTTER), right)
    lines = [GUTTER.join(headers[:names])]
    lines += [GUTTER + line for line in _head(figures, widths, right)]
    for heading, rows in groups:
        lines += pieces(f"-- {heading}", width) if heading else []
        for row in rows:
            lines += pieces(GUTTER.join(row[:names]), width)
            lines += [GUTTER + line for line in _row(figures, row[names:], widths, right, paint)]
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
    """`text` in lines: broken at spaces (but at no `GLUE`), and within a word that is longer than `width`
    after `_`, `-`, `/`.

    A part of a word that is still longer is broken anywhere, unless `width` is below the narrowest column:
    then it stays whole, because the caller asks for the parts themselves.
    """
    lines = [""]
    for word in re.findall(r"[^ ]+ *", text):
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
