"""The `openai` engine against real servers: llama.cpp's, vLLM's, and litellm's proxy in front of one.

Both servers hold the embedded model in float32, so that at temperature 0 all texts and counts have to be
those of the engine `hf`. What only one server can show stands under its name. `make test-servers` installs
what is needed; the same on two servers behind a router is tests/servers/test_real_router.py.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gguf_convert import write_adapter, write_model
from openai_calls import ask
from real_servers import ModelServer as Server
from real_servers import Recorder, Run, behind_gateway, gateway, llama_server, vllm_server
from tiny_models import save_adapter

from harness.engines.hf.engine import HuggingFaceEngine
from harness.engines.openai.engine import OpenAIEngine
from harness.models.source import resolve_model
from harness.types import Completion, user

pytestmark = [pytest.mark.servers, pytest.mark.timeout(900)]
KEY = "sk-Planted-0123456789abcdef"
SMALL = ("--models", "base,s2", "--tasks", "coin_flip,last_letter", "--limit", "12")
SIX_STOPS = ("one", "two", "three", "four", "five", "wer")
ONE_BY_ONE = "concurrency=1,max_retries=2"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model and its adapter in both formats."""
    home = tmp_path_factory.mktemp("served")
    tiny = Path(resolve_model("tiny").location)
    write_model(tiny, home / "tiny.gguf")
    write_adapter(save_adapter(home / "adapter", tiny), home / "adapter.gguf")
    return home


@pytest.fixture(scope="module")
def llama(folder: Path) -> Iterator[Server]:
    server = llama_server(folder, "llama.cpp", 1024, "--lora", str(folder / "adapter.gguf"))
    yield server.start()
    server.stop()


@pytest.fixture(scope="module")
def vllm(folder: Path) -> Iterator[Server]:
    lora = ("--enable-lora", "--lora-modules", f"tuned={folder / 'adapter'}")
    server = vllm_server(folder, resolve_model("tiny").location, "vllm", *lora)
    yield server.start()
    server.stop()


@pytest.fixture(params=["llama.cpp", "vllm"])
def server(request: pytest.FixtureRequest) -> Server:
    """Each of the two."""
    return request.getfixturevalue("llama" if request.param == "llama.cpp" else request.param)


@pytest.fixture(scope="module")
def local(folder: Path) -> HuggingFaceEngine:
    """The same model and adapter here, in float32."""
    source = replace(resolve_model("tiny"), dtype="float32")
    engine = HuggingFaceEngine.load(source, {"device": "cpu"})
    engine.add_adapter("mine", folder / "adapter")
    return engine


@pytest.fixture
def opened(server: Server) -> Iterator[OpenAIEngine]:
    engine = open_engine(server)
    yield engine
    engine.close()


def open_engine(server: Server, **arguments: Any) -> OpenAIEngine:
    return OpenAIEngine.load(
        resolve_model("tiny"), {"base_url": f"{server.address}/v1", "concurrency": 1, **arguments}
    )


def letters(count: int) -> list[str]:
    """Questions of which no two begin alike."""
    words = ("apple", "bird", "crisis", "dance", "earth", "flower", "garden", "house", "island", "month")
    pairs = [(first, other) for first in words for other in words if first != other]
    return [
        f'Take the last letters of the words in "{first} {other}" and concatenate them.\n'
        'Reply only with "Answer: " and the joined letters.'
        for first, other in pairs[::7][:count]
    ]


def complaint(err: str) -> str:
    """The one line in which a command says why it ended."""
    (line,) = [each for each in err.splitlines() if each.startswith("s2d-bench:")]
    return line


def told(done: Completion) -> tuple[Any, ...]:
    return done.text, done.finish_reason, done.prompt_tokens, done.generated_tokens


# Counts


