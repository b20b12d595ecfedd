"""The `openai` engine on a server that speaks as llama.cpp's does: weights, context, special tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from openai_calls import ask, only
from openai_odd_server import Body, OddServer, of_llama_cpp

from harness.engines.openai.engine import OpenAIEngine

Opened = Callable[..., OpenAIEngine]


@pytest.fixture
def llama(odd: OddServer) -> OddServer:
    """It returns no ids of tokens, and its `/tokenize` knows no messages."""
    odd.says_at, odd.returns_ids = of_llama_cpp(), False
    return odd


def test_penalties_of_the_file_are_undone_in_llama_cpp_s_words(llama: OddServer, opened_odd: Opened) -> None:
    only(opened_odd())
    asked = llama.chats[-1]
    assert (asked["repeat_penalty"], asked["mirostat"], asked["xtc_probability"]) == (1.0, 0, 0.0)
    assert (asked["dry_multiplier"], asked["presence_penalty"], asked["frequency_penalty"]) == (0.0, 0.0, 0.0)


def test_the_context_is_that_of_a_slot(llama: OddServer, opened_odd: Opened) -> None:
    assert opened_odd().model.context_length == 512
    assert opened_odd(context_length=300).model.context_length == 300
    (_, listed), (_, properties) = llama.says_at["/v1/models"], llama.says_at["/props"]
    context = properties["default_generation_settings"].pop("n_ctx")
    assert opened_odd().model.context_length == 512  # of the list
    del listed["data"][0]["meta"]["n_ctx"]
    assert opened_odd().model.context_length == 0
    properties["default_generation_settings"]["n_ctx"] = context
    assert opened_odd().model.context_length == 512


def test_other_weights_under_the_same_name_are_another_model(llama: OddServer, opened_odd: Opened) -> None:
    found = {opened_odd().model.fingerprint for _ in range(2)}
    assert len(found) == 1
    for change in ({"size": 144_811_456}, {"path": "/models/other.gguf"}):
        llama.says_at = of_llama_cpp(**change)
        found.add(opened_odd().model.fingerprint)
    served = opened_odd().facts()["served"]
    assert (served["model_path"], served["build_info"]) == ("/models/other.gguf", "b0-unknown")
    assert served["n_params"] == 134515008
    llama.says_at = of_llama_cpp()
    listed: Any = llama.says_at["/v1/models"][1]
    listed["data"][0]["meta"]["n_vocab"] += 1
    found.add(opened_odd().model.fingerprint)
    listed["data"][0]["meta"]["n_vocab"] -= 1
    listed["data"][0]["meta"]["ftype"] = "Q8_0"  # a key of the file, which anybody may have written
    found.add(opened_odd().model.fingerprint)
    assert len(found) == 4


def test_parameters_are_those_that_the_server_tells(llama: OddServer, opened_odd: Opened) -> None:
    assert opened_odd().model.parameters == 134515008
    assert opened_odd(parameters=7_000_000_000).model.parameters == 7_000_000_000


def test_a_tokenize_that_knows_no_messages_is_asked_once(llama: OddServer, opened_odd: Opened) -> None:
    engine = opened_odd()
    assert llama.asked_for.count("/tokenize") == 1
    assert engine._client.retries == 0
    assert "hash" in engine.facts()["prompt_ids"]


def test_stops_that_are_special_tokens_are_said_to_do_nothing(llama: OddServer, opened_odd: Opened) -> None:
    engine = opened_odd()
    engine.generate([ask(engine, f"question {number}", stop=("<|user|>",)) for number in range(3)])
    assert sum("<|user|>" in note for note in engine.notes) == 1
    plain = opened_odd()
    only(plain, stop=("\n",))
    assert plain.notes == []


def test_seeds_fit_into_llama_cpp_s_32_bits(llama: OddServer, opened_odd: Opened) -> None:
    from harness.types import derive_seed

    assert all(0 <= derive_seed(seed, "item", "direct", 0) < 2**31 for seed in range(200))


def test_its_own_cache_can_be_switched_off(llama: OddServer, opened_odd: Opened) -> None:
    engine = opened_odd(**{"body.cache_prompt": False, "body.samplers.first": "top_k"})
    only(engine)
    assert all(body["cache_prompt"] is False for body in llama.chats)
    assert llama.chats[-1]["samplers"] == {"first": "top_k"}
    assert engine.facts()["body"] == {"cache_prompt": False, "samplers": {"first": "top_k"}}
    assert engine.model.fingerprint != opened_odd().model.fingerprint


def test_a_field_of_the_user_s_own_that_the_server_refuses_is_named(
    llama: OddServer, opened_odd: Opened
) -> None:
    from harness.errors import UserError

    def refuse(body: Body) -> Any:
        words = "Unknown parameter: 'cache_prompt'."
        return (400, {"error": {"message": words}}) if "cache_prompt" in body else None

    llama.refuse = refuse
    with pytest.raises(UserError, match=r"does not take 'cache_prompt' .*body\.cache_prompt out of"):
        opened_odd(**{"body.cache_prompt": False})


def test_a_penalty_that_the_user_asks_for_is_sent_and_not_undone(
    llama: OddServer, opened_odd: Opened
) -> None:
    only(opened_odd(**{"body.repeat_penalty": 1.1}))
    assert llama.chats[-1]["repeat_penalty"] == 1.1
