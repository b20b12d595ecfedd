"""A run that is finished already: the same command shows it, and loads neither tasks nor a model.

Everything is checked: options and package versions must be those of the run, every samples file must have
the hash that the run wrote, and no file that could change a record (our own code, and whatever the options
name: tasks, methods, data, weights, adapters, scripts) may be newer than the run's start. If anything
differs, the run is opened as usual, and finds its calls in the store. A run on a server is always opened,
because the server's weights cannot be checked.
"""

from __future__ import annotations

import json
from pathlib import Path

from harness.command.unchanged import is_unchanged
from harness.engines import KINDS
from harness.folder import held_manifest, with_held
from harness.options import RunOptions, comparable
from harness.progress import say
from results.files import file_hash
from results.schema import Distillation, Manifest


def run_or_show(options: RunOptions, command: str) -> tuple[Path, list[Distillation]]:
    """Like `harness.command.run.run`, but leaves a finished run that has all that is asked for unchanged."""
    options.check()
    options = with_held(options)
    folder = finished(options)
    if folder is not None:
        say(f"run folder: {folder} (finished: its records are shown; --output names another run)")
        return folder, []
    from harness.command.run import run

    return run(options, command)


def finished(options: RunOptions) -> Path | None:
    """Returns the folder of `--output` if it holds the finished run of these options, else None."""
    special = options.fresh or options.dry_run or options.push_to_hub is not None
    if options.output is None or special or KINDS[options.engine].weights == "on a server":
        return None
    folder = Path(options.output)
    manifest = held_manifest(folder)
    if manifest is None or manifest.get("status") != "finished" or manifest.get("kind") != "run":
        return None
    held = manifest.get("options", {})
    if options.until_decided and held.get("margin") != options.margin:  # its looks were planned for one
        return None
    before, now = comparable(held), json.loads(json.dumps(options.compared()))
    if any(name not in before or before[name] != value for name, value in now.items()):
        return None
    return folder if _as_written(folder, manifest) and is_unchanged(manifest) else None


def _as_written(folder: Path, manifest: Manifest) -> bool:
    """Whether there are samples files, each as the run wrote it."""
    samples = manifest.get("samples") or {}
    return bool(samples) and all(
        (folder / name).is_file() and file_hash(folder / name) == digest for name, digest in samples.items()
    )
