"""The contract of every engine, as a class of tests: counts, stops, seeds, adapters, what must never be.

A test class for an engine derives from `EngineContract` and gives a `subject` fixture: the engine with
the few things that differ between engines (prompts, adapters, how to interrupt it). Nothing here knows
how an engine works inside; what only one engine promises stands in that engine's own tests.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from declared import faults
from tiny_models import questions, request

from harness.engines.base import Engine
from harness.errors import RunError, UserError
from harness.types import Completion, Request, user
from results import schema

SCRIPTS = (
    "naïve café",
    "数学の問題",
    "مرحبا بالعالم",
    "🙂👩‍👩‍👧‍👦 e\u0301",
    "tab\tand\u00a0space",
    "nul\x00byte",
)


@dataclass
class Subject:
    """An engine under test."""

    engine: Engine
    adapters: tuple[Path, Path]
    """Two adapters that change the model in different ways."""
    idle_adapter: Path
    """An adapter that changes nothing."""
    foreign_adapter: Path
    """A folder that is not an adapter for this model."""
    interrupted: Callable[[Engine], AbstractContextManager[Any]]
    """Makes the next `generate` raise KeyboardInterrupt in the middle of its batch."""
    filler: str = "word "
    """Text whose repetition makes a prompt longer."""

    def ask(self, text: str, **more: Any) -> Request:
        """A request for one user turn."""
        return request(self.engine.prompt_ids([user(text)]), text=text, **{"max_tokens": 24, **more})

    def batch(self, count: int, **more: Any) -> list[Request]:
        return [
            self.ask(text, item=str(number), seed=number, **more)
            for number, text in enumerate(questions(count))
        ]

    def talkative(self) -> tuple[Request, Completion]:
        """A request that is answered at length, and its completion."""
        asked = self.batch(12)
        answered = zip(asked, self.engine.generate(asked), strict=True)
        prompt, done = max(answered, key=lambda pair: len(pair[1].text))
        assert len(done.text) > 6, "the subject says too little to test stops"
        return prompt, done


def told(completion: Completion) -> tuple[Any, ...]:
    """What must not depend on the company that a request has in its batch."""
    return completion.text, completion.finish_reason, completion.generated_ids, completion.prompt_tokens


class EngineContract:
    """See the module."""

    @pytest.fixture
    def subject(self) -> Iterator[Subject]:
        raise NotImplementedError

    # Counts

    def test_counts_are_of_the_ids(self, subject: Subject) -> None:
        asked = subject.batch(12)
        for request_, done in zip(asked, subject.engine.generate(asked), strict=True):
            assert done.prompt_tokens == len(request_.prompt_ids) == len(done.prompt_ids)
            assert done.prompt_ids == request_.prompt_ids
            assert 1 <= done.generated_tokens == len(done.generated_ids) <= 24
            assert 0 <= (done.cached_tokens or 0) <= done.prompt_tokens
            assert done.error is None

    def test_the_limit_of_tokens_is_kept_and_named(self, subject: Subject) -> None:
        free = subject.engine.generate(subject.batch(12))
        cut = subject.engine.generate(subject.batch(12, max_tokens=3))
        assert any(done.generated_tokens > 3 for done in free)
        for before, after in zip(free, cut, strict=True):
            if before.generated_tokens > 3:
                assert (after.finish_reason, after.generated_tokens) == ("length", 3)
                assert after.generated_ids == before.generated_ids[:3]
            else:
                assert told(after) == told(before)

    def test_execution_adds_up_what_was_generated(self, subject: Subject) -> None:
        before = subject.engine.execution.generated_tokens
        done = subject.engine.generate(subject.batch(5))
        made = subject.engine.execution.generated_tokens - before
        assert made == sum(completion.generated_tokens for completion in done)
        assert subject.engine.execution.as_dict()["useful_decode_share"] <= 1.0

    # Order and company

    def test_completions_come_in_the_order_of_the_batch(self, subject: Subject) -> None:
        asked = subject.batch(12)
        forward = subject.engine.generate(asked)
        backward = subject.engine.generate(asked[::-1])
        assert [told(done) for done in forward] == [told(done) for done in backward[::-1]]
        assert len({done.text for done in forward}) > 1

    def test_a_row_alone_says_what_it_says_in_company(self, subject: Subject) -> None:
        asked = subject.batch(8) + subject.batch(4, temperature=1.0)
        together = subject.engine.generate(asked)
        alone = [subject.engine.generate([single])[0] for single in asked]
        assert [told(done) for done in together] == [told(done) for done in alone]

    def test_nothing_asked_is_nothing_done(self, subject: Subject) -> None:
        assert subject.engine.plan([]) == []
        assert subject.engine.generate([]) == []

    def test_a_plan_holds_every_request_once_and_depends_on_nothing_else(self, subject: Subject) -> None:
        asked = [
            replace(each, key=f"{place}")
            for place, each in enumerate(subject.batch(30) + subject.batch(9, max_tokens=100))
        ]
        plan = subject.engine.plan(asked)
        assert sorted(each.key for batch in plan for each in batch) == sorted(each.key for each in asked)
        subject.engine.generate(plan[0])
        assert subject.engine.plan(list(asked)) == plan

    # Stops

    def test_a_stop_is_cut_from_the_text_and_counted_in_the_ids(self, subject: Subject) -> None:
        prompt, free = subject.talkative()
        stop = free.text[len(free.text) // 2 :][:2]
        cut = subject.engine.generate([replace(prompt, sampling=replace(prompt.sampling, stop=(stop,)))])[0]
        assert cut.text == free.text.split(stop, 1)[0]
        assert cut.finish_reason == "stop"
        assert cut.generated_tokens <= free.generated_tokens
        assert cut.generated_tokens >= 1

    def test_of_several_stops_the_first_in_the_text_counts(self, subject: Subject) -> None:
        prompt, free = subject.talkative()
        early, late = free.text[1:3], free.text[-2:]
        for stops in ((early, late), (late, early)):
            asked = replace(prompt, sampling=replace(prompt.sampling, stop=stops))
            cut = subject.engine.generate([asked])[0]
            assert cut.text == free.text.split(early, 1)[0].split(late, 1)[0]

    def test_an_empty_output_is_a_completion(self, subject: Subject) -> None:
        prompt, free = subject.talkative()
        stopped = replace(prompt, sampling=replace(prompt.sampling, stop=(free.text[:1],)))
        asked = [stopped, subject.ask("something else")]
        empty, other = subject.engine.generate(asked)
        assert (empty.text, empty.finish_reason, empty.error) == ("", "stop", None)
        assert empty.generated_tokens >= 1
        assert told(other) == told(subject.engine.generate(asked[1:])[0])

    # Seeds

    def test_a_seed_decides_what_is_drawn(self, subject: Subject) -> None:
        drawn = [subject.ask("draw", seed=seed, temperature=1.5) for seed in range(8)]
        first, second = subject.engine.generate(drawn), subject.engine.generate(drawn)
        assert [told(done) for done in first] == [told(done) for done in second]
        assert len({done.generated_ids for done in first}) > 1

    def test_greedy_has_no_seed(self, subject: Subject) -> None:
        asked = [subject.ask("draw", seed=seed) for seed in range(4)]
        assert len({told(done) for done in subject.engine.generate(asked)}) == 1

    # Prompts

    def test_prompt_ids_depend_on_every_turn(self, subject: Subject) -> None:
        first = subject.engine.prompt_ids([user("a b")])
        assert first == subject.engine.prompt_ids([user("a b")])
        assert first != subject.engine.prompt_ids([user("a c")])
        system = {"role": "system", "content": "be brief"}
        assert first != subject.engine.prompt_ids([system, user("a b")])

    @pytest.mark.parametrize("text", SCRIPTS)
    def test_any_text_can_be_asked_and_what_comes_back_is_text(self, subject: Subject, text: str) -> None:
        done = subject.engine.generate([subject.ask(text)])[0]
        assert done.finish_reason in {"stop", "length"}
        assert done.text.encode("utf-8").decode("utf-8") == done.text

    def test_a_target_ends_in_the_end_of_turn(self, subject: Subject) -> None:
        ends = {subject.engine.target_ids(text)[-1] for text in ("Answer: yes", "Answer: 7", "ナ")}
        assert len(ends) == 1
        end = ends.pop()
        assert end not in subject.engine.target_ids("Answer: yes")[:-1]

    def test_a_prompt_longer_than_the_context_is_that_item_s_error(self, subject: Subject) -> None:
        context = subject.engine.model.context_length
        good = subject.ask("short")
        long = subject.ask(subject.filler * context)
        assert len(long.prompt_ids) > context
        done = subject.engine.generate([good, long, good])
        assert told(done[0]) == told(done[2]) == told(subject.engine.generate([good])[0])
        assert done[1].finish_reason == "error"
        assert (done[1].text, done[1].generated_tokens, done[1].generated_ids) == ("", 0, ())
        assert done[1].prompt_tokens == len(long.prompt_ids)
        assert str(context) in str(done[1].error) and "\n" not in str(done[1].error)

    def test_what_the_context_leaves_is_used_and_the_cut_is_named(self, subject: Subject) -> None:
        context = subject.engine.model.context_length
        ids = subject.engine.prompt_ids([user(subject.filler * context)])
        tight = [request((each, *ids[: context - 3]), max_tokens=24, text="x") for each in ids[:12]]
        done = subject.engine.generate(tight)
        assert all(1 <= each.generated_tokens <= 2 for each in done)
        assert {(each.generated_tokens, each.finish_reason) for each in done} >= {(2, "length")}
        full = subject.engine.generate([request(ids[:context], max_tokens=24, text="x")])[0]
        assert full.finish_reason == "error"

    # Adapters

    def test_an_adapter_changes_its_own_requests_and_no_other(self, subject: Subject) -> None:
        engine = subject.engine
        plain = [told(done) for done in engine.generate(subject.batch(6))]
        one = engine.add_adapter("one", subject.adapters[0])
        two = engine.add_adapter("two", subject.adapters[1])
        assert one.hash != two.hash
        assert one.probe_change > one.probe_noise
        by_adapter = {
            name: [told(done) for done in engine.generate(subject.batch(6, adapter=name))]
            for name in ("one", "two")
        }
        assert by_adapter["one"] != plain and by_adapter["two"] != plain
        assert by_adapter["one"] != by_adapter["two"]
        assert [told(done) for done in engine.generate(subject.batch(6))] == plain
        mixed = [
            replace(each, adapter=name, key=f"{name}{each.item_id}")
            for each in subject.batch(6)
            for name in (None, "one", "two")
        ]
        expected = {None: plain, **by_adapter}
        for batch in engine.plan(mixed):
            for each, done in zip(batch, engine.generate(batch), strict=True):
                assert told(done) == expected[each.adapter][int(each.item_id)]

    def test_equal_adapters_have_equal_hashes(self, subject: Subject) -> None:
        first = subject.engine.add_adapter("first", subject.adapters[0])
        again = subject.engine.add_adapter("again", subject.adapters[0])
        assert first.hash == again.hash

    def test_an_adapter_that_changes_nothing_stops_the_run(self, subject: Subject) -> None:
        with pytest.raises(RunError, match="does not change the model"):
            subject.engine.add_adapter("idle", subject.idle_adapter)

    def test_what_is_no_adapter_for_this_model_is_refused(self, subject: Subject, tmp_path: Path) -> None:
        for folder in (tmp_path, subject.foreign_adapter):
            with pytest.raises(UserError, match=folder.name):
                subject.engine.add_adapter("foreign", folder)

    # Cancellation

    @pytest.mark.usefixtures("heard_interrupts")
    def test_an_interrupt_passes_and_leaves_the_engine_usable(self, subject: Subject) -> None:
        asked = subject.batch(6, stop=("never said",))
        before = [told(done) for done in subject.engine.generate(asked)]
        with subject.interrupted(subject.engine), pytest.raises(KeyboardInterrupt):
            subject.engine.generate(asked)
        assert [told(done) for done in subject.engine.generate(asked)] == before

    def test_an_engine_that_slept_says_the_same(self, subject: Subject) -> None:
        before = [told(done) for done in subject.engine.generate(subject.batch(3))]
        subject.engine.sleep()
        assert not subject.engine.awake
        subject.engine.wake()
        assert subject.engine.awake
        assert [told(done) for done in subject.engine.generate(subject.batch(3))] == before

    def test_what_it_says_of_itself_is_declared(self, subject: Subject) -> None:
        facts = json.loads(json.dumps(subject.engine.facts(), default=str))
        assert list(faults(facts, schema.Engine)) == []
        assert list(faults(subject.engine.execution.as_dict(), schema.Execution)) == []
