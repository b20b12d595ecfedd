"""Engines that accept a call at any time and return each completion as soon as it is ready.

Calls are coroutines on an event loop in a second thread, at most `limit` at a time. Finished calls wait in a
queue. So the scheduler can add calls as programs ask for them, no call waits for the slowest call of a step,
and the engine works while completions are written to disk. A subclass implements `complete` for one request.
"""

from __future__ import annotations

import asyncio
import threading
import time
from abc import abstractmethod
from collections import deque
from collections.abc import Coroutine, Iterable, Sequence
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from harness.engines.base import Engine, ModelInfo
from harness.errors import RunError
from harness.types import Completion, Request

Result = TypeVar("Result")


class ContinuousEngine(Engine):
    """See the module. Only one thread, the scheduler's, may call `submit` and `poll`."""

    same_batches_same_text = False

    def __init__(self, info: ModelInfo, limit: int) -> None:
        """`limit` is the largest number of calls at one time; more calls wait here."""
        super().__init__(info)
        self._limit = limit
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._waiting: deque[tuple[int, Request]] = deque()
        self._tasks: set[asyncio.Task[Completion]] = set()
        self._ended: SimpleQueue[tuple[int, Request, asyncio.Future[Completion]]] = SimpleQueue()
        self._open = 0
        self._failure: BaseException | None = None
        """The error that the next call of `submit` or `poll` raises."""
        self._since = 0.0

    @abstractmethod
    async def complete(self, request: Request) -> Completion:
        """The completion of one request. A request that cannot be served becomes a completion with
        `finish_reason` "error"; RunError if the engine itself has failed. Cancelling the coroutine gives
        the call up."""

    def prepare(self) -> None:
        """Prepares for calls; engines that start late override it."""

    def plan(self, requests: Sequence[Request]) -> list[list[Request]]:
        return [list(requests)] if requests else []

    def generate(self, batch: Sequence[Request]) -> list[Completion]:
        assert self._open == 0, "calls of a stream are under way"
        found: dict[int, Completion] = {}
        try:
            self._put(enumerate(batch))
            while self._open:
                found.update((place, completion) for place, _, completion in self._take())
        except BaseException:
            self.cancel()
            raise
        return [found[place] for place in range(len(batch))]

    def submit(self, requests: Sequence[Request]) -> None:
        """Accepts calls and returns at once. `poll` returns their completions in any order."""
        self._put((0, request) for request in requests)

    def poll(self) -> list[tuple[Request, Completion]]:
        """All finished completions, after waiting for the first; empty if no call is open. RunError if the
        engine has failed."""
        return [(request, completion) for _, request, completion in self._take()]

    def cancel(self) -> None:
        """Gives up every open call; their completions are lost."""
        if self._loop is not None:
            self.call(self._give_up())
        while not self._ended.empty():
            self._ended.get()
        self._open = 0
        self._failure = None

    def close(self) -> None:
        super().close()
        if self._loop is None or self._thread is None:
            return
        self.cancel()
        self.call(_end_the_rest())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._loop = self._thread = None

    def call(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """The result of a coroutine on the engine's loop."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._running_loop())
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name=self.name, daemon=True)
            self._thread.start()
        return self._loop

    def _put(self, placed: Iterable[tuple[int, Request]]) -> None:
        calls = list(placed)
        if not calls:
            return
        if self._failure is not None:
            raise self._failure  # an engine whose failure ends the run is not started again
        self.prepare()
        if self._open == 0:
            self._since = time.perf_counter()
        self._open += len(calls)
        self._running_loop().call_soon_threadsafe(self._accept, calls)

    def _take(self) -> list[tuple[int, Request, Completion]]:
        """Finished calls. Completions are returned before an error is raised."""
        if self._open == 0:
            return []
        if self._failure is not None:
            raise self._failure
        ended = [self._ended.get()]
        while True:
            try:
                ended.append(self._ended.get_nowait())
            except Empty:
                break
        finished = [(tag, request, task.result()) for tag, request, task in ended if not task.exception()]
        self._failure = next((error for _, _, task in ended if (error := task.exception())), None)
        if not finished and self._failure is not None:
            raise self._failure
        self._count([completion for _, _, completion in finished])
        return finished

    def _count(self, completions: Sequence[Completion]) -> None:
        now = time.perf_counter()
        self.execution.seconds += now - self._since
        self._since = now
        self._open -= len(completions)
        self.execution.generated_tokens += sum(done.generated_tokens for done in completions)
        self.execution.prompt_tokens += sum(done.prompt_tokens for done in completions)

    # The methods below run on the loop.

    def _accept(self, calls: Sequence[tuple[int, Request]]) -> None:
        self._waiting.extend(calls)
        self._start_some()

    def _start_some(self) -> None:
        while self._waiting and len(self._tasks) < self._limit:
            tag, request = self._waiting.popleft()
            task = asyncio.ensure_future(self.complete(request))
            self._tasks.add(task)
            task.add_done_callback(partial(self._end, tag, request))

    def _end(self, tag: int, request: Request, task: asyncio.Task[Completion]) -> None:
        if task not in self._tasks:
            return  # given up
        self._tasks.discard(task)
        ended: asyncio.Future[Completion] = task
        if task.cancelled():
            # A library that shut down cancelled the call. Without this, the caller would wait for ever.
            ended = asyncio.Future()
            ended.set_exception(RunError(f"engine {self.name} gave a call up: repeat the command to go on"))
        self._ended.put((tag, request, ended))
        self._start_some()

    async def _give_up(self) -> None:
        self._waiting.clear()
        under_way = list(self._tasks)
        self._tasks.clear()
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


async def _end_the_rest() -> None:
    """Cancels tasks that a library left on the loop."""
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
