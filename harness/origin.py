"""Where the figures of a run come from: versions of packages, commit of the code, hardware of the machine."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

from results.schema import Hardware

PACKAGES = ("s2d-bench", "torch", "transformers", "lm-eval", "peft", "trl", "datasets", "scipy", "vllm")


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that decide what a run gives."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def git_commit() -> str | None:
    """Returns the commit of the running source checkout; None for an installed package."""
    here = Path(__file__).resolve().parent
    done = subprocess.run(
        ["git", "-C", str(here), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    ) if (here.parent / ".git").exists() else None  # fmt: skip
    return done.stdout.strip() or None if done else None


def hardware() -> Hardware:
    """Returns processor, cores and memory; the engine adds its GPU."""
    import psutil

    name = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    return {
        "cpu": name,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "gpu": None,
        "memory_bandwidth_gbs": None,
    }
