"""The rule that is found for a task: which filter reads, how an answer is written, what is scored."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_fixtures import FEW_SHOT, own_task, write_task

from harness.lm.forms import forms
from harness.lm.rule import Rule
from harness.lm.task import TaskData

STRIP = """filter_list:
  - name: strip
    filter:
      - function: remove_whitespace
      - function: take_first
"""


def regex(name: str, pattern: str, group: int = 0) -> str:
    return (
        f"  - name: {name}\n    filter:\n      - function: regex\n        group_select: {group}\n"
        f"        regex_pattern: '{pattern}'\n      - function: take_first\n"
    )


STRICT = "filter_list:\n" + regex("strict", "The answer is (-?[0-9]+)")
FLEXIBLE = regex("flexible", "(-?[0-9]+)", -1)


def own(folder: Path, more: str, until: str = '["END", ""]', **changes: str) -> TaskData:
    write_task(folder, more=more)
    file = folder / "sums.yaml"
    text = file.read_text().replace('["END", ""]', until)
    for old, new in changes.items():
        text = text.replace({"ask": "Reply with a number."}.get(old, old), new)
    file.write_text(text)
    return own_task(folder)


def rule(task: TaskData) -> Rule:
    assert task.foreign is not None
    return task.foreign.rule


def test_where_the_first_filter_extracts_nothing_the_one_that_does_is_taken(tmp_path: Path) -> None:
    task = own(tmp_path, STRIP + FLEXIBLE)
    assert (rule(task).reader.name, rule(task).target, rule(task).behind) == ("flexible", "{answer}", False)
    assert [metric.name for metric in task.spec.metrics] == ["exact_match"]
    assert "read by filter flexible" in task.spec.primary.description


def test_a_form_that_no_prompt_shows_is_not_asked_of_system_1(tmp_path: Path) -> None:
    task = own(tmp_path, STRICT + FLEXIBLE)
    assert rule(task).reader.name == "flexible"
    shown = own(tmp_path / "shown", STRICT + FLEXIBLE, ask="Reply: the answer is and a number.")
    assert (rule(shown).reader.name, rule(shown).target) == ("strict", "The answer is {answer}")
    assert rule(shown).answer_form == '"The answer is X", where X is the answer'


def test_a_filter_that_reads_one_form_alone_is_taken_with_a_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = own(tmp_path, STRICT)
    assert (rule(task).target, rule(task).told) == ("The answer is {answer}", False)
    assert "System 1 cannot know it before training" in capsys.readouterr().err
    assert task.spec.undistillable is None


def test_without_a_filter_the_answer_stands_behind_the_mark(tmp_path: Path) -> None:
    task = own(tmp_path, STRIP, until='[".", "\\n"]')
    found = rule(task)
    assert (found.extracts, found.behind, found.target) == (False, True, "{answer}")
    row = task.rows("test")[0]
    text = "There are 3, or 5. So it goes.\nAnswer: 7.\nThat was easy."
    assert found.finish(text, row) == ("7", False) and found.read(text, row) == "7"
    assert found.read("7", row) == "7", "System 1 gives the answer alone"
    assert found.read("There are 3, or 5. So it goes on", row) is None, "reasoning without a mark is none"
    assert found.finish("Well. Answer:\n", row) == ("", True)
    assert found.finish("Answer: 5. No, wait.\nAnswer: 7.", row) == ("7", False), "the last mark counts"


def test_a_model_that_asks_itself_a_next_question_is_cut_there(tmp_path: Path) -> None:
    task = own(tmp_path, STRIP, until='["Question:", "\\n"]')
    text = "Some words.\nAnswer: 7\nQuestion: What is 5 plus 5?\nAnswer: 10"
    assert rule(task).finish(text, task.rows("test")[0]) == ("7", False)


def test_a_first_match_that_would_read_the_reasoning_is_given_the_answer_alone(tmp_path: Path) -> None:
    task = own(tmp_path, "filter_list:\n" + regex("first", "([0-9]+)"))
    found = rule(task)
    assert (found.extracts, found.behind) == (True, True)
    text = "There are 3 of them and 4 more. Answer: 7"
    assert task.spec.answer_of(text, task.rows("test")[0]) == "7"


def test_examples_and_their_form_reach_the_target(tmp_path: Path) -> None:
    more = FEW_SHOT + "filter_list:\n" + regex("marked", "=> (-?[0-9]+)")
    task = own(tmp_path, more.replace("sampler: default", "sampler: default, doc_to_target: '=> {{gold}}'"))
    assert (rule(task).target, rule(task).told) == ("=> {answer}", True)


def test_a_rule_that_reads_whole_texts_is_refused_for_distillation(tmp_path: Path) -> None:
    folder = write_task(tmp_path, more=STRIP)
    data = (folder / "data.py").read_text()
    words = "' '.join(f'word{n}x{i}' for i in range(40))"
    (folder / "data.py").write_text(data.replace("str(n + 1))", f"{words})"))
    task = own_task(folder)
    assert task.undistillable is not None
    assert "reads whole texts: no filter (strip) extracts an answer" in task.undistillable
    assert "have about 40 words" in task.undistillable
    text = " ".join(f"word0x{i}" for i in range(40))
    row = task.rows("test")[0]
    assert task.spec.answer_of(text, row) == text, "base is scored and read as ever"


def test_a_target_that_is_not_read_back_is_the_reason(tmp_path: Path) -> None:
    more = STRICT + 'metadata: {s2d: {target: "Result: {answer}"}}\n'
    task = own(tmp_path, more)
    assert task.undistillable and "'Result: {answer}'" in task.undistillable
    assert "filter strict" in task.undistillable


def test_a_graded_metric_is_of_each_item_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_task(tmp_path, more=STRIP)
    file = folder / "sums.yaml"
    text = file.read_text().replace("metric: exact_match", "metric: chrf")
    file.write_text(text.replace("aggregation: mean", "aggregation: chrf"))
    task = own_task(folder)
    row = task.rows("test")[0]
    assert "chrf is computed for each item alone" in capsys.readouterr().err
    assert task.figure("chrf", task.score_of(str(row["gold"]), row)["chrf"]) == pytest.approx(1.0)
    assert task.undistillable and "its metric chrf grades a text by its words" in task.undistillable


def test_forms_come_from_examples_targets_and_patterns() -> None:
    shown = ["First 2.\n#### 12", "Then 3.\n#### 15"]
    assert forms(shown, [], [])[:2] == ["{answer}", "#### {answer}"]
    worked = ["We see. The answer is 6.", "It is so. The answer is 39."]
    assert "The answer is {answer}." in forms(worked, [], [])[:2]
    boxed = ["A.\nFinal: it is $[2,5)$. I hope so.", "B.\nFinal: it is $24$. I hope so."]
    assert "Final: it is ${answer}$. I hope so." in forms(boxed, [], [])
    assert "=> {answer}" in forms([], [("so\n=> 5", "5"), ("so\n=> 7", "7")], [])
    assert "답은 {answer}입니다" in forms([], [], [r"답은 \(?([A-J])\)?입니다"])
    assert "\\boxed{{answer}}" in forms([], [], [r"\\boxed\{(.*?)\}"])
    assert forms([], [], ["(unclosed"])[0] == "{answer}", "a pattern that is none gives none"
