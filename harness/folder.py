"""The run folder: found or made, locked for one process, with a manifest that says what the run is.

It only writes and reads files; run.py does the work of a run.
"""

from __future__ import annotations

import json
import re
import time
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any, Unpack

from filelock import FileLock, Timeout

from harness import storage
from harness.errors import UserError
from harness.growth import OTHER_BATCHES, added, joined, kept_beyond, require_error_left
from harness.options import RunOptions, comparable
from harness.origin import git_commit, hardware, versions
from harness.progress import say
from results.files import parse_json, remove_scratch, write_whole
from results.schema import SCHEMA, Command, JsonObject, Manifest, Model, RunEntries, RunKind, Status

PER_CALL = frozenset({"output", "fresh", "dry_run"})
"""Options that belong to one call of the command, not to the run."""


def with_held(options: RunOptions) -> RunOptions:
    """Returns `options` joined with those of the run in `--output`; unchanged if there is none. UserError if
    they cannot be joined."""
    if options.output is None or options.fresh:
        return options
    path = Path(options.output)
    with storage.reading():
        found = held_manifest(path)
    if found is None:
        return options
    whole = joined(path, found.get("options", {}), options)
    require_error_left(path, found, whole)
    if less := kept_beyond(options, whole):
        say(
            f"{path} keeps all of its content: {'; '.join(less)}. `s2d-bench report {path}` with --limit, "
            "--tasks or --variants shows a part of it"
        )
    return whole


def sweep(path: Path) -> None:
    """Removes temporary files that killed processes left in a run folder, unless it is in use."""
    lock = FileLock(path / ".lock", timeout=0)
    # Without the lock file, or the right to take it, nothing here is ours to remove.
    if (path / ".lock").is_file():
        with suppress(Timeout, OSError), lock:
            remove_scratch(path)


