"""Curtailed votes keep the same inputs with the same targets as all K samples would, for fewer samples."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest
from program_fixtures import ITEM, answer_rule, drive
from test_end_to_end import SCRIPTS, run_command

from distill.teacher.curtail import Spelled, certain, next_wave
from distill.teacher.filters import majority
from harness.programs.self_consistency import elect, keeps_its_lead


def of_all(samples: list[Spelled], threshold: float) -> tuple[bool, str | None]:
    """Whether all samples keep the input, and with which spelling: as `select._vote` has it."""
    vote = majority([key for key, _ in samples], threshold)
    if vote.answer is None:
        return False, None
    return True, Counter(spelling for key, spelling in samples if key == vote.answer).most_common(1)[0][0]


def in_waves(samples: list[Spelled], threshold: float) -> list[Spelled]:
    """What is drawn of `samples`, wave by wave."""
    drawn: list[Spelled] = []
    while more := next_wave(drawn, len(samples), threshold):
        assert len(drawn) + more <= len(samples)
        drawn = samples[: len(drawn) + more]
    return drawn


@pytest.mark.parametrize("threshold", [0.5, 0.0, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("total", [1, 2, 3, 5, 8, 20])
def test_what_is_not_drawn_changes_neither_whether_nor_what_is_kept(total: int, threshold: float) -> None:
    draw = random.Random(f"{total} {threshold}")
    spared = 0
    for _ in range(400):
        sure = draw.random()
        spellings: list[Spelled] = [("1000", "1000"), ("1000", "1,000"), ("7", "7"), ("8", "8"), (None, None)]
        weights = [sure, sure * draw.random(), 1 - sure, (1 - sure) / 2, draw.random() / 2]
        samples = draw.choices(spellings, weights, k=total)
        drawn = in_waves(samples, threshold)
        spared += total - len(drawn)
        padded = [*drawn, *[(None, None)] * (total - len(drawn))]
        assert of_all(padded, threshold) == of_all(samples, threshold), samples
        assert certain(drawn, total, threshold) == ("kept" if of_all(samples, threshold)[0] else "dropped")
    assert spared > 0 or total < 3


def test_waves_are_as_small_as_a_decision_needs() -> None:
    same: list[Spelled] = [("a", "a")] * 8
    assert next_wave([], 8, 0.5) == 4, "four failures would drop the input"
    assert next_wave(same[:4], 8, 0.5) == 1
    assert next_wave(same[:5], 8, 0.5) == 0
    assert next_wave([(None, None)] * 4, 8, 0.5) == 0, "no majority is possible any more"
    assert in_waves(same, 0.5) == same[:5]
    assert next_wave([], 1, 0.5) == 1


def test_a_spelling_that_may_still_be_overtaken_is_waited_for() -> None:
    mixed: list[Spelled] = [
        ("1000", "1,000"),
        ("1000", "1000"),
        ("1000", "1000"),
        ("1000", "1,000"),
        ("1000", "1000"),
    ]
    assert certain(mixed, 8, 0.5) is None
    assert certain([("1000", "1000")] * 5, 8, 0.5) == "kept"


def test_a_lead_is_kept_against_all_other_answers_seen_or_not() -> None:
    assert keeps_its_lead(Counter({"a": 3, "b": 1}), 2), "a tie goes to the answer seen first"
    assert not keeps_its_lead(Counter({"b": 1, "a": 3}), 2)
    assert not keeps_its_lead(Counter({"a": 1}), 2)


@pytest.mark.parametrize("k", [1, 2, 3, 5, 8])
def test_a_curtailed_vote_has_the_same_winner(k: int) -> None:
    draw = random.Random(k)
    spared = 0
    for _ in range(60):
        texts = draw.choices(["Answer: yes", "Answer: no", "well, yes. Answer: yes", "hm"], [5, 2, 3, 1], k=k)

        def reply(ask: object, texts: list[str] = texts) -> str:
            return texts[int(str(ask.step).split("/")[0]) - 1]  # type: ignore[attr-defined]

        text, rounds = drive(f"cot*{k}", ITEM, reply, vote=answer_rule, curtail=True)
        assert text == elect(texts, answer_rule)
        asked = sum(map(len, rounds))
        assert asked <= k
        spared += k - asked
    assert spared > 0 or k < 3


def run(folder: Path, *more: str) -> tuple[dict[str, dict], Path]:
    """Records of distillation by task, and the folder of the run."""
    folder.mkdir()
    done = run_command(folder, [
        "--engine", "scripted", "--engine-args", f"script={SCRIPTS / 'paper_like.py'}",
        "--tasks", "coin_flip",
        "--limit", "8", "--distill-inputs", "24", "--samples", "8", "--output", "run", *more,
    ])  # fmt: skip
    assert done.returncode == 0, done.stderr
    manifest = json.loads((folder / "run" / "manifest.json").read_text())
    return {entry["task"]: entry for entry in manifest["distillation"]}, folder / "run"


def taught(record: dict) -> bytes:
    """What the scripted engine was trained on: prompts and targets."""
    (file,) = Path(record["checkpoint"]).glob("scripted_adapter.json")
    return file.read_bytes()


def test_a_curtailed_teacher_teaches_the_same_for_fewer_tokens(tmp_path: Path) -> None:
    few, folder = run(tmp_path / "few")
    full, whole = run(tmp_path / "all", "--all-samples")
    for task, record in few.items():
        other = full[task]
        assert record["kept"] == other["kept"] > 8
        assert taught(record) == taught(other)
        # One sample in five is wrong here, so a majority of 8 takes 5 / 0.8 of them.
        assert record["teacher_tokens"] <= 0.82 * other["teacher_tokens"]
        assert record["samples_drawn"] < record["samples_planned"] == other["samples_drawn"]
        assert record["dropped"] == other["dropped"]
        rows = [
            sorted((Path(each["checkpoint"]) / "examples").glob("kept.parquet")) for each in (record, other)
        ]
        assert all(rows)
    notes = json.loads((folder / "leaderboard.json").read_text())["notes"]
    assert any("each vote was certain" in note for note in notes)
    assert not any(
        "each vote was certain" in note
        for note in json.loads((whole / "leaderboard.json").read_text())["notes"]
    )


@pytest.mark.slow
def test_curtailed_votes_at_inference_give_the_same_scores(tmp_path: Path) -> None:
    scores, tokens = [], []
    for name, more in (("all", ()), ("few", ("--curtail-votes",))):
        _, folder = run(tmp_path / name, "--models", "base,s2:cot*5", *more)
        rows = [
            json.loads(line)
            for path in folder.glob("samples/s2*/coin_flip.jsonl")
            for line in path.read_text().splitlines()
        ]
        scores.append([(row["item_id"], row["response"], row["scores"]) for row in rows])
        tokens.append(sum(row["usage"]["generated_tokens"] for row in rows))
    assert scores[0] == scores[1]
    assert tokens[1] < tokens[0]
