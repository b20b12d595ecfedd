"""The `openai` engine on a real `vllm serve` that holds the embedded model and one adapter for it.

Everything else about the engine is tested on a server made for tests; here stands what only a real one can
show: that its counts, ids, prefixes, adapters and refusals are what the engine takes them for.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from openai_calls import ask
from openai_proxy import FaultyProxy
from tiny_models import save_adapter

from harness.engines.hf.engine import HuggingFaceEngine
from harness.engines.openai.engine import OpenAIEngine
from harness.jobs import Job
from harness.lm.tasks import load_tasks
from harness.models.source import resolve_model
from harness.programs.base import get_method
from harness.scheduler import Scheduler
from harness.store import CallStore
from harness.types import Sampling, user

pytestmark = pytest.mark.vllm
COMMAND = Path(__file__).parents[1] / "fixtures" / "vllm_command.py"
STARTS_WITHIN = 300.0
"""Seconds."""


@dataclass(frozen=True)
class RealServer:
    """Where it listens (without `/v1`) and the adapter that it serves as `tuned`."""

    address: str
    adapter: Path


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """`vllm serve`, in a process group of its own: its workers end with it."""
    folder = tmp_path_factory.mktemp("served")
    model = resolve_model("tiny").location
    adapter = save_adapter(folder / "adapter", Path(model))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / "log"
    command = [
        *(sys.executable, str(COMMAND), "serve", model, "--served-model-name", "tiny"),
        *("--host", "127.0.0.1", "--port", str(port), "--dtype", "float32", "--enforce-eager"),
        *("--enable-prompt-tokens-details", "--enable-lora", "--lora-modules", f"tuned={adapter}"),
    ]
    environment = {"VLLM_CPU_KVCACHE_SPACE": "2", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    with log.open("wb") as written:
        server = subprocess.Popen(
            command,
            stdout=written,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            start_new_session=True,
        )
    try:
        _wait(server, f"http://127.0.0.1:{port}/health", log)
        yield RealServer(f"http://127.0.0.1:{port}", adapter)
    finally:
        for name in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(server.pid, name)
                server.wait(timeout=60)


def _wait(server: subprocess.Popen[bytes], health: str, log: Path) -> None:
    ends = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < ends and server.poll() is None:
        try:
            with urllib.request.urlopen(health, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(1)
    pytest.fail(f"vllm serve did not start:\n{log.read_text(errors='replace')[-3000:]}")


def open_engine(address: str, **arguments: object) -> OpenAIEngine:
    return OpenAIEngine.load(resolve_model("tiny"), {"base_url": f"{address}/v1", **arguments})


def jobs(count: int) -> list[Job]:
    """The coin's questions, in two steps each."""
    (task,) = load_tasks(["coin_flip"], "embedded", [], {"seed": 0}, count)
    items = [task.item(task.rows("test")[index]) for index in task.indices]
    return [Job(item, get_method("rar_2step"), lambda _: Sampling(max_tokens=100)) for item in items]


def test_texts_and_counts_are_those_of_hf(real: RealServer) -> None:
    engine = open_engine(real.address)
    hf = HuggingFaceEngine.load(replace(resolve_model("tiny"), dtype="float32"), {"device": "cpu"})
    texts = [job.item.prompt for job in jobs(16)]
    served = engine.generate([ask(engine, text, max_tokens=60) for text in texts])
    local = hf.generate([ask(hf, text, max_tokens=60) for text in texts])
    for one, other in zip(served, local, strict=True):
        assert (one.text, one.finish_reason) == (other.text, other.finish_reason)
        assert (one.prompt_tokens, one.generated_tokens) == (other.prompt_tokens, other.generated_tokens)
        assert one.prompt_ids == other.prompt_ids
    engine.close()


def test_a_prefix_that_the_server_knows_is_counted_as_cached(real: RealServer) -> None:
    engine = open_engine(real.address)
    text = "Which of these words is the last one? " + "apple pear " * 40
    first, again = (engine.generate([ask(engine, text)])[0] for _ in range(2))
    assert 0 < again.cached_tokens < again.prompt_tokens == first.prompt_tokens
    assert engine.execution.shared_prefix_tokens == first.cached_tokens + again.cached_tokens
    engine.close()


def test_an_adapter_is_found_by_its_folder_and_its_name(real: RealServer) -> None:
    engine = open_engine(real.address)
    hf = HuggingFaceEngine.load(replace(resolve_model("tiny"), dtype="float32"), {"device": "cpu"})
    found, named = engine.add_adapter("mine", real.adapter), engine.served_adapter("other", "tuned")
    assert found.hash == named.hash == hf.add_adapter("mine", real.adapter).hash
    assert found.probe_change > 1e-2 > 10 * found.probe_noise
    texts = [job.item.prompt for job in jobs(8)]
    plain = engine.generate([ask(engine, text) for text in texts])
    tuned = engine.generate([ask(engine, text, adapter="mine") for text in texts])
    local = hf.generate([ask(hf, text, adapter="mine") for text in texts])
    assert [done.text for done in tuned] == [done.text for done in local]
    assert [done.text for done in tuned] != [done.text for done in plain]
    engine.close()


def test_a_prompt_longer_than_the_context_is_that_item_s_error(real: RealServer) -> None:
    engine = open_engine(real.address)
    long = "apple pear " * 2000
    good, bad = engine.generate([ask(engine, "Say yes."), ask(engine, long)])
    assert good.error is None
    assert bad.finish_reason == "error" and "context" in str(bad.error)
    assert engine.model.context_length < len(engine.prompt_ids([user(long)]))
    engine.close()


def test_behind_a_proxy_that_drops_and_refuses_every_item_is_answered_once(
    real: RealServer, tmp_path: Path
) -> None:
    asked = jobs(200)
    store, undisturbed = CallStore(tmp_path / "calls.sqlite"), CallStore(tmp_path / "undisturbed.sqlite")
    with FaultyProxy(real.address, dropped=0.05, busy=0.05) as proxy:
        engine = open_engine(f"http://127.0.0.1:{proxy.port}", concurrency=64)
        responses = Scheduler(engine, store).run(asked, "behind the proxy")
        assert engine.execution.retries == proxy.drops + proxy.refusals > 20
        engine.close()
    assert [response.error for response in responses] == [None] * 200
    assert store.count() == sum(len(response.steps) for response in responses) == 400
    engine = open_engine(real.address, concurrency=64)
    told = Scheduler(engine, undisturbed).run(asked, "undisturbed")
    assert [response.text for response in told] == [response.text for response in responses]
    engine.close()
    store.close()
    undisturbed.close()
