"""Fine-tune the model on prompt ids -> answer ids with TRL, in a child process.

    python -m distill.training.parent JOBS.json

Examples are token ids from the start: exactly the prompt ids of System 1's evaluation, then the answer
and the end-of-sequence id, which alone carry loss (rule 2). Nothing is tokenised again, so no id can differ.
One process trains all jobs of a phase, one after the other; a repeated job continues from its last
whole checkpoint.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from distill.training.accelerate_config import child_environment, launch_command, machines, other_machines
from distill.training.job import TrainingJob
from distill.training.resume import made_by, training_folder
from harness import storage
from harness.errors import RunError, UserError
from harness.progress import TrainingLines, pace, say
from harness.telemetry import switch_off_telemetry

PARENT = "S2D_TRAINING_PARENT"
"""Environment variable: process id of the run that started the training."""

FAILED = "failed: "
"""The beginning of the child's line that says why it stopped."""

ERROR_LINE = re.compile(r"\b\w*Error: |\bSignal \d+")
"""Finds the line with the reason, for a child, or accelerate, that could not report it itself."""

NEED_LESS = "--train-args gradient_accumulation=2 (or 4, 8) or gradient_checkpointing=true need less"
"""What to do where memory ran out. Both keep what is learnt, so the checkpoint has the same name."""

KILLED = re.compile(r"\bSignal (?!15\b)\d+")
"""Accelerate's message about a process that something else ended; 15 is its own end of the others."""


def train_all(jobs: Sequence[TrainingJob]) -> None:
    """Trains in a child process, so that its memory is freed and its threads end with it.

    RunError with the child's reason if it fails; finished checkpoints stay.
    """
    for launch in dict.fromkeys(str(job.settings.get("launch") or "") for job in jobs):
        chosen = [job for job in jobs if str(job.settings.get("launch") or "") == launch]
        with _listing(chosen, launch) as listing:
            if launch and machines(launch) > 1:
                say(f"train: {other_machines(launch, listing)}")
            command = [sys.executable, "-m", "distill.training.parent", str(listing)]
            _run([*command, *([launch] if launch else [])])


@contextmanager
def _listing(jobs: Sequence[TrainingJob], launch: str) -> Iterator[Path]:
    """A file with the jobs: beside the checkpoints if other machines may have to read it."""
    parent = Path(jobs[0].output).parent if launch else Path(tempfile.gettempdir())
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".jobs-", dir=parent) as scratch:
        listing = Path(scratch) / "jobs.json"
        listing.write_text(json.dumps([asdict(job) for job in jobs]))
        yield listing


def _run(command: list[str]) -> None:
    child = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**child_environment(), **pace(), "TOKENIZERS_PARALLELISM": "false", PARENT: str(os.getpid())},
    )
    assert child.stderr is not None
    killed = reason = hint = last = ""
    shown = TrainingLines()
    try:
        for line in child.stderr:
            if line.startswith("train "):
                shown.show(line.rstrip())
            elif line.startswith(FAILED):
                # Of several processes the first has the reason; the others fail because it did.
                reason = reason or line.removeprefix(FAILED).strip()
            elif line.strip(" =-\n"):
                last = line.strip()
                killed = last if KILLED.search(last) else killed
                hint = last if ERROR_LINE.search(last) else hint
        status = child.wait()
    finally:
        shown.close()
        if child.poll() is None:
            child.kill()
            child.wait()
    if status == 0:
        return
    if not reason and status == -signal.SIGKILL:
        reason = f"the system killed it, most likely because memory ran out; {NEED_LESS}"
    # Of several processes, the others say only that the killed one is gone.
    why = killed or reason or hint or last or f"exit status {status}"
    raise RunError(f"training failed ({why}): fix this and run the command again")


def main(argv: Sequence[str]) -> int:
    """Entry point of the child process: jobs, and what to launch several processes with."""
    _end_with_parent()
    switch_off_telemetry()
    try:
        if len(argv) > 1:
            import torch

            command = launch_command(argv[1], Path(argv[0]), torch.cuda.device_count())
            os.execv(command[0], command)
        if "WORLD_SIZE" not in os.environ:
            # Use one of several visible GPUs: TRL refuses the threads with which transformers would share
            # them.
            os.environ["CUDA_VISIBLE_DEVICES"] = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
        from distill.training.child import train

        jobs = [TrainingJob(**job) for job in json.loads(Path(argv[0]).read_text())]
        for job in jobs:
            output, first = Path(job.output), os.environ.get("RANK", "0") == "0"
            if made_by(output) == job.hash():
                if first:
                    # Left by a process that was killed after the checkpoint was complete.
                    shutil.rmtree(training_folder(output), ignore_errors=True)
                continue
            if first:
                # Left by a run that was killed before it recorded its examples.
                shutil.rmtree(output, ignore_errors=True)
            train(job)
    except Exception as error:
        print(f"{FAILED}{_one_line(error)}", file=sys.stderr, flush=True)
        return 1
    return 0


def _one_line(error: Exception) -> str:
    if isinstance(error, RunError | UserError):
        return str(error)
    if refusal := storage.refused(error):
        return refusal
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = f"{type(error).__name__}: {lines[0] if lines else 'no reason given'}"
    if "out of memory" in text.lower():
        return f"{text}; {NEED_LESS}"
    return text


def _end_with_parent() -> None:
    """Asks Linux to end this process when its parent is killed: no `finally` of the parent runs then."""
    if sys.platform == "linux":
        import ctypes

        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
    # A parent that was killed before this point sends no signal any more.
    parent = os.environ.pop(PARENT, None)
    if parent is not None and int(parent) != os.getppid():
        sys.exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
