"""Real model servers as processes that tests start, kill and start again, and a look at what they say.

llama.cpp's server, litellm's proxy and vLLM's router run in an environment of their own (`make servers`),
vLLM in the environment of the tests (`make vllm`). All hold the embedded model in float32, with one random
adapter, so that their texts can be compared with each other and with the engine `hf`.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import util
from pathlib import Path
from typing import Any

import pytest
from openai_proxy import FaultyProxy

TESTS = Path(__file__).parent
ENVIRONMENT = Path(os.environ.get("S2D_SERVERS", TESTS.parent / ".venv-servers"))
"""Of llama.cpp's server, litellm and the router."""
VLLM_PYTHON = os.environ.get("S2D_VLLM_PYTHON", sys.executable)
STARTS_WITHIN = 300.0
"""Seconds."""
SLOTS = 8


def require(kind: str) -> None:
    """Skip the test where `kind` (llama.cpp, litellm, router, vllm) is not installed."""
    if kind == "vllm":
        if sys.executable == VLLM_PYTHON and util.find_spec("vllm") is None:
            pytest.skip("vLLM is not installed: make vllm")
    elif not (ENVIRONMENT / "bin" / "python").exists():
        pytest.skip(f"{kind} is not installed in {ENVIRONMENT}: make servers")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass
