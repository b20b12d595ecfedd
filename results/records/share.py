"""A copy of a run that may be shown to others: no texts of the data set, no paths or addresses of a machine.

    s2d-bench report RUN --share FOLDER

Tables, page and comparisons need neither, so they are those of the run. Items are still paired with other
runs by their ids, which are hashes of their content. Replies of the model stay: they are what readers check.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from results.errors import ResultsError
from results.files import write_rows, write_whole
from results.records.lines import lines
from results.records.load import require_as_written, sample_files
from results.records.manifest import read_manifest
from results.schema import Distillation, JsonObject, Manifest

OF_THE_DATA = ("prompt", "target")
"""Keys of a row with texts of the data set; so have the `messages` of its steps."""

LEFT_OUT = "(Left out: a text of the data set or of a reply.)"

_PATH = re.compile(r"(?<![\w:/.])~?/(?:[^\s/'\",:=()]+/)+([^\s/'\",:=()]+)")
"""A path from the root or from home with at least one folder; its last part is kept."""

_FENCED = re.compile(r"^(`{3,})text\n.*?\n\1$", re.MULTILINE | re.DOTALL)
"""A text in a card; commands and code have fences of their own kinds."""


def share(run: Path, folder: Path) -> Path:
    """Writes the copy and returns its folder. ResultsError if the run is not finished as written, or the
    folder is in use."""
    run, folder = Path(run), Path(folder)
    manifest = read_manifest(run)
    require_as_written(run, manifest)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ResultsError(f"--share {folder}: it is in use: name a new or an empty folder")
    files = sample_files(run, manifest)
    if not files:
        raise ResultsError(f"{run} has no samples: let the run finish first")
    hashes = {}
    for path in files.values():
        name = path.relative_to(run).as_posix()
        hashes[name] = write_rows(folder / name, map(_row, lines(path)))
    plain = _cleaner(manifest)
    shown = {**_each_text(manifest, plain), "samples": hashes}
    if (options := run / "config.yaml").is_file():
        write_whole(folder / "config.yaml", plain(options.read_text(encoding="utf-8")))
    for entry in manifest["distillation"]:
        card = Path(entry["checkpoint"] or "") / "README.md"
        if entry["checkpoint"] and card.is_file():
            text = card.read_text(encoding="utf-8")
            write_whole(folder / _card_name(entry, manifest), plain(_FENCED.sub(LEFT_OUT, text)))
    write_whole(folder / "manifest.json", json.dumps(shown, indent=1, ensure_ascii=False) + "\n")
    return folder


def _card_name(entry: Distillation, manifest: Manifest) -> str:
    parts = ["card", entry.get("variant") or "distilled", entry["task"]]
    if len({each.get("seed") for each in manifest["distillation"]}) > 1:
        parts.append(f"seed-{entry['seed']}")
    return re.sub(r"[^\w.-]", "-", "-".join(parts)) + ".md"


def _row(row: JsonObject) -> JsonObject:
    kept = {name: value for name, value in row.items() if name not in OF_THE_DATA}
    kept["steps"] = [
        {name: value for name, value in step.items() if name != "messages"} for step in row.get("steps", [])
    ]
    return kept


def _cleaner(manifest: Manifest) -> Callable[[str], str]:
    """Cuts paths to their last part and leaves addresses of servers out. The manifest's own come first, since
    they may hold spaces."""
    options = manifest["options"]
    known = [str(value) for value in options.values() if isinstance(value, str) and value[:1] in "/~"]
    known += [str(entry["checkpoint"]) for entry in manifest["distillation"] if entry["checkpoint"]]
    paths = sorted(filter(lambda path: "/" in path.strip("/"), known), key=len, reverse=True)
    address = options.get("base_url")

    def plain(text: str) -> str:
        for path in paths:
            text = text.replace(path, Path(path).name)
        if address:
            text = text.replace(str(address), "SERVER")
        return _PATH.sub(r"\1", text)

    return plain


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    """The same JSON value with every text changed, keys excepted."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_each_text(each, change) for each in value]
    if isinstance(value, dict):
        return {name: _each_text(each, change) for name, each in value.items()}
    return value
