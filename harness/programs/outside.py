"""Methods from outside this folder: in a user's file, or in an installed package.

A file is named with `--method-path FILE.py`; a package declares an entry point of the group
`s2d_bench.methods`, which names a module or a function in one. Both register methods with `@method`, as the
files here do.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from harness.errors import UserError, one_line
from harness.programs import base

GROUP = "s2d_bench.methods"
_loaded: dict[str, str] = {}
"""Name of a module -> hash of its file's content."""


def load_files(paths: Sequence[str]) -> None:
    """Registers the methods of some files; a file that changed since it was loaded is loaded again.
    UserError with the name of a file that is missing, fails, or registers no method."""
    for text in paths:
        path = Path(text).expanduser()
        try:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise UserError(f"--method-path {text}: {error.strerror}; name a Python file") from error
        # Two files may have the same name.
        place = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
        name = f"s2d_method_{path.stem}_{place}"
        if _loaded.get(name) == content:
            continue
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise UserError(f"--method-path {text}: not a Python file; its name must end in .py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        _register(f"--method-path {text}", partial(spec.loader.exec_module, module))
        _loaded[name] = content


def load_packages() -> None:
    """Registers the methods of installed packages. UserError with the name of one that fails."""
    for point in entry_points(group=GROUP):
        package = point.dist.name if point.dist else "an unknown package"
        _register(f"entry point {point.name} = {point.value} of {package}", point.load)


@contextmanager
def naming(where: str) -> Iterator[None]:
    """Turns any error inside the block, in a file that may be a user's, into a UserError that begins with
    `where`."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    except Exception as error:  # it is the user's code
        at = error.lineno if isinstance(error, SyntaxError) else _last_line(error)
        raise UserError(
            f"{where}: line {at} raised {type(error).__name__}: {one_line(error)}: correct the file"
        ) from error


def _register(where: str, load: Callable[[], Any]) -> None:
    before = base.registered()
    with naming(where):
        load()
    if base.registered() == before:
        raise UserError(
            f"{where}: it registers no method: write @method(NAME, DESCRIPTION, steps=...) above a generator "
            "function (from harness.programs import method)"
        )


def _last_line(error: Exception) -> int | None:
    return traceback.extract_tb(error.__traceback__)[-1].lineno
