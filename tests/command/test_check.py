"""`s2d-bench check`: prompts, stops, limits and the round trip of one row, and exit 1 if that fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lm_eval_rows import BY_NAME, write_data
from run_fixtures import FEW_SHOT, FILTERS, write_task

from harness.command.cli import main

Found = tuple[int, str, dict[str, Any]]


def check(capsys: pytest.CaptureFixture[str], *arguments: str) -> Found:
    """Returns exit status, card and JSON line."""
    status = main(["check", *arguments])
    *card, line = capsys.readouterr().out.splitlines()
    return status, "\n".join(card), json.loads(line)


def test_it_shows_what_each_system_is_asked_and_where_texts_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(BY_NAME["triviaqa"], tmp_path)
    status, card, line = check(capsys, "lm_eval:triviaqa", "--data", str(tmp_path / "data"))
    assert (status, line["status"]) == (0, "ok")
    [facts] = line["tasks"]
    assert facts["round_trip"] and facts["distillable"] and facts["reason"] is None
    base, _, rest = card.partition("s2 cot, reason")
    reason, _, training = rest.partition("training:")
    assert "base, direct: at most 256 tokens, stops ['\\n', '.', ',']" in base
    assert "Who founded it?\n            | Answer:" in base
    assert "at most 1024 tokens, stops []" in reason and "Think step by step: first write down" in reason
    assert "after the answer, its text is cut at ['\\n', '.', ',']" in reason
    assert "K2" in training and "target    | " in training, "a training row's prompt, not the test row's"
    assert "-> score 1" in training and "the round trip holds on 8 of 8 rows tried" in training
    assert "round trip: holds" in training


def test_it_ends_with_1_and_the_reason_if_the_round_trip_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(BY_NAME["gsm8k"], tmp_path)
    blocks = tmp_path / "blocks.yaml"
    blocks.write_text('gsm8k: {answer_filter: strict-match, target: "Result: {answer}"}\n')
    data = ["--data", str(tmp_path / "data")]
    status, card, line = check(capsys, "lm_eval:gsm8k", *data, "--task-config", str(blocks))
    assert (status, line["status"]) == (1, "fails")
    assert "round trip: fails. The target 'Result: {answer}' of its s2d block does not come back" in card
    assert line["tasks"][0]["reason"] and not line["tasks"][0]["distillable"]
    assert check(capsys, "lm_eval:gsm8k", *data)[0] == 0


def test_a_task_without_training_rows_holds_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(BY_NAME["squad_completion"], tmp_path)
    status, card, line = check(capsys, "lm_eval:squad_completion", "--data", str(tmp_path / "data"))
    assert status == 0 and line["tasks"][0]["round_trip"] and not line["tasks"][0]["distillable"]
    assert "not distilled: There are no training rows" in card and "training: no rows" in card


def test_each_step_of_each_method_is_shown_with_its_turns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_task(tmp_path, more=FILTERS + FEW_SHOT)
    asked = ["sums", "--include-path", str(folder), "--models", "base,s2:rar_2step,s2:cot"]
    status, card, _ = check(capsys, *asked, "--sampling", "max_tokens.reason=77")
    assert status == 0
    steps = [line for line in card.splitlines() if line.startswith("s2 ")]
    assert [step.split(":")[0] for step in steps] == [
        "s2 rar_2step, rephrase", "s2 rar_2step, respond", "s2 cot, reason",
    ]  # fmt: skip
    assert "at most 77 tokens" in steps[2]
    rephrase = card.split("s2 rar_2step, rephrase")[1].split("s2 rar_2step, respond")[0]
    assert "You are a calculator" not in rephrase
    assert card.count("You are a calculator") == 4, "base, respond, reason and training"


def test_the_packages_own_tasks_can_be_checked_too(capsys: pytest.CaptureFixture[str]) -> None:
    status, card, line = check(capsys, "coin_flip", "gsm8k")
    assert status == 0 and [facts["task"] for facts in line["tasks"]] == ["coin_flip", "gsm8k"]
    assert card.count("round trip: holds") == 2
    limits = check(capsys, "coin_flip", "--pretrained", "tiny")[1]
    assert "at most 64 tokens" in limits and "at most 64 tokens" not in card


def test_an_unknown_task_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "lm_eval:gsm8kk"]) == 2
    assert "did you mean lm_eval:gsm8k" in capsys.readouterr().err
