"""Two figures of a leaderboard: score against generated tokens, and generated tokens by step.

Both have one panel per task with the same axes, so that panels can be compared. They take a leaderboard and
return SVG text; matplotlib is loaded when a figure is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from results.page.figure import (
    FONT_SIZE,
    GRID,
    INK,
    MARKERS,
    MUTED,
    PAPER,
    STEP_COLORS,
    VARIANT_COLORS,
    Box,
    as_shown,
    free_spot,
    house_style,
    label_column,
    panels,
    to_svg,
)
from results.schema import Leaderboard

KNOWN = (
    "base", "s2", "distilled", "distilled-s1", "distilled-nofilter", "distilled-all", "distilled-short",
    "distilled-cot",
)  # fmt: skip
"""Names with a fixed colour and marker; others get a free one."""
PANEL = (3.5, 2.75)
"""Width and height of a panel in inches."""
WIDE_PANELS = {1: (9.0, 3.4), 2: (5.2, 3.0)}
"""Panel sizes if one task or two fill the width of the page."""


@dataclass(frozen=True)
class Point:
    """A primary score with the ends of its interval, and mean generated tokens per item."""

    variant: str
    score: float
    tokens: float
    low: float | None
    high: float | None


def score_against_tokens(
    leaderboard: Leaderboard, task: str | None = None, columns: int = 3, wide: int = 0
) -> str:
    """Primary score (percent, 95 % interval) against mean generated tokens per item, as SVG.

    One panel a task, or only `task`; the axes always fit the whole leaderboard, and the token axis is
    logarithmic if tokens differ more than eightfold. The line is the Pareto front: no variant reaches
    a higher score with as few tokens. Scores count as better when higher. `wide`: the number of panels that
    share the width of a page, where that is one or two.
    """
    points = primary_points(leaderboard)
    tasks = [name for name in points if task in (None, name)]
    with house_style():
        figure = _score_panels(points, tasks, columns, WIDE_PANELS.get(wide, PANEL))
        alternative = " ".join(f"{name}: {_in_words(points[name])}" for name in tasks)
        title = "Score against generated tokens per item" + (f", {task}" if task else "")
        name = f"score-{task or 'all'}" + ("-wide" if wide else "")
        return to_svg(figure, name, title, alternative or "No scores.")


def score_figure(leaderboard: Leaderboard, task: str | None = None, columns: int = 3) -> Any:
    """The same as a matplotlib figure, which a notebook shows and `savefig` writes."""
    points = primary_points(leaderboard)
    tasks = [name for name in points if task in (None, name)]
    with house_style():
        return as_shown(_score_panels(points, tasks, columns, PANEL))


def _score_panels(
    points: Mapping[str, Sequence[Point]], tasks: Sequence[str], columns: int, size: tuple[float, float]
) -> Any:
    """The panels of some tasks, on the axes of all."""
    styles = variant_styles(row.variant for rows in points.values() for row in rows)
    tokens = [row.tokens for rows in points.values() for row in rows]
    figure, axes = panels(len(tasks), columns, *size)
    for name, axis in zip(tasks, axes, strict=True):
        _draw_scores(axis, name, points[name], styles, tokens)
    return figure


def tokens_by_step(leaderboard: Leaderboard, task: str | None = None, columns: int = 3, wide: int = 0) -> str:
    """Mean generated tokens per item, stacked by the step that spent them, as SVG.

    One panel a task, or only `task`. Steps are those of the rows' `steps`, in the order in which they appear.
    `wide` as in `score_against_tokens`.
    """
    use = step_use(leaderboard)
    tasks = [name for name in use if task in (None, name)]
    tallest = max((len(use[name]) for name in tasks), default=1)
    width, _ = WIDE_PANELS.get(wide, PANEL)
    with house_style():
        figure, axes = panels(len(tasks), columns, width, 1.2 + 0.26 * tallest, left=1.25)
        for name, axis in zip(tasks, axes, strict=True):
            _draw_steps(axis, name, use[name])
        alternative = " ".join(
            f"{name}: {variant} {sum(steps.values()):.1f} tokens ("
            + ", ".join(f"{step} {spent:.1f}" for step, spent in steps.items())
            + ")."
            for name in tasks
            for variant, steps in use[name].items()
        )
        title = "Generated tokens per item by step" + (f", {task}" if task else "")
        name = f"steps-{task or 'all'}" + ("-wide" if wide else "")
        return to_svg(figure, name, title, alternative or "No steps.")


def step_use(leaderboard: Leaderboard) -> dict[str, dict[str, dict[str, float]]]:
    """task -> variant -> step -> mean generated tokens per item."""
    use: dict[str, dict[str, dict[str, float]]] = {}
    for row in leaderboard["rows"]:
        if row.get("steps"):
            spent = {step: means["generated_tokens"] for step, means in row["steps"].items()}
            use.setdefault(row["task"], {})[row["variant"]] = spent
    return use


def primary_points(leaderboard: Leaderboard) -> dict[str, list[Point]]:
    """task -> its primary rows (the first row of each variant) that have a score and tokens."""
    points: dict[str, list[Point]] = {}
    seen = set()
    for row in leaderboard["rows"]:
        key = (row["task"], row["variant"])
        score, tokens = row["score"], row["generated_tokens"]
        if key not in seen and score is not None and tokens is not None:
            point = Point(row["variant"], score, tokens, row["ci_low"], row["ci_high"])
            points.setdefault(row["task"], []).append(point)
        seen.add(key)
    return points


def pareto_front(points: Sequence[Point]) -> list[Point]:
    """The rows on the Pareto front, by increasing tokens."""
    front: list[Point] = []
    for row in sorted(points, key=lambda row: (row.tokens, -row.score)):
        if not front or row.score > front[-1].score:
            front.append(row)
    return front


def variant_styles(variants: Iterable[str]) -> dict[str, int]:
    """Variant -> number of its colour and marker. Known names look the same in every run."""
    names = list(dict.fromkeys(variants))
    styles = {name: KNOWN.index(name) for name in names if name in KNOWN}
    free = [number for number in range(len(MARKERS)) if number not in styles.values()] or list(
        range(len(MARKERS))
    )
    for position, name in enumerate(name for name in names if name not in KNOWN):
        styles[name] = free[position % len(free)]
    return styles


def _draw_scores(
    axis: Any,
    task: str,
    rows: Sequence[Point],
    styles: Mapping[str, int],
    tokens: Sequence[float],
) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MultipleLocator, NullFormatter

    low, high = max(min(tokens), 0.5), max(*tokens, 1.0)
    if high / low > 8:
        axis.set_xscale("log")
        axis.set_xlim(low / 1.8, high * 1.8)
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 50 else (1,)))
        axis.xaxis.set_minor_formatter(NullFormatter())
    else:
        axis.set_xlim(0, high * 1.15)
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    axis.set_ylim(-4, 104)
    axis.yaxis.set_major_locator(MultipleLocator(25))
    axis.grid(True, axis="y")
    axis.set_title(task)
    axis.set_xlabel("generated tokens per item")
    axis.set_ylabel("score, %")
    groups = _apart(axis, rows, low)
    drawn = {variant: x for group in groups for variant, x in group}
    boxes = _draw_front(axis, pareto_front(rows), drawn)
    anchors = {}
    for row in rows:
        variant, y = row.variant, 100 * row.score
        color, marker, x = VARIANT_COLORS[styles[variant]], MARKERS[styles[variant]], drawn[variant]
        low_end, high_end = (y if end is None else 100 * end for end in (row.low, row.high))
        axis.plot([x, x], [low_end, high_end], color=color, linewidth=1.3, solid_capstyle="butt", zorder=2)
        axis.plot([x], [y], marker=marker, markersize=5.5, color=color, linestyle="none", zorder=3)
        (left, top), (_, bottom), (_, middle) = axis.transData.transform(
            [(x, high_end), (x, low_end), (x, y)]
        )
        boxes += [(left - 1, bottom, left + 1, top), (left - 4, middle - 4, left + 4, middle + 4)]
        anchors[variant] = (float(left), float(middle))
    for group in sorted(groups, key=len, reverse=True):
        boxes += _draw_labels(axis, [variant for variant, _ in group], anchors, styles, boxes)


def _draw_labels(
    axis: Any,
    variants: Sequence[str],
    anchors: Mapping[str, tuple[float, float]],
    styles: Mapping[str, int],
    taken: Sequence[Box],
) -> list[Box]:
    """Names beside their points: near a single point, or in a column with leader lines for crowded points."""
    frame: Box = tuple(axis.get_window_extent().extents)
    points = [anchors[variant] for variant in variants]
    widths = [0.6 * FONT_SIZE * len(variant) for variant in variants]
    heights = sorted(y for _, y in points)
    crowded = len(variants) > 2 or any(high - low < 2 * FONT_SIZE for low, high in pairwise(heights))
    if crowded:
        corners = label_column(points, widths, FONT_SIZE, taken, frame)
    else:
        corners = [
            free_spot(point, (width, FONT_SIZE), taken, frame)
            for point, width in zip(points, widths, strict=True)
        ]
    to_axes = axis.transAxes.inverted().transform
    for variant, (x, y), corner, width in zip(variants, points, corners, widths, strict=True):
        color = VARIANT_COLORS[styles[variant]]
        on_left = corner[0] < x
        if crowded:
            end = (corner[0] + width + 1 if on_left else corner[0] - 1.5, corner[1] + FONT_SIZE / 2)
            (x0, y0), (x1, y1) = to_axes([(x, y), end])
            axis.plot([x0, x1], [y0, y1], color=color, linewidth=0.5, transform=axis.transAxes, zorder=1.5)
        at = to_axes((corner[0] + (width if on_left else 0), corner[1] + 0.2 * FONT_SIZE))
        side = "right" if on_left else "left"
        # The name has a white patch behind it, which hides lines but no point or interval.
        patch = {"facecolor": PAPER, "edgecolor": "none", "pad": 0.8}
        place = {"transform": axis.transAxes, "ha": side, "zorder": 1.8}
        axis.text(*at, variant, color=color, fontweight="bold", bbox=patch, **place)
    return [(x, y, x + width, y + FONT_SIZE) for (x, y), width in zip(corners, widths, strict=True)]


def _apart(axis: Any, rows: Sequence[Point], low: float) -> list[list[tuple[str, float]]]:
    """Groups of (variant, where it is drawn on the token axis): points that would cover each other go side by
    side."""
    gap = 6.5
    groups: list[list[tuple[str, float]]] = []
    for row in sorted(rows, key=lambda row: (row.tokens, row.score)):
        at = float(axis.transData.transform((max(row.tokens, low), 0))[0])
        if groups and at - groups[-1][-1][1] < gap:
            groups[-1].append((row.variant, at))
        else:
            groups.append([(row.variant, at)])
    to_data = axis.transData.inverted().transform
    spread = []
    for group in groups:
        first = sum(at for _, at in group) / len(group) - gap * (len(group) - 1) / 2
        spread.append([(name, float(to_data((first + gap * n, 0))[0])) for n, (name, _) in enumerate(group)])
    return spread


def _draw_front(axis: Any, front: Sequence[Point], drawn: Mapping[str, float]) -> list[Box]:
    """Draws the Pareto front as a staircase; returns the boxes of its parts, in points."""
    across = [drawn[row.variant] for row in front] + [axis.get_xlim()[1]]
    up = [100 * row.score for row in front]
    axis.step(
        across, [*up, up[-1]], where="post", color=MUTED, linewidth=0.8, linestyle=(0, (4, 2)), zorder=1
    )
    corners = [
        axis.transData.transform(at)
        for (x0, x1), y in zip(pairwise(across), up, strict=True)
        for at in ((x0, y), (x1, y))
    ]
    return [
        (min(x0, x1) - 1, min(y0, y1) - 1, max(x0, x1) + 1, max(y0, y1) + 1)
        for (x0, y0), (x1, y1) in pairwise(corners)
    ]


def _draw_steps(axis: Any, task: str, use: Mapping[str, Mapping[str, float]]) -> None:
    from matplotlib.patches import Patch
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    steps = list(dict.fromkeys(step for spent in use.values() for step in spent))
    colors = {step: STEP_COLORS[number % len(STEP_COLORS)] for number, step in enumerate(steps)}
    longest = max((sum(spent.values()) for spent in use.values()), default=0) or 1.0
    for height, spent in enumerate(use.values()):
        start = 0.0
        for step, tokens in spent.items():
            axis.barh(height, tokens, left=start, height=0.62, color=colors[step], linewidth=0)
            start += tokens
        axis.text(start + 0.02 * longest, height, f"{start:,.1f}", va="center", color=INK)
    axis.set_yticks(range(len(use)), list(use))
    axis.set_ylim(len(use) - 0.5, -0.5)
    axis.set_xlim(0, 1.22 * longest)
    axis.xaxis.set_major_locator(MaxNLocator(4))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    axis.tick_params(axis="y", length=0, colors=INK)
    axis.grid(True, axis="x", color=GRID)
    axis.spines["left"].set_visible(False)
    axis.set_xlabel("generated tokens per item")
    axis.set_title(task, x=0, pad=16)
    handles = [Patch(color=colors[step], label=step, linewidth=0) for step in steps]
    axis.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(-0.02, 0.985),
        ncols=max(1, len(handles)),
        handlelength=0.8,
        handleheight=0.8,
        columnspacing=0.9,
        handletextpad=0.4,
        borderpad=0,
    )


def _in_words(rows: Sequence[Point]) -> str:
    parts = []
    for row in rows:
        interval = ""
        if row.low is not None and row.high is not None:
            interval = f" ({100 * row.low:.1f} to {100 * row.high:.1f})"
        parts.append(f"{row.variant} {100 * row.score:.1f} %{interval} at {row.tokens:.1f} tokens")
    front = ", ".join(row.variant for row in pareto_front(rows))
    return "; ".join(parts) + f". On the Pareto front: {front}."


def _short(value: float) -> str:
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"
