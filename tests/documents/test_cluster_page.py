"""The batch file of docs/cluster.md, run by bash on one node: srun and scontrol stand in for SLURM's."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from document_parts import ROOT, block
from kill_fixtures import calls_in
from test_end_to_end import SCRIPTS

SLOW_MODEL = f"""import os, sys, time
sys.path.insert(0, {str(SCRIPTS)!r})
from paper_like import respond as at_once


def respond(request, adapter):
    time.sleep(float(os.environ["PAUSE"]))
    return at_once(request, adapter)
"""
SRUN = """#!/bin/bash
while [[ $1 == --* ]]; do shift; done
echo $$ > "$SHARED/step.pid"
exec "$@"
"""
SCONTROL = """#!/bin/bash
echo "$@" >> "$SHARED/scontrol.log"
"""
COMMAND = """#!/bin/bash
exec {python} -m harness.command.cli "$@"
"""


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A shared disk, with the batch file and the stand-ins in `bin`."""
    (tmp_path / "bin").mkdir()
    for name, text in (
        ("srun", SRUN),
        ("scontrol", SCONTROL),
        ("s2d-bench", COMMAND.format(python=sys.executable)),
    ):
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "s2d.sbatch").write_text(block("docs/cluster.md", "bash", "#SBATCH --requeue"))
    return tmp_path


def submit(shared: Path, *options: str, seconds: float = 0.0) -> subprocess.Popen[str]:
    """The job, as sbatch would start it. A call of the model takes so many seconds."""
    script = shared / "model.py"
    script.write_text(SLOW_MODEL)
    words = ["--engine", "scripted", "--engine-args", f"script={script},batch_rows=4", "--tasks", "coin_flip"]
    return subprocess.Popen(
        ["bash", str(shared / "s2d.sbatch"), "first", *words, "--limit", "12", *options],
        cwd=shared,
        env={
            **os.environ,
            "PATH": f"{shared / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "SHARED": str(shared),
            "SLURM_TMPDIR": str(shared / "node"),
            "SLURM_JOB_ID": "4711",
            "PAUSE": str(seconds),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def last_line(text: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(text.strip().splitlines()[-1])
    return found


def wait_for_calls(shared: Path, job: subprocess.Popen[str]) -> None:
    """Until the run on the node has calls."""
    for _ in range(600):
        if calls_in(shared / "node" / "first"):
            return
        assert job.poll() is None, job.communicate()
        time.sleep(0.1)
    raise AssertionError("no call was made")


def test_the_batch_file_is_a_program_of_bash(shared: Path) -> None:
    subprocess.run(["bash", "-n", str(shared / "s2d.sbatch")], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", "-S", "warning", str(shared / "s2d.sbatch")], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGUSR1", "SIGTERM"])
def test_a_job_that_is_stopped_is_kept_requeued_and_goes_on(shared: Path, name: str) -> None:
    job = submit(shared, "--models", "base,s2", seconds=0.2)
    wait_for_calls(shared, job)
    if name == "SIGUSR1":  # to the step, as --signal=USR1@180 does
        os.kill(int((shared / "step.pid").read_text()), signal.SIGUSR1)
    else:  # to the batch shell, as preemption does
        job.send_signal(signal.SIGTERM)
    out, err = job.communicate(timeout=60)
    assert job.returncode == {"SIGUSR1": 138, "SIGTERM": 143}[name], err
    assert last_line(out)["status"] == "stopped"
    assert (shared / "scontrol.log").read_text() == "requeue 4711\n"
    kept = shared / "runs" / "first"
    assert json.loads((kept / "manifest.json").read_text())["status"] == "stopped"
    before = calls_in(kept)
    assert before

    shutil.rmtree(shared / "node")  # the next job is on another node
    again = submit(shared, "--models", "base,s2")
    out, err = again.communicate(timeout=120)
    assert again.returncode == 0, err
    assert last_line(out)["status"] == "ok"
    assert before.items() <= calls_in(kept).items(), "a finished call was made again"
    assert (kept / "leaderboard.html").is_file()

    larger = submit(shared, "--models", "base,s2,distilled", "--distill-inputs", "16")
    out, err = larger.communicate(timeout=120)
    assert larger.returncode == 2 and "--distill-inputs" in err, "another size of distillation is another run"
    grown = submit(shared, "--models", "base,s2", "--limit", "20")
    out, err = grown.communicate(timeout=120)
    assert grown.returncode == 0, err
    assert json.loads((kept / "manifest.json").read_text())["options"]["limit"] == 20
