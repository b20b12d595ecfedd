"""`leaderboard.html`: the whole run on one page that needs nothing else, neither network nor model.

`write_page` fills `template.html.j2` with words and tables (`words.py`, `rows.py`), plots (`plots.py`), items
(`items.py`) and, on request, the paper's findings (`paper.py`); style and script are inline. The texts of
more than a few hundred items are in chunks beside it (`chunks.py`). The same run gives the same bytes, so
wall-clock figures are only in the manifest.

Model text must never run as code. jinja2 escapes every value; item data are JSON without `<`, which the
script shows through `textContent`; and a content security policy allows only the page's own script and its
chunks, and no requests.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from results.errors import ResultsError
from results.files import write_whole
from results.page import chunks, seal
from results.page import rows as page_tables
from results.page import words as page_words
from results.page.figure import PRINT_COLORS
from results.page.items import BUDGET, LIMIT, TaskItems, task_items
from results.page.kept_figures import Figures
from results.page.latency import in_words
from results.page.paper_table import paper_table
from results.page.plots import variant_styles
from results.page.scan import Scan, scan_run
from results.records.manifest import read_manifest
from results.schema import Leaderboard, Manifest
from results.tables import frontier, looks, seeds
from results.tables import rows as table_rows

HERE = Path(__file__).parent
MANIFEST_SECTIONS = ("options", "model", "tasks", "variants", "versions", "hardware", "distillation")
"""Parts of the manifest on the page; a repeated run has the same ones."""
VOLATILE = ("memory_bandwidth_gbs", "seconds", "wall_s", "started", "finished", "output")
"""Keys in these parts that differ between equal runs, so they are left out."""


def write_page(run_folder: Path, leaderboard: Leaderboard, paper: bool = False) -> Path:
    """Write `leaderboard.html` and its chunks of items into a run folder, and return its path.

    `leaderboard` has the keys of leaderboard.json; `paper` adds the paper's findings. The file is
    written whole or not at all, after its chunks; an up-to-date one is kept (`seal.py`). ResultsError if the
    folder has no manifest, a samples row is broken, or a row of the leaderboard lacks a key.
    """
    folder = Path(run_folder)
    path = folder / "leaderboard.html"
    manifest = read_manifest(folder)
    inputs = seal.inputs_hash(manifest, _manifest(manifest), leaderboard, paper)
    if seal.is_current(path, inputs, chunks.count(folder)):
        return path
    text, items = _page(folder, manifest, leaderboard, paper, Figures(path))
    written = chunks.write_chunks(folder, items)
    return write_whole(path, seal.sealed(text, inputs, len(written)))


def render_page(folder: Path, leaderboard: Leaderboard, paper: bool = False) -> str:
    """The page as text."""
    return _page(Path(folder), read_manifest(folder), leaderboard, paper, Figures())[0]


def _page(
    folder: Path, manifest: Manifest, leaderboard: Leaderboard, paper: bool, figures: Figures
) -> tuple[str, list[TaskItems]]:
    """The page, and its items (whose texts it holds only in part)."""
    scans = scan_run(folder, manifest)
    items = _items(manifest, scans, leaderboard)
    try:
        context = _context(manifest, scans, items, leaderboard, paper, figures)
    except KeyError as error:
        raise ResultsError(
            f"the leaderboard of {folder} lacks the key {error}; run `s2d-bench report` again"
        ) from error
    page: str = environment().get_template("template.html.j2").render(context)
    # Model text can contain half of a surrogate pair, UTF-8 cannot.
    return page.encode("utf-8", "replace").decode("utf-8"), items


def environment() -> Any:
    """The jinja2 environment of the page: every value is escaped unless this file marks it as safe."""
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )


def _context(
    manifest: Manifest,
    scans: Mapping[str, Mapping[str, Scan]],
    items: Sequence[TaskItems],
    leaderboard: Leaderboard,
    with_paper: bool,
    drawn: Figures,
) -> dict[str, object]:
    """The variables of the template."""
    from markupsafe import Markup

    script = read_script()
    styles = variant_styles([*manifest["variants"], *(row["variant"] for row in leaderboard["rows"])])
    tasks = list(dict.fromkeys(row["task"] for row in leaderboard["rows"]))
    distillation = page_tables.distillation(leaderboard)
    paper = paper_table(leaderboard) if with_paper else None
    planned = [chunks.plan(each, number) for number, each in enumerate(items)]
    sections = [("leaderboard", "Leaderboard"), ("plots", "Plots"), ("claims", "Claims")]
    sections += [("looks", "Looks")] if leaderboard.get("looks") else []
    sections += [("distillation", "Break-even")] if distillation else []
    sections += (
        [("steps", "Steps"), ("items", "Items")]
        + ([("paper", "Paper")] if paper else [])
        + [("about", "Manifest")]
    )
    return {
        "run": str(leaderboard.get("run", manifest["run"])),
        "css": Markup(_css()),
        "script": Markup(script),
        "policy": _policy(script),
        "sections": sections,
        "headline": leaderboard["headline"],
        "subline": page_words.subline(manifest),
        "matrix": page_words.matrix(leaderboard),
        "tasks": tasks,
        "board": page_tables.board(leaderboard, styles),
        "footers": table_rows.footers(leaderboard),
        "prices": table_rows.price_legend(leaderboard),
        "seeds": {
            "headers": seeds.SEED_HEADERS,
            "rows": seeds.seed_cells(leaderboard, str),
            "legend": seeds.seed_legend(leaderboard),
        },
        "figures": drawn.of(leaderboard),
        "frontier": {
            "headers": frontier.HEADERS,
            "right": frontier.RIGHT,
            "rows": frontier.cells(leaderboard),
            "sentences": frontier.sentences(leaderboard),
            "legend": frontier.LEGEND,
        },
        "claims": page_tables.claims(leaderboard),
        "looks": _looks(leaderboard),
        "distillation": distillation,
        "steps": page_tables.steps(leaderboard),
        "waits": _waits(scans),
        "has_items": bool(items),
        "item_tasks": [each.task for each in items],
        "items": [
            (each.task, Markup(each.as_json(found.starts, found.names)))
            for each, found in zip(items, planned, strict=True)
        ],
        "beside": any(found.names for found in planned),
        "limit": LIMIT,
        "paper": paper,
        "notes": leaderboard.get("notes", []),
        "command": manifest.get("command"),
        "manifest": _manifest(manifest),
    }


def _looks(leaderboard: Leaderboard) -> dict[str, object] | None:
    """Where tasks stopped, and each claim with its boundary; None without planned looks."""
    if not leaderboard.get("looks"):
        return None
    return {
        "columns": looks.HEADERS,
        "rows": looks.rows(leaderboard, str),
        "history_columns": looks.history_headers(leaderboard),
        "history": looks.history(leaderboard, str),
        "legends": [looks.LEGEND, looks.SAVED_LEGEND, looks.HISTORY_LEGEND],
        "spending": leaderboard["looks"][0]["spending"],
    }


def read_script() -> str:
    """The page's inline script: page.js with the item viewer inserted."""
    script, viewer = ((HERE / name).read_text(encoding="utf-8") for name in ("page.js", "items.js"))
    return script.replace("  // ITEMS: items.js stands here.\n", viewer)


