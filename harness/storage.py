"""Turns disk errors into one line that names the file.

A disk may be full, over its quota, read-only or failing. Python's own errors say so; the errors of
safetensors, tokenizers and torch are translated into Python's.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import UserError

_REFUSALS = {
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO,
    errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP,
}  # fmt: skip

_MISPLACED = {errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP}
"""A folder in the place of a file, and the like."""

_OF_RUST = re.compile(r"\(os error (\d+)\)")
"""The error number in messages of libraries that are written in Rust."""

_OF_TORCH = "inline_container.cc"
"""The writer behind `torch.save`, which does not say why."""

_LITTLE = 1 << 26
"""Bytes; if less is free, the disk counts as full."""


def expanded(path: str) -> Path:
    """Returns `path` with `~` expanded as by a shell. UserError for an unknown user."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UserError(f"{path}: this machine has no such user: write the path in full") from error


def refused(error: BaseException) -> str | None:
    """Returns the message for a disk error; None for any other error."""
    if not isinstance(error, OSError) or error.errno not in _REFUSALS:
        return None
    name = error.filename or "a file"
    if error.errno in _MISPLACED:
        return f"{name} exists but is not what is needed ({error.strerror}): move it, or choose another path"
    return f"{name} could not be written or read ({error.strerror}): free some space or fix its permissions"


@contextmanager
def reading() -> Iterator[None]:
    """Turns permission and wrong-file-type errors raised inside into a UserError."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.EACCES, errno.EPERM, *_MISPLACED}:
            raise UserError(str(refused(error))) from error
        raise


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turns disk errors of any library that writes below `path` into an OSError that names a file."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    except Exception as error:
        number = _number(error, path)
        if number is None:
            raise
        raise OSError(number, os.strerror(number), str(path)) from error


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A new folder that takes the place of `target` in one step when the block ends well, so a folder of that
    name is always complete. Disk errors name `target`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=target.parent))
    draft = scratch / target.name  # `scratch` itself may be read by its owner alone
    try:
        with naming(target):
            draft.mkdir()
            yield draft
        shutil.rmtree(target, ignore_errors=True)
        draft.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _number(error: Exception, path: Path) -> int | None:
    """Returns the system's error number behind a library's error."""
    if found := _OF_RUST.search(str(error)):
        return int(found[1])
    if _OF_TORCH not in str(error):
        return None
    there = next(each for each in (path, *path.absolute().parents) if each.exists())
    return errno.ENOSPC if shutil.disk_usage(there).free < _LITTLE else errno.EIO
