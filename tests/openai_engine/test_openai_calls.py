"""What the `openai` engine sends, and how it reads and counts what comes back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openai_calls import ask, only
from openai_server import FakeServer
from tiny_models import request

from harness.engines.openai.client import Broken
from harness.engines.openai.completion import completion
from harness.engines.openai.engine import OpenAIEngine
from harness.engines.openai.reply import Reply, read_reply
from harness.store import CallStore
from harness.types import FinishReason

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
    # Where nothing was cached, vLLM leaves the details out, as servers do that tell nothing at all.
    assert (first.cached_tokens, second.cached_tokens) == (None, first.prompt_tokens - 1)
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
        {"choices": [{"message": {"content": ""}, "finish_reason": None}], "usage": USAGE},
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
    assert (reply.finish_reason, reply.cached_tokens, reply.prompt_ids) == ("stop", None, ())
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
    assert read_reply({"choices": [CHOICE], "usage": odd}).cached_tokens is None


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
