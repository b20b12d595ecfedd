"""What a disk refuses is one line that names the file, whichever library wrote."""

from __future__ import annotations

import errno
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from harness import storage


@contextmanager
def small_files() -> Iterator[None]:
    """Inside, no file may grow beyond 1,000 bytes: the system's own refusal. Not as a fixture: pytest itself
    writes to a file before it ends one."""
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)


@pytest.mark.parametrize("library", ["python", "safetensors", "torch"])
def test_a_refusal_is_told_with_its_file(tmp_path: Path, library: str) -> None:
    write = {
        "python": lambda file: file.write_bytes(bytes(5000)),
        "safetensors": lambda file: save_file({"a": torch.zeros(5000)}, file),
        "torch": lambda file: torch.save({"a": torch.zeros(5000)}, file),
    }[library]
    with pytest.raises(OSError) as caught, small_files(), storage.naming(tmp_path / "made"):
        write(tmp_path / "made")
    line = storage.refused(caught.value)
    assert line and str(tmp_path / "made") in line and "free some space" in line


def test_a_full_disk_behind_torch_s_words_is_called_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = storage.shutil.disk_usage(tmp_path)
    for free, number in ((0, errno.ENOSPC), (1 << 40, errno.EIO)):
        monkeypatch.setattr(storage.shutil, "disk_usage", lambda _, free=free: usage._replace(free=free))
        with pytest.raises(OSError) as caught, storage.naming(tmp_path / "not" / "made" / "yet"):
            raise RuntimeError("[enforce fail at inline_container.cc:9] . failed writing file data/0")
        assert caught.value.errno == number


def test_other_errors_stay_what_they_are(tmp_path: Path) -> None:
    for error in (ValueError("no"), RuntimeError("no"), OSError("no"), FileNotFoundError(2, "no", "x")):
        with pytest.raises(type(error)) as caught, storage.naming(tmp_path):
            raise error
        assert caught.value is error
        assert storage.refused(error) is None
