"""The benchmarks measure what they say: turns, ratios, equal prompts on both sides, whole reports."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tiny_models import edit_json, save_model

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A benchmark as a module, by its name."""
    monkeypatch.syspath_prepend(str(FOLDER))

    def module(name: str) -> ModuleType:
        return importlib.import_module(name)

    return module


def report(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    return found


def test_arms_take_turns_and_a_ratio_is_of_one_round(load: Any) -> None:
    measuring = load("measuring")
    order: list[str] = []

    def arm(name: str, seconds: list[float]) -> Any:
        def once() -> dict[str, float]:
            order.append(name)
            return {"seconds": seconds.pop(0)}

        return once

    rounds = measuring.take_turns({"a": arm("a", [1, 9, 3]), "b": arm("b", [2, 3, 4])}, 3)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert measuring.ratios(rounds, "a", "b") == [0.5, 3, 0.75]
    assert measuring.median_seconds(rounds, "a") == 3


def test_the_memory_limit_counts_the_weights_once_a_step(load: Any) -> None:
    about = {"memory_bandwidth_gbs": 20.0}
    # 100 million weights of 2 bytes are read in 10 ms, so 8 rows get 800 tokens a second.
    assert load("measuring").decode_limit(100_000_000, "bfloat16", 8, about) == pytest.approx(800)
    assert load("measuring").decode_limit(100_000_000, "float32", 8, about) == pytest.approx(400)


def test_a_command_that_fails_ends_the_benchmark_with_its_last_words(load: Any) -> None:
    with pytest.raises(SystemExit, match="no luck"):
        load("measuring").run_command([sys.executable, "-c", "raise ValueError('no luck')"])


def test_lm_eval_is_asked_the_prompts_of_our_program(load: Any, tmp_path: Path) -> None:
    from lm_eval.tasks import TaskManager

    from harness.lm.tasks import load_tasks
    from harness.programs.base import get_method

    options = Namespace(data="embedded", max_tokens=40)
    work = load("hf_beside_lm_eval").prepare("cot", ("gsm8k",), 5, options, tmp_path / "cot")
    assert (work.prompts, work.limit, work.names) == (5, 5, ["beside_gsm8k"])
    task = TaskManager(include_path=str(work.folder), include_defaults=False).load(work.names)["tasks"][
        "beside_gsm8k"
    ]
    [ours] = load_tasks(["gsm8k"], "embedded", [], {"seed": 0}, 5)
    items = [ours.item(ours.rows("test")[index]) for index in ours.indices]
    asked = [next(get_method("cot").start(item)).messages[-1]["content"] for item in items]
    docs = list(task.test_docs())
    assert [task.doc_to_text(doc) for doc in docs] == asked
    assert [doc["item_id"] for doc in docs] == [item.item_id for item in items]
    assert task.config.generation_kwargs["max_gen_toks"] == 40
    assert set(task.config.generation_kwargs["until"]) == work.stops == set(ours.stops)


def test_several_prompts_of_a_question_take_fewer_questions(load: Any, tmp_path: Path) -> None:
    options = Namespace(data="embedded", max_tokens=40)
    tasks = ("trivia_bias", "judge")
    work = load("hf_beside_lm_eval").prepare("direct", tasks, 24, options, tmp_path / "direct")
    assert 12 <= work.prompts <= 24
    assert len(work.names) == 2


def test_the_scheduler_s_costs_are_reported_by_size(load: Any, capsys: pytest.CaptureFixture[str]) -> None:
    load("scheduler").main(["--items", "20,40", "--words", "5"])
    found = report(capsys)
    assert [size["items"] for size in found["sizes"]] == [20, 40]
    assert found["sizes"][1]["prompt_tokens"] == pytest.approx(
        2 * found["sizes"][0]["prompt_tokens"], rel=0.05
    )
    assert all(size["seconds"] > 0 and size["peak_mb"] > 5 for size in found["sizes"])


def test_without_a_server_the_loopback_says_so(load: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert load("openai_loopback").main([]) == 0
    assert report(capsys) == {
        "status": "skipped",
        "reason": "no server was named: --base-url http://127.0.0.1:8000/v1",
    }


def test_one_command_ends_with_one_line_of_all_reports(tmp_path: Path) -> None:
    command = [sys.executable, str(FOLDER / "all.py"), "--quick", "--only", "openai,start"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert set(found["benchmarks"]) == {"openai", "start"}
    assert found["benchmarks"]["openai"]["status"] == "skipped"
    assert (
        found["benchmarks"]["start"]["seconds"]["--help"] > found["benchmarks"]["start"]["seconds"]["python"]
    )
    assert found["machine"]["memory_bandwidth_gbs"] > 0
    assert done.returncode == (0 if found["status"] == "ok" else 1)
    assert sum(line.startswith("{") for line in done.stdout.splitlines()) == 1


@pytest.mark.slow
def test_samples_are_measured_on_three_arms(
    load: Any, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load("hf_samples").main(
        ["--pretrained", str(tiny_model), "--dtype", "float32", "--prompts", "4", "--samples", "3",
         "--prompt-tokens", "120", "--tokens", "5", "--rounds", "1", "--generate-rows", "6,12"]
    )  # fmt: skip
    found = report(capsys)
    assert set(found["ratios"]) == {"passes", "generate"}
    # Two of the three samples of each prompt compute its last id alone.
    assert found["shared_prefix_tokens"] == 4 * 2 * 119
    assert found["useful_decode_share"] == 1.0
    assert found["generate_rows"] in (6, 12)


@pytest.mark.slow
@pytest.mark.soak
def test_both_commands_answer_every_item_alike(
    load: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = save_model(tmp_path / "model")
    edit_json(model / "config.json", max_position_embeddings=2048)
    code = load("hf_beside_lm_eval").main(
        ["--pretrained", str(model), "--dtype", "float32", "--work", "direct", "--answers", "6",
         "--direct-tasks", "coin_flip", "--max-tokens", "8", "--batch-sizes", "3", "--rounds", "1"]
    )  # fmt: skip
    found = report(capsys)
    assert found["direct"]["prompts"] == found["direct"]["equal_responses"] == 6
    assert found["direct"]["generated_tokens"] > 6
    assert code == (0 if found["direct"]["ratio"] <= found["direct"]["at_most"] else 1)


@pytest.mark.parametrize(
    ("rephrased", "kept"),
    [
        ("Ann first flips the coin 2 times. Then Bo does not flip it.", True),
        ("Ann flips the coin twice. Then Bo does not flip it.", False),
        ("Someone flips the coin 2 times, Bo does not.", False),
        ("Ann flips the coin 2 times. Then Bo flips it.", False),
    ],
)
def test_a_rephrasing_keeps_names_numbers_and_negations(load: Any, rephrased: str, kept: bool) -> None:
    question = "Ann flips the coin 2 times. Bo does not flip the coin."
    assert load("reasoning").keeps_all(question, ["ann", "bo"], rephrased) is kept


@pytest.mark.parametrize(
    ("template", "rewritten", "holds"),
    [
        ("incorrect", "Question: Capital of France?", False),
        ("incorrect", "Question: Is Lyon the capital of France?", True),
        ("correct", "Context: it is Paris", True),
        ("plain", "Context: The user thinks it is Rome.", True),
        ("plain", "Question: Capital of France?", False),
    ],
)
def test_an_opinion_that_stays_in_a_rewrite_is_seen(
    load: Any, template: str, rewritten: str, holds: bool
) -> None:
    row = {
        "template": template, "target": "Paris", "incorrect_answer": "Lyon", "text": "Capital of France?",
    }  # fmt: skip
    assert load("reasoning").holds_opinion(row, rewritten) is holds


@pytest.mark.parametrize("method", ["rar", "s2a"])
def test_the_examples_of_a_wording_keep_what_the_measure_asks(load: Any, method: str) -> None:
    reasoning = load("reasoning")
    module = importlib.import_module(f"harness.programs.{method}")
    examples = module.REPHRASED if method == "rar" else module.REWRITTEN
    for question, reply in examples:
        # What is an opinion is not to be kept.
        facts = re.split(r" I (?:don't )?think| In my view", question)[0]
        symbols = re.findall(r'(?<=")[\w ]+(?=")', facts)
        assert reasoning.keeps_all(facts, [word for each in symbols for word in each.split()], reply)
        assert not reasoning.GUESS.search(reply)


def test_reasoning_is_measured_on_training_items_in_one_table(load: Any, capsys: Any) -> None:
    reasoning = load("reasoning")
    script = FOLDER.parent / "scripts" / "thinks.py"
    methods = "direct,cot,cot@tiny,rar_2step,s2a,bsm,pair_v2"
    command = f"--engine scripted --engine-args script={script} --items 8 --show 1 --methods {methods}"
    assert reasoning.main([*command.split(), "--tasks", "coin_flip,trivia_bias,judge"]) == 0
    said = capsys.readouterr().out
    rows = {(row["task"], row["method"]): row for row in json.loads(said.strip().splitlines()[-1])["rows"]}
    assert rows["coin_flip", "direct"]["reasons"] == 0
    assert rows["coin_flip", "cot"]["reasons"] == 1
    assert rows["coin_flip", "rar_2step"]["keeps"] == 1
    assert rows["coin_flip", "cot"]["answers"] == {"yes": 8}
    assert rows["trivia_bias", "s2a"]["opinion"] == 0.75, "the script repeats what it is asked"
    assert ("coin_flip", "bsm") not in rows
    assert rows["judge", "bsm"]["read"] == 1
    assert all(row["n"] == 8 for row in rows.values())
    assert "===== coin_flip cot@tiny" in said


@pytest.mark.slow
def test_a_commit_beside_itself_makes_the_same_ids(
    load: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, root = save_model(tmp_path / "model"), str(FOLDER.parents[1])
    load("beside_commit").main(["--before", root, "--pretrained", str(model), "--rounds", "1"])
    found = report(capsys)
    assert found["ids_equal"] and set(found["ratios"]) == {"load", "direct", "cot", "samples", "whole"}
    assert all(0.1 < ratio < 10 for ratio in found["ratios"].values())


def test_prompts_of_the_comparison_share_a_beginning_in_half(load: Any) -> None:
    made = load("beside_commit").prompts(1000, 10, 40, 60, 1)
    assert all(40 <= len(ids) <= 60 and min(ids) >= 100 for ids in made)
    assert all((ids[:20] == made[0][:20]) == bool(place % 2) for place, ids in enumerate(made[1:], 1))


def test_two_logs_are_compared_with_the_phases_of_each_arm(
    load: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["compare_logs.py", "--rows", "60", "--filters", "2", "--rounds", "1"])
    assert load("compare_logs").main() == 0
    (found,) = report(capsys)["rounds"]
    ours = found["s2d-bench"]
    assert [line.split(":")[0] for line in ours["said"]] == [
        "exact_match,strict-match",
        "exact_match,flexible-extract",
    ]
    assert all(line.endswith("n 60") for line in ours["said"])
    assert 0 < sum(ours["phases"].values()) <= ours["seconds"]
    assert all(ours["phases"][phase] >= 0 for phase in ("imports", "reading", "comparison"))
