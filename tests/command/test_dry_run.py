"""A dry run: no run exceeds its upper bounds, and it finds what is not available."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from test_end_to_end import SCRIPTS, Done, last_line, run_command

from harness.command.forecast import Forecast, Row
from harness.command.forecast_text import WIDTH, as_json, table
from harness.command.status_line import LONGEST, status_line
from harness.programs import base


def command(folder: Path, script: str, *more: str) -> Done:
    """`s2d-bench` on a scripted model and few items."""
    usual = ["--engine", "scripted", "--engine-args", f"script={SCRIPTS / script}", "--output", "run"]
    done = run_command(folder, [*usual, "--limit", "6", "--distill-inputs", "10", *more])
    assert done.returncode == 0, done.stderr
    return done


def foreseen(folder: Path, script: str, *more: str) -> dict[str, Any]:
    told = last_line(command(folder, script, *more, "--dry-run"))
    assert told["status"] == "dry_run" and told["probed"]
    return told


def made(folder: Path) -> tuple[int, int]:
    """Returns calls and generated tokens in the store."""
    store = sqlite3.connect(folder / "run" / "calls.sqlite")
    calls, tokens = store.execute("SELECT count(*), sum(generated_tokens) FROM calls").fetchone()
    store.close()
    return calls, tokens


RUNS = {
    "the usual": ("paper_like.py", "--tasks", "coin_flip"),
    "endless replies": ("endless.py", "--tasks", "judge,last_letter", "--models", "base,s2,distilled"),
    "a vote": ("endless.py", "--tasks", "coin_flip,judge", "--models", "base,s2:bsm*2", "--tasks", "judge"),
    "a vote without a number": ("endless.py", "--tasks", "coin_flip", "--models", "s2:self_consistency"),
    "seeds and a noise floor": (
        "paper_like.py", "--tasks", "coin_flip,last_letter", "--seeds", "2", "--noise-floor",
    ),
    "the control, the ablation and all tasks": (
        "paper_like.py", "--tasks", "coin_flip,last_letter", "--models",
        "base,s2,distilled,distilled-s1,distilled-nofilter,distilled-all",
    ),
    "the model chooses": ("paper_like.py", "--tasks", "coin_flip", "--filter", "usc"),
    "other forms of a question": ("paper_like.py", "--tasks", "coin_flip", "--filter", "perturbation"),
    "other limits": (
        "endless.py", "--tasks", "last_letter", "--models", "base,s2:rar_2step", "--sampling",
        "max_tokens=40,max_tokens.rephrase=90",
    ),
    "planned looks": (
        "paper_like.py", "--tasks", "coin_flip", "--models", "base,s2", "--until-decided", "--limit", "30",
    ),
    "judging both orders": ("paper_like.py", "--tasks", "judge", "--models", "base,s2:cot,distilled"),
}  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if not number else pytest.mark.slow) for number, name in enumerate(RUNS)],
)
def test_no_run_exceeds_the_upper_bounds(tmp_path: Path, name: str) -> None:
    script, *more = RUNS[name]
    told = foreseen(tmp_path, script, *more)
    assert list(tmp_path.iterdir()) == [], "a dry run writes nothing"
    command(tmp_path, script, *more)
    calls, tokens = made(tmp_path)
    assert calls <= told["calls_at_most"] and tokens <= told["generated_at_most"]
    if script == "endless.py":  # and the bound is tight: a model that never stops comes near it
        assert tokens > 0.5 * told["generated_at_most"]
    if name == "the usual":
        low, high = told["generated_tokens"]
        assert low <= tokens <= high
        # All calls are in the run, and the checkpoint is in the cache.
        again = foreseen(tmp_path, script, *more)
        assert (again["calls_at_most"], again["generated_at_most"]) == (0, 0)
        larger = foreseen(tmp_path, script, *more, "--limit", "20")
        assert larger["calls_at_most"] == 3 * 14


def test_variants_of_one_teacher_share_its_samples(tmp_path: Path) -> None:
    usual = ("paper_like.py", "--tasks", "coin_flip", "--models")
    one = foreseen(tmp_path, *usual, "s2,distilled")
    rest = {"ablation": "s2,distilled,distilled-nofilter", "control": "s2,distilled,distilled-s1"}
    more = {name: foreseen(tmp_path, *usual, models) for name, models in rest.items()}
    teacher = {name: {row[0]: row[3] for row in told["rows"]} for name, told in more.items()}
    assert [row[3] for row in one["rows"] if row[0] == "teacher"] == [teacher["ablation"]["teacher"]]
    assert "teacher of distilled-nofilter" not in teacher["ablation"]
    order = [row[0] for row in more["control"]["rows"]]
    assert order.index("distilled") < order.index("teacher of distilled-s1"), "as the run works"
    assert teacher["control"]["teacher of distilled-s1"] == teacher["control"]["teacher"] > 0
    command(tmp_path, *usual, rest["ablation"])
    assert made(tmp_path)[0] <= more["ablation"]["calls_at_most"]


def size(done: Done) -> str:
    """The line with the size of a run."""
    return next(line for line in done.stderr.splitlines() if "scored prompts" in line or "to distil" in line)


def test_work_that_is_done_already_is_not_promised(tmp_path: Path) -> None:
    """Neither the teacher of a checkpoint in the cache, nor rows of a distilled variant that is finished."""
    usual = ("paper_like.py", "--tasks", "coin_flip")
    first = size(command(tmp_path, *usual))
    assert "1 task x 3 variants, 18 scored prompts: at most 58 calls" in first
    other = size(command(tmp_path, *usual, "--output", "other"))
    assert "18 scored prompts, 1 of 1 checkpoints already made: at most 18 calls" in other
    before = made(tmp_path)[0]
    grown = size(command(tmp_path, *usual, "--limit", "8"))
    assert "18 of them already done, 1 of 1 checkpoints already made: at most 6 calls" in grown
    assert made(tmp_path)[0] - before == 6
    more = command(
        tmp_path, *usual, "--limit", "9", "--models", "base,s2,distilled,distilled-s1", "--dry-run"
    )
    assert "24 of them already done, 1 of 2 checkpoints already made: at most 42 calls" in size(more)


def test_rows_of_another_checkpoint_are_asked_again(tmp_path: Path) -> None:
    """A checkpoint that was removed is trained again, and nobody knows yet what it will answer."""
    usual = ("paper_like.py", "--tasks", "coin_flip")
    command(tmp_path, *usual)
    shutil.rmtree(tmp_path / "cache")
    told = size(command(tmp_path, *usual, "--dry-run"))
    assert "18 scored prompts, 12 of them already done: at most 46 calls" in told


def test_what_counts_as_done_is_certain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of a run that was stopped count; rows of other items do not, nor any after the code changed."""
    usual = ("paper_like.py", "--tasks", "coin_flip", "--models", "base")
    command(tmp_path, *usual)
    manifest = tmp_path / "run" / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "status": "stopped", "samples": {}}))
    file = tmp_path / "run" / "samples" / "base" / "coin_flip.jsonl"
    first, *rest = map(json.loads, file.read_text().splitlines())
    rows = [{**first, "item_id": "another"}, *rest]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    told = size(command(tmp_path, *usual, "--dry-run"))
    assert "6 scored prompts, 5 of them already done: at most 1 call, " in told
    monkeypatch.setattr("harness.command.plan.is_unchanged", lambda manifest: False)
    assert "6 scored prompts: at most 6 calls" in size(command(tmp_path, *usual, "--dry-run"))


