"""One request to a server and what becomes of it: a completion, that item's error, or the end of the run.

The line between the last two: what another request would get as well ends the run, because a server's
absence must not be recorded as the failure of every item that is left. Batches and adapters are not known
here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from harness.engines.base import too_long
from harness.engines.openai.client import NoAnswer, Rejected, ServerClient
from harness.engines.openai.handshake import (
    OF_ALL,
    Server,
    explain_feature,
    explain_refusal,
    explain_silence,
    probe,
)
from harness.engines.openai.prompt_ids import ThinkingPrompt, is_surrogate
from harness.engines.openai.wire import Reply, chat_body, read_reply, template_arguments, unsupported_feature
from harness.errors import RunError, UserError
from harness.types import Completion, FinishReason, Request
from results.schema import JsonObject

TOO_MANY = 429
"""Requests, says the server."""

_FILTERED = re.compile(r"moderat|flagged|content.{0,10}(policy|filter)|safety", re.IGNORECASE)
"""A 403 that is about one prompt."""


@dataclass(frozen=True)
class Answerer:
    """Asks one server."""

    client: ServerClient
    server: Server
    day: datetime
    """What templates that insert a date insert."""
    context_length: int
    """0: only the server knows."""

    async def answer(self, request: Request, model: str) -> Completion:
        """The completion of `request` by the server's `model`. RunError or UserError for what no other
        request would survive."""
        ids = request.prompt_ids
        limit = request.sampling.max_tokens
        if self.context_length and not is_surrogate(ids):
            limit = min(limit, self.context_length - len(ids))
        if limit <= 0:
            return failed(request, too_long(len(ids), self.context_length), len(ids))
        thinking = isinstance(ids, ThinkingPrompt)
        body = chat_body(
            self.server.dialect,
            model,
            request.messages,
            request.sampling,
            limit,
            request.seed,
            template_arguments(thinking, self.day),
        )
        try:
            reply = await self.client.call("/chat/completions", body, read=read_reply)
        except Rejected as problem:
            return failed(request, self._refused(problem, body))
        except NoAnswer as problem:
            return failed(request, await self._unanswered(problem, model))
        if reply.prompt_ids and not is_surrogate(ids) and reply.prompt_ids != ids:
            raise RunError(
                f"the server at {self.client.base_url} made other prompt ids than were expected (rule 2): "
                "all servers behind this address need one model, one version and one chat template"
            )
        return completion(request, reply, thinking)

    def _refused(self, problem: Rejected, body: JsonObject) -> str:
        """The error of one item."""
        about_one = problem.status == 403 and _FILTERED.search(problem.message)
        if problem.status in OF_ALL and not about_one:
            raise RunError(explain_refusal(self.client, problem))
        if problem.status in {400, 422}:
            feature = unsupported_feature(problem, body)
            if feature is not None:
                raise UserError(explain_feature(self.client, feature, problem))
        return f"the server refused the request ({problem})"

    async def _unanswered(self, problem: NoAnswer, model: str) -> str:
        """The error of one item, if the server answers another request."""
        # A server that is busy says nothing of the request: recorded, it would stay a failure for good.
        if not problem.exhausted and problem.status != TOO_MANY:
            try:
                await probe(self.client, self.server.dialect, model, self.day)
                return f"the server gave no usable reply ({problem})"
            except (Rejected, NoAnswer):
                pass
        raise RunError(explain_silence(self.client, problem))


def completion(request: Request, reply: Reply, thinking: bool) -> Completion:
    """What a reply is to the program that asked."""
    text, reason = reply.text, reply.finish_reason
    for stop in request.sampling.stop:
        text, found, _ = text.partition(stop)
        if found and reason != "error":
            reason = "stop"
    error = "the server filtered its answer" if reason == "error" else None
    return Completion(
        "" if error else _with_thoughts(text, reply.thoughts, reason) if thinking else text,
        reason,
        reply.prompt_tokens,
        reply.generated_tokens,
        reply.cached_tokens,
        reply.prompt_ids or _known(request),
        reply.generated_ids,
        error,
    )


def failed(request: Request, error: str, prompt_tokens: int = 0) -> Completion:
    """A request that was not answered; what the server spent on it, it did not say."""
    return Completion("", "error", prompt_tokens, 0, prompt_ids=_known(request), error=error)


def _with_thoughts(text: str, thoughts: str | None, reason: FinishReason) -> str:
    """The text as a model says it; servers with a reasoning parser take the thoughts out. A thought that was
    cut stays open."""
    if thoughts is None:
        return text
    return f"<think>{thoughts}" + (f"</think>{text}" if text or reason == "stop" else "")


def _known(request: Request) -> tuple[int, ...]:
    return () if is_surrogate(request.prompt_ids) else request.prompt_ids
