"""One clean style for every figure: a matplotlib figure becomes an SVG that a page can restyle.

`to_svg` writes text as text, leaves the background out, turns the colours of `INK`, `GRID`, ... into CSS
variables with the print colour as fallback (so a page in dark mode only sets variables), adds alternative
text, and makes the bytes depend on the figure alone: fixed hash salt, no date, no version, ids prefixed so
that many figures fit on one page.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from xml.sax.saxutils import escape

INK, MUTED, GRID, PAPER = "#1b1f24", "#626b76", "#dfe3e8", "#fffffe"
VARIANT_COLORS = ("#5b6470", "#c2570c", "#0f6fb5", "#23805f", "#8a5fb0", "#98770f", "#b0436e", "#357886")
STEP_COLORS = ("#8a93a0", "#b34a00", "#e08a45", "#f3c79d", "#5e4b8b", "#a394c9")
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "p")
FONT_SIZE = 8.0
PRINT_COLORS = {
    "ink": INK,
    "muted": MUTED,
    "grid": GRID,
    "paper": PAPER,
    **{f"variant-{number}": color for number, color in enumerate(VARIANT_COLORS, 1)},
    **{f"step-{number}": color for number, color in enumerate(STEP_COLORS, 1)},
}
"""CSS variable `--plot-NAME` -> colour on white paper."""

_STYLE: Any = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # names are data: a dollar sign must not start a formula
    "svg.hashsalt": "s2d-bench",
    "font.size": FONT_SIZE,
    "axes.titlesize": FONT_SIZE + 1,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "xtick.minor.size": 1.5,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
}
_FAMILY = "system-ui, -apple-system, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"


@contextmanager
def house_style() -> Iterator[None]:
    """Context for drawing: matplotlib's defaults with the house style, independent of the user's settings."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield


def panels(count: int, columns: int, width: float, height: float, left: float = 0.5) -> tuple[Any, list[Any]]:
    """A figure of `count` panels of `width` x `height` inches, margins included, `columns` in a row.

    Margins are fixed, not fitted, so that positions in points are known while drawing. `left` is the margin,
    in inches, that the labels of the y axis get.
    """
    from matplotlib.figure import Figure

    columns = max(1, min(columns, count))
    rows = max(1, -(-count // columns))
    figure = Figure(figsize=(columns * width, rows * height), dpi=72)
    figure.patch.set_visible(False)
    axes = []
    for index in range(count):
        row, column = divmod(index, columns)
        box = (
            (column * width + left) / (columns * width),
            ((rows - 1 - row) * height + 0.45) / (rows * height),
            (width - left - 0.2) / (columns * width),
            (height - 0.45 - 0.35) / (rows * height),
        )
        panel = figure.add_axes(box)
        panel.patch.set_visible(False)
        axes.append(panel)
    return figure, axes


def to_svg(figure: Any, name: str, title: str, description: str) -> str:
    """The figure as an `<svg>` element, without XML header. Call inside of `house_style`.

    `name` prefixes every id; `title` and `description` are the alternative text that screen readers speak.
    """
    buffer = io.StringIO()
    nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
    figure.savefig(buffer, format="svg", metadata=nothing, transparent=True)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"(font: [^;<\"]*?px) [^;<\"]*", rf"\1 {_FAMILY}", svg)
    name = re.sub(r"[^A-Za-z0-9_-]", "-", name)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(url\(#|href="#)', rf"\1{name}-", svg)
    for variable, color in PRINT_COLORS.items():
        svg = svg.replace(color, f"var(--plot-{variable}, {color})")
    # The fixed size goes: the view box keeps the proportions, the page decides the width.
    head, rest = svg.split(">", 1)
    head = re.sub(r' (width|height)="[^"]*"', "", head)
    label = f'role="img" aria-labelledby="{name}-title {name}-desc"'
    words = (
        f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(description)}</desc>'
    )
    return f"{head} {label}>{words}{rest}".strip()


def as_shown(figure: Any) -> Any:
    """The figure on white paper. A notebook shows it as SVG, even if pyplot was not imported."""

    def svg() -> str:
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg")
        return buffer.getvalue()

    figure.patch.set_visible(True)
    figure.patch.set_facecolor("white")
    figure._repr_svg_ = svg
    return figure


Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in points."""


def free_spot(
    anchor: tuple[float, float], size: tuple[float, float], taken: Sequence[Box], frame: Box
) -> tuple[float, float]:
    """Lower left corner for a label of `size` near `anchor`: the candidate that covers least of `taken`.

    All in points. Leaving the `frame` costs more than covering something.
    """
    x, y = anchor
    width, height = size
    gap = 6.0
    sides = [(x + gap, y - height / 2), (x - gap - width, y - height / 2)]
    for lift in (gap, gap + height):
        sides += [(x + gap, y + lift - 3), (x + gap, y - lift - height + 3)]
        sides += [(x - gap - width, y + lift - 3), (x - gap - width, y - lift - height + 3)]
        sides += [(x - width / 2, y + lift), (x - width / 2, y - lift - height)]
    return min(
        sides, key=lambda corner: _cost((*corner, corner[0] + width, corner[1] + height), taken, frame)
    )


def label_column(
    anchors: Sequence[tuple[float, float]],
    widths: Sequence[float],
    height: float,
    taken: Sequence[Box],
    frame: Box,
) -> list[tuple[float, float]]:
    """Lower left corners of labels for points that crowd: one column beside them, in the order of their
    heights.

    The column is on the side where it covers less of `taken`. All in points.
    """
    step, gap = height + 2, 10.0
    order = sorted(range(len(anchors)), key=lambda place: (anchors[place][1], place))
    levels: list[float] = []
    for place in order:
        level = anchors[place][1] - height / 2
        levels.append(max(level, levels[-1] + step) if levels else level)
    # Labels were only pushed up: move the column down by half of that, and keep it inside the frame.
    pushed = sum(level - anchors[place][1] + height / 2 for level, place in zip(levels, order, strict=True))
    shift = -pushed / len(levels)
    shift = max(min(shift, frame[3] - height - levels[-1]), frame[1] - levels[0])
    heights = dict(zip(order, (level + shift for level in levels), strict=True))
    right = max(x for x, _ in anchors) + gap
    left = min(x for x, _ in anchors) - gap
    columns = [
        [(right, heights[place]) for place in range(len(anchors))],
        [(left - widths[place], heights[place]) for place in range(len(anchors))],
    ]
    return min(
        columns,
        key=lambda corners: sum(
            _cost((x, y, x + width, y + height), taken, frame)
            for (x, y), width in zip(corners, widths, strict=True)
        ),
    )


def _cost(box: Box, taken: Sequence[Box], frame: Box) -> float:
    """Area of a box that covers something, and ten times its area outside of the frame."""
    inside = _overlap(box, frame)
    return sum(_overlap(box, other) for other in taken) + 10 * (
        (box[2] - box[0]) * (box[3] - box[1]) - inside
    )


def _overlap(one: Box, two: Box) -> float:
    wide = min(one[2], two[2]) - max(one[0], two[0])
    high = min(one[3], two[3]) - max(one[1], two[1])
    return wide * high if wide > 0 and high > 0 else 0.0
