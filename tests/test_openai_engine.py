"""The `openai` engine: what it sends, how it survives a server, and where it gives up in one line.

What every engine promises stands in tests/contract/; the server is tests/openai_server.py.
"""

from __future__ import annotations

import json
import logging
import random
import socket
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from openai_proxy import FaultyProxy
from openai_server import FakeServer, Served
from tiny_models import build_tokenizer, request

from harness.engines import openai_client, openai_retry
from harness.engines.openai import OpenAIEngine
from harness.engines.openai_adapters import is_shown, largest_change
from harness.engines.openai_address import api_key, check_base_url, without_key
from harness.engines.openai_answer import completion
from harness.engines.openai_chat import Reply, read_reply
from harness.engines.openai_client import Broken
from harness.engines.openai_prompts import surrogate
from harness.engines.openai_retry import backoff, retry_after
from harness.errors import RunError, UserError
from harness.models import ModelSource
from harness.programs.base import get_method
from harness.scheduler import Job, Scheduler
from harness.store import CallStore
from harness.types import Completion, FinishReason, Item, Request, Sampling, user

KEY = "sk-planted-0123456789abcdef"
SOURCE = ModelSource("fake", "fake")
Body = Mapping[str, Any]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No long waits between repetitions, no key of whoever runs the tests."""
    monkeypatch.setattr(openai_retry, "FIRST_WAIT", 0.002)
    for variable in ("S2D_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as server:
        yield server


@pytest.fixture
def opened(server: FakeServer) -> Iterator[Callable[..., OpenAIEngine]]:
    """Opens engines on `server` with these engine arguments, and closes them."""
    engines: list[OpenAIEngine] = []

    def load(source: ModelSource = SOURCE, **arguments: Any) -> OpenAIEngine:
        engines.append(OpenAIEngine.load(source, {"base_url": server.base_url, **arguments}))
        return engines[-1]

    yield load
    for engine in engines:
        engine.close()


def ask(engine: OpenAIEngine, text: str, thinking: bool = False, **more: Any) -> Request:
    ids = engine.prompt_ids([user(text)], thinking)
    return replace(request(ids, text=text, **{"max_tokens": 24, **more}), prompt_ids=ids)


def only(engine: OpenAIEngine, text: str = "a question", **more: Any) -> Completion:
    return engine.generate([ask(engine, text, **more)])[0]


def first_time(kind: str) -> Callable[[int, Body], str | None]:
    """A fault on the first request for each prompt that the test asks, and on no other."""
    seen: set[str] = set()

    def fault(number: int, body: Body) -> str | None:
        told = json.dumps(body["messages"])
        if "two plus two" in told or told in seen:
            return None
        seen.add(told)
        return kind

    return fault


def whenever(word: str, kind: str) -> Callable[[int, Body], str | None]:
    """A fault on every request whose prompt holds `word`."""
    return lambda number, body: kind if word in body["messages"][-1]["content"] else None


# Faults of single requests


def test_drops_and_busy_replies_lose_nothing_and_repeat_nothing(
    server: FakeServer, opened: Callable[..., OpenAIEngine], tmp_path: Path
) -> None:
    draw = random.Random(0)
    engine = opened(concurrency=32)
    server.fault = lambda number, body: draw.choices([None, "drop", "429"], [90, 5, 5])[0]
    jobs = [
        Job(Item(f"i{number}", f"c{number}", f"question {number}", "", ""), get_method("direct"), _greedy)
        for number in range(500)
    ]
    store = CallStore(tmp_path / "calls.sqlite")
    responses = Scheduler(engine, store).run(jobs, "test")
    assert [response.error for response in responses] == [None] * 500
    assert all(f"question {number}" in response.text for number, response in enumerate(responses))
    assert store.count() == 500
    assert server.faults > 20
    assert engine.execution.retries == server.faults
    assert server.answered == 500 + 1  # and the request that every run begins with
    again = Scheduler(engine, store).run(jobs, "test")
    assert [response.text for response in again] == [response.text for response in responses]
    assert server.answered == 500 + 1
    store.close()


def test_replies_that_get_lost_on_the_way_are_asked_for_again(
    server: FakeServer, opened: Callable[..., OpenAIEngine]
) -> None:
    with FaultyProxy(server.base_url.removesuffix("/v1"), dropped=0.2, busy=0.0) as proxy:
        engine = opened(base_url=proxy.base_url)
        asked = [ask(engine, f"question {number}") for number in range(100)]
        assert [done.finish_reason for done in engine.generate(asked)] == ["stop"] * 100
        assert engine.execution.retries == proxy.drops > 5
        assert server.answered > 101  # some answers were made and never arrived
        engine.close()


def _greedy(step: str) -> Sampling:
    return Sampling(max_tokens=16)


@pytest.mark.parametrize(
    "kind",
    ["drop", "half", "html", "bytes", "schema", "no choice", "no usage", "abort", "408", "429", "500", "503"],
)
def test_what_goes_wrong_once_is_mended(
    server: FakeServer, opened: Callable[..., OpenAIEngine], kind: str
) -> None:
    engine = opened()
    asked = [ask(engine, f"question {number}") for number in range(8)]
    expected = engine.generate(asked)
    server.fault = first_time(kind)
    done = engine.generate(asked)
    assert [each.text for each in done] == [each.text for each in expected]
    assert server.faults == 8
    assert engine.execution.retries == 8


@pytest.mark.parametrize("kind", ["drop", "half", "html", "schema", "no usage", "abort", "429", "500"])
def test_what_goes_wrong_always_is_that_item_s_error(
    server: FakeServer, opened: Callable[..., OpenAIEngine], kind: str
) -> None:
    engine = opened(max_retries=3)
    server.fault = whenever("cursed", kind)
    good, bad, also_good = engine.generate([ask(engine, text) for text in ("one", "cursed two", "three")])
    assert (good.finish_reason, also_good.finish_reason) == ("stop", "stop")
    assert (bad.text, bad.finish_reason, bad.generated_tokens) == ("", "error", 0)
    assert "gave no usable reply" in str(bad.error)
    assert "\n" not in str(bad.error)


def test_a_server_that_hangs_costs_its_time_out_three_times(
    server: FakeServer, opened: Callable[..., OpenAIEngine]
) -> None:
    engine = opened(timeout=1, max_retries=8)
    server.fault = whenever("cursed", "hang")
    began = time.monotonic()
    good, bad = engine.generate([ask(engine, "one"), ask(engine, "cursed two")])
    assert 3 <= time.monotonic() - began < 10
    assert good.finish_reason == "stop"
    assert bad.finish_reason == "error"
    assert "no reply within 1 s" in str(bad.error)
    assert engine.execution.retries == 2


def test_a_reply_that_does_not_end_is_not_read_to_its_end(
    server: FakeServer, opened: Callable[..., OpenAIEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = opened()
    monkeypatch.setattr(openai_client, "LARGEST_REPLY", 10_000)
    server.says = lambda body: "endless " * (9_000 if "cursed" in str(body) else 1)
    good, bad = engine.generate([ask(engine, "one"), ask(engine, "cursed", max_tokens=10_000)])
    assert good.text == "endless "
    assert (bad.finish_reason, bad.text) == ("error", "")
    assert "does not end" in str(bad.error)


@pytest.mark.parametrize(("kind", "told"), [("400", "on purpose"), ("413", "413"), ("moderated", "flagged")])
def test_a_refusal_of_one_prompt_is_that_item_s_error(
    server: FakeServer, opened: Callable[..., OpenAIEngine], kind: str, told: str
) -> None:
    engine = opened()
    server.fault = whenever("cursed", kind)
    good, bad = engine.generate([ask(engine, "one"), ask(engine, "cursed")])
    assert (good.finish_reason, bad.finish_reason) == ("stop", "error")
    assert told in str(bad.error)
    assert engine.execution.retries == 0


def test_a_filtered_answer_is_an_error_with_its_tokens(
    server: FakeServer, opened: Callable[..., OpenAIEngine]
) -> None:
    engine = opened()
    server.fault = first_time("filter")
    done = only(engine)
    assert (done.finish_reason, done.text) == ("error", "")
    assert done.generated_tokens > 0
    assert "filtered" in str(done.error)


def test_a_prompt_longer_than_a_context_that_nobody_told(
    server: FakeServer, opened: Callable[..., OpenAIEngine]
) -> None:
    server.tokenizes = False
    engine = opened()
    server.context = 60
    short, long = engine.generate([ask(engine, "short"), ask(engine, "word " * 60)])
    assert short.finish_reason == "stop"
    assert (long.finish_reason, long.text) == ("error", "")
    assert "maximum context length is 60" in str(long.error)


# What ends a run


@pytest.mark.parametrize("kind", ["drop", "500", "429", "html"])
def test_a_server_that_goes_away_ends_the_run_and_fails_no_item(
    server: FakeServer, opened: Callable[..., OpenAIEngine], kind: str
) -> None:
    engine = opened(max_retries=2)
    asked = [ask(engine, f"question {number}") for number in range(5)]
    server.fault = lambda number, body: kind
    with pytest.raises(RunError, match="then repeat the command") as caught:
        engine.generate(asked)
    assert server.base_url in str(caught.value)
    server.fault = None
    assert [done.finish_reason for done in engine.generate(asked)] == ["stop"] * 5


@pytest.mark.parametrize(
    ("kind", "told"), [("401", "S2D_API_KEY"), ("402", "paid"), ("404", "model=NAME"), ("307", "elsewhere")]
)
def test_a_refusal_of_everything_ends_the_run(
    server: FakeServer, opened: Callable[..., OpenAIEngine], kind: str, told: str
) -> None:
    engine = opened()
    asked = [ask(engine, f"question {number}") for number in range(5)]
    server.fault = lambda number, body: kind
    with pytest.raises(RunError, match=told):
        engine.generate(asked)


def test_an_exhausted_quota_is_not_waited_for(
    server: FakeServer, opened: Callable[..., OpenAIEngine]
) -> None:
    engine = opened()
    server.fault = whenever("cursed", "quota")
    with pytest.raises(RunError, match="takes no more requests"):
        only(engine, "cursed")
    server.fault, server.retry_after = whenever("cursed", "429"), "86400"
    with pytest.raises(RunError, match="come back in 86400 s"):
        only(engine, "cursed")
    assert engine._client.retries == 0


def test_other_prompt_ids_than_expected_end_the_run(
    server: FakeServer, opened: Callable[..., OpenAIEngine]
) -> None:
    engine = opened()
    server.fault = whenever("cursed", "other ids")
    with pytest.raises(RunError, match="rule 2"):
        only(engine, "cursed")


# Meeting a server


def test_a_server_that_is_not_there(opened: Callable[..., OpenAIEngine]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(UserError, match=r"does not answer .*check --base-url"):
        opened(base_url=f"http://127.0.0.1:{port}/v1")


def test_a_wrong_key_and_none(
    server: FakeServer, opened: Callable[..., OpenAIEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.key = KEY
    with pytest.raises(UserError, match=r"wants a key.*set S2D_API_KEY"):
        opened()
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong")
    with pytest.raises(UserError, match=r"refuses the key.*S2D_API_KEY") as caught:
        opened()
    assert "sk-wrong" not in str(caught.value)
    monkeypatch.setenv("S2D_API_KEY", KEY)  # the more particular one wins
    assert only(opened()).finish_reason == "stop"


def test_a_model_that_is_not_served(server: FakeServer, opened: Callable[..., OpenAIEngine]) -> None:
    with pytest.raises(UserError, match=r"does not serve other/model.*model=NAME.*fake"):
        opened(ModelSource("other/model", "other/model"))
    assert opened(ModelSource("other/model", "other/model"), model="fake").model.name == "fake"
    server.lists_models = False
    with pytest.raises(UserError, match=r"does not exist.*model=NAME"):
        opened(ModelSource("other/model", "other/model"))
    assert only(opened()).finish_reason == "stop"


def test_a_server_without_usage(server: FakeServer, opened: Callable[..., OpenAIEngine]) -> None:
    server.returns_usage = False
    with pytest.raises(UserError, match="no usage") as caught:
        opened()
    assert server.base_url in str(caught.value)


@pytest.mark.parametrize("refused", ["return_token_ids", "chat_template_kwargs", "top_k", "max_tokens"])
def test_what_a_server_can_do_without_is_left_out(
    server: FakeServer, opened: Callable[..., OpenAIEngine], refused: str
) -> None:
    server.refuses = frozenset({refused})
    engine = opened()
    assert only(engine).finish_reason == "stop"
    assert refused not in server.chats[-1]
    assert "temperature" in server.chats[-1]


def test_what_a_run_asked_for_and_the_server_lacks_is_named(
    server: FakeServer, opened: Callable[..., OpenAIEngine]
) -> None:
    server.refuses = frozenset({"top_k", "seed", "chat_template_kwargs"})
    engine = opened()
    assert only(engine).finish_reason == "stop"
    with pytest.raises(UserError, match=r"does not take 'top_k'.*--sampling"):
        only(engine, top_k=5)
    with pytest.raises(UserError, match="does not take 'seed'"):
        only(engine, temperature=1.0)
    with pytest.raises(UserError, match="thinking cannot be switched on"):
        engine.prompt_ids([user("a question")], thinking=True)


# What is sent


def test_sampling_is_sent_whole_and_a_greedy_call_without_seed(
    server: FakeServer, opened: Callable[..., OpenAIEngine]
) -> None:
    engine = opened()
    only(engine, seed=7)
    greedy = server.chats[-1]
    assert "seed" not in greedy and "stop" not in greedy
    assert (greedy["temperature"], greedy["top_p"], greedy["max_tokens"]) == (0.0, 1.0, 24)
    # Without these, vLLM takes them from the model's generation_config.json.
    assert (greedy["top_k"], greedy["min_p"], greedy["repetition_penalty"]) == (-1, 0.0, 1.0)
    only(engine, seed=7, temperature=0.5, top_p=0.9, top_k=20, stop=("\n\n",))
    drawn = server.chats[-1]
    assert (drawn["seed"], drawn["temperature"], drawn["top_p"], drawn["top_k"]) == (7, 0.5, 0.9, 20)
    assert drawn["stop"] == ["\n\n"]


def test_no_more_requests_than_allowed_are_under_way(
    server: FakeServer, opened: Callable[..., OpenAIEngine]
) -> None:
    engine = opened(concurrency=3)
    server.delay = 0.02
    asked = [ask(engine, f"question {number}") for number in range(12)]
    engine.generate(asked)
    assert server.most_at_once == 3


def test_thinking_reaches_the_server_and_comes_back(
    server: FakeServer, opened: Callable[..., OpenAIEngine]
) -> None:
    engine = opened()
    only(engine)
    assert server.chats[-1]["chat_template_kwargs"]["enable_thinking"] is False
    server.reasoning = "well, let me see"
    direct = only(engine)
    thought = only(engine, thinking=True)
    assert server.chats[-1]["chat_template_kwargs"]["enable_thinking"] is True
    assert "well" not in direct.text
    assert thought.text.startswith("<think>well, let me see</think>")
    server.says = lambda body: ""
    assert only(engine, thinking=True, max_tokens=1).text.endswith("see</think>")


@pytest.mark.parametrize(
    ("text", "finish", "told"),
    [
        ("yes", "stop", "<think>well</think>yes"),
        ("", "stop", "<think>well</think>"),
        ("ye", "length", "<think>well</think>ye"),
        ("", "length", "<think>well"),
    ],
)
def test_thoughts_that_a_server_took_out_stand_before_the_text(
    text: str, finish: FinishReason, told: str
) -> None:
    reply = Reply(text, "well", finish, 3, 2, 0, (), (), {})
    assert completion(request((-1,)), reply, thinking=True).text == told
    assert completion(request((-1,)), reply, thinking=False).text == text


# Counts


def test_counts_are_the_server_s_usage(server: FakeServer, opened: Callable[..., OpenAIEngine]) -> None:
    server.tokenizes = server.returns_ids = False
    engine = opened()
    asked = ask(engine, "one two three")
    assert all(number < 0 for number in asked.prompt_ids)
    first, second = engine.generate([asked])[0], engine.generate([asked])[0]
    assert first.prompt_tokens == 3 + 6
    assert (first.cached_tokens, second.cached_tokens) == (0, first.prompt_tokens - 1)
    assert engine.execution.shared_prefix_tokens == second.cached_tokens
    assert first.prompt_ids == first.generated_ids == ()
    assert first.generated_tokens == len(first.text.split()) + 1
    assert engine.facts()["token_counts"] == "the server's usage"
    assert "hash" in engine.facts()["prompt_ids"]


USAGE = {"prompt_tokens": 3, "completion_tokens": 2}
CHOICE = {"message": {"content": "yes"}, "finish_reason": "stop"}


@pytest.mark.parametrize(
    "reply",
    [
        None,
        [],
        "yes",
        {},
        {"choices": None, "usage": USAGE},
        {"choices": [], "usage": USAGE},
        {"choices": ["yes"], "usage": USAGE},
        {"choices": [{"finish_reason": "stop"}], "usage": USAGE},
        {"choices": [{"message": {"content": ["yes"]}, "finish_reason": "stop"}], "usage": USAGE},
        {"choices": [{**CHOICE, "finish_reason": None}], "usage": USAGE},
        {"choices": [{**CHOICE, "finish_reason": "tool_calls"}], "usage": USAGE},
        {"choices": [CHOICE]},
        {"choices": [CHOICE], "usage": {}},
        {"choices": [CHOICE], "usage": {"prompt_tokens": True, "completion_tokens": 2}},
        {"choices": [CHOICE], "usage": {"prompt_tokens": -1, "completion_tokens": 2}},
        {"choices": [CHOICE], "usage": {"prompt_tokens": 3.5, "completion_tokens": 2}},
        {"choices": [CHOICE], "usage": {"prompt_tokens": 3, "total_tokens": 2}},
    ],
)
def test_a_reply_of_another_schema_is_named(reply: Any) -> None:
    with pytest.raises(Broken):
        read_reply(reply)


def test_odd_replies_that_can_be_read() -> None:
    reply = read_reply(
        {"choices": [{"message": {"content": "a\ud83d b"}, "finish_reason": "eos"}], "usage": USAGE}
    )
    assert reply.text == "a? b"
    assert (reply.finish_reason, reply.cached_tokens, reply.prompt_ids) == ("stop", 0, ())
    reply = read_reply(
        {
            "choices": [{**CHOICE, "message": {"content": None}}],
            "usage": {"prompt_tokens": 3, "total_tokens": 3},
        }
    )
    assert (reply.text, reply.generated_tokens) == ("", 0)
    odd = {**USAGE, "prompt_tokens_details": {"cached_tokens": 99}}
    assert read_reply({"choices": [CHOICE], "usage": odd}).cached_tokens == 3
    odd["prompt_tokens_details"] = {"cached_tokens": None}
    assert read_reply({"choices": [CHOICE], "usage": odd}).cached_tokens == 0


@pytest.mark.parametrize(
    "text", ["", "   ", "数学 🙂👩‍👩‍👧‍👦", "\ud800 half", "nul\x00 <|im_end|>", "\u202e\x1b[31m"]
)
def test_whatever_a_model_says_is_a_completion_that_a_store_can_hold(
    server: FakeServer, opened: Callable[..., OpenAIEngine], tmp_path: Path, text: str
) -> None:
    engine = opened()
    server.says = lambda body: text
    asked = ask(engine, "a question")
    done = engine.generate([asked])[0]
    assert done.finish_reason == "stop"
    assert done.text == text.replace("\ud800", "?")
    store = CallStore(tmp_path / "calls.sqlite")
    store.commit("test", [(asked, done)])
    assert store.lookup([asked.key])[asked.key].text == done.text
    store.close()


# Prompt ids


def test_a_surrogate_names_a_conversation_and_is_no_ids() -> None:
    first = surrogate([user("a")], False)
    assert first == surrogate([user("a")], False)
    others = [
        surrogate([user("b")], False),
        surrogate([user("a")], True),
        surrogate([user("a"), user("a")], False),
    ]
    assert len({first, *others}) == 4
    assert all(number < 0 for number in first)


def test_the_tokenizer_at_hand_is_used_where_the_server_agrees(
    server: FakeServer, opened: Callable[..., OpenAIEngine], tmp_path: Path
) -> None:
    tokenizer = build_tokenizer()
    tokenizer.save_pretrained(tmp_path)
    source = ModelSource("fake", str(tmp_path))

    def templated(messages: Any, thinking: bool) -> list[int]:
        ids = tokenizer.apply_chat_template(
            list(messages), add_generation_prompt=True, enable_thinking=thinking, return_dict=True
        )
        return list(ids["input_ids"])

    server.ids = templated
    for server.tokenizes, server.returns_ids in ((True, True), (False, True), (False, False)):
        engine = opened(source)
        assert "tokenizer of --pretrained" in engine.facts()["prompt_ids"]
        assert engine.notes == []
        for thinking in (False, True):
            ids = engine.prompt_ids([user("naïve café")], thinking)
            assert list(ids) == templated([user("naïve café")], thinking)
    server.ids = lambda messages, thinking: [*templated(messages, thinking), 9]
    for server.tokenizes, told in ((True, "/tokenize"), (False, "hash")):
        engine = opened(source)
        assert told in engine.facts()["prompt_ids"]
        assert "gives other prompt ids" in engine.notes[0]


def test_two_bos_ids_are_refused(server: FakeServer, opened: Callable[..., OpenAIEngine]) -> None:
    server.ids = lambda messages, thinking: [1, 1, 5, 6]
    with pytest.raises(RunError, match="two BOS ids"):
        opened()


def test_a_fingerprint_names_the_model_as_the_server_does(
    server: FakeServer, opened: Callable[..., OpenAIEngine]
) -> None:
    server.models["other"] = Served("other weights")
    same = {opened().model.fingerprint for _ in range(2)}
    assert len(same) == 1
    found = set(same)
    found.add(opened(ModelSource("other", "other")).model.fingerprint)
    server.version = "2.0"
    found.add(opened().model.fingerprint)
    server.context = 1000
    found.add(opened().model.fingerprint)
    assert opened().model.context_length == 1000
    server.models["fake"].root = "new weights"
    found.add(opened().model.fingerprint)
    assert len(found) == 5


def test_parameters_are_told_or_counted_in_local_weights(
    opened: Callable[..., OpenAIEngine], tiny_source: ModelSource
) -> None:
    from safetensors import safe_open

    assert opened().model.parameters == 0
    assert opened(parameters=7_000_000_000).model.parameters == 7_000_000_000
    source = ModelSource("fake", tiny_source.location)
    with safe_open(Path(source.location) / "model.safetensors", framework="np") as tensors:
        numbers = sum(tensors.get_tensor(name).size for name in tensors.keys())  # noqa: SIM118
    assert opened(source).model.parameters == numbers > 10_000


# Adapters


def test_a_served_adapter_is_another_model_name(
    server: FakeServer, opened: Callable[..., OpenAIEngine]
) -> None:
    server.models.update({"tuned": Served("elsewhere", "fake", learnt=3), "idle": Served("idle", "fake")})
    engine = opened()
    info = engine.served_adapter("mine", "tuned")
    assert info.probe_change == pytest.approx(0.3)
    assert (info.name, info.probe_noise) == ("mine", 0.0)
    plain, tuned = engine.generate([ask(engine, "a question"), ask(engine, "a question", adapter="mine")])
    assert plain.text != tuned.text
    assert {body["model"] for body in server.chats[-2:]} == {"fake", "tuned"}
    with pytest.raises(RunError, match="idle does not change the model"):
        engine.served_adapter("idle", "idle")
    with pytest.raises(UserError, match=r"none=served:none.*fake, tuned, idle"):
        engine.served_adapter("none", "none")


def test_noise_is_no_proof_of_an_adapter(server: FakeServer, opened: Callable[..., OpenAIEngine]) -> None:
    server.models["tuned"] = Served("elsewhere", "fake", learnt=1)
    server.noise = 0.2
    engine = opened()
    with pytest.raises(RunError, match=r"noise 2\.0e-01"):
        engine.served_adapter("mine", "tuned")


@pytest.mark.parametrize("refuses", [True, False])
def test_without_log_probabilities_a_note_says_what_cannot_be_shown(
    server: FakeServer, opened: Callable[..., OpenAIEngine], refuses: bool
) -> None:
    server.models["tuned"] = Served("elsewhere", "fake", learnt=3)
    server.returns_logprobs = False
    server.refuses = frozenset({"logprobs"}) if refuses else frozenset()
    engine = opened()
    info = engine.served_adapter("mine", "tuned")
    assert (info.probe_change, info.probe_noise) == (0.0, 0.0)
    assert "cannot be shown that tuned" in engine.facts()["notes"][0]


def test_the_change_between_lists_of_likeliest_tokens() -> None:
    first = {"a": -0.5, "b": -1.5, "c": -3.0}
    assert largest_change(first, first) == 0
    assert largest_change(first, {"a": -0.5, "b": -1.75, "c": -3.0}) == 0.25
    # d is at most as likely as c in the first list, and c as d in the second.
    assert largest_change(first, {"a": -0.5, "b": -1.5, "d": -2.0}) == 1.0
    assert is_shown(0.01, 0.0) and not is_shown(0.01, 0.01) and not is_shown(1e-5, 0.0)


# Addresses, keys, waiting


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("", "needs the address"),
        ("   ", "needs the address"),
        ("localhost:8000", "no http address"),
        ("ftp://host/v1", "no http address"),
        ("http://", "no http address"),
        ("http://host:99999/v1", "no address"),
        ("http://[::1/v1", "no address"),
        ("http://me:secret@host/v1", "set S2D_API_KEY"),
        ("https://host/v1?api_key=secret", "set S2D_API_KEY"),
    ],
)
def test_what_is_no_address_is_named_without_its_secrets(address: str, told: str) -> None:
    with pytest.raises(UserError, match=told) as caught:
        check_base_url(address)
    assert "secret" not in str(caught.value)


def test_an_address_is_taken_as_it_is() -> None:
    assert check_base_url(" https://host:8000/v1/ ") == "https://host:8000/v1"
    assert check_base_url("http://[::1]:8000/v1") == "http://[::1]:8000/v1"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"concurrency": 0}, "concurrency=0: it must be at least 1"),
        ({"concurrency": 1.5}, "concurrency=1.5: give a whole number"),
        ({"timeout": -1}, "timeout=-1"),
        ({"max_retries": -1}, "max_retries=-1"),
        ({"concurency": 4}, "concurency: the openai engine has no such argument"),
        ({"api_key": KEY}, "set S2D_API_KEY"),
    ],
)
def test_a_wrong_engine_argument_is_named(
    opened: Callable[..., OpenAIEngine], arguments: dict[str, Any], told: str
) -> None:
    with pytest.raises(UserError, match=told) as caught:
        opened(**arguments)
    assert KEY not in str(caught.value)


def test_a_dtype_is_the_server_s_business(opened: Callable[..., OpenAIEngine]) -> None:
    with pytest.raises(UserError, match="--dtype float32: the server loads the model"):
        opened(ModelSource("fake", "fake", dtype="float32"))


def test_the_key_of_the_environment() -> None:
    assert api_key({}) is None
    assert api_key({"OPENAI_API_KEY": " one\n"}) == "one"
    assert api_key({"OPENAI_API_KEY": "one", "S2D_API_KEY": "two"}) == "two"
    for odd in ("a\nb", "schlüssel"):
        with pytest.raises(UserError, match="S2D_API_KEY holds characters") as caught:
            api_key({"S2D_API_KEY": odd})
        assert odd not in str(caught.value)
    assert without_key(f"you\nsent {KEY}!", KEY) == "you sent [key]!"
    assert len(without_key("x" * 1000, None)) == 300


def test_a_planted_key_is_sent_to_the_server_and_written_nowhere(
    server: FakeServer,
    opened: Callable[..., OpenAIEngine],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The server shows in its errors what it was sent, as some proxies do."""
    caplog.set_level(logging.DEBUG)
    server.key = KEY
    monkeypatch.setenv("S2D_API_KEY", KEY)
    engine = opened(max_retries=1)
    told = [
        repr(engine),
        str(engine.facts()),
        repr(engine.model),
        repr(engine._client),
        repr(engine._answerer),
    ]
    store = CallStore(tmp_path / "calls.sqlite")
    for kind in ("400", "500", "drop", "half"):
        server.fault = whenever("cursed", kind)
        asked = ask(engine, f"cursed {kind}")
        done = engine.generate([asked])
        assert done[0].finish_reason == "error"
        store.commit("test", list(zip([asked], done, strict=True)))
        told.append(repr(done))
    store.close()
    for kind in ("401", "404", "500", "307"):
        server.fault = lambda number, body, kind=kind: kind
        with pytest.raises(RunError) as caught:
            only(engine)
        told.append("".join(traceback.format_exception(caught.value)))
    server.fault, server.key = None, "another"
    with pytest.raises(UserError) as refused:
        opened()
    told.append("".join(traceback.format_exception(refused.value)))
    assert "[key]" in told[-1]
    told += [*capfd.readouterr(), caplog.text]
    assert KEY not in "".join(told)
    for file in tmp_path.rglob("*"):
        assert KEY.encode() not in file.read_bytes()