class RunFolder:
    """One run on disk. `open` finds or makes it."""

    manifest: Manifest
    """The content of manifest.json, set by `_take_up`."""

    def __init__(self, path: Path, lock: FileLock) -> None:
        self.path = path
        self._lock = lock
        self._is_new = self._is_new_folder = False
        self.nothing_asked = False
        """No call was made or will be: a new folder is removed, so that the fixed command is not refused."""

    @classmethod
    def open(cls, options: RunOptions, command: str, kind: RunKind = "run") -> RunFolder:
        """Returns the folder of `--output`, else the newest unfinished run of these options, or a new one.

        UserError if another process uses it or its options differ."""
        path = place_of(options, kind)
        try:
            there = path.is_dir()
            path.mkdir(parents=True, exist_ok=True)
            lock = FileLock(path / ".lock", timeout=0)
            lock.acquire()
        except Timeout as error:
            raise UserError(
                f"{path} is used by another process: wait for it, or name another --output"
            ) from error
        except OSError as error:
            raise UserError(f"{path} cannot be written ({error.strerror}): name another --output") from error
        except RecursionError as error:
            raise UserError(f"--output {str(path)[:40]}... is nested too deep: make it flatter") from error
        folder = cls(path, lock)
        folder._is_new_folder = not there
        try:
            folder._take_up(options, command, kind)
        except BaseException:
            folder.close()
            raise
        return folder

    def _take_up(self, options: RunOptions, command: str, kind: RunKind) -> None:
        found = held_manifest(self.path)
        if found is not None and options.fresh:
            raise UserError(
                f"{self.path} already holds a run, and --fresh starts a new one: name another --output"
            )
        self._is_new = found is None
        if found is None:
            # A kill during the very first write leaves a scratch file, but no run.
            ours = (".lock", ".manifest.json.")
            others = [entry.name for entry in self.path.iterdir() if not entry.name.startswith(ours)]
            if others:
                raise UserError(
                    f"{self.path} is not empty and holds no run ({others[0]}): name another --output"
                )
        else:
            if found.get("kind", kind) != kind:
                raise UserError(
                    f"{self.path} was begun by `{found['kind']}`, not by `{kind}`: name another --output"
                )
            if joined(self.path, found.get("options", {}), options) != options:
                raise UserError(f"{self.path} was extended by another command: run this one again")
        remove_scratch(self.path)
        begun: Manifest = {
            "schema": SCHEMA,
            "kind": kind,
            "run": self.path.resolve().name,
            "status": "running",
            "command": command,
            "options": options.as_dict(),
            "versions": versions(),
            "git_commit": git_commit(),
            "hardware": hardware(),
            # Templates that insert a date get this one, also when the run is continued tomorrow.
            "template_date": time.strftime("%Y-%m-%d", time.gmtime()),
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        begun["history"] = _history(found, begun)
        if found is not None:
            begun["template_date"] = found.get("template_date") or begun["template_date"]
            begun["started"] = found.get("started") or begun["started"]
        self.manifest = {**found, **begun} if found is not None else begun
        self.save()
        self._write_config(options)

    def _write_config(self, options: RunOptions) -> None:
        write_whole(self.path / "config.yaml", config_text(options))

    def require_same_model(self, model: Model, served: JsonObject) -> None:
        """UserError if calls of this run were made with another model: a table must not mix two models.
        `served` is what a server reports about its model."""
        before = self.manifest.get("model")
        if not isinstance(before, dict) or before.get("fingerprint") == model["fingerprint"]:
            return
        engine = self.manifest.get("engine")
        told = (engine and engine.get("served")) or {}
        pairs = [(name, told.get(name), served.get(name)) for name in {**told, **served}]
        pairs += [
            ("name", before.get("name"), model["name"]),
            ("fingerprint", before.get("fingerprint"), model["fingerprint"]),
        ]
        name, then, now = next(pair for pair in pairs if pair[1] != pair[2])
        raise UserError(
            f"{self.path} was begun with another model ({name}: {then}, now {now}): load or serve that one "
            "again, or name another --output"
        )

    @property
    def other_batches(self) -> bool:
        """Whether items were added later, so in other batches than in a run that asks all at once."""
        return any(OTHER_BATCHES & entry["added"].keys() for entry in self.manifest.get("history") or [])

    def save(self, status: Status | None = None, **more: Unpack[RunEntries]) -> None:
        """Merges `status` and `more` into the manifest and writes it in one step."""
        self.manifest = {**self.manifest, "status": status or self.manifest["status"], **more}
        text = json.dumps(self.manifest, indent=1, ensure_ascii=False, default=str)
        write_whole(self.path / "manifest.json", text + "\n")

    def finish(self, **more: Unpack[RunEntries]) -> None:
        """Saves the status `finished`. The run counts as finished once its page is written, which comes
        last; so an earlier page is removed here."""
        (self.path / "leaderboard.html").unlink(missing_ok=True)
        self.save(status="finished", **more)

    def samples_path(self, variant: str, task: str) -> Path:
        return self.path / "samples" / variant / f"{task}.jsonl"

    def close(self) -> None:
        """Releases the folder; removes a new run that made no call."""
        try:
            if self.nothing_asked and self._is_new:
                self._remove()
        finally:
            self._lock.release()

    def _remove(self) -> None:
        """Removes what this run has written, and a new folder if nothing else is in it."""
        store = [f"calls.sqlite{ending}" for ending in ("", "-wal", "-shm")]
        with suppress(OSError):
            for name in ("manifest.json", "config.yaml", *store, ".lock"):
                (self.path / name).unlink(missing_ok=True)
            if self._is_new_folder:
                self.path.rmdir()


def place_of(options: RunOptions, kind: RunKind = "run") -> Path:
    """Returns the folder of `--output`, else that of the newest unfinished run of these options, or a new
    name."""
    return Path(options.output) if options.output else _find_or_name(options, kind)


def config_text(options: RunOptions) -> str:
    """The options as YAML: `s2d-bench --config FILE` repeats the run."""
    import yaml

    values = {name: value for name, value in options.as_dict().items() if name not in PER_CALL}
    text = yaml.safe_dump(values, sort_keys=True, allow_unicode=True)
    # YAML reads some characters (such as a line separator) back only from an escape.
    return text if yaml.safe_load(text) == values else yaml.safe_dump(values, sort_keys=True)


def held_manifest(path: Path) -> Manifest | None:
    """Returns the manifest of a run to continue; None if the folder has none. UserError if it cannot be read.

    `results.records.manifest.read_manifest` checks every key, for tables.
    """
    file = path / "manifest.json"
    if not file.is_file():
        return None
    try:
        manifest = parse_json(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{file} is damaged ({error}): restore it, or name another --output") from error
    schema = manifest.get("schema") if isinstance(manifest, dict) else None
    if schema != SCHEMA:
        raise UserError(f"{file} is of another version: use the release that wrote it, or another --output")
    if not isinstance(manifest.get("options", {}), dict) or not _is_date(manifest.get("template_date")):
        raise UserError(f"{file} is damaged (options or template_date): restore it, or name another --output")
    return manifest


def _is_date(value: Any) -> bool:
    """Whether it is None or a date that templates can insert."""
    try:
        return value is None or bool(date.fromisoformat(value))
    except (TypeError, ValueError):
        return False


def _history(found: Manifest | None, begun: Manifest) -> list[Command]:
    """Returns the commands of a run and what each added; a repeated command appears once."""
    before: list[Command] = []
    more = {}
    if found is not None:
        first: Command = {
            "command": found.get("command") or "",
            "started": found.get("started") or "",
            "added": {},
        }
        before = list(found.get("history") or [first])
        more = added(found.get("options", {}), begun["options"])
    if before and before[-1]["command"] == begun["command"] and not more:
        return before
    return [*before, {"command": begun["command"], "started": begun["started"], "added": more}]


def _find_or_name(options: RunOptions, kind: str) -> Path:
    """Returns the newest unfinished run under runs/ with the same options, or a new name. A run without its
    tables is unfinished too."""
    root = Path("runs")
    if not options.fresh and root.is_dir():
        same = json.loads(json.dumps(options.compared()))
        for path in sorted(root.iterdir(), key=lambda entry: entry.name, reverse=True):
            try:
                manifest = held_manifest(path)
            except (UserError, OSError):  # damaged, or not readable
                continue
            if manifest is None or manifest.get("kind", kind) != kind or _is_done(path, manifest):
                continue
            before = comparable(manifest.get("options", {}))
            if all(before.get(name, value) == value for name, value in same.items()):
                return path
    # A model name may contain characters that a folder name must not.
    name = re.sub(r"[^\w.+-]", "-", Path(options.pretrained).name.removesuffix(".gguf"))[:60] or "model"
    stamp = time.strftime("%Y%m%d-%H%M%S")
    path = root / f"{stamp}-{name}"
    number = 2
    while path.exists():
        path = root / f"{stamp}-{name}-{number}"
        number += 1
    return path


def _is_done(path: Path, manifest: Manifest) -> bool:
    # The page is written last.
    tables = manifest.get("kind") == "distill" or (path / "leaderboard.html").is_file()
    return manifest.get("status") == "finished" and tables
