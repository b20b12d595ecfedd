"""The ten rules that keep the headline table honest, one focused test each where a rule lives in a run.

1 (ids are counted): here, and tests/contract/. 2 (same template for all): here, test_hf_engine.py and
test_distill.py. 3 (an adapter must change the probe): test_hf_adapters.py. 4 (pair by content):
here. 5 (failures are counted): here and test_records.py. 6 (cache keys): here and test_store.py.
7 (no overlap): here, test_distill.py and test_overlap.py. 8 and 9 (not significant is not equal,
break-even) live in results. 10 (seeds): here and test_scheduler.py.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from run_fixtures import make_context, own_task, right_sum, write_task
from tiny_models import request

from distill import plan
from distill.pipeline import find_or_make
from distill.teacher.sample import TeacherInputs
from harness.engines.base import AdapterInfo
from harness.engines.hf.engine import HuggingFaceEngine
from harness.engines.scripted import ScriptedAdapter, ScriptedEngine
from harness.errors import RunError
from harness.evaluate import evaluate
from harness.lm.task import TaskData
from harness.lm.tasks import load_tasks
from harness.models.source import ModelSource
from harness.session import Session
from harness.types import Request, derive_seed, user
from harness.variants import Variant

BASE, S2, DISTILLED = Variant("base", "base"), Variant("s2", "s2"), Variant("distilled", "distilled")
TWO_CALLS = Variant("s2", "s2", "rar_2step")
ADAPTER = AdapterInfo("tuned", "hash", 1.0, 0.0)


class Recorder:
    """Plays the model with the right answer and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Request] = []

    def __call__(self, request: Request) -> str:
        self.asked.append(request)
        return f"Answer: {'yes' if request.seed % 2 else 'no'} and so on"


@pytest.fixture(scope="module")
def coin() -> TaskData:
    return load_tasks(["coin_flip"], "embedded", [], {}, 6)[0]


def rows(
    context: Session, variant: Variant, adapter: AdapterInfo | None = None, seed: int = 0
) -> list[dict[str, Any]]:
    name = context.tasks[0].name
    return evaluate(context, variant, seed, context.tasks, {name: adapter})[name]


def with_adapter(context: Session) -> Session:
    assert isinstance(context.engine, ScriptedEngine)
    context.engine._adapters["tuned"] = ScriptedAdapter({"a": "b"})
    return context


def test_rule_1_ids_are_counted_where_they_are_generated(tiny_source: ModelSource) -> None:
    engine = HuggingFaceEngine.load(tiny_source, {"device": "cpu"})
    prompt = engine.prompt_ids([user("go on")])
    done = engine.generate([request(prompt, seed=seed, temperature=2.0, max_tokens=30) for seed in range(12)])
    again = [len(engine._tokenizer(each.text, add_special_tokens=False)["input_ids"]) for each in done]
    assert all(each.generated_tokens == len(each.generated_ids) for each in done)
    assert again != [each.generated_tokens for each in done], "text that is tokenised again has other counts"


@pytest.mark.parametrize(("variant", "calls"), [(BASE, 1), (TWO_CALLS, 2), (Variant("v", "s2", "cot*3"), 3)])
def test_rule_1_every_call_of_a_program_counts(
    tmp_path: Path, coin: TaskData, variant: Variant, calls: int
) -> None:
    recorder = Recorder()
    for row in rows(make_context(tmp_path, recorder, [coin]), variant):
        assert row["usage"]["calls"] == len(row["steps"]) == calls
        assert row["usage"]["generated_tokens"] == sum(step["generated_tokens"] for step in row["steps"]) > 0
        assert row["usage"]["prompt_tokens"] == sum(step["prompt_tokens"] for step in row["steps"]) > 0


def test_rule_2_base_and_distilled_are_asked_the_same(tmp_path: Path, coin: TaskData) -> None:
    base, distilled = Recorder(), Recorder()
    rows(make_context(tmp_path, base, [coin]), BASE)
    rows(with_adapter(make_context(tmp_path, distilled, [coin])), DISTILLED, ADAPTER)
    plain = [replace(each, adapter=None, key="") for each in distilled.asked]
    assert plain == [replace(each, key="") for each in base.asked]
    assert {each.adapter for each in distilled.asked} == {"tuned"}
    assert {each.sampling.temperature for each in base.asked} == {0.0}


