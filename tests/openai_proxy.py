"""A proxy on loopback that drops some connections and calls some requests too many: for real servers.

    with FaultyProxy("http://127.0.0.1:8000", dropped=0.05, busy=0.05) as proxy:
        engine = OpenAIEngine.load(source, {"base_url": proxy.base_url})

Half of the drops come before the request reaches the server, half after it has answered. Only chat requests
suffer; all else passes.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from urllib.parse import urlsplit

from openai_server import LoopbackServer


class FaultyProxy(LoopbackServer):
    """See the module. `drops` and `refusals` count what was done to requests."""

    def __init__(self, upstream: str, *, dropped: float = 0.05, busy: float = 0.05, seed: int = 0) -> None:
        """`upstream` is a server's address without `/v1`; the shares are between 0 and 1."""
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._shares = (dropped, busy)
        self._draw = random.Random(seed)
        self.drops = self.refusals = 0

    async def serve(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, writer: asyncio.StreamWriter
    ) -> bool:
        dropped, busy = self._shares if path.endswith("/chat/completions") else (0.0, 0.0)
        lot = self._draw.random()
        if lot < busy:
            self.refusals += 1
            return await self.send(writer, 429, {"error": {"message": "too many"}}, {"Retry-After": "1"})
        self.drops += busy <= lot < busy + dropped
        if busy <= lot < busy + dropped / 2:
            writer.transport.abort()
            return False
        reply = await self._forward(method, path, headers, body)
        if busy <= lot < busy + dropped:
            writer.transport.abort()
            return False
        writer.write(reply)
        await writer.drain()
        return True

    async def _forward(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
        """The server's whole reply, head included."""
        reader, writer = await asyncio.open_connection(*self._upstream)
        kept = {**headers, "connection": "close"}
        head = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in kept.items()), "", ""]
        writer.write("\r\n".join(head).encode("latin-1") + body)
        await writer.drain()
        try:
            return await reader.read()
        finally:
            writer.close()
