"""Adapters that a server offers as models of their own, and what shows that they are adapters."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from openai_calls import ask
from openai_server import FakeServer, Served

from harness.engines.openai.adapters import is_shown, largest_change
from harness.engines.openai.engine import OpenAIEngine
from harness.errors import RunError, UserError


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
    assert "no check that tuned" in engine.facts()["notes"][0]


def test_the_change_between_lists_of_likeliest_tokens() -> None:
    first = {"a": -0.5, "b": -1.5, "c": -3.0}
    assert largest_change(first, first) == 0
    assert largest_change(first, {"a": -0.5, "b": -1.75, "c": -3.0}) == 0.25
    # d is at most as likely as c in the first list, and c as d in the second.
    assert largest_change(first, {"a": -0.5, "b": -1.5, "d": -2.0}) == 1.0
    assert is_shown(0.01, 0.0) and not is_shown(0.01, 0.01) and not is_shown(1e-5, 0.0)
