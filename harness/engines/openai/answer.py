"""One request to a server and its result: a completion, that item's error, or the end of the run.

If every other request would fail in the same way, the run ends: a server that is gone, or that refuses a
parameter, must not be recorded as the failure of all remaining items. A parameter that the server does not
accept and the run does not need is learnt here and left out from then on.
"""

from __future__ import annotations

import asyncio
import re
from functools import partial

from harness.answer_text import turn_marks
from harness.engines.base import too_long
from harness.engines.chat import PROBE
from harness.engines.openai.client import NoAnswer, Rejected, ServerClient
from harness.engines.openai.completion import completion, failed
from harness.engines.openai.dialect import SPECIAL, Dialect, named, without
from harness.engines.openai.explained import (
    REFUSES_EVERY_REQUEST,
    explain_feature,
    explain_refusal,
    explain_silence,
)
from harness.engines.openai.handshake import Server, probe
from harness.engines.openai.notes import Notes
from harness.engines.openai.prompt_ids import Prompts, ThinkingPrompt, is_surrogate
from harness.engines.openai.reply import Reply, read_reply
from harness.engines.openai.wire import cannot_be_left_out, chat_body, template_arguments
from harness.errors import RunError, UserError
from harness.types import Completion, Request, Sampling
from results.schema import JsonObject

TOO_MANY = 429
"""HTTP status "too many requests"."""

_FILTERED = re.compile(r"moderat|flagged|content.{0,10}(policy|filter|manag)|safety", re.IGNORECASE)
"""A refusal of the content of one prompt."""

_NUMBERS = re.compile(r"\d+")