def _css() -> str:
    plot = " ".join(f"--plot-{name}: {color};" for name, color in PRINT_COLORS.items())
    dark = (HERE / "page_dark.css").read_text(encoding="utf-8")
    style = (HERE / "page.css").read_text(encoding="utf-8")
    return style.replace("  PLOT\n", f"  {plot}\n").replace("{ DARK }", "{\n" + dark + "}")


def _policy(script: str) -> str:
    """Content security policy: only the page's own script may run, and the chunks of items that it loads
    (`strict-dynamic`). Nothing else may be fetched."""
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    own = f"script-src 'sha256-{digest}' 'strict-dynamic'"
    rules = ("default-src 'none'", "style-src 'unsafe-inline'", own)
    return "; ".join([*rules, "base-uri 'none'", "form-action 'none'"])


def _items(
    manifest: Manifest, scans: Mapping[str, Mapping[str, Scan]], leaderboard: Leaderboard
) -> list[TaskItems]:
    """The items of every task with two variants or more. Each task has its share of the budget."""
    pairs: dict[str, list[tuple[str, str]]] = {task: [] for task in scans}
    for claim in leaderboard.get("comparisons", []):
        pair = (claim["a"], claim["b"])
        if claim["task"] in pairs and pair not in pairs[claim["task"]]:
            pairs[claim["task"]].append(pair)
    several = [task for task, by_variant in scans.items() if len(by_variant) > 1]
    for task in several:
        named = [(a, b) for a, b in manifest.get("comparisons", []) if (a, b) not in pairs[task]]
        known = [(a, b) for a, b in (*pairs[task], *named) if a in scans[task] and b in scans[task]]
        first, second = list(scans[task])[:2]
        pairs[task] = known or [(first, second)]
    share = BUDGET // max(1, len(several))
    return [task_items(task, scans[task], pairs[task], share) for task in several]


class WaitRow(TypedDict):
    """Sequential calls and tokens of an item, by task and variant."""

    task: str
    cells: list[str]


class Waits(TypedDict):
    """Tasks x variants."""

    columns: list[str]
    rows: list[WaitRow]


def _waits(scans: Mapping[str, Mapping[str, Scan]]) -> Waits:
    """Sequential calls and tokens of one item: tasks x variants."""
    variants = list(dict.fromkeys(variant for by_variant in scans.values() for variant in by_variant))
    rows: list[WaitRow] = [
        {
            "task": task,
            "cells": [in_words(by_variant[name].waits if name in by_variant else []) for name in variants],
        }
        for task, by_variant in scans.items()
    ]
    return {"columns": variants, "rows": rows}


def _manifest(manifest: Manifest) -> list[tuple[str, str]]:
    def steady(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: steady(entry) for key, entry in value.items() if key not in VOLATILE}
        return [steady(entry) for entry in value] if isinstance(value, list) else value

    entries: Mapping[str, object] = manifest
    parts = [(name, entries[name]) for name in MANIFEST_SECTIONS if entries.get(name)]
    if manifest.get("git_commit"):
        parts.append(("git commit", manifest["git_commit"]))
    return [(name, json.dumps(steady(value), indent=2, ensure_ascii=False)) for name, value in parts]
