"""What a server's words say of the parameter that it refuses, and what is learnt from them."""

from __future__ import annotations

from typing import Any

import pytest

from harness.engines.openai.client import Rejected
from harness.engines.openai.dialect import Dialect, least_limit, named, without


def sent(**more: Any) -> dict[str, Any]:
    usual = {"model": "m", "messages": [], "temperature": 1.0, "top_p": 1.0, "max_tokens": 24}
    return {**usual, "stop": ["a"], "seed": 1, **more}


@pytest.mark.parametrize(
    ("message", "parameter", "expected"),
    [
        ("Unsupported parameter: 'stop'", None, ["stop"]),
        ("property 'stop' is unsupported", None, ["stop"]),
        ("stop: List should have at most 4 items", None, ["stop"]),
        ("Please stop. This prompt is not allowed.", None, []),
        ("the seed of all evil is not allowed", None, []),
        ("Unrecognized request arguments supplied: seed, stop", None, ["stop", "seed"]),
        ("top_p must be in (0, 1)", None, ["top_p"]),
        ("temperature must be strictly positive", None, ["temperature"]),
        ("on purpose", None, []),
        ("whatever", "stop", ["stop"]),
        ("Unsupported parameter: 'stop'", "messages", []),
    ],
)
def test_the_parameter_that_a_refusal_is_about(
    message: str, parameter: str | None, expected: list[str]
) -> None:
    assert set(named(Rejected(400, message, parameter), sent(), Dialect())) == set(expected)


def test_a_dialect_learns_until_there_is_nothing_left() -> None:
    """No refusal, however often it comes, keeps a run asking for ever."""
    for name in ("stop", "top_p", "temperature", "max_tokens", "repeat_penalty", "seed"):
        dialect, body = Dialect(), sent(repeat_penalty=1.0, stop=list("abcdefgh"))
        for _ in range(6):
            learnt = without(Rejected(400, "no", name), body, dialect, probing=True)
            if learnt is None:
                break
            assert learnt != dialect
            dialect = learnt
            body["stop"] = body["stop"][: dialect.most_stops]
            body["max_tokens"] = max(body["max_tokens"], dialect.probe_limit)
            for gone in {name} & {"stop"} if not body["stop"] else {name} - {"stop", "max_tokens"}:
                body.pop(gone, None)
        else:
            pytest.fail(name)


@pytest.mark.parametrize(
    ("message", "least"),
    [
        ("Expected a value >= 16, but got 1 instead", 16),
        ("must be at least 10", 10),
        ("must be greater than or equal to 8", 8),
        ("must be greater than 8", 9),
        ("limits below 10 are refused", 10),
        ("at most 4096 completion tokens", 0),
        ("must be > 0", 0),
        ("no", 0),
    ],
)
def test_the_least_limit_in_a_server_s_words(message: str, least: int) -> None:
    assert least_limit(message, 1) == least
