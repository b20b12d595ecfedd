"""The `openai` engine: chat completions of any compatible server, many at a time.

The server holds the model and counts the tokens; its `usage` is taken as given. Calls stream in and out
(continuous.py). A failure of one request is recorded as that item's error. A failure that all requests would
have (a wrong key, a server that is gone) ends the run with one line, and the run can be continued.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from harness.engines.base import AdapterInfo, ModelInfo
from harness.engines.continuous import ContinuousEngine
from harness.engines.openai.adapters import is_shown, probe_change, served_from, served_hash
from harness.engines.openai.address import api_key
from harness.engines.openai.answer import Answerer
from harness.engines.openai.client import NoAnswer, Rejected, ServerClient
from harness.engines.openai.explained import explain_refusal, explain_silence
from harness.engines.openai.handshake import Server, meet
from harness.engines.openai.notes import Notes
from harness.engines.openai.prompt_ids import ORIGINS, Prompts, ThinkingPrompt, choose_prompts
from harness.engines.openai.served import list_models
from harness.engines.openai.settings import check_arguments, model_info
from harness.errors import RunError, UserError
from harness.models.source import ModelSource
from harness.types import Completion, Message, Request, Settings
from results import schema
from results.schema import JsonObject

T = TypeVar("T")


class OpenAIEngine(ContinuousEngine):
    """See the module. Build it with `load`."""

    name = "openai"

    def __init__(
        self,
        info: ModelInfo,
        settings: Settings,
        client: ServerClient,
        server: Server,
        prompts: Prompts,
    ) -> None:
        super().__init__(info, limit=settings["concurrency"])
        self._settings = settings
        self._client = client
        self._server = server
        self._prompts = prompts
        self._notes = Notes()
        self._answerer = Answerer(client, server, prompts, info.context_length, self._notes)
        self._adapters: dict[str, str] = {}
        if prompts.note:
            self._notes.add(prompts.note)

    @property
    def notes(self) -> list[str]:
        """Sentences for the report."""
        return list(self._notes.said)

    @classmethod
    def load(cls, source: ModelSource, arguments: Settings) -> OpenAIEngine:
        """Connects to the server at `arguments["base_url"]`. UserError if it cannot be used for this
        model."""
        settings = check_arguments(arguments)
        if source.dtype != "auto":
            raise UserError(f"--dtype {source.dtype}: the server loads the model, so set it there")
        client = ServerClient(
            settings["base_url"],
            api_key(os.environ),
            timeout=settings["timeout"],
            max_retries=settings["max_retries"],
        )
        names = [str(settings["model"])] if settings["model"] else [source.name, source.location]
        server, prompts = asyncio.run(_introduced(client, names, source, settings["body"]))
        return cls(model_info(source, server, settings), settings, client, server, prompts)

    def prompt_ids(self, messages: Sequence[Message], thinking: bool = False) -> tuple[int, ...]:
        """Ids, or negative numbers if the ids are unknown (prompt_ids.py)."""
        if thinking and "chat_template_kwargs" not in self._server.dialect.optional:
            raise UserError(
                f"the server at {self._client.base_url} accepts no chat_template_kwargs, so thinking cannot "
                "be switched on: leave out the method think, or use a server such as vllm serve"
            )
        ids = self._prompts.at_once(messages, thinking)
        if ids is None:
            ids = self.call(self._prompts.asked(messages, thinking))
        return ThinkingPrompt(ids) if thinking else ids

    def target_ids(self, text: str) -> tuple[int, ...]:
        raise UserError(
            "--engine openai cannot train: the weights are on the server; distil locally with --engine hf or "
            "vllm, serve the adapter, and name it as --models NAME=served:MODEL"
        )

    async def complete(self, request: Request) -> Completion:
        model = self._adapters[request.adapter] if request.adapter else self._server.model
        try:
            done = await self._answerer.answer(request, model)
        finally:
            self.execution.retries = self._client.retries
        self.execution.shared_prefix_tokens += done.cached_tokens or 0
        return done

    def add_adapter(self, name: str, folder: Path) -> AdapterInfo:
        """The served adapter from `folder`. UserError if the server does not serve it."""
        return self.served_adapter(name, self._served_from(folder, self._listed()))

    def require_served(self, name: str, adapter: str | Path) -> None:
        listed = self._listed()
        if isinstance(adapter, Path):
            self._served_from(adapter, listed)
        else:
            self._entry(name, adapter, listed)

    def _served_from(self, folder: Path, listed: Sequence[JsonObject]) -> str:
        """The server's name of the adapter in `folder`. UserError if it has none."""
        model = served_from(folder, listed)
        if model is None:
            raise UserError(
                f"{folder}: the server at {self._client.base_url} does not serve this adapter: start it with "
                f"--enable-lora --lora-modules NAME={folder}, or name what it serves as NAME=served:MODEL"
            )
        return model

    def _entry(self, name: str, model: str, listed: Sequence[JsonObject]) -> JsonObject | None:
        """What the server lists of `model`; None where it lists nothing. UserError if it lists others."""
        entry = next((each for each in listed if each["id"] == model), None)
        if entry is None and listed:
            raise UserError(
                f"--models {name}=served:{model}: the server at {self._client.base_url} serves "
                f"{', '.join(str(each['id']) for each in listed[:8])}; name one of them, or start it with "
                "--lora-modules"
            )
        return entry

    def served_adapter(self, name: str, model: str) -> AdapterInfo:
        """The server's model `model`, under `name` in requests. UserError where it is not served, RunError
        where it is the base model in all but name."""
        entry = self._entry(name, model, self._listed())
        measured = self.call(
            _told(self._client, probe_change(self._client, self._server, model, self._prompts.day))
        )
        change, noise = measured or (0.0, 0.0)
        if measured is None:
            self._notes.add(
                f"The server gives no log-probabilities, so there is no check that {model} is another model "
                f"than {self._server.model}."
            )
        elif not is_shown(change, noise):
            raise RunError(
                f"served adapter {model} does not change the model (largest change of a log-probability "
                f"{change:.1e}, noise {noise:.1e}): check that the server really loads it"
            )
        self._adapters[name] = model
        return AdapterInfo(name, served_hash(entry or {"id": model}), change, noise)

    def _listed(self) -> list[JsonObject]:
        return self.call(_told(self._client, list_models(self._client)))

    def close(self) -> None:
        if self._loop is not None:
            self.cancel()
            self.call(self._client.close())
        super().close()

    def facts(self) -> schema.Engine:
        dialect = self._answerer.dialect
        return {
            **super().facts(),
            "base_url": self._settings["base_url"],
            "concurrency": self._settings["concurrency"],
            "timeout": self._settings["timeout"],
            "max_retries": self._settings["max_retries"],
            "model": self._server.model,
            "version": self._server.version,
            "token_counts": "the server's usage",
            "prompt_ids": ORIGINS[self._prompts.origin],
            "served": self._server.served,
            "optional_parameters": sorted(dialect.optional),
            "left_out": dict(dialect.left_out),
            "most_stops": dialect.most_stops,
            "body": dict(dialect.own),
            "notes": self.notes,
        }


async def _introduced(
    client: ServerClient, names: Sequence[str], source: ModelSource, own: Mapping[str, Any]
) -> tuple[Server, Prompts]:
    """What is known about the server before the first request, and how prompts get their ids."""
    day = datetime.fromisoformat(source.date)
    try:
        server = await meet(client, names, day, own)
        return server, await choose_prompts(client, server, source, day)
    finally:
        await client.close()


async def _told(client: ServerClient, asked: Coroutine[Any, Any, T]) -> T:
    """The result of `asked`, or an error with one line on why there is none."""
    try:
        return await asked
    except Rejected as problem:
        raise RunError(explain_refusal(client, problem)) from None
    except NoAnswer as problem:
        raise RunError(explain_silence(client, problem)) from None
