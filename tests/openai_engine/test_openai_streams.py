"""Replies of a server that streams whatever it is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from openai_calls import only
from openai_odd_server import OddServer, streamed

from harness.engines.openai.client import Broken
from harness.engines.openai.engine import OpenAIEngine
from harness.engines.openai.reply import read_reply
from harness.engines.openai.stream import read_json
from harness.errors import UserError

Opened = Callable[..., OpenAIEngine]
REPLY: dict[str, Any] = {
    "choices": [
        {
            "message": {"role": "assistant", "content": "naïve café, 数学?", "reasoning_content": "hm"},
            "finish_reason": "stop",
            "token_ids": [5, 6, 7],
        }
    ],
    "usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13},
}


def test_a_server_that_streams_whatever_it_is_asked_is_read(odd: OddServer, opened_odd: Opened) -> None:
    whole = only(opened_odd(), "a question of several words")
    odd.streams, odd.reasoning = True, "well, let me see"
    engine = opened_odd()
    done = only(engine, "a question of several words", thinking=True)
    assert odd.chats[-1]["stream"] is False
    assert done.text.startswith("<think>well, let me see</think>")
    assert done.finish_reason == "stop" and done.generated_ids and done.prompt_ids
    streamed_text = only(engine, "a question of several words")
    assert (streamed_text.text, streamed_text.generated_tokens) == (whole.text, whole.generated_tokens)
    odd.returns_usage = False
    with pytest.raises(UserError, match="no usage"):
        opened_odd()


def test_pieces_of_a_stream_come_together() -> None:
    assert read_reply(read_json(streamed(REPLY))) == read_reply(REPLY)
    assert read_json(b'{"a": 1}') == {"a": 1}
    for odd in (b"data: {", b"data: 7\n", b"event: x\ndata: {]\n"):
        with pytest.raises(ValueError):
            read_json(odd)
    with pytest.raises(Broken):
        read_reply(read_json(b"data: [DONE]\n"))
