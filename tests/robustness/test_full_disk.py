"""A disk that really is full: the run on a small tmpfs, in a mount namespace of its own.

What a full disk does at each numbered moment is in test_storage_faults.py; here the system itself refuses,
wherever that happens to be.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from forked import Ended
from kill_fixtures import ARGUMENTS, Undisturbed, calls_in, complaint, small_place

COMMAND = (sys.executable, "-m", "harness.command.cli", *ARGUMENTS)
NAMESPACE = ("unshare", "--map-root-user", "--mount")
SCRIPT = """
set -u
size=$1 kept=$2; shift 2
mount -t tmpfs -o size=$size tmpfs work
cp -r data work/data
cd work
"$@"; echo "status $?"
cp -r run "$kept/struck" 2>/dev/null
mount -o remount,size=256m tmpfs .
"$@"; echo "status $?"
cp -r run "$kept/after"
"""
"""Full, then with space; what the tmpfs held is copied out before it goes with the namespace."""


def refused() -> str | None:
    """Why this system gives no namespace with a tmpfs; nothing where it does."""
    if shutil.which("unshare") is None:
        return "no unshare command"
    tried = subprocess.run(
        [*NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, text=True, check=False
    )
    return tried.stderr.strip() or None


@pytest.mark.slow
@pytest.mark.parametrize("size", ("48k", "96k", "160k", "288k"))
def test_a_run_on_a_full_disk_names_the_file_and_goes_on_with_space(
    undisturbed: Undisturbed, tmp_path: Path, size: str
) -> None:
    if reason := refused():
        pytest.skip(f"a small tmpfs cannot be had: {reason}")
    place = small_place(tmp_path)
    shutil.move(place.work / "data", tmp_path / "data")
    kept = tmp_path / "kept"
    kept.mkdir()
    done = subprocess.run(
        [*NAMESPACE, "sh", "-c", SCRIPT, "sh", size, str(kept), *COMMAND],
        cwd=tmp_path,
        env={**os.environ, "S2D_CACHE": "cache", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    statuses = [line for line in done.stdout.splitlines() if line.startswith("status ")]
    assert statuses == ["status 1", "status 0"], done.stderr
    line = complaint(Ended(1, done.stdout, done.stderr), 1)  # of both commands together
    assert "free some space" in line and ("run" in line or "cache" in line), line
    undisturbed.ended_alike(kept / "after", calls_in(kept / "struck"))