def test_rule_2_no_stop_of_a_direct_answer_cuts_a_chain_of_thought(tmp_path: Path) -> None:
    folder = write_task(tmp_path / "tasks")
    text = (folder / "sums.yaml").read_text()
    (folder / "sums.yaml").write_text(text.replace('until: ["END", ""]', 'until: ["\\n\\n", "END"]'))
    recorder = Recorder()
    context = make_context(tmp_path, recorder, [own_task(folder)])
    rows(context, BASE)
    rows(context, S2)
    stops = {each.step: each.sampling.stop for each in recorder.asked}
    assert stops == {"direct": ("\n\n", "END"), "reason": ()}


def test_rule_4_item_ids_are_of_the_content_and_orders_share_a_cluster(tmp_path: Path) -> None:
    folder = write_task(tmp_path / "tasks")
    first = own_task(folder)
    data = (folder / "data.py").read_text()
    (folder / "data.py").write_text(data.replace("in range(first, last)", "in reversed(range(first, last))"))
    second = own_task(folder)
    ids = [[task.item(row).item_id for row in task.rows("test")] for task in (first, second)]
    assert ids[0] == ids[1][::-1] and len(set(ids[0])) == 12
    judge = load_tasks(["judge"], "embedded", [], {}, 4)[0]
    chosen = [judge.item(judge.rows("test")[index]) for index in judge.indices]
    assert len({item.item_id for item in chosen}) == 8 and len({item.cluster_id for item in chosen}) == 4


def test_rule_5_a_failure_stays_in_the_table_and_scores_as_wrong(tmp_path: Path, coin: TaskData) -> None:
    def reply(request: Request) -> str:
        return ["", "no idea at all", "Answer: yes", "Answer: no"][len(request.prompt_ids) % 4]

    whole = rows(make_context(tmp_path, Recorder(), [coin]), BASE)
    narrow = ScriptedEngine(lambda request, adapter: reply(request), context_length=50)
    found = rows(make_context(tmp_path, reply, [coin], narrow), BASE)
    assert [row["item_id"] for row in found] == [row["item_id"] for row in whole]
    failed = [row for row in found if row["failure"]]
    assert failed, "the test needs failures"
    assert all(row["scores"]["accuracy"] == 0.0 and row["answer"] is None for row in failed)
    tight = ScriptedEngine(lambda request, adapter: reply(request), context_length=5)
    errors = rows(make_context(tmp_path, reply, [coin], tight), BASE)
    assert {(row["failure"], row["scores"]["accuracy"]) for row in errors} == {("error", 0.0)}
    assert len(errors) == len(whole)


def test_rule_6_another_adapter_of_the_same_name_is_asked_anew(tmp_path: Path, coin: TaskData) -> None:
    recorder = Recorder()
    context = with_adapter(make_context(tmp_path, recorder, [coin]))
    rows(context, DISTILLED, ADAPTER)
    once = len(recorder.asked)
    rows(context, DISTILLED, ADAPTER)
    assert len(recorder.asked) == once == 6
    rows(context, DISTILLED, replace(ADAPTER, hash="other"))
    assert len(recorder.asked) == 2 * once


def test_rule_7_the_run_stops_if_an_overlap_remains(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sums = own_task(write_task(tmp_path / "tasks"))
    leaked = [[sums.item(row)] for row in sums.rows("test")]
    monkeypatch.setattr(plan, "choose_inputs", lambda task, *_, **__: TeacherInputs(task, leaked, {}))
    with pytest.raises(RunError, match=r"overlap test items.*--allow-overlap"):
        find_or_make(make_context(tmp_path, right_sum, [sums]), DISTILLED, 0)
    allowed = make_context(tmp_path, right_sum, [sums], allow_overlap=True)
    record = find_or_make(allowed, DISTILLED, 0)["sums"].record
    assert (record["status"], record["allow_overlap"]) == ("trained", True)


def test_rule_10_every_draw_has_a_seed_from_run_item_step_and_sample(tmp_path: Path, coin: TaskData) -> None:
    recorder = Recorder()
    context = make_context(tmp_path, recorder, [coin], sampling={"temperature": 0.8})
    rows(context, TWO_CALLS, seed=3)
    assert len({each.seed for each in recorder.asked}) == len(recorder.asked) == 12
    assert all(
        each.seed == derive_seed(3, each.item_id, each.step, each.sample_index) for each in recorder.asked
    )
    rows(context, TWO_CALLS, seed=4)
    assert len({each.seed for each in recorder.asked}) == len(recorder.asked) == 24
    assert derive_seed(0, "item", "step", 0) == 1113667725, "equal on every machine and in every release"