def test_distill_does_not_promise_a_checkpoint_that_is_there(tmp_path: Path) -> None:
    words = ["distill", "--engine", "scripted", "--engine-args", f"script={SCRIPTS / 'paper_like.py'}"]
    words += ["--tasks", "coin_flip", "--distill-inputs", "10", "--output", "made"]
    assert "and training" in size(run_command(tmp_path, words))
    made_it = run_command(tmp_path, [*words, "--dry-run"])
    assert last_line(made_it)["calls_at_most"] == 0
    told = size(run_command(tmp_path, words))
    assert "1 task to distil, 1 of 1 checkpoints already made: at most 0 calls, 0 generated tokens" in told
    assert "less than 1 MB" in told
    assert "training" not in told


def test_a_users_own_method_has_no_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "_METHODS", dict(base._METHODS))
    (tmp_path / "mine.py").write_text(
        "from harness.programs.base import method\nfrom harness.types import Ask, user\n"
        '@method("twice_or_more", "asks again and again", steps=("respond",))\n'
        "def twice_or_more(item):\n    for _ in range(3):\n"
        '        reply = yield Ask("respond", [user(item.question)])\n    return reply.text\n'
    )
    more = ("--tasks", "coin_flip", "--models", "base,s2:twice_or_more", "--method-path", "mine.py")
    done = command(tmp_path, "paper_like.py", *more, "--dry-run")
    told = last_line(done)
    assert told["calls_at_most"] is None and told["generated_at_most"] is None
    assert told["calls"] == 6 + 3 * 6
    assert "no bound for twice_or_more" in done.stderr and "none" in done.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--engine-args", "batch=3"], "batch"),
        (["--pretrained", "./nowhere"], "no such folder"),
        pytest.param(
            ["--pretrained", "org/nosuch"],
            "--pretrained org/nosuch: it is not on this machine, and the hub did not",
            marks=pytest.mark.slow,  # 23 s of retries where there is no network
        ),
    ],
)
def test_a_dry_run_finds_what_is_not_available(
    tmp_path: Path, words: list[str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", no_such_model)
    done = run_command(tmp_path, ["--tasks", "coin_flip", "--data", "embedded", "--dry-run", *words])
    assert done.returncode == 2 and says in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("more", [["--dry-run"], [], ["--models", "base", "--tasks", "gsm8k"]])
def test_a_mistyped_model_is_named_before_any_data_are_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: list[str]
) -> None:
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", no_such_model)
    monkeypatch.setattr("harness.command.run.loaded_tasks", lambda options: pytest.fail("data were fetched"))
    for name in ("org/nosuch", "nosuch.gguf", "./nosuch"):
        done = run_command(tmp_path, ["--pretrained", name, *more])
        assert done.returncode == 2 and f"--pretrained {name}: " in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_that_the_hub_does_not_have_is_found_before_the_first_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.snapshot_download", no_such_model)
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", no_such_model)
    words = ["--engine", "scripted", "--engine-args", f"script={SCRIPTS / 'paper_like.py'}", "--limit", "3"]
    done = run_command(tmp_path, [*words, "--tasks", "coin_flip", "--models", "base,mine=org/nosuch"])
    assert done.returncode == 2 and "--models mine=org/nosuch" in done.stderr
    assert "base: done" not in done.stderr and not list(tmp_path.glob("runs/*"))
    more = ["--tasks", "coin_flip", "--models", "base,mine=org/nosuch", "--dry-run"]
    done = run_command(tmp_path, [*words, *more])
    assert done.returncode == 2 and "--models mine=org/nosuch: it is not on this machine" in done.stderr


def test_an_adapter_of_a_server_needs_one(tmp_path: Path) -> None:
    done = run_command(tmp_path, ["--tasks", "coin_flip", "--models", "base,mine=served:tuned"])
    assert done.returncode == 2 and "only --engine openai asks a server" in done.stderr


def no_such_model(*_: Any, **__: Any) -> Any:
    raise OSError("404 Client Error")


def test_a_model_that_is_still_on_the_hub_is_not_fetched_for_a_dry_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [SimpleNamespace(rfilename="model.safetensors", size=15_000_000_000)]
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda *_, **__: SimpleNamespace(siblings=files))
    words = ["--pretrained", "org/large", "--tasks", "coin_flip", "--data", "embedded", "--limit", "5"]
    done = run_command(tmp_path, [*words, "--models", "base,s2", "--dry-run"])
    assert done.returncode == 0, done.stderr
    told = last_line(done)
    assert not told["probed"] and told["calls_at_most"] == 10
    assert "15GB to fetch" in done.stdout


def test_a_forecast_of_many_tasks_fits_a_terminal_and_the_line_for_scripts() -> None:
    rows = [
        Row(
            phase, f"a_task_with_a_long_name_{n}", 10_000, 10_000, (1e6, 2e6), (1e5, 3e5), 10**7, (3600, 7200)
        )
        for phase in ("base", "s2", "teacher of distilled-nofilter, System 1 before", "training")
        for n in range(20)
    ]
    found = Forecast(rows, {"weights": 14.2, "probe": 30.1, "training": 121.0})
    assert max(map(len, table(found).splitlines())) <= WIDTH
    line = status_line(as_json(found))
    assert len(line) < LONGEST
    told = json.loads(line)
    assert "left_out" not in told and told["seconds"] == [80 * 3600, 80 * 7200]
    assert told["rows"][0][:3] == ["base", "all", 200_000]