def test_counts_are_the_ids_that_the_server_reports(server: Server, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    Run(tmp_path / "first").do(server.address, *SMALL)  # so that prompts are in the server's cache
    with Recorder(server.address, ids=server.name == "llama.cpp") as recorder:
        run.do(f"http://127.0.0.1:{recorder.port}", *SMALL, "--engine-args", "concurrency=4")
        said = {(str(asked["messages"]), asked["max_tokens"]): reply for asked, reply in recorder.said}
    calls = run.calls()
    assert len(calls) == len(recorder.said) == len(said) >= 48
    for (messages, _), reply in said.items():
        (call,) = [each for each in calls if str(as_sent(each)) == messages]
        prompt, generated, cached = ids_of(server, as_sent(call), reply)
        assert (call["prompt_tokens"], call["generated_tokens"]) == (len(prompt), len(generated))
        assert tuple(json.loads(call["prompt_ids"])) == prompt
        assert call["cached_tokens"] == cached
    assert sum(call["cached_tokens"] for call in calls) > 0


def as_sent(call: dict[str, Any]) -> Any:
    return json.loads(call["messages"])


def ids_of(server: Server, messages: Any, reply: dict[str, Any]) -> tuple[tuple[int, ...], list[int], int]:
    """Prompt and generated ids of a reply, and how many the server did not read again: each from another
    place than `usage`, where the server has one."""
    choice = reply["choices"][0]
    if server.name == "vllm":
        cached = reply["usage"]["prompt_tokens_details"]["cached_tokens"]
        return tuple(reply["prompt_token_ids"]), choice["token_ids"], cached
    prompt = server.ask("/apply-template", {"messages": messages})["prompt"]
    ids = server.ask("/tokenize", {"content": prompt, "add_special": False, "parse_special": True})["tokens"]
    timed = reply["timings"]
    assert timed["cache_n"] + timed["prompt_n"] == len(ids)
    return tuple(ids), [token["id"] for token in choice["logprobs"]["content"]], timed["cache_n"]


def test_texts_and_counts_are_those_of_hf(opened: OpenAIEngine, local: HuggingFaceEngine) -> None:
    served = opened.generate([ask(opened, text) for text in letters(12)])
    here = local.generate([ask(local, text) for text in letters(12)])
    assert [told(done) for done in served] == [told(done) for done in here]


# Sampling and stops


def test_equal_seeds_give_equal_texts_and_others_do_not(opened: OpenAIEngine) -> None:
    def drawn(first: int) -> list[str]:
        asked = [
            replace(ask(opened, text, temperature=1.5), seed=first + number)
            for number, text in enumerate(letters(12))
        ]
        return [done.text for done in opened.generate(asked)]

    drawn(0)  # from now on every prompt is in the server's cache
    assert drawn(0) == drawn(0)
    assert drawn(100) != drawn(0)


def test_more_than_four_stops_cut_a_text_at_the_first(server: Server, local: HuggingFaceEngine) -> None:
    engine = open_engine(server)
    (served,) = engine.generate([ask(engine, letters(1)[0], stop=SIX_STOPS)])
    (here,) = local.generate([ask(local, letters(1)[0], stop=SIX_STOPS)])
    assert (served.text, served.finish_reason, served.error) == ("Ans", "stop", None)
    assert here.text == served.text
    engine.close()


def test_a_stop_that_is_a_special_token(server: Server) -> None:
    """The end of a turn is one: a server that shows special tokens must not leave it in the text."""
    engine = open_engine(server)
    (plain,) = engine.generate([ask(engine, letters(1)[0])])
    (served,) = engine.generate([ask(engine, letters(1)[0], stop=("<|user|>", "<|end|>"))])
    assert told(served) == told(plain)
    assert "<|" not in served.text
    assert any("special tokens" in note for note in engine.notes) == (server.name == "llama.cpp")
    engine.close()


# The context


def test_a_prompt_longer_than_the_context_is_that_item_s_error(server: Server) -> None:
    engine = open_engine(server)
    long = "apple pear " * 2000
    good, bad = engine.generate([ask(engine, "Say yes."), ask(engine, long)])
    assert good.error is None
    assert bad.finish_reason == "error" and "context" in str(bad.error)
    assert bad.prompt_tokens > engine.model.context_length == 1024
    engine.close()


def test_an_answer_that_fills_the_context_is_cut_there(server: Server, local: HuggingFaceEngine) -> None:
    engine = open_engine(server)
    text = letters(1)[0]
    while len(engine.prompt_ids([user(text)])) < 1019:
        text = f"apple {text}"
    (served,) = engine.generate([ask(engine, text, max_tokens=200)])
    (here,) = local.generate([ask(local, text, max_tokens=200)])
    assert told(served) == told(here)
    assert served.finish_reason == "length" and served.error is None
    assert served.prompt_tokens + served.generated_tokens == 1024
    engine.close()


# A server that is killed


def test_a_killed_server_ends_the_run_and_no_stored_call_is_made_again(folder: Path, tmp_path: Path) -> None:
    server, run, whole = llama_server(folder, "killed"), Run(tmp_path / "run"), Run(tmp_path / "whole")
    try:
        whole.do(server.start().address, *SMALL, "--engine-args", ONE_BY_ONE)
        with Recorder(server.address) as recorder:
            address = f"http://127.0.0.1:{recorder.port}"
            started = run.start(address, *SMALL, "--engine-args", ONE_BY_ONE)
            run.wait_for(20, started)
            server.kill()
            assert "then repeat the command" in complaint(run.end(started, 1))
            kept = {call["key"]: call["finished_at"] for call in run.calls()}
            assert 20 <= len(kept) < len(whole.calls())
            server.start()
            before = len(recorder.said)
            run.do(address, *SMALL, "--engine-args", ONE_BY_ONE)
            assert len(recorder.said) - before == len(run.calls()) - len(kept)
    finally:
        server.stop()
    after = {call["key"]: call["finished_at"] for call in run.calls()}
    assert {key: after[key] for key in kept} == kept
    assert run.texts() == whole.texts() and run.table() == whole.table()


def test_a_server_that_is_back_soon_is_waited_for(folder: Path, tmp_path: Path) -> None:
    server, run = llama_server(folder, "back"), Run(tmp_path / "run")
    try:
        started = run.start(server.start().address, *SMALL, "--engine-args", "concurrency=4")
        run.wait_for(20, started)
        server.kill()
        server.start()
        run.end(started, 0)
    finally:
        server.stop()
    assert [call["error"] for call in run.calls()] == [None] * len(run.calls())
    assert len(run.texts()) >= 48


def test_another_model_under_the_same_name_is_not_mixed_into_a_run(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    server, run = llama_server(folder, "first"), Run(tmp_path / "run")
    try:
        started = run.start(server.start().address, *SMALL, "--engine-args", ONE_BY_ONE)
        run.wait_for(8, started)
        started.send_signal(signal.SIGINT)
        run.end(started, 130)
        server.stop()
        (other / "tiny.gguf").write_bytes((folder / "tiny.gguf").read_bytes())
        moved = llama_server(other, "second")
        server = replace(moved, port=server.port, command=[*moved.command, "--port", str(server.port)])
        err = run.do(server.start().address, *SMALL, "--engine-args", ONE_BY_ONE, status=2)
        assert str(other) in complaint(err)
    finally:
        server.stop()


# Adapters


def test_an_adapter_of_vllm_beside_its_base(
    vllm: Server, folder: Path, local: HuggingFaceEngine, tmp_path: Path
) -> None:
    run = Run(tmp_path / "run")
    run.do(vllm.address, "--models", f"base,mine={folder / 'adapter'}", *SMALL[2:])
    check_adapter(run, local)


def test_an_adapter_of_llama_cpp_is_a_name_of_the_gateway(
    llama: Server, local: HuggingFaceEngine, tmp_path: Path
) -> None:
    run = Run(tmp_path / "run")
    # Without the last field llama.cpp goes on from prompts that the other of the two has read.
    base, tuned = (
        behind_gateway(llama, lora=[{"id": 0, "scale": scale}], cache_prompt=False) for scale in (0.0, 1.0)
    )
    proxy = gateway(tmp_path, {"tiny": base, "tuned": tuned}, KEY)
    try:
        run.do(proxy.start().address, "--models", "base,mine=served:tuned", *SMALL[2:], key=KEY)
    finally:
        proxy.stop()
    check_adapter(run, local)


def check_adapter(run: Run, local: HuggingFaceEngine) -> None:
    """Texts of base and adapter are those of the engine `hf`."""
    differ = 0
    calls = {(call["phase"], call["item_id"]): call for call in run.calls()}
    assert {phase for phase, _ in calls} == {"base", "mine"} and len(calls) == 48
    for (phase, item), call in calls.items():
        text, limit = as_sent(call)[0]["content"], json.loads(call["sampling"])["max_tokens"]
        adapter = None if phase == "base" else "mine"
        (here,) = local.generate([ask(local, text, max_tokens=limit, adapter=adapter)])
        counted = (call["text"], call["finish_reason"], call["prompt_tokens"], call["generated_tokens"])
        assert counted == told(here)
        differ += call["text"] != calls["base", item]["text"]
    assert differ > 0


# The gateway, and what one refusal says of every call


def test_through_a_gateway_texts_and_counts_are_equal_and_the_key_is_nowhere(
    llama: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    direct, run = Run(tmp_path / "direct"), Run(tmp_path / "run")
    direct.do(llama.address, *SMALL)
    proxy = gateway(tmp_path, {"tiny": behind_gateway(llama)}, KEY)
    try:
        proxy.start()
        err = run.do(proxy.address, *SMALL, key="sk-Wrong-0123456789abcdef", status=2)
        # What it says of a key that is not its own, as long as it has no database.
        assert "No connected db" in complaint(err) and not run.calls()
        run.do(proxy.address, *SMALL, key=KEY)
        monkeypatch.setenv("S2D_API_KEY", KEY)
        engine = open_engine(proxy)
        # It hands on four stops and does not say so.
        (cut,) = engine.generate([ask(engine, letters(1)[0], stop=SIX_STOPS)])
        engine.close()
    finally:
        proxy.stop()
    assert run.texts() == direct.texts() and run.table() == direct.table()
    assert (cut.text, cut.finish_reason) == ("Ans", "stop")
    assert run.holds(KEY) == [] != run.holds("127.0.0.1")


def test_a_model_that_the_gateway_loses_ends_the_run(llama: Server, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    proxy = gateway(tmp_path, {"tiny": behind_gateway(llama)}, KEY)
    without = gateway(tmp_path, {"other": behind_gateway(llama)}, KEY)
    without = replace(without, port=proxy.port, command=[*without.command, "--port", str(proxy.port)])
    try:
        started = run.start(proxy.start().address, *SMALL, "--engine-args", "concurrency=1", key=KEY)
        run.wait_for(12, started)
        proxy.kill()
        without.start()
        assert "tiny" in complaint(run.end(started, 1, 2))
    finally:
        proxy.stop()
        without.stop()
    assert [call["error"] for call in run.calls()] == [None] * len(run.calls())


def test_a_key_that_is_no_longer_taken_ends_the_run(folder: Path, tmp_path: Path) -> None:
    server, run = llama_server(folder, "locked"), Run(tmp_path / "run")
    try:
        started = run.start(server.start().address, *SMALL, "--engine-args", "concurrency=1", key=KEY)
        run.wait_for(12, started)
        server.kill()
        server = replace(server, command=[*server.command, "--key", "another"])
        server.start()
        assert "refuses the key" in complaint(run.end(started, 1))
    finally:
        server.stop()
    assert [call["error"] for call in run.calls()] == [None] * len(run.calls())
