"""The command from options to tables on the scripted engine, bad input included."""

from __future__ import annotations

import io
import json
import sqlite3
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.command.cli import main

SCRIPTS = Path(__file__).parents[1] / "scripts"
TABLES = ("leaderboard.json", "leaderboard.md", "leaderboard.csv", "leaderboard.tex", "leaderboard.html")


def arguments_for(*more: str, script: str = "paper_like.py") -> list[str]:
    """`s2d-bench` on two symbolic tasks, 20 items each."""
    return [
        "--engine", "scripted", "--engine-args", f"script={SCRIPTS / script}", "--tasks",
        "last_letter,coin_flip", "--limit", "20", "--distill-inputs", "16", "--output", "run", *more,
    ]  # fmt: skip


@dataclass
class Done:
    """The result of a command."""

    returncode: int
    stdout: str
    stderr: str


def run_command(folder: Path, arguments: list[str]) -> Done:
    """Runs the command in this process: heavy modules are imported once for all tests."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.chdir(folder)
        patch.setenv("S2D_CACHE", str(folder / "cache"))
        try:
            status = main(arguments)
        except SystemExit as end:
            status = int(end.code or 0)
    return Done(status, out.getvalue(), err.getvalue())


def command(folder: Path, *more: str) -> Done:
    return run_command(folder, arguments_for(*more))


def last_line(done: Done) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return line


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    done = command(folder)
    assert done.returncode == 0, done.stderr
    summary = last_line(done)
    assert summary["status"] == "ok"
    assert summary["n_rows"] == 6
    assert Path(folder / summary["leaderboard"]).is_file()
    return folder / "run"


def manifest_of(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "manifest.json").read_text())
    return found


def rows_of(run: Path, variant: str, task: str) -> list[dict[str, Any]]:
    text = (run / "samples" / variant / f"{task}.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_every_table_is_written_and_the_manifest_is_finished(finished: Path) -> None:
    for name in TABLES:
        assert (finished / name).stat().st_size > 0
    manifest = json.loads((finished / "manifest.json").read_text())
    assert manifest["status"] == "finished"
    assert {entry["task"] for entry in manifest["distillation"]} == {"last_letter", "coin_flip"}


def test_all_variants_answer_the_same_items(finished: Path) -> None:
    for task in ("last_letter", "coin_flip"):
        items = [
            {row["item_id"] for row in rows_of(finished, variant, task)}
            for variant in ("base", "s2", "distilled")
        ]
        assert len(items[0]) == 20
        assert items[0] == items[1] == items[2]


def test_tokens_of_a_row_are_the_sum_over_its_steps(finished: Path) -> None:
    for row in rows_of(finished, "s2", "coin_flip"):
        assert [step["name"] for step in row["steps"]] == ["reason"]
        for count in ("prompt_tokens", "cached_tokens", "generated_tokens"):
            assert row["usage"][count] == sum(step[count] for step in row["steps"])


def test_leaderboard_tokens_are_the_means_of_the_samples(finished: Path) -> None:
    leaderboard = json.loads((finished / "leaderboard.json").read_text())
    for row in leaderboard["rows"]:
        used = [sample["usage"] for sample in rows_of(finished, row["variant"], row["task"])]
        mean = sum(usage["generated_tokens"] for usage in used) / len(used)
        assert row["generated_tokens"] == pytest.approx(mean)


def test_distilled_is_trained_on_answers_the_teacher_agreed_on(finished: Path) -> None:
    manifest = json.loads((finished / "manifest.json").read_text())
    for entry in manifest["distillation"]:
        assert entry["kept"] + sum(entry["dropped"].values()) == entry["inputs"] == 16
        learnt = json.loads((Path(entry["checkpoint"]) / "scripted_adapter.json").read_text())
        assert len(learnt) == entry["kept"]
        wrong = list(learnt.values()).count("Answer: zz")
        assert entry["pseudo_label_accuracy"] == pytest.approx(1 - wrong / len(learnt))


def test_the_config_of_a_run_repeats_it(finished: Path, tmp_path: Path) -> None:
    done = run_command(tmp_path, ["--config", str(finished / "config.yaml"), "--output", "again"])
    assert done.returncode == 0, done.stderr
    for variant in ("base", "s2"):
        assert rows_of(tmp_path / "again", variant, "coin_flip") == rows_of(finished, variant, "coin_flip")


def test_too_few_agreed_answers_leave_a_marked_row(tmp_path: Path) -> None:
    done = command(tmp_path, "--distill-inputs", "4")
    assert done.returncode == 0, done.stderr
    leaderboard = json.loads((tmp_path / "run" / "leaderboard.json").read_text())
    rows = [row for row in leaderboard["rows"] if row["variant"] == "distilled"]
    assert {row["task"] for row in rows} == {"last_letter", "coin_flip"}
    assert "not_distilled" in done.stdout or "not distilled" in done.stdout
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert {entry["status"] for entry in manifest["distillation"]} == {"not_distilled"}


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    done = command(tmp_path, "--dry-run")
    assert done.returncode == 0
    assert "calls" in done.stderr
    assert not (tmp_path / "run").exists()


def test_another_method_and_another_seed_count(tmp_path: Path) -> None:
    done = command(tmp_path, "--models", "base,s2:cot,s2:cot*3", "--seed", "3")
    assert done.returncode == 0, done.stderr
    voted = rows_of(tmp_path / "run", "s2-cot*3", "coin_flip")
    assert all(row["usage"]["calls"] == 3 for row in voted)
    single = rows_of(tmp_path / "run", "s2-cot", "coin_flip")
    assert {row["seed"] for row in single} == {3}


def test_a_noise_floor_is_base_run_twice(tmp_path: Path) -> None:
    done = command(tmp_path, "--models", "base,s2", "--noise-floor")
    assert done.returncode == 0, done.stderr
    once, again = (rows_of(tmp_path / "run", name, "coin_flip") for name in ("base", "base-again"))
    assert [row["response"] for row in once] == [row["response"] for row in again]
    store = sqlite3.connect(tmp_path / "run" / "calls.sqlite")
    made = dict(store.execute("SELECT phase, count(*) FROM calls GROUP BY phase").fetchall())
    store.close()
    assert made["base"] == made["base-again"] == 40
    leaderboard = json.loads((tmp_path / "run" / "leaderboard.json").read_text())
    floors = [row for row in leaderboard["comparisons"] if row["b"] == "base-again"]
    assert floors and all(row["noise_floor"] for row in floors)


BAD_INPUT = {
    "noise floor without base": (["--models", "s2", "--noise-floor"], "base"),
    "unknown variant": (["--models", "basis"], "basis"),
    "variant twice": (["--models", "base,base"], "base"),
    "unknown method": (["--models", "base,s2:magic"], "magic"),
    "unknown task": (["--tasks", "coin_flop"], "coin_flip"),
    "no items": (["--limit", "0"], "--limit"),
    "no such data": (["--data", "nowhere"], "nowhere"),
    "unknown engine": (["--engine", "warp"], "warp"),
    "unknown engine argument": (["--engine-args", "scrip=x"], "scrip"),
    "no such script": (["--engine-args", "script=none.py"], "none.py"),
    "pair without value": (["--sampling", "temperature"], "--sampling"),
    "unknown sampling key": (["--sampling", "heat=1"], "heat"),
    "unknown training setting": (["--train-args", "speed=9"], "speed"),
    "unknown option": (["--modles", "base"], "--modles"),
    "no such config": (["--config", "none.yaml"], "none.yaml"),
    "no such task folder": (["--include-path", "nowhere"], "nowhere"),
    "number that is none": (["--limit", "many"], "many"),
    "no such checkpoint folder": (["--models", "base,mine=./none"], "none"),
    "margin of nothing": (["--margin", "0"], "--margin"),
}


@pytest.mark.parametrize("name", BAD_INPUT)
def test_bad_input_is_one_line_and_exit_2(tmp_path: Path, name: str) -> None:
    more, named = BAD_INPUT[name]
    done = command(tmp_path, *more)
    assert done.returncode == 2, done.stderr
    complaint = [line for line in done.stderr.splitlines() if line.startswith("s2d-bench:")]
    assert len(complaint) == 1
    assert named in complaint[0]


def test_other_options_on_a_run_are_refused_by_name(tmp_path: Path) -> None:
    assert command(tmp_path).returncode == 0
    done = command(tmp_path, "--seed", "7")
    assert done.returncode == 2
    assert "--seed" in done.stderr and "7" in done.stderr


def test_report_makes_the_tables_again_without_a_model(finished: Path, tmp_path: Path) -> None:
    before = {name: (finished / name).read_bytes() for name in TABLES}
    for name in TABLES:
        (finished / name).unlink()
    done = run_command(tmp_path, ["report", str(finished)])
    assert done.returncode == 0, done.stderr
    assert {name: (finished / name).read_bytes() for name in TABLES} == before


def test_help_and_listings_are_printed(tmp_path: Path) -> None:
    assert "--models" in run_command(tmp_path, ["--help"]).stdout
    assert "rar_2step" in run_command(tmp_path, ["ls", "methods"]).stdout
    assert "s2d_gsm8k" in run_command(tmp_path, ["ls", "tasks"]).stdout
    assert "distilled" in run_command(tmp_path, ["ls", "variants"]).stdout


def test_a_dry_run_of_distill_says_what_it_costs_and_starts_nothing(tmp_path: Path) -> None:
    script = f"script={SCRIPTS / 'paper_like.py'}"
    words = f"--models s2:cot,distilled --tasks coin_flip --distill-inputs 20 --engine-args {script}"
    done = run_command(tmp_path, ["distill", *words.split(), "--engine", "scripted", "--dry-run"])
    assert done.returncode == 0, done.stderr
    # 20 inputs, 3 samples of at most 1,024 tokens; System 1 is asked about them before training.
    assert "1 task to distil: at most 80 calls, 67 thousand generated tokens" in done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["status"] == "dry_run"
    assert list(tmp_path.iterdir()) == []


def test_a_run_says_which_row_taught_and_what_its_methods_leave_out(tmp_path: Path) -> None:
    done = command(tmp_path, "--models", "base,s2:cot,s2:s2a,distilled:cot", "--tasks", "coin_flip")
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert {name: entry["teacher"] for name, entry in manifest["variants"].items()} == {
        "base": None,
        "s2-cot": None,
        "s2-s2a": None,
        "distilled-from-cot": "s2-cot",
    }
    assert {entry["teacher_method"] for entry in manifest["distillation"]} == {"cot"}
    assert manifest["methods"]["s2a"] == {"without_turns": ["rewrite"]}
    assert manifest["methods"]["cot"] == {"without_turns": []}
    assert manifest["tasks"]["coin_flip"]["turns"] is False
    assert ["s2-cot", "distilled-from-cot"] in manifest["comparisons"]


def test_distilled_beside_several_system_2_rows_must_say_which(tmp_path: Path) -> None:
    done = command(tmp_path, "--models", "base,s2:cot,s2:s2a,distilled")
    assert done.returncode == 2
    assert "name the one it learns from, such as distilled:cot" in done.stderr
    assert not (tmp_path / "run").exists()
