"""What ends a run and what is one item's error: errors inside good replies, refusals of everything, prompts
that do not fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from openai_calls import ask, only
from openai_odd_server import Body, OddServer, Refusal, refusal

from harness.engines.openai.engine import OpenAIEngine
from harness.engines.openai.refusals import Overflow, error_inside, read_error
from harness.errors import RunError, UserError

Opened = Callable[..., OpenAIEngine]
BUSY = {"error": {"code": 429, "message": "Rate limit exceeded: free-models-per-day"}}


def instead(says: Any, when: Callable[[Body], bool] = lambda body: True) -> Callable[..., Any]:
    return lambda reply, body: says if when(body) else reply


def cursed(body: Body) -> bool:
    return "cursed" in body["messages"][-1]["content"]


# Errors inside replies with status 200


def test_a_rate_limit_inside_a_reply_is_waited_for(odd: OddServer, opened_odd: Opened) -> None:
    engine = opened_odd()
    left = [BUSY, BUSY]
    odd.change = lambda reply, body: left.pop() if left else reply
    assert only(engine).finish_reason == "stop"
    assert engine.execution.retries == 2


def test_a_rate_limit_inside_replies_ends_the_run_and_no_item_is_a_failure(
    odd: OddServer, opened_odd: Opened
) -> None:
    engine = opened_odd(max_retries=2)
    odd.change = instead(BUSY, cursed)
    with pytest.raises(RunError, match=r"too busy .*free-models-per-day.*repeat the command"):
        engine.generate([ask(engine, text) for text in ("one", "cursed two")])


def test_a_rate_limit_at_the_first_call_is_shown_in_its_words(odd: OddServer, opened_odd: Opened) -> None:
    odd.change = instead(BUSY)
    with pytest.raises(UserError, match="Rate limit exceeded: free-models-per-day"):
        opened_odd(max_retries=1)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ({"code": 401, "message": "No auth credentials"}, r"wants a key .*No auth.*S2D_API_KEY"),
        ({"code": "404", "message": "no such model"}, r"no such model.*model=NAME"),
        ({"type": "authentication_error", "message": "bad key"}, "bad key.*S2D_API_KEY"),
        ({"code": 402, "message": "no credits"}, "no credits"),
        ({"code": "insufficient_quota", "message": "used up"}, "used up"),
    ],
)
def test_an_error_inside_a_reply_counts_as_the_status_it_names(
    odd: OddServer, opened_odd: Opened, error: Any, told: str
) -> None:
    engine = opened_odd()
    odd.change = instead({"error": error})
    with pytest.raises(RunError, match=told):
        only(engine)
    assert engine.execution.retries == 0


@pytest.mark.parametrize(
    "error",
    [{"code": 502, "message": "upstream died"}, {"type": "overloaded_error", "message": "upstream died"}],
)
def test_a_fault_of_the_server_inside_a_reply_is_repeated(
    odd: OddServer, opened_odd: Opened, error: Any
) -> None:
    engine = opened_odd()
    left: list[Any] = [{"error": error}, {"choices": [{"error": error, "message": {}}]}]
    odd.change = lambda reply, body: left.pop() if left else reply
    assert only(engine).finish_reason == "stop"
    assert engine.execution.retries == 2


def test_an_error_of_no_known_kind_is_one_item_s_in_its_words(odd: OddServer, opened_odd: Opened) -> None:
    engine = opened_odd()
    odd.change = instead({"error": {"message": "the moon is wrong"}}, cursed)
    good, bad = engine.generate([ask(engine, "one"), ask(engine, "cursed")])
    assert (good.finish_reason, bad.finish_reason) == ("stop", "error")
    assert "the moon is wrong" in str(bad.error)


@pytest.mark.parametrize(
    "reply",
    [None, [], 7, {}, {"error": None}, {"error": {}}, {"choices": [], "error": None},
     {"choices": [{"message": {"content": "yes"}}], "error": {"code": 500}}],
)  # fmt: skip
def test_a_reply_without_an_error(reply: Any) -> None:
    assert error_inside(reply) is None


# Refusals of everything


def test_what_a_server_refuses_of_every_request_ends_the_run_in_its_words(
    odd: OddServer, opened_odd: Opened
) -> None:
    engine = opened_odd()
    asked = [ask(engine, f"question {number}") for number in range(20)]

    def refuse(body: Body) -> Refusal | None:
        return refusal("Tenant 7 may not sample with so cold a mind") if body["temperature"] == 0 else None

    odd.refuse = refuse
    with pytest.raises(RunError, match=r"Tenant 7 may not sample.*--sampling"):
        engine.generate(asked)
    odd.refuse = None
    assert {done.finish_reason for done in engine.generate(asked)} == {"stop"}


def test_a_model_that_goes_away_ends_the_run_though_the_server_calls_it_a_bad_request(
    odd: OddServer, opened_odd: Opened
) -> None:
    """As litellm does."""
    engine = opened_odd()
    odd.refuse = lambda body: refusal("Invalid model name passed in model=fake. Call `/v1/models`")
    with pytest.raises(RunError, match="Invalid model name"):
        engine.generate([ask(engine, f"question {number}") for number in range(5)])


def test_one_trial_tells_what_every_refusal_of_a_kind_is_about(odd: OddServer, opened_odd: Opened) -> None:
    engine = opened_odd()
    odd.refuse = lambda body: refusal(f"we do not answer this ({len(odd.chats)})") if cursed(body) else None
    before = len(odd.chats)
    done = engine.generate([ask(engine, f"cursed {number}") for number in range(10)])
    assert {each.finish_reason for each in done} == {"error"}
    assert len(odd.chats) == before + 10 + 1


def test_a_filter_needs_no_trial(odd: OddServer, opened_odd: Opened) -> None:
    engine = opened_odd()
    words = "The response was filtered due to the prompt triggering the content management policy."
    odd.refuse = lambda body: refusal(words, code="content_filter") if cursed(body) else None
    before = len(odd.chats)
    assert "content management" in str(only(engine, "cursed").error)
    assert len(odd.chats) == before + 1


# Prompts that do not fit

LLAMA = {
    "error": {
        "code": 400,
        "message": "request (931 tokens) exceeds the available context size (512 tokens), try increasing it",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": 931,
        "n_ctx": 512,
    }
}


@pytest.mark.parametrize(
    ("error", "prompt", "context"),
    [
        (LLAMA, 931, 512),
        ({"error": {"message": LLAMA["error"]["message"]}}, 931, 512),
        (
            {"message": "This model's maximum context length is 4096 tokens. However, you requested "
             "5000 tokens (3000 in the messages, 2000 in the completion)."}, 3000, 4096,
        ),
        (
            {"message": "This model's maximum context length is 4096 tokens. However, you requested 1024 "
             "output tokens and your prompt contains at least 3073 input tokens"}, 0, 4096,
        ),
        (
            {"message": "This model's maximum context length is 8192 tokens. However, your messages "
             "resulted in 9000 tokens.", "code": "context_length_exceeded"}, 9000, 8192,
        ),
        ({"error": {"message": "prompt is too long: 210000 tokens > 200000 maximum"}}, 210000, 200000),
        ({"detail": "the input is too long"}, 0, 0),
    ],
)  # fmt: skip
def test_what_a_refusal_says_of_a_prompt_that_does_not_fit(error: Any, prompt: int, context: int) -> None:
    assert read_error(json.dumps(error).encode()).overflow == Overflow(prompt, context)


@pytest.mark.parametrize(
    "error", [{"message": "no"}, {"error": {"message": "at most 4 items", "param": "stop"}}]
)
def test_other_refusals_are_about_no_context(error: Any) -> None:
    assert read_error(json.dumps(error).encode()).overflow is None


def test_a_prompt_longer_than_the_context_is_counted_as_the_refusal_says(
    odd: OddServer, opened_odd: Opened
) -> None:
    odd.tokenizes = odd.returns_ids = False
    engine = opened_odd()
    odd.refuse = lambda body: (400, LLAMA) if cursed(body) else None
    good, bad = engine.generate([ask(engine, "one"), ask(engine, "cursed")])
    assert (good.finish_reason, bad.finish_reason) == ("stop", "error")
    assert (bad.prompt_tokens, bad.generated_tokens) == (931, 0)


def test_an_answer_gets_what_a_context_leaves_that_nobody_told_before(
    odd: OddServer, opened_odd: Opened
) -> None:
    odd.tokenizes = odd.returns_ids = False
    engine = opened_odd()

    def refuse(body: Body) -> Refusal | None:
        if 50 + body["max_tokens"] <= 60:
            return None
        asked = (
            f"{50 + body['max_tokens']} tokens (50 in the messages, {body['max_tokens']} in the completion)"
        )
        return refusal(f"This model's maximum context length is 60 tokens. However, you requested {asked}.")

    odd.refuse, odd.says = refuse, lambda body: "word " * 30
    done = only(engine, max_tokens=24)
    assert (done.finish_reason, done.generated_tokens) == ("length", 10)
    assert sum("context of 60 tokens" in note for note in engine.notes) == 1


def test_a_context_that_holds_no_short_prompt_is_named(odd: OddServer, opened_odd: Opened) -> None:
    odd.refuse = lambda body: (400, LLAMA)
    with pytest.raises(UserError, match=r"512 tokens.*longer context.*--ctx-size"):
        opened_odd()
