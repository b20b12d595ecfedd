"""What a start needs of a converted model, kept beside it: its fingerprint, and its weights in bfloat16.

GGUF files unpack to float16, so a run in bfloat16 would hash and convert all numbers again at every start.
Weights that are in a file as they are computed are mapped, not copied. Nothing here changes a number: the
copy holds what loading would make, and the fingerprint is that of the float16 files.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

from harness import storage
from harness.models.gguf import is_converted
from harness.progress import say

Files = dict[str, list[int]]
"""Name -> size and time of each file of a converted folder."""

_FINGERPRINT = "fingerprint"
"""File in a converted folder: its files, and the fingerprint that they had."""

_COPY = "bfloat16"
"""Folder in a converted folder; a new conversion removes it with the old one."""

_MADE_OF = "made_of"
"""File in the copy: the files of the converted folder that it was made of."""


def fingerprint(home: Path, computed: Callable[[], str]) -> str:
    """`computed()`, but read from `home` if that is a converted folder whose files are as they were then."""
    if not is_converted(home):
        return computed()
    note, files = home / _FINGERPRINT, _files(home)
    held = _noted(note)
    if isinstance(held, dict) and held.get("files") == files and "fingerprint" in held:
        return str(held["fingerprint"])
    found = computed()
    with suppress(OSError):  # a cache that cannot be written costs seconds, not the run
        note.write_text(json.dumps({"files": files, "fingerprint": found}))
    return found


def _files(home: Path) -> Files:
    found = {}
    for path in sorted(home.iterdir()):
        if path.is_file() and path.name != _FINGERPRINT:
            facts = path.stat()
            found[path.name] = [facts.st_size, facts.st_mtime_ns]
    return found


def _noted(note: Path) -> Any:
    """What a note says; None if it cannot be read."""
    with suppress(OSError, ValueError):
        return json.loads(note.read_text())
    return None


def in_bfloat16(home: Path) -> Path:
    """A folder with the weights of `home` in bfloat16, made on first use; `home` itself if that is not a
    converted folder in float16, or if the disk has no room for a second copy."""
    if not is_converted(home) or json.loads((home / "config.json").read_text()).get("dtype") != "float16":
        return home
    copy = home / _COPY
    try:
        with FileLock(f"{home}.lock"):
            files = _files(home)
            if _noted(copy / _MADE_OF) != files:
                _write(home, copy, files)
    except OSError as error:
        say(f"{home.name}: no copy in bfloat16 is kept ({error.strerror}), so each start converts it")
        return home
    return copy


def _write(home: Path, copy: Path, files: Files) -> None:
    """Writes the copy of the files."""
    import torch
    from safetensors.torch import load_file, save_file

    say(f"{home.name}: keeping its weights in bfloat16, once")
    with storage.whole_folder(copy) as draft:
        for path in home.glob("*.safetensors"):
            # Vectors stay: they take no time, and models may compute norms in another type.
            tensors = {
                name: tensor.to(torch.bfloat16) if tensor.dim() > 1 else tensor
                for name, tensor in load_file(path).items()
            }
            save_file(tensors, draft / path.name, metadata={"format": "pt"})
        for path in home.glob("*.json"):
            if not path.name.startswith("tokenizer"):
                shutil.copyfile(path, draft / path.name)
        (draft / _MADE_OF).write_text(json.dumps(files))
