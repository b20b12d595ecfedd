"""From a server's reply to the completion that a program gets: one text, cut at the first stop.

Texts are cut here as in every engine, whatever the server did about stops.
"""

from __future__ import annotations

import re

from harness.engines.openai.prompt_ids import is_surrogate
from harness.engines.openai.reply import Reply
from harness.types import Completion, Request

_END_MARKS = re.compile(r"(?:\s*(?:<[|｜][^<>\s]{1,60}[|｜]>|</s>|<eos>|<end_of_turn>|<turn\|>))+\s*\Z")
"""End-of-turn tokens as text: servers that show special tokens may show the last one, too."""


def completion(
    request: Request, reply: Reply, thinking: bool, shown: bool = False, opened: str = ""
) -> Completion:
    """The completion for a reply. `shown`: special tokens are left in its text. `opened`: the opening mark
    of a thought that the prompt leaves open, if any."""
    reason = reply.finish_reason
    text = _END_MARKS.sub("", reply.text) if shown and reason == "stop" else reply.text
    if thinking and reply.thoughts is not None:
        text = _with_thoughts(text, reply.thoughts, _is_closed(request, reply))
    elif opened and reply.thoughts is None and not text.lstrip().startswith(opened):
        text = f"{opened}\n{text}"  # without the mark, a cut thought looks like a reply
    for stop in request.sampling.stop:
        text, found, _ = text.partition(stop)
        if found and reason != "error":
            reason = "stop"
    error = "the server filtered its answer" if reason == "error" else None
    return Completion(
        "" if error else text,
        reason,
        reply.prompt_tokens,
        reply.generated_tokens,
        reply.cached_tokens,
        reply.prompt_ids or _known(request),
        reply.generated_ids,
        error,
    )


def failed(request: Request, error: str, prompt_tokens: int = 0) -> Completion:
    """A request without an answer; the server did not say what it spent on it."""
    return Completion("", "error", prompt_tokens, 0, prompt_ids=_known(request), error=error)


def _is_closed(request: Request, reply: Reply) -> bool:
    """Whether the model ended its thought. If no text follows and a stop string may have cut the thought,
    only the server can tell."""
    if reply.text:
        return True
    cut = reply.by_stop_string if reply.by_stop_string is not None else bool(request.sampling.stop)
    return reply.finish_reason == "stop" and not cut


def _with_thoughts(text: str, thoughts: str, closed: bool) -> str:
    """The text with its thoughts put back, as the model wrote it: servers with a reasoning parser take
    them out. A thought that was cut stays open."""
    return f"<think>{thoughts}" + (f"</think>{text}" if closed else "")


def _known(request: Request) -> tuple[int, ...]:
    return () if is_surrogate(request.prompt_ids) else request.prompt_ids
