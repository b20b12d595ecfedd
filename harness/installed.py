"""The command that adds a package to the environment of this process: a virtual environment, pipx's or uv's.

The name of our own package is not used: it may have been installed from a folder.
"""

from __future__ import annotations

import re
import shlex
import sys
from importlib import metadata, util
from pathlib import Path

PACKAGE = "s2d-bench"
CHECKOUT = Path(__file__).resolve().parents[1]
"""The clone of the repository that this code is run from, if it is run from one."""


def is_checkout() -> bool:
    """Whether this code is run from a clone of the repository, which has a Makefile."""
    return (CHECKOUT / "Makefile").is_file() and (CHECKOUT / "pyproject.toml").is_file()


def pip_command(*packages: str) -> str:
    """Returns the command that installs `packages`, in the versions that this package asks for. Environments
    of uv have no pip."""
    has_pip = util.find_spec("pip") is not None
    tool = [sys.executable, "-m", "pip", "install"]
    if not has_pip:
        tool = ["uv", "pip", "install", "--python", sys.executable]
    return shlex.join([*tool, *map(requirement, packages)])


def requirement(package: str) -> str:
    """Returns a package with the versions that this package asks for, if any: `vllm>=0.32`."""
    for line in _requirements():
        wanted = line.partition(";")[0].strip()
        if _plain(re.split(r"[^\w.-]", wanted)[0]) == _plain(package):
            return wanted
    return package


def _requirements() -> list[str]:
    try:
        return metadata.requires(PACKAGE) or []
    except metadata.PackageNotFoundError:  # run from a source tree that is not installed
        return []


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
