"""Variants between the two systems in a whole run: rows, records, resuming, the gate, and what is refused."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from test_end_to_end import Done, arguments_for, last_line, manifest_of, rows_of, run_command

MODELS = "base,s2:cot,s2:cot/6,distilled,distilled-short,distilled-cot,distilled-steps,distilled-gold"


def command(folder: Path, *more: str) -> Done:
    return run_command(folder, [*arguments_for("--models", MODELS, "--samples", "3"), *more])


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("between")
    done = command(folder)
    assert done.returncode == 0, done.stderr
    assert last_line(done)["n_rows"] == 16
    return folder / "run"


@pytest.mark.slow
def test_every_variant_has_its_rows_method_and_teacher(finished: Path) -> None:
    manifest = manifest_of(finished)
    taught = {name: (entry["taught_by"], entry["teacher"]) for name, entry in manifest["variants"].items()}
    of_s2 = dict.fromkeys(
        ("distilled", "distilled-short", "distilled-cot", "distilled-steps"), ("s2", "s2-cot")
    )
    assert taught == {
        **dict.fromkeys(("base", "s2-cot", "s2-cot-6"), (None, None)),
        **of_s2,
        "distilled-gold": ("labels", None),
    }
    methods = {name: rows_of(finished, name, "coin_flip")[0]["method"] for name in taught}
    reasoning = ("s2-cot", "distilled-short", "distilled-cot")
    assert {name for name, method in methods.items() if method == "cot"} == set(reasoning)
    assert methods["s2-cot-6"] == "cot/6"
    assert {entry["status"] for entry in manifest["distillation"]} == {"trained"}
    break_even = {
        row["variant"]: row["break_even"]["tokens"]
        for row in json.loads((finished / "leaderboard.json").read_text())["distillation"]
    }
    assert break_even["distilled-short"] is not None and set(break_even) == {*of_s2, "distilled-gold"}


@pytest.mark.slow
def test_a_budget_answers_in_two_calls(finished: Path) -> None:
    rows = rows_of(finished, "s2-cot-6", "coin_flip")
    assert {tuple(step["finish_reason"] for step in row["steps"]) for row in rows} <= {
        ("stop",),
        ("budget", "stop"),
    }
    assert any(len(row["steps"]) == 2 for row in rows)
    assert not any(row["truncated"] for row in rows)


@pytest.mark.slow
def test_the_same_command_again_asks_nothing_and_a_policy_may_name_them(finished: Path) -> None:
    store = sqlite3.connect(finished / "calls.sqlite")
    [before] = store.execute("SELECT count(*), max(finished_at) FROM calls").fetchall()
    tables = (finished / "leaderboard.json").read_bytes()
    done = command(finished.parent)
    assert done.returncode == 0, done.stderr
    assert store.execute("SELECT count(*), max(finished_at) FROM calls").fetchall() == [before]
    assert (finished / "leaderboard.json").read_bytes() == tables
    policy = finished.parent / "policy.txt"
    policy.write_text("tokens distilled-gold <= 1.0 s2-cot\ndistilled-short non-inferior to s2-cot by 60\n")
    judged = run_command(finished.parent, ["gate", "run", "--policy", str(policy)])
    assert judged.returncode in (0, 3), judged.stdout + judged.stderr


@pytest.mark.parametrize(
    ("models", "status", "said"),
    [
        ("base,s2:rar_2step,distilled-short", 2, "makes several calls (rephrase and respond)"),
        ("base,s2:rar_2step/9", 2, "methods that reason in one call"),
        ("base,distilled-gold:cot", 2, "learns from labels and takes no method"),
    ],
)
def test_an_impossible_variant_is_refused_in_one_line(
    tmp_path: Path, models: str, status: int, said: str
) -> None:
    done = run_command(tmp_path, arguments_for("--models", models))
    assert done.returncode == status and said in done.stderr
    assert not (tmp_path / "run").exists()
