"""Takes figures from the page on disk if nothing that they show has changed: drawing is half of `report`.

Each figure of a page has the hash of its inputs as an attribute. Figures are only taken from a page that is
whole (`seal.py`), so the new page has the bytes that drawing would give.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from results.page import seal
from results.page.plots import primary_points, score_against_tokens, step_use, tokens_by_step
from results.schema import Leaderboard

FIGURE = re.compile(r'<svg data-inputs="([0-9a-f]{64})".*?</svg>', re.DOTALL)
WIDE_TASKS = 2
"""Up to this many tasks get wide plots."""
CODE = ("plots.py", "figure.py")
"""Files of this folder that draw."""


class Figures:
    """The figures of one page; `before` is the page that it replaces, if there is one."""

    def __init__(self, before: Path | None = None) -> None:
        text = seal.whole(before) if before is not None else None
        self._kept = {found[1]: found[0] for found in FIGURE.finditer(text or "")}
        digest = hashlib.sha256(metadata.version("matplotlib").encode())
        for name in CODE:
            digest.update((Path(__file__).parent / name).read_bytes())
        self._code = digest.hexdigest()

    def of(self, leaderboard: Leaderboard) -> dict[str, list[Any]]:
        """The figures of each task as SVG; one or two tasks have wide ones for wide screens too."""
        from markupsafe import Markup

        points, used = primary_points(leaderboard), step_use(leaderboard)
        shown = {name: [asdict(point) for point in rows] for name, rows in points.items()}
        few = len(used) if len(used) <= WIDE_TASKS else 0

        def scores(task: str, wide: int) -> Any:
            draw = partial(score_against_tokens, leaderboard, task, wide=wide)
            return Markup(self._svg(draw, "scores", task, wide, shown))

        def steps(task: str, wide: int) -> Any:
            draw = partial(tokens_by_step, leaderboard, task, wide=wide)
            return Markup(self._svg(draw, "steps", task, wide, list(used), list(used[task].items())))

        return {
            "scores": [scores(task, 0) for task in points],
            "wide_scores": [scores(task, few) for task in points if few],
            "steps": [steps(task, 0) for task in used],
            "wide_steps": [steps(task, few) for task in used if few],
        }

    def _svg(self, draw: Callable[[], str], *inputs: object) -> str:
        """The figure that `draw` returns, from the page before if it had the same `inputs` (of JSON)."""
        about = json.dumps([self._code, *inputs])
        made = hashlib.sha256(about.encode()).hexdigest()
        return self._kept.get(made) or draw().replace("<svg", f'<svg data-inputs="{made}"', 1)
