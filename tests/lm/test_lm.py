"""lm-eval tasks as items, ours and a user's own: limits by cluster, filters as answer rules, exact scores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from run_fixtures import DATA, FEW_SHOT, FILTERS, own_task, write_task

from distill.teacher.inputs import choose_inputs
from harness.errors import UserError
from harness.lm.score import asked, score
from harness.lm.task import TaskData
from harness.lm.tasks import load_tasks
from harness.sample_rows import build_rows
from harness.types import Completion, Response, Step, user


def load(*names: str, limit: int | None = None, include: Sequence[Path] = (), **more: Any) -> list[TaskData]:
    return load_tasks(names, more.pop("data", "embedded"), [str(path) for path in include], more, limit)


def own(folder: Path, more: str = FILTERS, **changes: Any) -> TaskData:
    return load("sums", include=[write_task(folder, more=more, **changes)])[0]


def response(text: str) -> Response:
    return Response(text, [Step("direct", [user("x")], Completion(text, "stop", 1, 1))])


def scored_rows(task: TaskData, texts: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of base, of which these are the texts."""
    return build_rows(task, "base", "direct", 0, score(task, texts), [response(text) for text in texts])


def refused(*names: str, **more: Any) -> str:
    with pytest.raises(UserError) as caught:
        load(*names, **more)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["trivia_bias", "judge", "gsm8k"])
def test_a_limit_takes_whole_clusters_by_content(name: str) -> None:
    whole, some, fewer = (load(name, limit=limit)[0] for limit in (None, 7, 3))

    def clusters(task: TaskData) -> set[str]:
        rows = task.rows("test")
        return {task.item(rows[index]).cluster_id for index in task.indices}

    chosen = clusters(some)
    assert len(chosen) == 7 and len(clusters(fewer)) == 3
    assert clusters(fewer) < chosen < clusters(whole)
    kept = [row for row in whole.rows("test") if whole.item(row).cluster_id in chosen]
    assert len(kept) == len(some.indices)
    assert some.indices == sorted(some.indices)


def test_items_of_our_tasks_are_the_rows_own() -> None:
    task = load("judge", limit=5)[0]
    assert task.own and task.name == "judge" and task.lm_name == "s2d_judge_generated"
    for row in task.rows("test")[:5]:
        item = task.item(row)
        assert (item.item_id, item.cluster_id, item.prompt) == (
            row["item_id"],
            row["cluster_id"],
            row["prompt"],
        )
        assert item.fields["response_a"] == row["response_a"]
        assert task.history(row) == ()


def test_every_chosen_row_is_asked_once_and_scored_in_its_place() -> None:
    tasks = load("coin_flip", "last_letter", limit=9)
    for task in tasks:
        ids = [item.item_id for item, _ in asked(task)]
        assert len(ids) == len(set(ids)) == 9
        # Every third answer is wrong, so that a row in another's place would show.
        texts = [
            "Answer: zzz" if place % 3 == 0 else f"Answer: {item.fields['target']}"
            for place, (item, _) in enumerate(asked(task))
        ]
        rows = scored_rows(task, texts)
        assert [row["item_id"] for row in rows] == ids
        for place, row in enumerate(rows):
            wrong = place % 3 == 0
            assert row["response"] == ("Answer: zzz" if wrong else f"Answer: {row['target']}")
            assert row["scores"][task.spec.primary.name] == (0.0 if wrong else 1.0)


def test_a_user_s_own_task_runs_with_chain_of_thought_as_system_2(tmp_path: Path) -> None:
    task = own(tmp_path)
    assert (task.name, task.lm_name, task.own) == ("sums", "sums", False)
    assert task.spec.s2_method == "cot"
    assert [metric.name for metric in task.spec.metrics] == ["exact_match"]
    assert task.spec.max_tokens == {"direct": 20}
    assert task.stops == ("END",), "an empty stop would end every answer at once"
    assert task.spec.answer("first 3, then 14.") == "14"
    assert task.spec.answer("no number") is None


def test_the_filters_of_a_user_s_task_score_it(tmp_path: Path) -> None:
    task = own(tmp_path)
    rows = scored_rows(task, [f"It is {item.fields['gold']}" for item, _ in asked(task)])
    assert len(rows) == 12 and len({row["item_id"] for row in rows}) == 12
    for row in rows:
        assert row["scores"] == {"exact_match": 1.0, "exact_match,whole-text": 0.0}
        assert (row["answer"], row["target"], row["failure"], row["weight"]) == (
            row["target"],
            row["target"],
            None,
            1.0,
        )
        assert row["prompt"].endswith("plus 1? Reply with a number.")


