"""The line for scripts: when it is printed, how long it may be, and which statuses it has."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from test_end_to_end import SCRIPTS, last_line, run_command

from harness.command.status_line import LONGEST, status_line

ROOT = Path(__file__).parents[2]


def on_a_terminal(*words: str) -> str:
    """Returns what the command shows on a terminal, both streams."""
    main, other = pty.openpty()
    command = [sys.executable, "-m", "harness.command.cli", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    child = subprocess.Popen(command, stdout=other, stderr=other, stdin=subprocess.DEVNULL, env=environment)
    os.close(other)
    said = b""
    try:
        while part := os.read(main, 4096):
            said += part
    except OSError:  # the other end is closed
        pass
    child.wait()
    os.close(main)
    return said.decode()


def test_a_person_sees_an_error_once_and_no_json() -> None:
    said = on_a_terminal("--limit", "0").splitlines()
    assert said == ["s2d-bench: --limit 0: it must be at least 1"]


def test_json_can_be_requested_on_a_terminal() -> None:
    said = on_a_terminal("ls", "variants", "--json").splitlines()
    assert json.loads(said[-1]) == {"status": "ok"}


def test_the_line_is_at_most_2_kb_and_says_what_it_left_out() -> None:
    facts = {"status": "partly", "why": [f"reason {n} " + "x" * 80 for n in range(100)], "run": "run"}
    line = status_line(facts)
    told = json.loads(line)
    assert len(line) < LONGEST
    assert told["left_out"] + len(told["why"]) == 100 and told["run"] == "run"
    long = json.loads(status_line({"status": "failed", "error": "y" * 5000}))
    assert long["error"].startswith("yyy") and len(long["error"]) < 1000
    odd = {"status": "ok", "a": {str(n): "z" * 100 for n in range(100)}}
    assert json.loads(status_line(odd)) == {"status": "ok"}


def ended(folder: Path, script: str, *more: str) -> dict[str, Any]:
    usual = ["--engine", "scripted", "--engine-args", f"script={SCRIPTS / script}", "--output", "run"]
    done = run_command(folder, [*usual, "--tasks", "coin_flip", "--limit", "10", *more])
    assert done.returncode == 0, done.stderr
    return last_line(done)


def test_the_status_is_partly_if_a_task_was_not_distilled_or_texts_were_cut(tmp_path: Path) -> None:
    few = ended(tmp_path, "paper_like.py", "--distill-inputs", "4")
    assert few["status"] == "partly" and few["why"] == ["coin_flip distilled: not distilled"]
    again = run_command(tmp_path, ["report", "run"])
    assert last_line(again)["status"] == "partly"
    (tmp_path / "other").mkdir()
    cut = ended(tmp_path / "other", "endless.py", "--models", "base,s2")
    assert cut["status"] == "partly" and cut["why"] == [
        "coin_flip base: 100 % cut",
        "coin_flip s2: 100 % cut",
    ]


@pytest.mark.parametrize("first, last", [(0, 0), (0, 12), (0, 15)], ids=["none", "all overlap", "few left"])
def test_one_rule_if_no_inputs_are_left(tmp_path: Path, first: int, last: int) -> None:
    """Whatever the cause: the run succeeds and has its tables, and its status is partly."""
    from run_fixtures import FILTERS, write_task

    folder = write_task(tmp_path / "tasks", more=FILTERS)
    text = (folder / "data.py").read_text().replace("rows(100, 130)", f"rows({first}, {last})")
    (folder / "data.py").write_text(text)
    words = ["--include-path", "tasks", "--tasks", "sums", "--engine", "scripted", "--output", "run"]
    done = run_command(tmp_path, [*words, "--engine-args", f"script={SCRIPTS / 'paper_like.py'}"])
    assert done.returncode == 0, done.stderr
    told = last_line(done)
    assert told["status"] == "partly" and "sums distilled: not distilled" in told["why"]
    assert (tmp_path / "run" / "leaderboard.html").is_file()
