"""Two equal servers behind vLLM's router, one of them killed and brought back in the middle of a run.

The engine knows one address; what stands behind it is the router's business. So the test looks at what the
run leaves: every item answered once, no call stored twice, and at temperature 0 in float32 the texts and the
table of a run that nothing happened to.
"""

from __future__ import annotations

import signal
import urllib.request
from collections import Counter
from pathlib import Path

import pytest
from gguf_convert import write_model
from real_servers import ModelServer, Run, llama_server, router, vllm_server

from harness.models.source import resolve_model

pytestmark = [pytest.mark.servers, pytest.mark.timeout(1800)]

DONE = {
    "llama.cpp": ("llamacpp:tokens_predicted_total",),
    "vllm": ("vllm:request_success_total",),
}
"""What counts a server's work since its start."""


def pair_of(kind: str, folder: Path) -> list[ModelServer]:
    """Two servers of one model, in one context and one version: else their texts would not be equal."""
    model = resolve_model("tiny").location
    if kind == "llama.cpp":
        write_model(Path(model), folder / "tiny.gguf")
        return [llama_server(folder, f"llama-{number}") for number in (1, 2)]
    return [vllm_server(folder, model, f"vllm-{number}") for number in (1, 2)]


def done_by(kind: str, server: ModelServer) -> float:
    with urllib.request.urlopen(f"{server.address}/metrics", timeout=60) as reply:
        lines = reply.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(DONE[kind]))


@pytest.mark.parametrize("kind", ["llama.cpp", "vllm"])
def test_a_run_survives_a_server_that_dies_and_comes_back(kind: str, tmp_path: Path) -> None:
    run, whole = Run(tmp_path / "run"), Run(tmp_path / "whole")
    asked = ("--models", "base,s2", "--tasks", "coin_flip,last_letter", "--limit", "150")
    pace = ("--engine-args", "concurrency=8")
    servers = pair_of(kind, tmp_path)
    front = router(tmp_path, servers)
    try:
        for server in servers:
            server.start(wait=False)
        for server in servers:
            server.wait()
        front.start()
        whole.do(front.address, *asked, *pace)
        before = [done_by(kind, server) for server in servers]
        assert min(before) > 0.2 * sum(before), "the router used one server only"

        started = run.start(front.address, *asked, *pace)
        run.wait_for(150, started)
        servers[1].kill()
        servers[1].start(wait=False)
        run.wait_for(300, started)
        # vLLM takes a minute to start: the run must not be over before it is back.
        started.send_signal(signal.SIGSTOP)
        try:
            servers[1].wait()
            at_return = len(run.calls())
        finally:
            started.send_signal(signal.SIGCONT)
        run.end(started, 0)
        after = done_by(kind, servers[1])
    finally:
        for server in (front, *servers):
            server.stop()

    calls, items = run.calls(), run.items()
    assert len(calls) == len(whole.calls()) == 900
    assert Counter(items) == Counter(whole.items()) and set(Counter(items).values()) == {1}
    assert run.texts() == whole.texts()
    assert run.table() == whole.table()
    assert after > 0, "the server that came back was not used again"
    print(f"{kind}: {len(calls)} calls, back after {at_return}, whole run {before}, later there {after}")
