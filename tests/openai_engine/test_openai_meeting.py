"""What the `openai` engine finds out about a server before the first call: model, features, prompt ids."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openai_calls import KEY, only
from openai_odd_server import OddServer
from openai_server import FakeServer, Served
from tiny_models import build_tokenizer

from harness.engines.openai.engine import OpenAIEngine
from harness.engines.openai.prompt_ids import surrogate
from harness.errors import RunError, UserError
from harness.models.source import ModelSource
from harness.types import user

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


@pytest.mark.parametrize(
    "listed",
    [
        *((status, {"error": {"message": "no list for you"}}) for status in (400, 401, 403, 404, 405, 501)),
        (200, {"models": [{"name": "fake", "digest": "abc", "size": 7}]}),
        (200, {"models": [{"model": "fake"}, {"name": "other"}, 7]}),
        (200, {"object": "list"}),
        (200, {"error": {"code": 403, "message": "no list for you"}}),
        (200, [{"id": "fake"}]),
    ],
)
def test_a_server_that_chats_is_used_whatever_it_says_of_its_models(
    odd: OddServer, opened_odd: Callable[..., OpenAIEngine], listed: tuple[int, Any]
) -> None:
    odd.says_at["/v1/models"] = listed
    engine = opened_odd()
    assert only(engine).finish_reason == "stop"
    assert engine._client.retries == 0


def test_a_list_in_ollama_s_form_names_what_is_served(
    odd: OddServer, opened_odd: Callable[..., OpenAIEngine]
) -> None:
    odd.says_at["/v1/models"] = (200, {"models": [{"name": "llama3:8b", "digest": "abc"}]})
    with pytest.raises(UserError, match=r"does not serve fake.*llama3:8b"):
        opened_odd()
    odd.says_at["/v1/models"] = (200, {"models": [{"name": "fake", "digest": "abc"}]})
    first = opened_odd().model.fingerprint
    odd.says_at["/v1/models"] = (200, {"models": [{"name": "fake", "digest": "abd"}]})
    assert opened_odd().model.fingerprint != first


def test_a_list_that_is_not_there_at_this_moment_is_waited_for(
    odd: OddServer, opened_odd: Callable[..., OpenAIEngine]
) -> None:
    """Else the name, and with it the calls in the store, would depend on the moment."""
    odd.says_at["/v1/models"] = (503, {"error": {"message": "loading"}})
    with pytest.raises(UserError, match="loading"):
        opened_odd()


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_the_chats_want_is_named(
    odd: OddServer, opened_odd: Callable[..., OpenAIEngine], status: int
) -> None:
    odd.says_at["/v1/models"] = odd.says_at["/v1/chat/completions"] = (status, {"error": {"message": "who?"}})
    with pytest.raises(UserError, match=r"wants a key .*who\?.*set S2D_API_KEY"):
        opened_odd()


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
