"""The scheduler: waves of calls, equal calls once, failures that stay with their item, exact resumption."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from harness.engines.base import AdapterInfo
from harness.engines.scripted import ScriptedAdapter, ScriptedEngine
from harness.errors import RunError, UserError
from harness.jobs import Job
from harness.programs.base import Method, Program
from harness.scheduler import Scheduler
from harness.store import CallStore
from harness.types import Ask, Completion, Item, Request, Response, Sampling, derive_seed, user


@dataclass
class Watched(ScriptedEngine):
    """A scripted engine that keeps its batches, and can be killed before the nth."""

    batches: list[list[Request]] = field(default_factory=list)
    kill_at: int | None = None

    def __init__(self, reply: Callable[[Request], str] | None = None, rows: int = 4, context: int = 90):
        def script(request: Request, adapter: ScriptedAdapter | None) -> str:
            return reply(request) if reply else f"{request.step} {request.seed} {len(request.prompt_ids)}"

        super().__init__(script, context, rows)
        self.batches = []
        self.kill_at = None

    def generate(self, batch: Sequence[Request]) -> list[Completion]:
        if self.kill_at is not None and len(self.batches) == self.kill_at:
            raise KeyboardInterrupt
        self.batches.append(list(batch))
        return super().generate(batch)

    @property
    def steps(self) -> list[list[str]]:
        return [[request.step for request in batch] for batch in self.batches]


def item(number: int, prompt: str = "") -> Item:
    return Item(f"i{number}", f"c{number}", prompt or f"question {number}", f"question {number}", "")


def ask(step: str, text: str) -> Ask:
    return Ask(step, [user(text)])


def once(item: Item) -> Program:
    reply = yield ask("direct", item.prompt)
    return reply.text


def twice(item: Item) -> Program:
    first = yield ask("first", item.prompt)
    second = yield ask("second", f"{item.prompt} {first.text}")
    return second.text


def fan(item: Item) -> Program:
    plan = yield ask("plan", item.prompt)
    solved = yield [ask(f"solve:{number}", f"{number} {plan.text}") for number in (1, 2, 3)]
    return " | ".join(each.text for each in solved)


def method(function: Callable[..., Program], **more: object) -> Method:
    return Method(function.__name__, "", (), function, **more)


def job(
    number: int, function: Callable[..., Program] = twice, temperature: float = 0.0, **more: object
) -> Job:
    sampling = Sampling(temperature=temperature, max_tokens=20)
    return Job(item(number), method(function), lambda kind: sampling, **more)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CallStore]:
    opened = CallStore(tmp_path / "calls.sqlite")
    yield opened
    opened.close()


def run(engine: ScriptedEngine, store: CallStore, jobs: Sequence[Job]) -> list[Response]:
    return Scheduler(engine, store).run(jobs, "test")


def test_all_items_advance_together_in_full_batches(store: CallStore) -> None:
    engine = Watched(rows=4)
    responses = run(engine, store, [job(number) for number in range(8)])
    assert engine.steps == [["first"] * 4] * 2 + [["second"] * 4] * 2
    assert [len(response.steps) for response in responses] == [2] * 8


def test_items_of_unlike_depth_share_waves(store: CallStore) -> None:
    engine = Watched(rows=100)
    responses = run(engine, store, [job(0, once), job(1, twice), job(2, fan)])
    assert [sorted(batch) for batch in engine.steps] == [
        ["direct", "first", "plan"],
        ["second", "solve:1", "solve:2", "solve:3"],
    ]
    assert [step.name for step in responses[2].steps] == ["plan", "solve:1", "solve:2", "solve:3"]


def test_responses_are_in_the_order_of_the_jobs(store: CallStore) -> None:
    engine = Watched(lambda request: request.messages[-1]["content"], rows=3)
    kinds = [once, fan, twice]
    responses = run(engine, store, [job(number, kinds[number % 3]) for number in range(9)])
    assert [f"question {number}" in response.text for number, response in enumerate(responses)] == [True] * 9


def test_equal_greedy_calls_are_made_once_and_counted_for_each_item(store: CallStore) -> None:
    engine = Watched()
    same = [Job(item(n, "same words"), method(once), lambda kind: Sampling()) for n in range(5)]
    responses = run(engine, store, same)
    assert [len(batch) for batch in engine.batches] == [1]
    assert [len(response.steps) for response in responses] == [1] * 5
    assert len({response.steps[0].completion.generated_tokens for response in responses}) == 1


def test_samples_have_seeds_of_their_own_from_item_step_and_sample(store: CallStore) -> None:
    engine = Watched()
    jobs = [job(n, temperature=1.0, run_seed=7, sample_index=k) for n in range(2) for k in range(3)]
    run(engine, store, jobs)
    seeds = {(r.item_id, r.step, r.sample_index): r.seed for batch in engine.batches for r in batch}
    assert len(set(seeds.values())) == len(seeds) == 12
    assert all(seed == derive_seed(7, *place) for place, seed in seeds.items())


def test_greedy_calls_do_not_depend_on_the_run_seed(store: CallStore) -> None:
    run(Watched(), store, [job(0, run_seed=1)])
    engine = Watched()
    run(engine, store, [job(0, run_seed=2)])
    assert engine.batches == []


def test_history_stands_before_every_step_but_those_that_it_would_mislead(store: CallStore) -> None:
    engine = Watched()
    turns = ({"role": "system", "content": "be brief"},)
    second = job(1, twice, history=turns)
    second = replace(second, method=replace(second.method, without_turns=("first",)))
    run(engine, store, [job(0, once, history=turns), second])
    roles = {r.step: [m["role"] for m in r.messages] for batch in engine.batches for r in batch}
    assert roles == {"direct": ["system", "user"], "first": ["user"], "second": ["system", "user"]}


def test_the_last_text_is_finished_and_says_where_a_stop_left_it_without_an_answer(store: CallStore) -> None:
    made = replace(job(0, once), finish=lambda text: (text.upper()[:2], True))
    [response] = run(Watched(), store, [made])
    assert response.stopped and response.text == response.steps[0].completion.text.upper()[:2]


def test_an_ask_s_own_limit_and_stops_join_the_task_s(store: CallStore) -> None:
    def stopping(item: Item) -> Program:
        reply = yield Ask("think", [user("x")], max_tokens=3, stop=("b", "a"))
        return reply.text

    engine = Watched()
    made = Job(item(0), method(stopping), lambda kind: Sampling(max_tokens=9, stop=("a",)))
    run(engine, store, [made])
    assert engine.batches[0][0].sampling == Sampling(max_tokens=3, stop=("a", "b"))


def test_an_adapter_s_calls_are_not_the_model_s(store: CallStore) -> None:
    run(Watched(), store, [job(0, once)])
    engine = Watched()
    engine._adapters["tuned"] = ScriptedAdapter({"a": "b"})
    run(engine, store, [job(0, once, adapter=AdapterInfo("tuned", "hash", 1.0, 0.0))])
    assert [request.adapter for batch in engine.batches for request in batch] == ["tuned"]


def test_a_call_that_the_engine_cannot_serve_ends_its_item_alone(store: CallStore) -> None:
    engine = Watched(context=30)
    long = Job(item(1, "word " * 50), method(twice), lambda kind: Sampling())
    responses = run(engine, store, [job(0), long, job(2)])
    assert [response.error is None for response in responses] == [True, False, True]
    failed = responses[1]
    assert "50" in str(failed.error) or "context 30" in str(failed.error)
    assert (failed.text, failed.finish_reason, len(failed.steps)) == ("", "error", 1)
    assert failed.steps[0].completion.prompt_tokens == 51


def test_a_method_that_raises_is_a_failure_of_that_item_with_its_calls_counted(store: CallStore) -> None:
    def picky(item: Item) -> Program:
        reply = yield ask("direct", item.prompt)
        if item.item_id == "i1":
            raise IndexError("no third\nline")
        return reply.text

    responses = run(Watched(), store, [job(n, picky) for n in range(3)])
    assert responses[1].error == "the method raised IndexError: no third"
    assert len(responses[1].steps) == 1
    assert responses[0].error is None and responses[2].text != ""


def test_a_method_that_raises_at_once_is_a_failure_without_calls(store: CallStore) -> None:
    def broken(item: Item) -> Program:
        raise RunError("not today")
        yield

    response = run(Watched(), store, [job(0, broken)])[0]
    assert (response.error, response.steps) == ("the method raised RunError: not today", [])


def test_nonsense_of_a_method_stops_the_run_with_its_name(store: CallStore) -> None:
    def shouting(item: Item) -> Program:
        yield "hello"

    def mute(item: Item) -> Program:
        yield ask("direct", "x")
        return 3

    for function, reason in ((shouting, "yielded str"), (mute, "returned int")):
        with pytest.raises(UserError, match=f"Method {function.__name__} {reason}"):
            run(Watched(), store, [job(0, function)])
    with pytest.raises(UserError, match="does not take these options"):
        run(Watched(), store, [job(0, once, options={"colour": "red"})])


@pytest.mark.parametrize("kill_at", range(6))
def test_a_killed_run_repeats_no_call_and_makes_the_same_batches(tmp_path: Path, kill_at: int) -> None:
    jobs = [job(n, [once, twice, fan][n % 3], temperature=float(n % 2)) for n in range(11)]
    whole = Watched(rows=4)
    expected = run(whole, CallStore(tmp_path / "whole.sqlite"), jobs)
    first, second = Watched(rows=4), Watched(rows=4)
    first.kill_at = kill_at
    assert len(whole.batches) > kill_at
    with pytest.raises(KeyboardInterrupt):
        run(first, CallStore(tmp_path / "killed.sqlite"), jobs)
    resumed = run(second, CallStore(tmp_path / "killed.sqlite"), jobs)
    assert first.batches + second.batches == whole.batches
    assert resumed == expected


def test_a_finished_run_makes_no_call_at_all(store: CallStore) -> None:
    jobs = [job(n, fan, temperature=1.0) for n in range(5)]
    first = run(Watched(), store, jobs)
    engine = Watched()
    assert run(engine, store, jobs) == first
    assert engine.batches == []


def test_no_jobs_are_no_calls(store: CallStore) -> None:
    assert run(Watched(), store, []) == []
