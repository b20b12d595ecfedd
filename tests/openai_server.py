"""An OpenAI-compatible server for tests, on loopback: it answers like vLLM, and fails on purpose.

    with FakeServer(context=60) as server:
        engine = OpenAIEngine.load(source, {"base_url": server.base_url})

What it says is a hash of the prompt, the seed and the model, so equal requests get equal replies. Faults
come from `fault`, a function of the number of a chat request (from 0) and its body. It speaks HTTP/1.1 by
hand, since no library will drop a connection in the middle of a reply.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import threading
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from harness.types import stable_hash

BOS, START, STOP, THINK, END = 1, 2, 3, 4, 5
FIRST_WORD = 10

Fault = Callable[[int, Mapping[str, Any]], str | None]


class LoopbackServer:
    """A thread that reads HTTP requests on loopback and hands each to `serve`."""

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()

        def work() -> None:
            asyncio.set_event_loop(self._loop)
            starting = asyncio.start_server(self._connected, "127.0.0.1", 0)
            self._server = self._loop.run_until_complete(starting)
            ready.set()
            self._loop.run_forever()

        self._thread = threading.Thread(target=work, daemon=True)
        self._thread.start()
        ready.wait()
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        async def stop() -> None:
            self._server.close()
            left = asyncio.all_tasks() - {asyncio.current_task()}
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def serve(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer one request; whether the connection stays. Names of headers are in small letters."""
        raise NotImplementedError

    async def send(
        self, writer: asyncio.StreamWriter, status: int, data: Any, headers: Mapping[str, str] | None = None
    ) -> bool:
        """A reply of `data` as JSON, or of bytes as they are."""
        body = data if isinstance(data, bytes) else json.dumps(data).encode()
        lines = [f"HTTP/1.1 {status} said", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await writer.drain()
        return True

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode("latin-1").split("\r\n")
                pairs = (line.partition(":") for line in lines)
                headers = {name.strip().lower(): value.strip() for name, _, value in pairs if name}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                method, path, _ = first.split(" ")
                stays = await self.serve(method, path, headers, body, writer)
                if not stays or headers.get("connection") == "close":
                    break
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


@dataclass
class Served:
    """A model of the list; `learnt` changes what it says, 0 is the base model."""

    root: str = "weights"
    parent: str | None = None
    learnt: int = 0


@dataclass
class FakeServer(LoopbackServer):
    """See the module. Fields may be changed while it runs."""

    models: dict[str, Served] = field(default_factory=lambda: {"fake": Served()})
    context: int | None = None
    """`max_model_len`; None is not told and not checked."""
    version: str | None = "1.0"
    lists_models: bool = True
    tokenizes: bool = True
    returns_ids: bool = True
    returns_usage: bool = True
    returns_logprobs: bool = True
    noise: float = 0.0
    """Added to log-probabilities of every second request."""
    refuses: frozenset[str] = frozenset()
    """Parameters that it does not take."""
    key: str | None = None
    """The one it wants."""
    fault: Fault | None = None
    ids: Callable[[Sequence[Mapping[str, str]], bool], list[int]] | None = None
    """Another template than its own."""
    says: Callable[[Mapping[str, Any]], str] | None = None
    """Text of a reply, instead of a hash."""
    reasoning: str | None = None
    retry_after: str = "0"
    delay: float = 0.0
    """Seconds before each reply."""

    chats: list[dict[str, Any]] = field(default_factory=list)
    """Bodies of chat requests, failed ones included."""
    answered: int = 0
    faults: int = 0
    most_at_once: int = 0
    _at_once: int = 0
    _seen: set[tuple[int, ...]] = field(default_factory=set)

    async def serve(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, writer: asyncio.StreamWriter
    ) -> bool:
        data = json.loads(body) if body else {}
        if self.key is not None and headers.get("authorization") != f"Bearer {self.key}":
            # As some proxies do, it shows what it was sent.
            return await self.send(writer, 401, _error(f"no access with {headers.get('authorization')}"))
        if path == "/v1/chat/completions":
            return await self._chat(data, headers, writer)
        if path == "/v1/models" and self.lists_models:
            entries = [
                {"id": name, "root": model.root, "parent": model.parent, "max_model_len": self.context}
                for name, model in self.models.items()
            ]
            return await self.send(writer, 200, {"object": "list", "data": entries})
        if path == "/version" and self.version:
            return await self.send(writer, 200, {"version": self.version})
        if path == "/tokenize" and self.tokenizes and method == "POST":
            ids = self._template(data)
            return await self.send(writer, 200, {"count": len(ids), "tokens": ids})
        return await self.send(writer, 404, {"detail": "Not Found"})

    async def _chat(
        self, data: dict[str, Any], headers: Mapping[str, str], writer: asyncio.StreamWriter
    ) -> bool:
        number = len(self.chats)
        self.chats.append(data)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            await asyncio.sleep(self.delay)
            kind = self.fault(number, data) if self.fault else None
            if kind is not None:
                self.faults += 1
                return await self._fail(kind, data, headers, writer)
            self.answered += 1
            return await self.send(writer, *self._reply(data))
        finally:
            self._at_once -= 1

    async def _fail(
        self, kind: str, data: dict[str, Any], headers: Mapping[str, str], writer: asyncio.StreamWriter
    ) -> bool:
        """`kind` is a status, or the name of what goes wrong."""
        if kind.isdigit():
            more = {"Retry-After": self.retry_after} if kind == "429" else {}
            if kind.startswith("3"):
                more = {"Location": "http://127.0.0.1:9/elsewhere"}
            told = f"on purpose, you sent {headers.get('authorization')}"
            return await self.send(writer, int(kind), _error(told), more)
        if kind == "quota":
            return await self.send(writer, 429, _error("You exceeded your quota", code="insufficient_quota"))
        if kind == "moderated":
            return await self.send(writer, 403, _error("the input was flagged by moderation"))
        if kind == "drop":
            writer.transport.abort()
            return False
        if kind == "hang":
            await asyncio.sleep(3600)
        if kind == "interrupt":
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            await asyncio.sleep(3600)
        status, reply = self._reply(data)
        text = json.dumps(reply).encode()
        if kind == "half":
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text[: len(text) // 2]
            )
            await writer.drain()
            return False
        changed: Any = {
            "html": b"<html>busy</html>",
            "bytes": b"\xff\xfe{",
            "schema": {"answer": 42},
            "no choice": {**reply, "choices": []},
            "no usage": {**reply, "usage": None},
            "filter": {**reply, "choices": [{**reply["choices"][0], "finish_reason": "content_filter"}]},
            "abort": {**reply, "choices": [{**reply["choices"][0], "finish_reason": "abort"}]},
            "other ids": {**reply, "prompt_token_ids": [7, 8, 9]},
        }[kind]
        return await self.send(writer, status, changed)

    def _reply(self, data: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        model = self.models.get(data["model"])
        if model is None:
            return 404, _error(f"The model `{data['model']}` does not exist.")
        for name in data:
            if name in self.refuses:
                instead = " Use 'max_completion_tokens' instead." if name == "max_tokens" else ""
                return 400, _error(f"Unsupported parameter: '{name}'.{instead}", parameter=name)
        prompt = self._template(data)
        limit = data["max_completion_tokens"] if "max_completion_tokens" in data else data["max_tokens"]
        if self.context is not None and len(prompt) + limit > self.context:
            told = f"maximum context length is {self.context} tokens, you asked {len(prompt)} + {limit}"
            return 400, _error(told)
        text = self.says(data) if self.says else self._speak(prompt, data, model)
        text, ids, finish = _generate(text, limit, data.get("stop") or [])
        choice: dict[str, Any] = {
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "finish_reason": finish,
        }
        if self.reasoning is not None:
            choice["message"]["reasoning_content"] = self.reasoning
        reply: dict[str, Any] = {"object": "chat.completion", "choices": [choice]}
        if data.get("return_token_ids") and self.returns_ids:
            reply["prompt_token_ids"] = prompt
            choice["token_ids"] = ids
        if data.get("logprobs") and self.returns_logprobs:
            off = 0.1 * model.learnt + self.noise * (len(self.chats) % 2)
            top = [{"token": word, "logprob": -1.0 - place - off} for place, word in enumerate("abcde")]
            if data.get("temperature", 1.0):  # the token that was drawn is in the list, however unlikely
                top.append({"token": str(len(self.chats)), "logprob": -9.0})
            choice["logprobs"] = {
                "content": [{"token": "a", "logprob": top[0]["logprob"], "top_logprobs": top}]
            }
        if self.returns_usage:
            known = tuple(prompt) in self._seen
            self._seen.add(tuple(prompt))
            reply["usage"] = {
                "prompt_tokens": len(prompt),
                "completion_tokens": len(ids),
                "total_tokens": len(prompt) + len(ids),
                "prompt_tokens_details": {"cached_tokens": len(prompt) - 1} if known else None,
            }
        return 200, reply

    def _template(self, data: Mapping[str, Any]) -> list[int]:
        thinking = bool((data.get("chat_template_kwargs") or {}).get("enable_thinking"))
        if self.ids is not None:
            return self.ids(data["messages"], thinking)
        ids = [BOS]
        for message in data["messages"]:
            ids += [START, _word(message["role"]), *map(_word, message["content"].split()), STOP]
        return [*ids, START, _word("assistant"), *([THINK] if thinking else [])]

    @staticmethod
    def _speak(prompt: Sequence[int], data: Mapping[str, Any], model: Served) -> str:
        drawn = data.get("seed") if data.get("temperature", 1.0) else 0
        digest = stable_hash([list(prompt), drawn, model.learnt], 12)
        return " ".join([digest[:4], "said", digest[4:8], *data["messages"][-1]["content"].split()[:4]])


def _generate(text: str, limit: int, stops: Sequence[str]) -> tuple[str, list[int], str]:
    """Text, ids and finish reason as a model's: a stop string ends it, its ids count; the end is one id."""
    said = ""
    ids: list[int] = []
    for piece in re.findall(r"\s*\S+|\s+$", text):
        if len(ids) == limit:
            return said, ids, "length"
        said += piece
        ids.append(_word(piece))
        places = [said.find(stop) for stop in stops if stop in said]
        if places:
            return said[: min(places)], ids, "stop"
    if len(ids) == limit:
        return said, ids, "length"
    return said, [*ids, END], "stop"


def _word(text: str) -> int:
    return FIRST_WORD + zlib.crc32(text.encode("utf-8", "surrogatepass")) % 2**31


def _error(message: str, parameter: str | None = None, code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": "error", "param": parameter, "code": code}}