def test_how_long_a_server_wants_to_be_left_alone() -> None:
    now = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
    assert retry_after({}) is None
    assert retry_after({"retry-after": "3"}) == 3
    assert retry_after({"retry-after": "-3"}) == 0
    assert retry_after({"retry-after-ms": "250", "retry-after": "1"}) == 0.25
    assert retry_after({"retry-after": "Sun, 22 Nov 2026 12:01:30 GMT"}, now) == 90
    assert retry_after({"retry-after": "Sun, 22 Nov 2026 11:00:00 GMT"}, now) == 0
    for odd in ("soon", "nan", "inf", ""):
        assert retry_after({"retry-after": odd}) is None


def test_waits_double_up_to_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_retry, "FIRST_WAIT", 0.5)
    for repetition, most in ((1, 0.5), (2, 1.0), (5, 8.0), (20, 60.0)):
        waits = [backoff(repetition) for _ in range(50)]
        assert most / 2 <= min(waits) < max(waits) <= most


def test_retry_after_is_waited_for(server: FakeServer, opened: Callable[..., OpenAIEngine]) -> None:
    engine = opened()
    server.retry_after = "0.5"
    server.fault = first_time("429")
    began = time.monotonic()
    assert only(engine).finish_reason == "stop"
    assert 0.5 <= time.monotonic() - began < 3


def test_a_closed_engine_leaves_no_connection(
    server: FakeServer, opened: Callable[..., OpenAIEngine]
) -> None:
    engine = opened()
    only(engine)
    session = engine._client._session
    assert session is not None and not session.closed
    engine.close()
    assert session.closed
    engine.close()
