"""What a server does not take is left out where that changes nothing, and named where it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from openai_calls import ask, only
from openai_odd_server import Body, OddServer, Refusal, refusal

from harness.engines.openai.dialect import NEUTRAL
from harness.engines.openai.engine import OpenAIEngine
from harness.errors import UserError

Opened = Callable[..., OpenAIEngine]
STOPS = ("one", "two", "three", "four", "five", "six")

# Stops


def at_most_four(body: Body) -> Refusal | None:
    """As vLLM 0.32 says it."""
    if len(body.get("stop", ())) <= 4:
        return None
    return refusal("[{'msg': 'List should have at most 4 items after validation, not 6'}]", param="body.stop")


def openai_of_stops(body: Body) -> Refusal | None:
    if len(body.get("stop", ())) <= 4:
        return None
    words = "Invalid 'stop': array too long. Expected an array with maximum length 4, but got length 6."
    return refusal(words, param="stop", code="array_above_max_length")


def no_stops(body: Body) -> Refusal | None:
    """As o3 says it."""
    words = "Unsupported parameter: 'stop' is not supported with this model."
    return refusal(words, param="stop") if "stop" in body else None


def fastapi_of_stops(body: Body) -> Refusal | None:
    if len(body.get("stop", ())) <= 2:
        return None
    return 422, {"detail": [{"loc": ["body", "stop", 2], "msg": "at most 2 items"}]}


def test_a_server_that_goes_on_behind_a_stop_is_named_once(odd: OddServer, opened_odd: Opened) -> None:
    """As litellm does, which hands on the first four of six without a word."""

    def goes_on(reply: dict[str, Any], body: Body) -> dict[str, Any]:
        reply["choices"][0]["message"]["content"] = "a b six c d"
        return reply

    odd.change = goes_on
    engine = opened_odd()
    done = engine.generate([ask(engine, f"question {number}", stop=STOPS) for number in range(3)])
    assert {(each.text, each.finish_reason) for each in done} == {("a b ", "stop")}
    assert [note for note in engine.facts()["notes"] if "continued behind a stop" in note] == [
        "The server continued behind a stop string that it was sent. The text is cut there, but the tokens "
        "that it generated behind the stop are counted."
    ]
    odd.change = lambda reply, body: reply
    assert "continued behind" not in str(opened_odd().facts()["notes"])


@pytest.mark.parametrize(
    ("refuse", "sent"),
    [
        (at_most_four, list(STOPS[:4])),
        (openai_of_stops, list(STOPS[:4])),
        (fastapi_of_stops, list(STOPS[:2])),
        (no_stops, None),
    ],
)
def test_stops_that_a_server_does_not_take_cut_the_text_here(
    odd: OddServer, opened_odd: Opened, refuse: Callable[[Body], Refusal | None], sent: list[str] | None
) -> None:
    engine = opened_odd()
    odd.says = lambda body: "a b c six d e f"
    odd.refuse = refuse
    done = engine.generate([ask(engine, f"question {number}", stop=STOPS) for number in range(5)])
    assert {(each.text, each.finish_reason) for each in done} == {("a b c ", "stop")}
    assert [each.generated_tokens for each in done] == [8] * 5  # what came behind the stop was generated
    assert odd.chats[-1].get("stop") == sent
    asked = len(odd.chats)
    only(engine, "another", stop=STOPS)
    assert len(odd.chats) == asked + 1  # and is not sent in vain again
    told = [note for note in engine.facts()["notes"] if "stop string" in note]
    assert len(told) == 1 and "cut here at the other stops" in told[0]
    assert engine.facts()["most_stops"] == (len(sent) if sent else 0)


def test_a_text_that_was_cut_at_the_limit_before_its_stop_is_cut(odd: OddServer, opened_odd: Opened) -> None:
    engine = opened_odd()
    odd.refuse, odd.says = no_stops, lambda body: "a b c d e f six"
    assert only(engine, max_tokens=4, stop=STOPS).finish_reason == "length"
    assert only(engine, "another", max_tokens=7, stop=STOPS).finish_reason == "stop"


# Temperature and top_p


def o3_of_temperature(body: Body) -> Refusal | None:
    if body.get("temperature", 1.0) == 1.0:
        return None
    words = "'temperature' does not support 0 with this model. Only the default (1) value is supported."
    return refusal(f"Unsupported value: {words}", param="temperature", code="unsupported_value")


def never(name: str) -> Callable[[Body], Refusal | None]:
    return lambda body: refusal(f"Unsupported parameter: '{name}'", param=name) if name in body else None


def one_of_both(body: Body) -> Refusal | None:
    if not {"temperature", "top_p"} <= body.keys():
        return None
    return refusal("`temperature` and `top_p` cannot both be specified for this model. Please use only one.")


def test_another_temperature_than_a_server_s_own_is_named_and_never_changed(
    odd: OddServer, opened_odd: Opened
) -> None:
    odd.refuse = o3_of_temperature
    engine = opened_odd()
    assert only(engine, temperature=1.0).finish_reason == "stop"
    asked = [ask(engine, f"question {number}") for number in range(5)]
    with pytest.raises(UserError, match=r"Only the default \(1\).*--sampling temperature=1\.0"):
        engine.generate(asked)


@pytest.mark.parametrize("name", ["temperature", "top_p"])
def test_a_value_that_changes_nothing_is_left_out(odd: OddServer, opened_odd: Opened, name: str) -> None:
    odd.refuse = never(name)
    engine = opened_odd()
    assert only(engine, temperature=1.0).finish_reason == "stop"
    assert name not in odd.chats[-1] and "seed" in odd.chats[-1]
    assert name in engine.facts()["left_out"]
    with pytest.raises(UserError, match=rf"does not take '{name}' .*--sampling {name}=1\.0"):
        only(engine, temperature=0.5, top_p=0.5)


def test_of_two_that_exclude_each_other_the_one_that_changes_nothing_goes(
    odd: OddServer, opened_odd: Opened
) -> None:
    odd.refuse = one_of_both
    engine = opened_odd()
    assert only(engine).finish_reason == "stop"
    assert odd.chats[-1]["temperature"] == 0.0 and "top_p" not in odd.chats[-1]


def test_what_becomes_refused_in_a_run_is_left_out_from_then_on_and_said_once(
    odd: OddServer, opened_odd: Opened
) -> None:
    engine = opened_odd()
    odd.refuse = never("top_p")
    asked = [ask(engine, f"question {number}") for number in range(20)]
    assert [done.finish_reason for done in engine.generate(asked)] == ["stop"] * 20
    assert sum("does not take top_p" in note for note in engine.notes) == 1


# Limits


def at_least(least: int, words: str) -> Callable[[Body], Refusal | None]:
    def refuse(body: Body) -> Refusal | None:
        return refusal(words, param="max_tokens") if body["max_tokens"] < least else None

    return refuse


@pytest.mark.parametrize(
    ("least", "words"),
    [
        (16, "Invalid 'max_tokens': integer below minimum value. Expected a value >= 16, but got 1 instead."),
        (10, "max_tokens must be at least 10"),
        (30, "max_tokens: must be greater than 29"),
        (10, "this value is not supported"),
        (200, "Could not finish the message because max_tokens or model output limit was reached."),
    ],
)
def test_a_server_that_takes_no_short_limit_is_asked_for_more(
    odd: OddServer, opened_odd: Opened, least: int, words: str
) -> None:
    odd.refuse = at_least(least, words)
    engine = opened_odd()
    assert only(engine, max_tokens=300).finish_reason == "stop"
    assert odd.chats[-1]["max_tokens"] == 300
    with pytest.raises(UserError, match=r"does not take 'max_tokens' .*--sampling max_tokens=N") as caught:
        engine.generate([ask(engine, f"question {number}", max_tokens=5) for number in range(3)])
    number = next((word for word in words.replace(",", " ").split() if word == str(least)), None)
    assert number is None or f"to at least {least}" in str(caught.value)


def test_what_a_context_leaves_may_be_less_than_a_server_takes(odd: OddServer, opened_odd: Opened) -> None:
    odd.context = 60
    engine = opened_odd()
    odd.refuse = at_least(10, "max_tokens must be at least 10")
    short, long = engine.generate([ask(engine, "short"), ask(engine, "word " * 48)])
    assert (short.finish_reason, long.finish_reason) == ("stop", "error")
    assert "at least 10" in str(long.error)


def test_a_limit_beyond_what_a_model_gives_ends_the_run(odd: OddServer, opened_odd: Opened) -> None:
    engine = opened_odd()

    def refuse(body: Body) -> Refusal | None:
        words = "max_tokens is too large: 9000. This model supports at most 4096 completion tokens."
        return refusal(words, param="max_tokens") if body["max_tokens"] > 4096 else None

    odd.refuse = refuse
    with pytest.raises(UserError, match=r"at most 4096.*--sampling max_tokens=N"):
        engine.generate([ask(engine, f"question {number}", max_tokens=9000) for number in range(3)])


# Optional parameters


@pytest.mark.parametrize("name", [*NEUTRAL, "skip_special_tokens", "return_token_ids"])
def test_each_neutral_parameter_is_offered_and_left_out_where_it_is_refused(
    odd: OddServer, opened_odd: Opened, name: str
) -> None:
    opened_odd()
    offered = odd.chats[-1]
    assert name in offered and offered[name] == NEUTRAL.get(name, offered[name])
    odd.refuse = never(name)
    engine = opened_odd()
    assert only(engine, stop=("<|end|>",)).finish_reason == "stop"
    assert name not in odd.chats[-1] and name not in engine.facts()["optional_parameters"]
    assert "return_token_ids" in odd.chats[-1] or name == "return_token_ids"


def test_a_stranger_to_llama_cpp_is_asked_in_vain_for_one_of_its_parameters_only(
    odd: OddServer, opened_odd: Opened
) -> None:
    own = {"repeat_penalty", "mirostat", "xtc_probability", "dry_multiplier", "typical_p", "dynatemp_range"}

    def refuse(body: Body) -> Refusal | None:
        unknown = sorted(own & body.keys())
        return refusal(f"Unknown parameter: '{unknown[0]}'.") if unknown else None

    odd.refuse = refuse
    opened_odd()
    assert len(odd.chats) == 2


def test_all_that_one_refusal_names_is_left_out_at_once(odd: OddServer, opened_odd: Opened) -> None:
    def refuse(body: Body) -> Refusal | None:
        unknown = [name for name in ("top_k", "min_p", "repetition_penalty") if name in body]
        return refusal(f"Unknown names: {', '.join(unknown)}. Cannot find field.") if unknown else None

    odd.refuse = refuse
    opened_odd()
    assert len(odd.chats) == 2
