"""JSON over HTTP with a server that may be slow, busy, broken or gone, with time limits and retries.

A call has three outcomes: the result of `read`; `Rejected`, if the server understood and refused (a 4xx, or
an error inside a reply with a good status); `NoAnswer`, if no retry brought a usable reply. The caller
decides whose fault it is and how many calls run at a time.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import aiohttp

from harness.engines.openai.address import is_loopback, server_root, without_key
from harness.engines.openai.refusals import Overflow, Told, error_inside, read_error
from harness.engines.openai.retry import (
    LONGEST_RETRY_AFTER,
    NOT_THERE,
    REPEATS_OF_BROKEN,
    RETRIED_STATUS,
    pause,
    retry_after,
)
from harness.engines.openai.stream import read_json

T = TypeVar("T")

LARGEST_REPLY = 64 * 2**20
"""Bytes; a longer reply is not read to its end."""

CONNECT_SECONDS = 30.0


class Broken(Exception):
    """A reply that cannot be read; `read` functions raise it with the reason. `settled`: a retry would
    give the same."""

    def __init__(self, reason: str, *, settled: bool = False) -> None:
        super().__init__(reason)
        self.settled = settled


class Rejected(Exception):
    """The server refused: `status`, its message, the parameter that it names, if any, and what it says
    about a prompt that does not fit."""

    def __init__(
        self, status: int, message: str, parameter: str | None = None, overflow: Overflow | None = None
    ) -> None:
        super().__init__(f"{status}: {message}" if message else str(status))
        self.status = status
        self.message = message
        self.parameter = parameter
        self.overflow = overflow


class NoAnswer(Exception):
    """No usable reply. `broken`: replies came and could not be read, or timed out; else there was no
    reply. `status` is that of the last reply, None without one. `exhausted`: the server will not answer
    for a long time."""

    def __init__(
        self, reason: str, *, broken: bool = False, status: int | None = None, exhausted: bool = False
    ) -> None:
        super().__init__(reason)
        self.broken = broken
        self.status = status
        self.exhausted = exhausted


class _Again(Exception):
    """One attempt failed, and another may succeed; `wait` is in seconds, as the server asked."""

    def __init__(
        self,
        reason: str,
        wait: float = 0.0,
        *,
        broken: bool = False,
        status: int | None = None,
        settled: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait
        self.broken = broken
        self.status = status
        self.settled = settled


class ServerClient:
    """One server. Its methods run on one event loop until `close`; then they may run on another."""

    def __init__(self, base_url: str, key: str | None, *, timeout: float, max_retries: int) -> None:
        """`timeout` in seconds for one attempt; `max_retries` repetitions of one call."""
        self.base_url = base_url
        self.has_key = key is not None
        self.retries = 0
        """Repetitions so far, of all calls."""
        self._key = key
        self._timeout = timeout
        self._max_retries = max_retries
        self._session: aiohttp.ClientSession | None = None

    async def call(
        self,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        read: Callable[[Any], T],
        beside: bool = False,
        max_retries: int | None = None,
        timeout: float | None = None,
    ) -> T:
        """POSTs `body` (GET without one) to `path`, under the base address or, with `beside`, above it
        (`/tokenize`). Raises Rejected or NoAnswer."""
        address = (server_root(self.base_url) if beside else self.base_url) + path
        most = self._max_retries if max_retries is None else max_retries
        seconds = self._timeout if timeout is None else timeout
        failed = broken = 0
        while True:
            try:
                return await self._attempt(address, body, read, seconds)
            except _Again as problem:
                failed += 1
                broken += problem.broken
                if failed > most or broken > REPEATS_OF_BROKEN or problem.settled:
                    raise NoAnswer(problem.reason, broken=problem.broken, status=problem.status) from None
                self.retries += 1
                await asyncio.sleep(pause(failed, problem.wait))

    async def _attempt(
        self, address: str, body: Mapping[str, Any] | None, read: Callable[[Any], T], seconds: float
    ) -> T:
        status, headers, raw = await self._exchange(address, body, seconds)
        if 300 <= status < 400:
            # A redirect would carry prompts and key to an address that the user did not name.
            raise Rejected(status, self._clean(f"it redirects to {headers.get('location', 'nowhere')}"))
        if status >= 400:
            raise self._refusal(status, headers, read_error(raw))
        try:
            data = read_json(raw)
            if inside := error_inside(data):
                raise self._refusal(inside[0], headers, inside[1])
            return read(data)
        except Broken as error:
            reason = self._clean(str(error))
            raise _Again(reason, broken=True, status=status, settled=error.settled) from None
        except (ValueError, RecursionError):
            raise _Again("its reply is not JSON", broken=True, status=status) from None

    async def _exchange(
        self, address: str, body: Mapping[str, Any] | None, seconds: float
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of one exchange."""
        method, data = ("GET", None) if body is None else ("POST", json.dumps(body).encode())
        limits = aiohttp.ClientTimeout(total=seconds, sock_connect=min(seconds, CONNECT_SECONDS))
        try:
            async with self._open().request(
                method, address, data=data, timeout=limits, allow_redirects=False
            ) as response:
                raw = bytearray()
                async for chunk in response.content.iter_any():
                    raw += chunk
                    if len(raw) > LARGEST_REPLY:
                        raise _Again("its reply does not end", broken=True)
                return response.status, response.headers, bytes(raw)
        # aiohttp's errors contain the request's headers, so only their text is used.
        except aiohttp.ConnectionTimeoutError:
            raise _Again(f"no connection within {limits.sock_connect:g} s") from None
        except TimeoutError:
            raise _Again(f"no reply within {seconds:g} s", broken=True) from None
        except (aiohttp.ClientError, OSError) as error:
            raise _Again(self._clean(f"{type(error).__name__}: {error}")) from None

    def _refusal(self, status: int | None, headers: Mapping[str, str], told: Told) -> Exception:
        """The exception for a refusal. `status` None: the error was inside a reply, which has no status
        for it."""
        message = self._clean(told.message)
        if told.code == "insufficient_quota":
            return NoAnswer(f"{status}: {message}", status=status, exhausted=True)
        if status is None:
            return _Again(f"an error in place of a reply: {message}", broken=True, status=200)
        if status in NOT_THERE or (status < 500 and status not in RETRIED_STATUS):
            return Rejected(status, message, told.parameter, told.overflow)
        wait = retry_after(headers) or 0.0
        if wait > LONGEST_RETRY_AFTER:
            return NoAnswer(f"{status}: it asks to wait {wait:.0f} s", status=status, exhausted=True)
        return _Again(f"{status}: {message}" if message else f"status {status}", wait, status=status)

    def _clean(self, text: str) -> str:
        return without_key(text, self._key)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            headers = {"Content-Type": "application/json", "Accept": "application/json"}
            if self._key:
                headers["Authorization"] = f"Bearer {self._key}"
            self._session = aiohttp.ClientSession(
                headers=headers,
                connector=aiohttp.TCPConnector(limit=0),  # the engine limits the calls
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=not is_loopback(self.base_url),
            )
        return self._session

    async def close(self) -> None:
        """Closes all connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()
