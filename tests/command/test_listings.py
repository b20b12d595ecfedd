"""`s2d-bench ls`: what a user may name, and what can be set of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_fixtures import write_task
from test_end_to_end import run_command

from harness.command.listings import METHOD_NOTES


def test_methods_show_their_options_and_how_they_are_set(tmp_path: Path) -> None:
    done = run_command(tmp_path, ["ls", "methods"])
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 100
    text = " ".join(done.stdout.split())
    for shown in ("wording=default, reason", "max_criteria=5", "(examples)", "show_original=true"):
        assert shown in text, shown
    for told in ("METHOD*K", "METHOD/N", "--method-args cot.wording=paper", "s2:cot/64*5"):
        assert told in METHOD_NOTES and told in done.stdout


def test_every_name_in_the_notes_is_one(tmp_path: Path) -> None:
    from harness.method_args import check_method_args
    from harness.options import key_values
    from harness.variants import parse_variants

    words = METHOD_NOTES.split()
    models = words[words.index("--models") + 1]
    assert {variant.name for variant in parse_variants(models)} >= {"s2-cot*5", "s2-cot-64", "s2-cot-64*5"}
    check_method_args(key_values(words[words.index("--method-args") + 1], "--method-args"))


def test_tasks_of_a_folder_are_listed(tmp_path: Path) -> None:
    folder = write_task(tmp_path / "tasks")
    (folder / "choice.yaml").write_text("task: choice\noutput_type: multiple_choice\n")
    (folder / "both.yaml").write_text("group: both\ntask: [sums, choice]\n")
    done = run_command(tmp_path, ["ls", "tasks", "--include-path", str(folder)])
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line.strip()}
    assert rows["coin_flip"][0] == "s2d_coin_flip"
    assert rows["sums"][:2] == ["sums", "cot"] and len(rows["sums"]) == 3
    assert "multiple_choice)" in rows["choice"] and rows["both"][-1] == "group)"


@pytest.mark.parametrize(
    ("place", "says"),
    [("nowhere", "is not a folder"), ("empty", "defines no task"), ("bad", "not valid YAML")],
)
def test_a_folder_that_is_none_is_one_line(tmp_path: Path, place: str, says: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "task.yaml").write_text("task: [")
    done = run_command(tmp_path, ["ls", "tasks", "--include-path", place])
    assert done.returncode == 2 and says in done.stderr