class ModelServer:
    """One server; `command` with the address on which it listens."""

    name: str
    command: Sequence[str]
    port: int
    log: Path
    health: str = "/health"
    environment: Mapping[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Without `/v1`."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, wait: bool = True) -> ModelServer:
        """In a process group of its own: its workers end with it."""
        with self.log.open("ab") as written:
            self._process = subprocess.Popen(
                self.command,
                stdout=written,
                stderr=subprocess.STDOUT,
                env={**os.environ, "OMP_NUM_THREADS": "1", **self.environment},
                start_new_session=True,
            )
        if wait:
            self.wait()
        return self

    def wait(self) -> None:
        """Until it is ready."""
        assert self._process is not None
        ends = time.monotonic() + STARTS_WITHIN
        while time.monotonic() < ends and self._process.poll() is None:
            with suppress(urllib.error.URLError, OSError):
                urllib.request.urlopen(self.address + self.health, timeout=5).close()
                return
            time.sleep(0.2)
        self.stop()
        pytest.fail(f"{self.name} did not start:\n{self.log.read_text(errors='replace')[-3000:]}")

    def kill(self) -> None:
        """As a machine that loses its power."""
        assert self._process is not None
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(timeout=60)

    def stop(self) -> None:
        if self._process is None:
            return
        for name in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(self._process.pid, name)
                self._process.wait(timeout=20)

    def ask(self, path: str, body: Mapping[str, Any] | None = None, key: str = "") -> Any:
        """JSON of one reply."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        asked = urllib.request.Request(self.address + path, data, headers)
        with urllib.request.urlopen(asked, timeout=120) as reply:
            return json.load(reply)


def llama_server(folder: Path, name: str = "llama.cpp", context: int = 1024, *more: str) -> ModelServer:
    """llama.cpp with the embedded model out of `folder` (gguf_convert.py); `context` is that of one slot."""
    require("llama.cpp")
    port = free_port()
    command = [
        *(str(ENVIRONMENT / "bin" / "python"), str(TESTS / "llama_command.py"), str(folder / "tiny.gguf")),
        *("--port", str(port), "--alias", "tiny", "--context", str(context * SLOTS), "--slots", str(SLOTS)),
        *("--threads", "1", *more),
    ]
    return ModelServer(name, command, port, folder / f"{name}.log")


def vllm_server(folder: Path, model: str, name: str = "vllm", *more: str) -> ModelServer:
    """`vllm serve` with the embedded model in float32."""
    require("vllm")
    port = free_port()
    command = [
        *(VLLM_PYTHON, str(TESTS / "vllm_command.py"), "serve", model, "--served-model-name", "tiny"),
        *("--host", "127.0.0.1", "--port", str(port), "--dtype", "float32", "--enforce-eager"),
        # Whole blocks are cached: of 128 tokens on CPU, more than these prompts have.
        *("--block-size", "32", "--max-num-seqs", str(SLOTS), "--enable-prompt-tokens-details", *more),
    ]
    quiet = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    return ModelServer(name, command, port, folder / f"{name}.log", environment=quiet)


def router(folder: Path, servers: Sequence[ModelServer]) -> ModelServer:
    """vLLM's router with equal servers behind it. It looks after them every second; a request that a server
    dropped goes to the next one."""
    require("router")
    port = free_port()
    command = [
        *(str(ENVIRONMENT / "bin" / "vllm-router"), "--port", str(port)),
        *("--prometheus-port", str(free_port()), "--policy", "round_robin"),
        *("--health-check-interval-secs", "1", "--health-failure-threshold", "1"),
        *("--health-success-threshold", "1", "--cb-timeout-duration-secs", "2"),
        *("--worker-urls", *(server.address for server in servers)),
    ]
    return ModelServer("router", command, port, folder / "router.log")


def gateway(folder: Path, models: Mapping[str, Mapping[str, Any]], key: str) -> ModelServer:
    """litellm's proxy, which wants `key`; `models` are its names and what each hands on."""
    require("litellm")
    port = free_port()
    listed = [{"model_name": name, "litellm_params": {**given}} for name, given in models.items()]
    # JSON is YAML, and the key stands in no file.
    settings = {"model_list": listed, "general_settings": {"master_key": "os.environ/GATEWAY_KEY"}}
    file = folder / f"litellm-{port}.yaml"
    file.write_text(json.dumps(settings))
    command = [str(ENVIRONMENT / "bin" / "litellm"), "--config", str(file), "--host", "127.0.0.1"]
    return ModelServer(
        "litellm",
        [*command, "--port", str(port)],
        port,
        folder / "litellm.log",
        "/health/liveliness",
        {"GATEWAY_KEY": key, "LITELLM_TELEMETRY": "False", "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
    )


def behind_gateway(server: ModelServer, **body: Any) -> dict[str, Any]:
    """What litellm asks `server` for, with `body` added to each request."""
    asked: dict[str, Any] = {"model": "openai/tiny", "api_base": f"{server.address}/v1", "api_key": "none"}
    return {**asked, "extra_body": body} if body else asked


class Recorder(FaultyProxy):
    """Passes all requests on and keeps what was asked and said. `ids`: asks for log-probabilities as well,
    with which llama.cpp tells the ids of what it generated."""

    def __init__(self, upstream: str, *, ids: bool = False) -> None:
        super().__init__(upstream, dropped=0.0, busy=0.0)
        self._ids = ids
        self.said: list[tuple[dict[str, Any], dict[str, Any]]] = []
        """Body and reply of every chat request but the engine's own first ones."""

    async def _forward(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
        if not path.endswith("/chat/completions"):
            return await super()._forward(method, path, headers, body)
        asked = json.loads(body)
        if self._ids:
            body = json.dumps({**asked, "logprobs": True, "top_logprobs": 1}).encode()
            headers = {**headers, "content-length": str(len(body))}
        whole = await super()._forward(method, path, headers, body)
        try:
            reply = json.loads(whole.partition(b"\r\n\r\n")[2])
        except ValueError:
            raise ConnectionResetError("the server was killed before it had answered") from None
        if "two plus two" not in json.dumps(asked["messages"]):
            self.said.append((asked, reply))
        return whole


@dataclass(frozen=True)
class Run:
    """One run folder of the command."""

    folder: Path

    def start(self, address: str, *more: str, key: str = "") -> subprocess.Popen[str]:
        """Begin or continue it against a server's address (without `/v1`)."""
        environment = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
        command = [
            *(
                sys.executable,
                "-m",
                "harness.command.cli",
                "--engine",
                "openai",
                "--base-url",
                f"{address}/v1",
            ),
            *("--pretrained", "tiny", "--data", "embedded", "--output", str(self.folder), *more),
        ]
        return subprocess.Popen(
            command,
            cwd=TESTS.parent,
            env=environment | ({"S2D_API_KEY": key} if key else {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def do(self, address: str, *more: str, key: str = "", status: int = 0) -> str:
        """The same, and wait; what it said on stderr."""
        return self.end(self.start(address, *more, key=key), status)

    def end(self, started: subprocess.Popen[str], *status: int) -> str:
        """Wait until the command ends, with one of these exit codes; what it said on stderr."""
        try:
            out, err = started.communicate(timeout=400)
        except subprocess.TimeoutExpired:
            started.kill()
            out, err = started.communicate()
        assert started.returncode in status, (started.returncode, out, err)
        return err

    def calls(self) -> list[dict[str, Any]]:
        """All stored calls; none before there is a store."""
        try:
            store = sqlite3.connect(f"file:{self.folder / 'calls.sqlite'}?mode=ro", uri=True)
            store.row_factory = sqlite3.Row
            found = [dict(row) for row in store.execute("SELECT * FROM calls ORDER BY key")]
            store.close()
        except sqlite3.Error:
            return []
        return found

    def wait_for(self, count: int, started: subprocess.Popen[str]) -> None:
        """Until `count` calls are stored, while the command is running."""
        ends = time.monotonic() + 300
        while len(self.calls()) < count:
            assert started.poll() is None and time.monotonic() < ends, "the run ended too soon"
            time.sleep(0.05)

    def texts(self) -> dict[tuple[Any, ...], tuple[Any, ...]]:
        """What was asked -> what came and what it cost, but for cached tokens, which depend on the order."""
        asked = ("phase", "item_id", "step", "sample_index", "seed")
        came = ("text", "finish_reason", "prompt_tokens", "generated_tokens", "error")
        calls = self.calls()
        found = {tuple(call[name] for name in asked): tuple(call[name] for name in came) for call in calls}
        assert len(found) == len(calls), "a step of an item is stored twice"
        return found

    def table(self) -> list[tuple[Any, ...]]:
        """Rows and comparisons of the leaderboard, but for cached tokens and the work that they save."""
        board = json.loads((self.folder / "leaderboard.json").read_text())
        row = (
            *("task", "variant", "metric", "n", "score", "ci_low", "ci_high", "calls", "prompt_tokens"),
            *("generated_tokens", "tokens_per_correct", "failures"),
        )
        pair = ("task", "a", "b", "metric", "difference", "ci_low", "ci_high", "p", "verdict")
        return [
            *(tuple(each[name] for name in row) for each in board["rows"]),
            *(tuple(each[name] for name in pair) for each in board["comparisons"]),
        ]

    def items(self) -> list[tuple[str, str, str]]:
        """Variant, task and id of every row that a program gave, and never an error."""
        found = []
        for path in sorted((self.folder / "samples").glob("*/*.jsonl")):
            for line in path.read_text().splitlines():
                row = json.loads(line)
                assert row["failure"] != "error", row
                found.append((path.parent.name, path.stem, row["item_id"]))
        return found

    def holds(self, word: str) -> list[str]:
        """Files of the run folder that hold `word`."""
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        return [path.name for path in files if word.encode() in path.read_bytes()]
