"""Replies as servers spell them: why a text ended, content in parts, thoughts, counts, streams."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from openai_calls import ask, only
from openai_odd_server import Body, OddServer
from tiny_models import request

from harness.engines.openai.client import Broken
from harness.engines.openai.completion import completion
from harness.engines.openai.engine import OpenAIEngine
from harness.engines.openai.reply import Reply, read_reply
from harness.errors import UserError
from harness.types import FinishReason

Opened = Callable[..., OpenAIEngine]
MISSING = object()


def said(content: Any = "yes", finish: Any = "stop", usage: Any = None, **message: Any) -> dict[str, Any]:
    choice = {"message": {"role": "assistant", "content": content, **message}, "finish_reason": finish}
    if finish is MISSING:
        del choice["finish_reason"]
    usual = {"prompt_tokens": 9, "completion_tokens": 4}
    return {"choices": [choice], "usage": usual if usage is None else usage}


# Why a text ended


@pytest.mark.parametrize(
    ("finish", "expected"),
    [
        *((word, "stop") for word in ("stop", "STOP", "eos", "eos_token", "end_turn", "stop_sequence")),
        *((word, "stop") for word in ("completed", "COMPLETE", "finished", "", None, MISSING, 7)),
        *((word, "length") for word in ("length", "max_tokens", "MAX_TOKENS", "model_length")),
        *((word, "error") for word in ("content_filter", "SAFETY", "RECITATION", "refusal")),
    ],
)
def test_every_spelling_of_an_end(finish: Any, expected: str) -> None:
    assert read_reply(said(finish=finish), limit=24).finish_reason == expected


def test_an_end_that_is_not_told_is_the_limit_where_the_text_is_as_long() -> None:
    assert read_reply(said(finish=None), limit=4).finish_reason == "length"
    assert read_reply(said(finish="finished"), limit=4).finish_reason == "length"
    assert read_reply(said(finish="stop"), limit=4).finish_reason == "stop"
    assert read_reply(said(finish="eos_token"), limit=4).finish_reason == "stop"


@pytest.mark.parametrize("finish", ["abort", "error", "tool_calls"])
def test_a_text_that_was_given_up_is_none(finish: str) -> None:
    with pytest.raises(Broken, match=finish):
        read_reply(said(finish=finish))


@pytest.mark.parametrize("finish", [None, "finished"])
def test_nothing_that_ended_for_no_known_reason_is_no_reply(finish: Any) -> None:
    with pytest.raises(Broken, match="ended with"):
        read_reply(said("", finish=finish))
    assert read_reply(said("", finish=finish, reasoning="hm")).thoughts == "hm"


def test_a_run_goes_through_whatever_a_server_calls_the_end(odd: OddServer, opened_odd: Opened) -> None:
    def change(reply: dict[str, Any], body: Body) -> Any:
        reply["choices"][0]["finish_reason"] = "eos_token" if len(odd.chats) % 2 else None
        return reply

    odd.change = change
    engine = opened_odd()
    assert {only(engine, f"question {number}").finish_reason for number in range(4)} == {"stop"}
    assert {only(engine, f"{number}", max_tokens=2).generated_tokens for number in range(2)} == {2}
    assert engine.execution.retries == 0


# Content


@pytest.mark.parametrize(
    ("content", "text", "thoughts"),
    [
        ([{"type": "text", "text": "Answer: "}, {"type": "text", "text": "yes"}], "Answer: yes", None),
        ([{"type": "output_text", "text": "yes"}], "yes", None),
        ([{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "yes"}], "yes", "hm"),
        (
            [
                {
                    "type": "thinking",
                    "thinking": [{"type": "text", "text": "h"}, {"type": "text", "text": "m"}],
                },
                {"type": "text", "text": "yes"},
            ],
            "yes",
            "hm",
        ),
        ([{"type": "reasoning", "text": "hm"}, {"type": "text", "text": "yes"}], "yes", "hm"),
        ([], "", None),
        (None, "", None),
    ],
)
def test_content_in_parts(content: Any, text: str, thoughts: str | None) -> None:
    reply = read_reply(said(content))
    assert (reply.text, reply.thoughts) == (text, thoughts)


@pytest.mark.parametrize(
    "content",
    [7, {"type": "text", "text": "yes"}, ["yes"], [{"type": "image"}], [{"type": "text", "text": 7}], [[]]],
)
def test_content_that_holds_no_text_is_named(content: Any) -> None:
    with pytest.raises(Broken, match="another schema"):
        read_reply(said(content))


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content", "thinking"])
def test_thoughts_beside_the_text(name: str) -> None:
    assert read_reply(said("yes", **{name: "hm"})).thoughts == "hm"


def test_replies_that_are_all_thoughts_are_said_once_with_the_next_step(
    odd: OddServer, opened_odd: Opened
) -> None:
    def change(reply: dict[str, Any], body: Body) -> Any:
        message = reply["choices"][0]["message"]
        message.update(content=None, reasoning_content=message["content"])
        return reply

    odd.change = change
    engine = opened_odd()
    done = engine.generate([ask(engine, f"question {number}") for number in range(5)])
    assert {(each.text, each.finish_reason) for each in done} == {("", "stop")}
    told = [note for note in engine.facts()["notes"] if "reasoning_content" in note]
    assert len(told) == 1 and "--reasoning-parser" in told[0]


def test_a_thought_that_was_cut_is_no_reply_that_is_all_thoughts(odd: OddServer, opened_odd: Opened) -> None:
    def change(reply: dict[str, Any], body: Body) -> Any:
        reply["choices"][0].update(message={"content": None, "reasoning": "hm"}, finish_reason="length")
        return reply

    odd.change = change
    engine = opened_odd()
    assert only(engine).finish_reason == "length"
    assert not any("reasoning_content" in note for note in engine.notes)


# Thoughts that a stop string cut


@pytest.mark.parametrize(
    ("text", "finish", "by_stop_string", "stops", "told"),
    [
        ("", "stop", None, ("\n\n",), "<think>Two and two "),  # llama.cpp: nobody knows
        ("", "stop", True, ("\n\n",), "<think>Two and two "),
        ("", "stop", False, ("\n\n",), "<think>Two and two </think>"),
        ("", "stop", None, (), "<think>Two and two </think>"),
        ("4", "stop", None, ("\n\n",), "<think>Two and two </think>4"),
        ("4", "stop", None, ("and",), "<think>Two "),  # a stop that the server did not look for
        ("4", "length", None, ("</think>",), "<think>Two and two "),
    ],
)
def test_a_thought_that_a_stop_string_cut_stays_open(
    text: str, finish: FinishReason, by_stop_string: bool | None, stops: tuple[str, ...], told: str
) -> None:
    reply = Reply(text, "Two and two ", finish, 9, 4, 0, by_stop_string=by_stop_string)
    assert completion(request((-1,), stop=stops), reply, thinking=True).text == told


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({}, None),
        ({"stop_reason": None}, False),
        ({"stop_reason": 151645}, False),
        ({"stop_reason": "\n\n"}, True),
        ({"matched_stop": "\n\n"}, True),
    ],
)
def test_what_ended_a_text_is_read_where_it_is_told(choice: dict[str, Any], expected: bool | None) -> None:
    reply = said()
    reply["choices"][0].update(choice)
    assert read_reply(reply).by_stop_string is expected


# Special tokens


def test_a_stop_that_is_a_special_token_is_looked_for(odd: OddServer, opened_odd: Opened) -> None:
    engine = opened_odd()
    odd.says = lambda body: "yes<|im_end|>" if body.get("skip_special_tokens") is False else "yes"
    done = only(engine, stop=("<|user|>",))
    assert odd.chats[-1]["skip_special_tokens"] is False
    assert (done.text, done.finish_reason) == ("yes", "stop")
    only(engine, "another", stop=("\n",))
    assert "skip_special_tokens" not in odd.chats[-1]
    assert not any("special tokens" in note for note in engine.notes)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("yes<|im_end|>", "yes"),
        ("yes</s>\n", "yes"),
        ("yes <|eot_id|><|end_of_text|>", "yes"),
        ("yes<｜end▁of▁sentence｜>", "yes"),
        ("<b>yes</b>", "<b>yes</b>"),
        ("a < b |> c", "a < b |> c"),
        ("<|im_end|> yes", "<|im_end|> yes"),
    ],
)
def test_the_end_of_turn_is_no_part_of_a_text(text: str, expected: str) -> None:
    reply = Reply(text, None, "stop", 9, 4, 0)
    assert completion(request((-1,)), reply, thinking=False, shown=True).text == expected
    assert completion(request((-1,)), reply, thinking=False).text == text


def test_a_thought_that_the_prompt_opens_is_told_unless_the_server_took_it_out() -> None:
    asked, mark = request((1,)), "<think>"
    cut = completion(asked, Reply("Two and", None, "length", 9, 4, 0), thinking=False, opened=mark)
    assert cut.text == "<think>\nTwo and"
    whole = Reply("Two.</think>4", None, "stop", 9, 4, 0)
    assert completion(asked, whole, thinking=False, opened=mark).text == "<think>\nTwo.</think>4"
    parsed = Reply("4", "Two.", "stop", 9, 4, 0)
    assert completion(asked, parsed, thinking=False, opened=mark).text == "4"
    echoed = Reply("<think>Two", None, "length", 9, 4, 0)
    assert completion(asked, echoed, thinking=False, opened=mark).text == "<think>Two"


def test_a_server_that_hides_special_tokens_is_named_once(odd: OddServer, opened_odd: Opened) -> None:
    odd.refuses = frozenset({"skip_special_tokens"})
    engine = opened_odd()
    engine.generate([ask(engine, f"question {number}", stop=("<|user|>",)) for number in range(3)])
    assert sum("<|user|>" in note for note in engine.facts()["notes"]) == 1
    assert only(opened_odd(), stop=("\n",)).finish_reason == "stop"


# Counts


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 20.0, "completion_tokens": 4.0}, (20, 4, None)),
        ({"input_tokens": 20, "output_tokens": 4}, (20, 4, None)),
        ({"input_tokens": 20, "output_tokens": 4, "input_tokens_details": {"cached_tokens": 8}}, (20, 4, 8)),
        ({"prompt_tokens": 20, "total_tokens": 24.0}, (20, 4, None)),
        ({"prompt_tokens": 20, "completion_tokens": 4, "prompt_tokens_details": None}, (20, 4, None)),
        (
            {"prompt_tokens": 20, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 0}},
            (20, 4, 0),
        ),
    ],
)
def test_counts_under_other_names(usage: dict[str, Any], expected: tuple[int, int, int | None]) -> None:
    reply = read_reply(said(usage=usage))
    assert (reply.prompt_tokens, reply.generated_tokens, reply.cached_tokens) == expected
    assert all(type(count) is int for count in expected if count is not None)


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 20, "completion_tokens": 0},
        {"prompt_tokens": 0, "completion_tokens": 4},
        {"prompt_tokens": 0, "completion_tokens": 0},
        {"prompt_tokens": 20.5, "completion_tokens": 4},
        {"prompt_tokens": math.inf, "completion_tokens": 4},
        {"prompt_tokens": math.nan, "completion_tokens": 4},
        {"prompt_tokens": "20", "completion_tokens": 4},
    ],
)
def test_counts_that_cannot_be_believed(usage: dict[str, Any]) -> None:
    with pytest.raises(Broken, match="usage"):
        read_reply(said(usage=usage))


def test_a_server_that_counts_nothing_is_refused_before_the_run(odd: OddServer, opened_odd: Opened) -> None:
    odd.change = lambda reply, body: {**reply, "usage": {"prompt_tokens": 0, "completion_tokens": 0}}
    with pytest.raises(UserError, match="counts 0 tokens for a text"):
        opened_odd()