def test_a_task_without_filters_takes_the_text_itself(tmp_path: Path) -> None:
    task = own(tmp_path, more="")
    assert task.spec.answer("  seven ") == "seven"
    assert task.spec.answer("  ") is None


def test_a_row_that_stands_twice_is_asked_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_task(tmp_path / "tasks")
    data = DATA.replace("rows(0, 12)", "rows(0, 12) * 2").replace("rows(100, 130)", "rows(100, 130) * 2")
    (folder / "data.py").write_text(data)
    task = own_task(folder)
    assert task.indices == list(range(12))
    assert "12 of 24 test rows repeat another" in capsys.readouterr().err
    units = choose_inputs(task, 1000, [], allow_overlap=False).units
    assert [len(unit) for unit in units] == [1] * 30


def test_description_and_examples_stand_before_the_prompt(tmp_path: Path) -> None:
    task = own(tmp_path, more=FILTERS + FEW_SHOT)
    seen = asked(task)
    assert asked(task) == seen and len(seen) == 12
    for item, history in seen:
        assert [turn["role"] for turn in history] == ["system", "user", "assistant", "user", "assistant"]
        assert history[0]["content"].startswith("You are a calculator.")
        assert item.prompt not in [turn["content"] for turn in history]
    for row in task.rows("train"):
        prompts = [turn["content"] for turn in task.history(row) if turn["role"] == "user"]
        assert task.item(row).prompt not in prompts, "a training row would show its own answer"
    for row in task.rows("train")[:3]:
        history = task.history(row)
        assert history == task.history(row)
        assert [turn["role"] for turn in history] == [turn["role"] for turn in seen[0][1]]
        assert history[0] == seen[0][1][0]


def test_what_a_reply_would_begin_with_ends_the_prompt(tmp_path: Path) -> None:
    task = own(tmp_path, more=FILTERS + FEW_SHOT + 'gen_prefix: "The sum is"\n')
    for item, history in asked(task):
        assert item.prompt.endswith("Reply with a number. The sum is")
        assert item.question.endswith("Reply with a number.")
        assert [turn["role"] for turn in history] == ["system", "user", "assistant", "user", "assistant"]
        assert history == task.history(item.fields) or history[0] == task.history(item.fields)[0]
        assert item.answer_form == '"The sum is X", where X is the answer'
    assert task.spec.answer_mark.search("Well. The sum is 5"), "a model may repeat it before its answer"


def test_repeats_are_the_method_s_choice_and_votes_over_them_go(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vote = """  - name: maj@4
    filter:
      - function: regex
        regex_pattern: "(-?[0-9]+)"
      - function: majority_vote
      - function: take_first
"""
    task = own(tmp_path, more=FILTERS + vote + "repeats: 4\n")
    assert "asks each item 4 times; here it is asked once: s2:cot*4" in capsys.readouterr().err
    rows = scored_rows(task, [f"It is {item.fields['gold']}" for item, _ in asked(task)])
    assert len(rows) == 12 and {frozenset(row["scores"]) for row in rows} == {
        frozenset({"exact_match", "exact_match,whole-text"})
    }
    only_vote = FILTERS.replace("take_first", "majority_vote") + "repeats: 4\n"
    assert "repeats: 4 and all its filters vote" in refused(
        "sums", include=[write_task(tmp_path / "votes", more=only_vote)]
    )


def test_a_log_likelihood_task_is_refused(tmp_path: Path) -> None:
    more = 'doc_to_choice: ["1", "2"]\n'
    folder = write_task(tmp_path, more=more, output_type="multiple_choice")
    message = refused("sums", include=[folder])
    assert "sums" in message and "generate text" in message


@pytest.mark.parametrize(
    ("names", "more", "named"),
    [
        (["coin_flop"], {}, "coin_flip"),
        ([], {}, "no task was named"),
        (["coin_flip"], {"data": "/nowhere/at/all"}, "/nowhere/at/all"),
        (["coin_flip"], {"difficulty": "hard"}, "difficulty"),
        (["coin_flip"], {"include": [Path("/nowhere/tasks")]}, "/nowhere/tasks"),
    ],
)
def test_bad_tasks_and_data_are_one_line(names: list[str], more: dict[str, Any], named: str) -> None:
    assert named in refused(*names, **more)


def test_a_broken_task_file_is_named(tmp_path: Path) -> None:
    folder = write_task(tmp_path)
    (folder / "data.py").write_text("def load(**_):\n    return {}['train']\n")
    assert "sums" in refused("sums", include=[folder])
    (folder / "data.py").write_text("import no_such_module\n")
    assert "no_such_module" in refused("sums", include=[folder])
    (folder / "sums.yaml").write_text("task: [\n")
    assert "sums.yaml" in refused("sums", include=[folder])
