"""Judging on public data: votes merged by pair, ranked replies split by tree, malformed rows, lm-eval."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tasks import sources
from tasks.errors import TaskError
from tasks.judge import oasst, task, votes
from tasks.judge.pairs import rows
from tasks.sources import Row

SPLITS = ("train", "validation", "test")
LOADERS = {
    "judge_mtbench": task.load_mtbench,
    "judge_oasst2": task.load_oasst2,
    "judge_oasst1": task.load_oasst1,
    "judge_pandalm": task.load_pandalm,
}


def vote(a: str, b: str, winner: str, turn: int = 1) -> dict[str, Any]:
    def conversation(model: str) -> list[dict[str, str]]:
        texts = ("Why?", f"{model} one", "And how?", f"{model} two")
        return [{"role": "user" if i % 2 == 0 else "assistant", "content": t} for i, t in enumerate(texts)]

    return {
        "question_id": 81,
        "model_a": a,
        "model_b": b,
        "winner": winner,
        "judge": "expert_1",
        "conversation_a": conversation(a),
        "conversation_b": conversation(b),
        "turn": turn,
    }


def message(name: str, text: str, rank: int | None = None, **more: Any) -> dict[str, Any]:
    parent, _, _ = name.rpartition("/")
    row = {
        "message_id": name,
        "parent_id": parent or None,
        "message_tree_id": name.split("/")[0],
        "text": text,
        "role": "assistant" if parent else "prompter",
        "lang": "en",
        "rank": rank,
        "deleted": False,
    }
    return {**row, **more}


def tree(name: str, replies: int = 3) -> list[dict[str, Any]]:
    ranked = [message(f"{name}/{rank}", f"{name} reply {rank}", rank) for rank in range(replies)]
    return [message(name, f"{name} question"), *ranked]


def trees(count: int, prefix: str = "t") -> list[dict[str, Any]]:
    return [row for i in range(count) for row in tree(f"{prefix}{i}")]


def ranked(pandalm: tuple[int, int, int] = (1, 1, 0), **more: Any) -> dict[str, Any]:
    row = {"instruction": "Say yes.", "input": "", "response1": "yes", "response2": "no"}
    return {**row, **dict(zip(votes.ANNOTATORS, pandalm, strict=True)), **more}


def as_rows(given: list[dict[str, Any]]) -> list[Row]:
    return [Row(row, f"file.jsonl:{number}") for number, row in enumerate(given, 1)]


def write(path: Path, lines: list[dict[str, Any]]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in lines))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "mt_bench_human_judgments" / "human.jsonl", [vote("x", "y", "model_a")])
    write(tmp_path / "oasst1" / "validation_en.jsonl", trees(40))
    write(tmp_path / "pandalm" / "test.jsonl", [ranked()])
    return tmp_path


# MT-bench


def test_votes_of_all_judges_and_orders_are_one_pair() -> None:
    given = [
        vote("x", "y", "model_a"),
        vote("y", "x", "model_b"),
        vote("y", "x", "model_a"),
        vote("x", "y", "tie"),
    ]
    (pair,) = votes.mt_bench(as_rows(given))
    assert (pair.first, pair.second) == ("x one", "y one")
    assert (pair.votes_first, pair.votes_second, pair.votes_tie) == (2, 1, 1)


def test_a_vote_on_turn_two_is_on_the_whole_conversation() -> None:
    first, second = votes.mt_bench(as_rows([vote("x", "y", "tie"), vote("x", "y", "tie", turn=2)]))
    assert first.question == "Why?"
    assert [text in second.question for text in ("Why?", "And how?")] == [True, True]
    assert [text in second.second for text in ("y one", "y two", "x one")] == [True, True, False]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"winner": "nobody"}, "file.jsonl:1: 'winner' is 'nobody'"),
        ({"turn": 3}, "file.jsonl:1: 'turn' is 3"),
        ({"turn": "1"}, "file.jsonl:1: 'turn' is str"),
        ({"conversation_a": [{"role": "user", "content": "Why?"}]}, "'conversation_a' needs 2 messages"),
        ({"conversation_b": ["Why?", "x"]}, "'conversation_b' needs 2 messages"),
        ({"conversation_b": vote("x", "y", "tie")["conversation_b"][2:]}, "ask different questions"),
    ],
)
def test_malformed_votes_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(TaskError, match=message):
        votes.mt_bench(as_rows([{**vote("x", "y", "tie"), **change}]))


def test_all_human_votes_are_counted_once_in_each_order(data_dir: Path) -> None:
    """A judge that always says A agrees with exactly half of the votes that are no ties."""
    given = sources.read_rows(data_dir / "mt_bench_human_judgments" / "human.jsonl.gz")
    test = task.load_mtbench(str(data_dir))["test"]
    assert sum(test["weight"]) == 2 * len(given)
    decided = sum(row["winner"] != "tie" for row in given)
    scores = [task.process_results(row, ["[[A]]"]) for row in test]
    assert task.weighted_mean([s["agreement"] for s in scores]) == pytest.approx(decided / len(given) / 2)
    assert task.pair_disagreement(s["inconsistency"] for s in scores) == 1.0


# PandaLM


def test_pandalm_rows_with_the_same_texts_are_one_pair() -> None:
    given = [ranked((1, 1, 0)), ranked((2, 2, 2), response1="no", response2="yes")]
    (pair,) = votes.pandalm(as_rows(given))
    assert (pair.votes_first, pair.votes_second, pair.votes_tie) == (5, 0, 1)


def test_pandalm_s_odd_rows_are_read() -> None:
    """As in the public file: a JSON true, an empty response, a task in `input` alone."""
    (pair,) = votes.pandalm(as_rows([ranked(response1=True, response2="", instruction=" ", input="Truth")]))
    assert (pair.question, pair.first, pair.second) == ("Truth", "True", "")
    assert "Response B:\n(empty)" in rows("judge_pandalm", [pair])[0]["prompt"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"annotator2": 3}, "file.jsonl:1: 'annotator2' is 3"),
        ({"response1": None}, "file.jsonl:1: 'response1' must be text"),
        ({"instruction": ""}, "neither 'instruction' nor 'input'"),
    ],
)
def test_malformed_pandalm_rows_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(TaskError, match=message):
        votes.pandalm(as_rows([ranked(**change)]))


# OpenAssistant


@pytest.mark.parametrize(
    ("pairing", "expected"),
    [
        ("best_vs_each", ["01", "02"]),
        ("adjacent", ["01", "12"]),
        ("best_vs_worst", ["02"]),
        ("all", ["01", "02", "12"]),
    ],
)
def test_pairs_are_chosen_from_the_ranks(pairing: str, expected: list[str]) -> None:
    found = oasst.pairs(as_rows(tree("t")), (("test", 100),), pairing)["test"]
    assert [pair.first[-1] + pair.second[-1] for pair in found] == expected
    assert all((pair.votes_first, pair.votes_second) == (1, 0) for pair in found)


def test_only_ranked_replies_to_english_openings_are_paired() -> None:
    given = [
        message("t", "question"),
        message("t/0", "best", 0),
        message("t/1", "deleted", 1, deleted=True),
        message("t/2", "unranked"),
        message("t/3", "worst", 2),
        message("t/0/0", "follow-up", role="prompter"),
        message("t/0/0/0", "deeper", 0),
        message("t/0/0/1", "deeper still", 1),
        message("lost/0", "parent is not in the file", 0),
        *[{**row, "lang": "de"} for row in tree("g")],
    ]
    (pair,) = oasst.pairs(as_rows(given), (("test", 100),), "all")["test"]
    assert (pair.question, pair.first, pair.second) == ("question", "best", "worst")


def test_a_tree_is_in_one_split_only(folder: Path) -> None:
    splits = task.load_oasst1(str(folder))
    questions = [set(splits[name]["user_question"]) for name in SPLITS]
    assert all(questions)
    assert sum(map(len, questions)) == len(set().union(*questions)) == 40


def test_public_trees_are_in_one_split_only(data_dir: Path) -> None:
    splits = task.load_oasst1(str(data_dir))
    questions = [set(splits[name]["user_question"]) for name in SPLITS]
    assert sum(map(len, questions)) == len(set().union(*questions)) > 150


@pytest.mark.parametrize("key", ["message_id", "rank", "role", "lang", "message_tree_id", "text"])
def test_malformed_messages_are_named(key: str) -> None:
    given = tree("t")
    for row in given:
        del row[key]
    with pytest.raises(TaskError, match=rf"file\.jsonl:\d: no key '{key}'"):
        oasst.pairs(as_rows(given), (("test", 100),), "all")


def test_an_unknown_pairing_is_named(folder: Path) -> None:
    with pytest.raises(TaskError, match="pairs='some': use one of best_vs_each, adjacent"):
        task.load_oasst1(str(folder), pairs="some")


# Sources


def test_parts_of_a_folder_train_on_the_same_rows(folder: Path) -> None:
    parts = [LOADERS[name](str(folder)) for name in ("judge_mtbench", "judge_oasst1", "judge_pandalm")]
    assert parts[0]["train"]["item_id"] == parts[1]["train"]["item_id"] == parts[2]["train"]["item_id"]
    assert [len(set(part["test"]["cluster_id"])) for part in (parts[0], parts[2])] == [1, 1]
    assert parts[0]["test"].info.description == "1 human votes on 1 pairs, each asked in both orders."


def test_hub_parts_ask_for_the_right_data(monkeypatch: pytest.MonkeyPatch) -> None:
    asked_for: list[tuple[Any, ...]] = []

    def fetch(*request: Any) -> list[dict[str, Any]]:
        asked_for.append(request)
        repo, _, split, _ = request
        return [vote("x", "y", "model_b")] if "mt_bench" in repo else trees(60, prefix=f"{split}-")

    monkeypatch.setattr(sources, "fetch", fetch)
    mt_bench, oasst2 = task.load_mtbench("hub"), task.load_oasst2("hub")
    assert [request[::2] for request in asked_for[:3]] == [
        ("OpenAssistant/oasst2", "train"),
        ("OpenAssistant/oasst2", "validation"),
        ("lmsys/mt_bench_human_judgments", "human"),
    ]
    assert mt_bench["train"]["item_id"] == oasst2["train"]["item_id"]
    assert all(question.startswith("validation-") for question in oasst2["test"]["user_question"])
    assert len(oasst2["test"]) == 60 * 2 * 2 and len(oasst2["validation"]) > 0


@pytest.mark.parametrize("part", LOADERS)
def test_parts_with_votes_say_which_data_they_need(part: str) -> None:
    with pytest.raises(TaskError, match=f"{part}: nothing is embedded .*--data"):
        LOADERS[part]()


def test_missing_data_is_named(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(TaskError, match="PandaLM's test set is not on the hub"):
        task.load_pandalm("hub")
    with pytest.raises(TaskError, match=r"has no oasst2/train\.jsonl"):
        task.load_oasst2(str(folder))
    with pytest.raises(TaskError, match=r"has no oasst1/validation_en\.jsonl"):
        task.load_mtbench(str(tmp_path_factory.mktemp("empty")))
    write(folder / "oasst1" / "validation_en.jsonl", tree("t", replies=1))
    with pytest.raises(TaskError, match="no English opening prompt has two ranked replies"):
        task.load_oasst1(str(folder))
