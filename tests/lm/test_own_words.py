"""What of a prompt is the item's own: the words that the task's template does not bring."""

from __future__ import annotations

import json
from pathlib import Path

from run_fixtures import own_task, write_task

from distill.teacher.inputs import choose_inputs, overlap_item
from harness.lm.own_words import own_words, shared_runs

TEMPLATE = (
    "The following paragraphs each describe a set of three objects arranged in a fixed order, and the "
    "statements are logically consistent within each paragraph: {own} Which of them comes first of all?"
)


def test_a_run_that_half_of_the_texts_hold_is_the_template() -> None:
    texts = [TEMPLATE.format(own=f"item{n} is left of thing{n}.") for n in range(8)]
    shared = shared_runs(texts)
    assert own_words(texts[0], shared) == "item0 is left of thing0 which of them comes first of all"
    assert own_words(TEMPLATE.format(own=""), shared), "something is always left"


def test_too_few_or_unlike_texts_have_none() -> None:
    assert shared_runs([TEMPLATE] * 3) == frozenset()
    texts = [" ".join(f"w{n}x{i}" for i in range(30)) for n in range(8)]
    assert shared_runs(texts) == frozenset() and own_words(texts[0], frozenset()) == texts[0]


def test_items_of_one_template_do_not_overlap_and_equal_ones_do(tmp_path: Path) -> None:
    folder = write_task(tmp_path)
    file = folder / "sums.yaml"
    ask = TEMPLATE.format(own="{{question}}")
    file.write_text(file.read_text().replace('"{{question}} Reply with a number."', json.dumps(ask)))
    data = (folder / "data.py").read_text()
    (folder / "data.py").write_text(data.replace("rows(100, 130)", "rows(9, 30)"))
    task = own_task(folder)
    tests = [overlap_item(item) for item in task.test_items()]
    inputs = choose_inputs(task, 1000, tests, allow_overlap=False)
    assert len(inputs.units) == 18 and sum(inputs.overlapping.values()) == 3
