"""Every snippet of the documents runs, without a real model.

A snippet that is new fails `test_every_snippet_is_tested` until a test here runs it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from document_parts import ROOT, block, blocks
from results_fixtures import make_run
from run_fixtures import make_context, never
from test_end_to_end import SCRIPTS, arguments_for, last_line, run_command

from distill.teacher import filter_kinds, select
from harness.engines.base import Engine
from harness.errors import RunError
from harness.evaluate import evaluate
from harness.lm.block import KEYS, TaskConfig
from harness.lm.tasks import load_tasks
from harness.programs import base
from harness.types import Request, Sampling, user
from harness.variants import Variant
from tasks.spec import TaskSpec

README, EXTENDING = "README.md", "docs/extending.md"
TESTED = {
    "python": (
        (README, "def draft_then_answer("),
        (EXTENDING, "def both_sides("),
        (EXTENDING, "Dataset.from_list"),
        (EXTENDING, "def clear_lead("),
        (EXTENDING, "class ParrotEngine("),
        (EXTENDING, "def long_tail("),
        (EXTENDING, "def signed_rank("),
        ("docs/statistics.md", "mcnemar(1, 8)"),
        ("docs/statistics.md", "mcnemar(2, 20)"),
        ("docs/distillation.md", "distill(RunOptions("),
        ("docs/results-schema.md", "iter_rows("),
        ("docs/results.md", "from harness import compare"),
    ),
    "yaml": (
        (README, "s2d-bench gate"),
        (EXTENDING, "task: sums"),
        ("docs/distillation.md", "distributed_type"),
        ("docs/lm-eval-tasks.md", "--task-config"),
        ("docs/servers.md", "model_list:"),
    ),
}
"""Language -> page and a text of each block that a test below runs."""

REASONS = '''"""Right where it is asked for reasons or was taught, else wrong."""

import re


def respond(request, adapter):
    text = request.messages[-1]["content"]
    first, second = map(int, re.findall(r"What is (\\d+) plus (\\d+)", text)[-1])
    right = adapter is not None or request.step != "direct"
    return f"{first} and {second} make {first + second if right else 0}"
'''


def snippet(page: str, holds: str, language: str = "python") -> str:
    """A block that `TESTED` lists."""
    assert (page, holds) in TESTED[language]
    return block(page, language, holds)


def executed(text: str, name: str = "snippet") -> dict[str, Any]:
    """The names that a snippet defines when it is run by itself."""
    found: dict[str, Any] = {"__name__": name}
    exec(compile(text, name, "exec"), found)
    return found


@pytest.fixture
def own_methods(monkeypatch: pytest.MonkeyPatch) -> None:
    """Methods that a test registers are gone after it."""
    base.load_builtin()
    monkeypatch.setattr(base, "_METHODS", dict(base._METHODS))


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A folder on the import path."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.mark.parametrize("language", sorted(TESTED))
def test_every_snippet_is_tested(language: str) -> None:
    listed = {(page, holds): block(page, language, holds) for page, holds in TESTED[language]}
    left = [f"{each.page}:\n{each.text}" for each in blocks(language) if each.text not in listed.values()]
    assert not left, left[0]


# Methods


@pytest.mark.parametrize(
    ("page", "holds", "method", "steps"),
    [
        (README, "def draft_then_answer(", "draft_then_answer", ["draft", "respond"]),
        (EXTENDING, "def both_sides(", "both_sides", ["argue:yes", "argue:no", "respond"]),
    ],
)
@pytest.mark.usefixtures("own_methods")
def test_a_method_of_the_documents_runs(
    page: str, holds: str, method: str, steps: list[str], importable: Path
) -> None:
    (importable / "my_method.py").write_text(snippet(page, holds))
    named = ["--models", f"base,s2:{method}", "--method-path", "my_method.py"]
    done = run_command(importable, arguments_for(*named, "--tasks", "coin_flip"))
    assert done.returncode == 0, done.stderr
    samples = importable / "run" / "samples" / f"s2-{method}" / "coin_flip.jsonl"
    rows = [json.loads(line) for line in samples.read_text().splitlines()]
    assert len(rows) == 20
    assert all([step["name"] for step in row["steps"]] == steps for row in rows)
    assert all(row["failure"] is None for row in rows)


# A task


@pytest.fixture
def sums_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "my_tasks"
    folder.mkdir()
    (folder / "sums.yaml").write_text(snippet(EXTENDING, "task: sums", "yaml"))
    (folder / "sums.py").write_text(snippet(EXTENDING, "Dataset.from_list"))
    (tmp_path / "reasons.py").write_text(REASONS)
    return tmp_path


def test_the_task_of_the_documents_passes_its_check(sums_folder: Path) -> None:
    done = run_command(sums_folder, ["check", "sums", "--include-path", "my_tasks"])
    assert done.returncode == 0, done.stdout + done.stderr
    [facts] = last_line(done)["tasks"]
    assert facts["round_trip"]


def test_the_task_of_the_documents_runs_three_ways(sums_folder: Path) -> None:
    done = run_command(
        sums_folder,
        ["--include-path", "my_tasks", "--tasks", "sums", "--models", "base,s2,distilled", "--output", "run",
         "--engine", "scripted", "--engine-args", "script=reasons.py"],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    board = json.loads((sums_folder / "run" / "leaderboard.json").read_text())
    scores = {row["variant"]: row["score"] for row in board["rows"] if row["primary"]}
    assert scores == {"base": 0.025, "s2": 1.0, "distilled": 1.0}  # 0 plus 0 is 0, whoever answers
    assert board["rows"][1]["method"] == "cot"


# A filter, an engine, a column, a test


def test_the_filter_of_the_documents_keeps_a_clear_lead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filter_kinds, "FILTERS", dict(filter_kinds.FILTERS))
    monkeypatch.setattr(select, "FILTERS", filter_kinds.FILTERS)
    clear_lead = executed(snippet(EXTENDING, "def clear_lead("))["clear_lead"]
    assert clear_lead(["a", "a", "a", "b"]).answer == "a"
    thin = clear_lead(["a", "a", "b", None])
    assert (thin.answer, thin.reason, thin.margin) == (None, "thin_lead", 0.25)
    assert clear_lead([None, None]).reason == "all_failed"
    chosen = select.parse_filter("clear_lead")
    assert chosen.kind.agree([thin], TaskSpec("t", "cot", (), str, str, {})) == "thin_lead"
    assert "thin_lead" in filter_kinds.reasons() and "clear_lead" in filter_kinds.asked_for()


def test_the_engine_of_the_documents_answers_a_task(tmp_path: Path) -> None:
    engine = executed(snippet(EXTENDING, "class ParrotEngine("), "parrot")["ParrotEngine"]()
    assert isinstance(engine, Engine)
    [task] = load_tasks(["coin_flip"], "embedded", [], {}, 5)
    context = make_context(tmp_path, never, [task], engine)
    rows = evaluate(context, Variant("base", "base"), 0, [task], {"coin_flip": None})["coin_flip"]
    assert [row["response"] for row in rows] == ['or "Answer: no".'] * 5
    assert [row["answer"] for row in rows] == ["no"] * 5
    for row in rows:
        words = len(row["steps"][0]["messages"][0]["content"].split())
        assert row["usage"] == {
            "calls": 1, "prompt_tokens": words, "cached_tokens": 0, "generated_tokens": 4
        }  # fmt: skip
    with pytest.raises(RunError, match="takes no adapters"):
        engine.add_adapter("one", tmp_path)


def test_the_engine_of_the_documents_keeps_limit_stop_and_context() -> None:
    engine = executed(snippet(EXTENDING, "class ParrotEngine("), "parrot")["ParrotEngine"]()

    def said(text: str, **sampling: Any) -> tuple[str, str, int]:
        messages = [user(text)]
        asked = Request("item", "direct", 0, messages, engine.prompt_ids(messages), Sampling(**sampling), 0)
        [done] = engine.generate([asked])
        return done.text, done.finish_reason, done.generated_tokens

    assert said("one two three four") == ("two three four", "stop", 4)
    assert said("one two three four", max_tokens=2) == ("two three", "length", 2)
    assert said("one two three four", stop=("three",)) == ("two ", "stop", 2)
    assert said("word " * 5000) == ("", "error", 0)


def test_the_column_of_the_documents_is_of_every_variant(tmp_path: Path) -> None:
    long_tail = executed(snippet(EXTENDING, "def long_tail("))["long_tail"]
    found = long_tail(make_run(tmp_path / "run"))
    assert set(found) == {("coin_flip", name) for name in ("base", "s2", "distilled")}
    assert found["coin_flip", "s2"] > found["coin_flip", "base"] > 0


def test_the_statistical_test_of_the_documents_is_one() -> None:
    signed_rank = executed(snippet(EXTENDING, "def signed_rank("))["signed_rank"]
    assert signed_rank(np.zeros(5)).p == 1
    # Six differences of one sign: 2 of the 64 equally likely sets of signs are as uneven.
    assert signed_rank(np.array([1.0, 2, 3, 4, 5, 6, 0])).p == pytest.approx(2 / 64)


@pytest.mark.parametrize("words", ["mcnemar(1, 8)", "mcnemar(2, 20)"])
def test_the_example_by_hand_is_right(words: str) -> None:
    executed(snippet("docs/statistics.md", words))


# Distillation and results from Python


def test_distilling_from_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = snippet("docs/distillation.md", "distill(RunOptions(")
    script = SCRIPTS / "paper_like.py"
    played = f'engine="scripted", engine_args={{"script": {str(script)!r}}}, distill_inputs=16'
    assert 'pretrained="smollm2"' in text
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("S2D_CACHE", str(tmp_path / "cache"))
    found = executed(text.replace('pretrained="smollm2"', played))
    assert (found["run_folder"] / "manifest.json").is_file()
    [record] = found["records"]
    assert record["samples_per_input"] == 8
    assert Path(record["checkpoint"]).is_dir()


def test_results_from_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(tmp_path / "runs" / "first")
    monkeypatch.chdir(tmp_path)
    found = executed(snippet("docs/results-schema.md", "iter_rows("))
    assert {row["variant"] for row in found["board"]["rows"]} == {"base", "s2", "distilled"}
    assert isinstance(found["wrong"], list)


def test_the_python_door_of_the_documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("S2D_CACHE", str(tmp_path / "cache"))
    text = snippet("docs/results.md", "from harness import compare")
    played = f'engine="scripted", engine_args={{"script": "{SCRIPTS / "paper_like.py"}"}}, limit=20'
    assert "limit=20" in text
    scope: dict[str, Any] = {}
    exec(text.replace("limit=20", played), scope)
    assert len(scope["r"].scores) == 2 and (scope["r"].folder / "leaderboard.html").is_file()


# YAML


def test_the_job_of_the_readme_runs_and_gates(tmp_path: Path) -> None:
    steps = yaml.safe_load(snippet(README, "s2d-bench gate", "yaml"))
    run, gate = (step["run"].split()[1:] for step in steps)
    played = ["--engine", "scripted", "--engine-args", f"script={SCRIPTS / 'paper_like.py'}"]
    small = ["--limit", "40", "--distill-inputs", "16"]
    done = run_command(tmp_path, [*run, *played, *small])
    assert done.returncode == 0, done.stderr
    policy = gate[gate.index("--policy") + 1]
    gate[gate.index(policy)] = str(ROOT / policy)
    judged = run_command(tmp_path, gate)
    # 40 items say that it is better and cheaper, and leave open whether it is as good.
    assert judged.returncode == 3, judged.stdout + judged.stderr
    assert "holds" in judged.stdout


def test_the_file_for_deepspeed_is_one_of_accelerate(tmp_path: Path) -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    from distill.training.accelerate_config import launch_command, machines

    file = tmp_path / "train.yaml"
    file.write_text(snippet("docs/distillation.md", "distributed_type", "yaml"))
    assert machines(str(file)) == 1
    assert "--num_processes" not in launch_command(str(file), tmp_path / "jobs.json", 4)
    assert load_config_from_file(str(file)).num_processes == 8


def test_the_block_of_the_documents_is_read(tmp_path: Path) -> None:
    file = tmp_path / "blocks.yaml"
    file.write_text(snippet("docs/lm-eval-tasks.md", "--task-config", "yaml"))
    _, layer = TaskConfig.read(str(file)).layer("squad_completion")
    assert set(layer) == set(KEYS)


def test_the_gateway_of_the_documents_names_base_and_adapter() -> None:
    listed = yaml.safe_load(snippet("docs/servers.md", "model_list:", "yaml"))["model_list"]
    sent = {each["model_name"]: each["litellm_params"]["extra_body"] for each in listed}
    assert {name: body["lora"][0]["scale"] for name, body in sent.items()} == {"MODEL": 0.0, "tuned": 1.0}
    assert not any(body["cache_prompt"] for body in sent.values()), "the adapter would read the base's cache"
