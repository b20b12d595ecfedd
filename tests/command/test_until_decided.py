"""`--until-decided` from options to tables: tasks stop, a plan does not change, a kill changes nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from declared import faults
from test_end_to_end import SCRIPTS, TABLES, Done, last_line, manifest_of, rows_of, run_command

from harness.command import looks
from results import schema
from results.gate import check


def arguments_for(*more: str, output: str = "run") -> list[str]:
    return [
        "--engine", "scripted", "--engine-args", f"script={SCRIPTS / 'paper_like.py'}", "--tasks",
        "last_letter,coin_flip", "--limit", "60", "--distill-inputs", "12", "--margin", "40",
        "--until-decided", "--output", output, *more,
    ]  # fmt: skip


def command(folder: Path, *more: str) -> Done:
    return run_command(folder, arguments_for(*more))


def board_of(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "leaderboard.json").read_text())
    return found


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stopped")
    done = command(folder)
    assert done.returncode == 0, done.stderr
    assert "plan: looks at coin_flip after 12, 24, 36, 48, 60 clusters" in done.stderr
    return folder / "run"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run without looks."""
    folder = tmp_path_factory.mktemp("whole")
    arguments = [part for part in arguments_for() if part != "--until-decided"]
    assert run_command(folder, arguments).returncode == 0
    return folder / "run"


def test_tasks_stop_when_their_claims_are_decided(stopped: Path) -> None:
    plan = manifest_of(stopped)["looks"]
    for task, entry in plan["tasks"].items():
        assert entry["clusters"] == [12, 24, 36, 48, 60]
        assert entry["ended"] == "decided" and 1 < entry["asked"] < 5
        rows = rows_of(stopped, "s2", task)
        assert len({row["cluster_id"] for row in rows}) == entry["clusters"][entry["asked"] - 1]
        assert {row["look"] for row in rows} == set(range(1, entry["asked"] + 1))
    waited = [
        row["verdict"] for row in board_of(stopped)["comparisons"]
        if row["primary"] or (row["claim"] == "cheaper" and not row["one_program"])
    ]  # fmt: skip
    assert waited and "cannot_tell" not in waited


def test_verdicts_are_those_of_the_full_run_with_fewer_tokens(stopped: Path, whole: Path) -> None:
    key = ("task", "a", "b", "claim", "metric")
    verdicts = [
        {tuple(row[name] for name in key): row["verdict"] for row in board_of(run)["comparisons"]}
        for run in (stopped, whole)
    ]
    assert verdicts[0] == verdicts[1]
    for task in board_of(stopped)["looks"]:
        assert task["generated_tokens"] < 0.9 * task["full_tokens"]
        spent = [
            sum(row["usage"]["generated_tokens"] for name in ("base", "s2", "distilled")
                for row in rows_of(run, name, task["task"]))
            for run in (stopped, whole)
        ]  # fmt: skip
        assert spent[0] == task["generated_tokens"] and spent[1] == pytest.approx(
            task["full_tokens"], rel=0.1
        )


def test_the_items_of_a_look_are_asked_as_in_the_whole_run(stopped: Path, whole: Path) -> None:
    for variant in ("base", "s2"):
        of_whole = {row["item_id"]: row for row in rows_of(whole, variant, "coin_flip")}
        for row in rows_of(stopped, variant, "coin_flip"):
            assert {k: v for k, v in row.items() if k != "look"} == of_whole[row["item_id"]]


