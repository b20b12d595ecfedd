"""What a start needs of a converted model, kept beside it: its fingerprint, and its weights in bfloat16.

GGUF files unpack to float16, so a run in bfloat16 would hash and convert all numbers again at every start.
Weights that are in a file as they are computed are mapped, not copied. Nothing here changes a number: the
copy holds what loading would make, and the fingerprint is that of the float16 files.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from filelock import FileLock

from harness import storage
from harness.models.gguf import is_converted
from harness.progress import say

_FINGERPRINT = "fingerprint"
"""File in a converted folder: sizes and times of its files, and the fingerprint that they had."""

_COPY = "bfloat16"
"""Folder in a converted folder; a new conversion removes it with the old one."""


def fingerprint(home: Path, computed: Callable[[], str]) -> str:
    """`computed()`, but read from `home` if that is a converted folder whose files are as they were then."""
    if not is_converted(home):
        return computed()
    note = home / _FINGERPRINT
    files = {
        path.name: [path.stat().st_size, path.stat().st_mtime_ns]
        for path in sorted(home.iterdir())
        if path.is_file() and path != note
    }
    with suppress(OSError, ValueError, KeyError, TypeError):
        held = json.loads(note.read_text())
        if held["files"] == files:
            return str(held["fingerprint"])
    found = computed()
    with suppress(OSError):  # a cache that cannot be written costs seconds, not the run
        note.write_text(json.dumps({"files": files, "fingerprint": found}))
    return found


def in_bfloat16(home: Path) -> Path:
    """A folder with the weights of `home` in bfloat16, made on first use; `home` itself if that is not a
    converted folder in float16, or if the disk has no room for a second copy."""
    if not is_converted(home) or json.loads((home / "config.json").read_text()).get("dtype") != "float16":
        return home
    copy = home / _COPY
    try:
        with FileLock(f"{home}.lock"):
            if not copy.is_dir():
                _write(home, copy)
    except OSError as error:
        say(f"{home.name}: no copy in bfloat16 is kept ({error.strerror}), so each start converts it")
        return home
    return copy


def _write(home: Path, copy: Path) -> None:
    """Writes the copy; it is complete when it has its name."""
    import torch
    from safetensors.torch import load_file, save_file

    weights = sorted(home.glob("*.safetensors"))
    say(f"{home.name}: keeping its weights in bfloat16, once")
    scratch = Path(tempfile.mkdtemp(dir=home.parent))
    try:
        with storage.naming(copy):
            for path in weights:
                # Vectors stay: they take no time, and models may compute norms in another type.
                tensors = {
                    name: tensor.to(torch.bfloat16) if tensor.dim() > 1 else tensor
                    for name, tensor in load_file(path).items()
                }
                save_file(tensors, scratch / path.name, metadata={"format": "pt"})
            for path in home.glob("*.json"):
                if not path.name.startswith("tokenizer"):
                    shutil.copyfile(path, scratch / path.name)
        scratch.rename(copy)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