class Answerer:
    """Sends requests to one server."""

    def __init__(
        self,
        client: ServerClient,
        server: Server,
        prompts: Prompts,
        context_length: int,
        notes: Notes,
    ) -> None:
        """A `context_length` of 0 is unknown."""
        self.dialect = server.dialect
        """What is known so far about the parameters that the server accepts."""
        self._client = client
        self._server = server
        self._day = prompts.day
        self._chat = prompts.chat
        self._context_length = context_length
        self._notes = notes
        self._one_trial = asyncio.Lock()
        self._of_all: dict[str, bool] = {}
        """Refusals, without their numbers -> whether every request of the kind would get them."""

    async def answer(self, request: Request, model: str) -> Completion:
        """The completion of `request` by the server's `model`. RunError or UserError if every other
        request would fail too."""
        ids = request.prompt_ids
        limit = request.sampling.max_tokens
        if self._context_length and not is_surrogate(ids):
            limit = min(limit, self._context_length - len(ids))
        if limit <= 0:
            return failed(request, too_long(len(ids), self._context_length), len(ids))
        while True:
            dialect = self.dialect
            self._require_possible(request.sampling, dialect)
            body = self._body(request, dialect, model, limit)
            try:
                reply = await self._client.call(
                    "/chat/completions", body, read=partial(read_reply, limit=limit)
                )
                break
            except NoAnswer as problem:
                return failed(request, await self._unanswered(problem, model))
            except Rejected as problem:
                room = problem.overflow.room if problem.overflow else 0
                if 0 < room < limit:
                    # As in every engine, the answer gets what the context leaves.
                    limit = room
                    self._notes.cut_to_the_context(problem.overflow)
                elif problem.overflow:
                    known = 0 if is_surrogate(ids) else len(ids)
                    return failed(request, _told(problem), problem.overflow.prompt or known)
                elif not self._learns(problem, body, dialect):
                    shortened = limit < request.sampling.max_tokens
                    return failed(request, await self._refused(problem, body, dialect, shortened))
        return self._checked(request, reply, body)

    def _body(self, request: Request, dialect: Dialect, model: str, limit: int) -> JsonObject:
        thinking = isinstance(request.prompt_ids, ThinkingPrompt)
        template = template_arguments(thinking, self._day)
        return chat_body(dialect, model, request.messages, request.sampling, limit, request.seed, template)

    def _require_possible(self, sampling: Sampling, dialect: Dialect) -> None:
        """UserError if the server is known to refuse this sampling."""
        name = cannot_be_left_out(dialect, sampling)
        if name is not None:
            raise UserError(explain_feature(self._client, name, dialect, dialect.left_out[name]))

    def _checked(self, request: Request, reply: Reply, body: JsonObject) -> Completion:
        ids = request.prompt_ids
        if reply.prompt_ids and not is_surrogate(ids) and reply.prompt_ids != ids:
            raise RunError(
                f"the server at {self._client.base_url} made other prompt ids than were expected (rule 2): "
                "all servers behind this address need one model, one version and one chat template"
            )
        marks = turn_marks(request.sampling.stop)
        if marks and self._server.hides_special_tokens(self.dialect):
            self._notes.special_tokens_hidden(marks)
        thinking = isinstance(ids, ThinkingPrompt)
        # If a stop string may have cut a thought, an empty text is correct.
        cut = reply.by_stop_string if reply.by_stop_string is not None else thinking and request.sampling.stop
        if reply.thoughts and not reply.text.strip() and reply.finish_reason == "stop" and not cut:
            self._notes.only_thoughts()
        if any(reply.text.partition(stop)[2].strip() for stop in body.get("stop") or () if stop.strip()):
            self._notes.stop_not_heeded()
        opened = self._chat.opened_mark(request.prompt_ids) if self._chat is not None else ""
        return completion(request, reply, thinking, body.get(SPECIAL) is False, opened)

    def _learns(self, problem: Rejected, body: JsonObject, dialect: Dialect) -> bool:
        """Whether the same request can be sent again in another form."""
        learnt = without(problem, body, dialect) if problem.status in {400, 422} else None
        if learnt is None:
            return False
        if self.dialect == dialect:  # else another call has changed it meanwhile
            self.dialect = learnt
            self._notes.left_out(dialect, learnt, problem)
        return True

    async def _refused(self, problem: Rejected, body: JsonObject, dialect: Dialect, shortened: bool) -> str:
        """The error of one item. `shortened`: the context leaves it fewer tokens than its limit."""
        filtered = _FILTERED.search(problem.message) is not None
        if problem.status in REFUSES_EVERY_REQUEST and not (filtered and problem.status == 403):
            raise RunError(explain_refusal(self._client, problem))
        about = named(problem, body, dialect)
        of_one = filtered or (shortened and dialect.limit in about)
        if not of_one and await self._is_of_all(problem, body):
            if about:
                words, sent = str(problem), body[dialect.limit]
                raise UserError(explain_feature(self._client, about[0], dialect, words, sent))
            raise RunError(explain_refusal(self._client, problem))
        return _told(problem)

    async def _is_of_all(self, problem: Rejected, body: JsonObject) -> bool:
        """Whether the same request with a prompt that the server accepted before is refused as well."""
        kind = f"{problem.status} {_NUMBERS.sub('#', problem.message)}"
        async with self._one_trial:
            if kind not in self._of_all:
                try:
                    await self._client.call(
                        "/chat/completions", {**body, "messages": PROBE}, read=read_reply, max_retries=0
                    )
                    self._of_all[kind] = False
                except Rejected as again:
                    self._of_all[kind] = again.status == problem.status
                except NoAnswer:
                    return False  # such a refusal says nothing about other requests
            return self._of_all[kind]

    async def _unanswered(self, problem: NoAnswer, model: str) -> str:
        """The error of one item, if the server answers another request."""
        # A busy server says nothing about the request; recorded as an error, it would stay a failure for
        # ever.
        if not problem.exhausted and problem.status != TOO_MANY:
            try:
                await probe(self._client, self.dialect, model, self._day)
                return f"the server gave no usable reply ({problem})"
            except (Rejected, NoAnswer):
                pass
        raise RunError(explain_silence(self._client, problem))


def _told(problem: Rejected) -> str:
    return f"the server refused the request ({problem})"