@pytest.fixture(scope="module")
def unequal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose distilled variant hardly differs from base: System 2 is decided first."""
    folder = tmp_path_factory.mktemp("unequal")
    script = folder / "script.py"
    text = (SCRIPTS / "paper_like.py").read_text()
    script.write_text(text.replace("if sum(request.prompt_ids) % 10 else", "if lucky else"))
    more = ("--engine-args", f"script={script}", "--tasks", "coin_flip", "--margin", "10", "--no-futility")
    done = command(folder, *more)
    assert done.returncode == 0, done.stderr
    assert "coin_flip: no open claim about s2 at look" in done.stderr
    return folder / "run"


def test_a_variant_without_an_open_claim_is_not_asked_further(unequal: Path) -> None:
    entry = manifest_of(unequal)["looks"]["tasks"]["coin_flip"]
    looks_of = entry["variants"]
    assert looks_of["s2"] < looks_of["base"] == looks_of["distilled"] == entry["asked"] == 5
    first = entry["clusters"][looks_of["s2"] - 1]
    of_s2, of_base = (rows_of(unequal, name, "coin_flip") for name in ("s2", "base"))
    assert len(of_s2) == first < len(of_base) == 60
    assert {row["item_id"] for row in of_s2} < {row["item_id"] for row in of_base}
    board = board_of(unequal)
    for row in board["comparisons"]:
        asked = looks_of["s2"] if "s2" in (row["a"], row["b"]) else 5
        assert len(row["looks"]) == asked and row["n"] == entry["clusters"][asked - 1]
        if "s2" in (row["a"], row["b"]) and (row["primary"] or row["claim"] == "cheaper"):
            assert row["verdict"] != "cannot_tell"
    assert {row["variant"]: row["n"] for row in board["rows"]} == {"base": 60, "s2": first, "distilled": 60}
    (task,) = board["looks"]
    assert task["stopped_earlier"] == {"s2": first}
    spent = sum(row["usage"]["generated_tokens"] for row in of_s2)
    others = task["generated_tokens"] - spent
    assert task["full_tokens"] == pytest.approx(others + spent * 60 / first, abs=1)
    assert f"s2 {first}" in (unequal / "leaderboard.md").read_text()
    # Figures of three variants use the clusters that all three were asked.
    (front,) = board["frontier"]
    assert front["n"] == first and {point["variant"] for point in front["points"]} == set(looks_of)
    kept = next(row for row in board["comparisons"] if row.get("gain_kept"))["gain_kept"]
    assert kept["value"] is not None
    assert list(faults(manifest_of(unequal), schema.Manifest)) == []
    assert list(faults(board, schema.Leaderboard)) == []


def test_files_are_as_the_schema_declares_them(stopped: Path) -> None:
    assert list(faults(manifest_of(stopped), schema.Manifest)) == []
    assert list(faults(board_of(stopped), schema.Leaderboard)) == []
    assert list(faults(rows_of(stopped, "s2", "coin_flip")[0], schema.SampleRow)) == []


def test_every_table_marks_what_was_adjusted(stopped: Path) -> None:
    board = board_of(stopped)
    for row in board["rows"]:
        assert row["planned_n"] == 60 and row["n"] < 60
    for row in board["comparisons"]:
        assert len(row["looks"]) == manifest_of(stopped)["looks"]["tasks"][row["task"]]["asked"]
    assert all(row["in_looks"] for row in board["overall"])
    for name in ("leaderboard.md", "leaderboard.html", "leaderboard.tex"):
        assert "\N{DAGGER}" in (stopped / name).read_text() or "dag" in (stopped / name).read_text()
    text = (stopped / "leaderboard.md").read_text()
    assert "## Planned looks" in text and "look 2" in text
    assert 'id="looks"' in (stopped / "leaderboard.html").read_text()


def test_intervals_are_wider_than_those_of_one_look_and_agree_with_verdicts(stopped: Path) -> None:
    for row in board_of(stopped)["comparisons"]:
        if row["claim"] == "superior":
            held = row["ci_low_adjusted"] <= 0 <= row["ci_high_adjusted"]
            assert held == (row["verdict"] == "cannot_tell")
            assert row["ci_low_adjusted"] <= row["difference"] <= row["ci_high_adjusted"]
        if row["claim"] == "cheaper":
            assert row["token_ratio_low"] <= row["token_ratio"] <= row["token_ratio_high"]
        assert row["test"].endswith("sequential") or row["claim"] == "non_inferior"


@pytest.mark.slow
def test_the_same_command_again_gives_the_same_tables(stopped: Path) -> None:
    before = {name: (stopped / name).read_bytes() for name in TABLES}
    assert command(stopped.parent).returncode == 0
    assert {name: (stopped / name).read_bytes() for name in TABLES} == before
    done = run_command(stopped.parent, ["report", "run", "--margin", "40"])
    assert done.returncode == 0
    assert {name: (stopped / name).read_bytes() for name in TABLES} == before


@pytest.mark.slow
@pytest.mark.parametrize("look", [0, 1, 2])
def test_a_run_that_ends_in_any_look_goes_on_to_the_same_tables(
    stopped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, look: int
) -> None:
    """A look depends on the call store only. (Kills of the process: test_kills.py.)"""
    standings = looks.standings
    seen: list[Path] = []

    def strike(folder: Path) -> Any:
        seen.append(folder)
        if len(seen) > look:
            raise KeyboardInterrupt
        return standings(folder)

    with monkeypatch.context() as patch:
        patch.setattr(looks, "standings", strike)
        assert command(tmp_path).returncode == 130
    run = tmp_path / "run"
    assert manifest_of(run)["status"] == "stopped"
    refused = run_command(tmp_path, ["report", "run"])
    assert refused.returncode == 2 and "a look beyond the plan" in refused.stderr
    (tmp_path / "policy.txt").write_text("s2 superior to base\n")
    gate = run_command(tmp_path, ["gate", "run", "--policy", "policy.txt"])
    assert gate.returncode == 3 and "not finished" in gate.stdout and "better" not in gate.stdout
    assert command(tmp_path).returncode == 0
    for name in TABLES:
        # The page names the folder of each checkpoint, and ends with a hash of its sources.
        here, there = (
            (each / name).read_text().replace(str(each.parent), "").split("<!-- s2d-bench")[0]
            for each in (run, stopped)
        )
        assert here == there, name


def test_comparing_with_a_run_in_looks_is_adjusted_too(stopped: Path, whole: Path, tmp_path: Path) -> None:
    done = run_command(tmp_path, ["compare", str(whole), str(stopped)])
    assert done.returncode == 0, done.stderr
    rows = [row for row in last_line(done)["comparisons"] if row["claim"] == "superior"]
    assert rows and all(row["looks"] and row["test"].endswith("sequential") for row in rows)
    other = tmp_path / "other"
    shutil.copytree(stopped, other)
    manifest = manifest_of(other)
    manifest["looks"]["tasks"]["coin_flip"]["clusters"] = [30, 60]
    manifest["looks"]["tasks"]["coin_flip"]["asked"] = 1
    (other / "manifest.json").write_text(json.dumps(manifest))
    done = run_command(tmp_path, ["compare", str(stopped), str(other)])
    assert done.returncode == 2 and "different plans" in done.stderr


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("spending", "much", "are not a valid plan"),
        ("futility", "no", "looks.futility must be true or false"),
    ],
)
def test_a_damaged_plan_is_named(stopped: Path, tmp_path: Path, key: str, value: str, says: str) -> None:
    shutil.copytree(stopped, tmp_path / "run")
    manifest = manifest_of(stopped)
    manifest["looks"][key] = value
    (tmp_path / "run" / "manifest.json").write_text(json.dumps(manifest))
    done = run_command(tmp_path, ["report", "run"])
    assert done.returncode == 2 and says in done.stderr


def test_report_and_gate_refuse_a_run_whose_looks_are_not_over(stopped: Path, tmp_path: Path) -> None:
    shutil.copytree(stopped, tmp_path / "run")
    manifest = manifest_of(stopped) | {"status": "running"}
    (tmp_path / "run" / "manifest.json").write_text(json.dumps(manifest))
    refused = run_command(tmp_path, ["report", "run"])
    assert refused.returncode == 2 and "a look beyond the plan" in refused.stderr
    (tmp_path / "policy.txt").write_text("s2 superior to base\n")
    gate = run_command(tmp_path, ["gate", "run", "--policy", "policy.txt"])
    assert gate.returncode == 3 and "not finished" in gate.stdout and "better" not in gate.stdout


def test_a_gate_has_the_verdict_of_the_tables(stopped: Path) -> None:
    policy = stopped.parent / "policy.txt"
    policy.write_text(
        "distilled superior to base\ndistilled non-inferior to s2 by 40\ntokens distilled <= 0.9 s2\n"
    )
    done = run_command(stopped.parent, ["gate", "run", "--policy", "policy.txt"])
    assert done.returncode == 0, done.stdout
    policy.write_text("distilled non-inferior to s2 by 0.1\n")
    assert run_command(stopped.parent, ["gate", "run", "--policy", "policy.txt"]).returncode in (1, 3)


@pytest.mark.slow
def test_no_plan_is_made_for_a_run_whose_items_were_asked_before(whole: Path) -> None:
    done = command(whole.parent)
    assert done.returncode == 2 and "until-decided" in done.stderr
    manifest = manifest_of(whole)
    for option in ("until_decided", "looks", "spending", "no_futility"):
        del manifest["options"][option]  # as in an earlier release
    (whole / "manifest.json").write_text(json.dumps(manifest))
    done = command(whole.parent)
    assert done.returncode == 2 and "begun without --until-decided" in done.stderr


@pytest.mark.slow
def test_seeds_and_named_variants_go_through_looks(tmp_path: Path) -> None:
    done = command(tmp_path, "--seeds", "2", "--models", "base,s2,distilled,distilled-s1", "--looks", "3",
                   "--spending", "pocock", "--limit", "30")  # fmt: skip
    assert done.returncode == 0, done.stderr
    summary = last_line(done)
    assert summary["status"] in ("ok", "partly")
    for task, entry in manifest_of(tmp_path / "run")["looks"]["tasks"].items():
        rows = rows_of(tmp_path / "run", "distilled", task)
        assert {row["seed"] for row in rows} == {0, 1}
        assert len(rows) == 2 * entry["clusters"][entry["asked"] - 1]


@pytest.mark.slow
def test_without_futility_a_task_goes_to_its_planned_end(tmp_path: Path) -> None:
    """The scripted model cannot do sums, so its two System 2 do not differ."""
    for extra, ended in (((), "given up"), (("--no-futility",), "planned end")):
        folder = tmp_path / ended.replace(" ", "_")
        folder.mkdir()
        arguments = [*arguments_for("--models", "base,s2:cot,s2:rar_2step", "--tasks", "gsm8k", *extra)]
        assert run_command(folder, arguments).returncode == 0
        assert manifest_of(folder / "run")["looks"]["tasks"]["gsm8k"]["ended"] == ended


def test_a_gate_of_two_runs_judges_a_score_by_the_interval_of_the_plan(stopped: Path, tmp_path: Path) -> None:
    (tmp_path / "policy.txt").write_text("score B:s2 >= 1 on coin_flip\n")
    (line,) = check(stopped, tmp_path / "policy.txt", None, stopped).lines
    row = next(
        row for row in board_of(stopped)["rows"] if (row["task"], row["variant"]) == ("coin_flip", "s2")
    )
    assert f"interval {100 * row['ci_low']:.4g} to {100 * row['ci_high']:.4g}" in line


def test_a_plan_does_not_change(stopped: Path) -> None:
    """The last test: it leaves the run unfinished."""
    before = (stopped / "leaderboard.json").read_bytes()
    done = command(stopped.parent, "--margin", "20")
    assert done.returncode == 2 and "margin 40.0, now it is 20.0" in done.stderr
    assert (stopped / "leaderboard.json").read_bytes() == before
