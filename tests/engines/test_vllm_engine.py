"""The vllm engine beyond the contract: the same ids as `hf`, arguments, adapters, prefixes, processes.

Tests without the marker need no vLLM: what the engine knows before it starts, and how it is missed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from architectures import save
from tiny_models import TEMPLATE, edit_json, questions, request, save_adapter, save_model
from vllm_models import QUICK_START, open_vllm, save_vllm_model

from harness.engines.hf.engine import HuggingFaceEngine
from harness.engines.vllm import install as vllm_install
from harness.engines.vllm.adapters import adapter_rank
from harness.engines.vllm.engine import VllmEngine
from harness.engines.vllm.model import describe
from harness.engines.vllm.settings import rank_that_fits
from harness.errors import RunError, UserError
from harness.lm.tasks import load_tasks
from harness.models.source import ModelSource, resolve_model
from harness.types import Completion, Request, user


def asked(engine: VllmEngine | HuggingFaceEngine, count: int, **more: Any) -> list[Request]:
    """`count` requests of different lengths."""
    return [
        request(engine.prompt_ids([user(text)]), item=str(number), seed=number, text=text, **more)
        for number, text in enumerate(questions(count))
    ]


def told(completions: list[Completion]) -> list[tuple[Any, ...]]:
    return [(done.text, done.finish_reason, done.generated_ids, done.prompt_tokens) for done in completions]


# Before vLLM starts


def test_a_multimodal_model_is_described_as_its_text_model(tmp_path: Path) -> None:
    """Asked for without vLLM: its modules, its context, and the same advice as the `hf` engine gives."""
    folder = save("mistral3", tmp_path / "model")
    info, _, skeleton = describe(ModelSource("m", str(folder)))
    assert info.context_length > 0 and info.parameters > 0 and skeleton.device.type == "meta"
    edit_json(folder / "config.json", quantization_config={"quant_method": "gptq", "bits": 4})
    (folder / "tokenizer.json").unlink()
    with pytest.raises(UserError, match="quantised with gptq"):
        describe(ModelSource("m", str(folder)))


@pytest.mark.parametrize("template", [TEMPLATE, TEMPLATE + "{{ strftime_now('%Y') }}"])
def test_a_model_is_described_as_hf_describes_it(tmp_path: Path, template: str) -> None:
    model = save_model(tmp_path / "model", template=template)
    source = ModelSource("tiny-random", str(model), dtype="float32", date="2025-05-05")
    hf = HuggingFaceEngine.load(source, {"device": "cpu"})
    info, chat, _ = describe(source)
    assert info == hf.model
    for thinking in (False, True):
        assert chat.prompt_ids([user("naïve 数")], thinking) == hf.prompt_ids([user("naïve 数")], thinking)
    assert chat.target_ids("Answer: ナ") == hf.target_ids("Answer: ナ")
    assert chat.end_ids == hf._end_ids


def test_a_model_that_cannot_be_had_or_cannot_chat_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="could not be loaded"):
        describe(ModelSource("nowhere", str(tmp_path)))
    mute = save_model(tmp_path / "mute", template=None)
    with pytest.raises(UserError, match="has no chat template"):
        describe(ModelSource("mute", str(mute)))


def test_without_vllm_the_error_is_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, tiny_source: ModelSource
) -> None:
    monkeypatch.setattr(vllm_install, "is_installed", lambda: False)
    for has_gpu, cloned, says in (
        (True, False, r"run: \S+ .*install .*vllm>=0\.32"),
        (False, True, r"run: make vllm \(in this clone"),
        (False, False, "without a GPU .*a clone of the repository .*--engine hf needs no vLLM"),
    ):
        monkeypatch.setattr(vllm_install.Path, "exists", lambda path, found=has_gpu: found)
        monkeypatch.setattr(vllm_install, "is_checkout", lambda found=cloned: found)
        with pytest.raises(UserError, match=f"vLLM is not installed; {says}"):
            VllmEngine.load(tiny_source, {})


def test_ranks_are_those_that_vllm_takes(tmp_path: Path, tiny_adapter: Path) -> None:
    assert [rank_that_fits(rank) for rank in (1, 8, 9, 16, 100, 512)] == [8, 8, 16, 16, 128, 512]
    with pytest.raises(UserError, match="rank 513: vLLM takes at most 512"):
        rank_that_fits(513)
    (tmp_path / "adapter_config.json").write_bytes((tiny_adapter / "adapter_config.json").read_bytes())
    assert adapter_rank(tmp_path) == 4
    edit_json(tmp_path / "adapter_config.json", rank_pattern={"q_proj": 24})
    assert adapter_rank(tmp_path) == 24


# With vLLM


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_vllm_model(tmp_path_factory.mktemp("vllm") / "model")


@pytest.fixture(scope="module")
def engine(model: Path) -> Iterator[VllmEngine]:
    opened = open_vllm(model)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def hf(model: Path) -> HuggingFaceEngine:
    source = ModelSource("tiny-random", str(model), dtype="float32")
    return HuggingFaceEngine.load(source, {"device": "cpu"})


def workers() -> list[psutil.Process]:
    """vLLM's processes under this one, and the guard."""
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if child.status() != psutil.STATUS_ZOMBIE and "resource_tracker" not in " ".join(child.cmdline())
    ]


@pytest.mark.soak
@pytest.mark.vllm
def test_nothing_starts_before_the_first_call_and_nothing_is_left_after_the_last(
    model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = workers()
    opened = open_vllm(model)
    opened.prompt_ids([user("x")])
    assert workers() == before
    first = told(opened.generate(asked(opened, 2)))
    assert len(workers()) > len(before)
    opened.sleep()
    assert workers() == before
    opened.wake()
    assert told(opened.generate(asked(opened, 2))) == first
    opened.close()
    assert workers() == before
    assert capfd.readouterr().out == "", "standard output belongs to the card and the last JSON line"


@pytest.mark.vllm
def test_nothing_is_sent_anywhere(engine: VllmEngine) -> None:
    assert (os.environ["VLLM_NO_USAGE_STATS"], os.environ["DO_NOT_TRACK"]) == ("1", "1")


@pytest.mark.vllm
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"max_num_seq": 4}, "max_num_seq: vLLM's engine has no such argument; did you mean max_num_seqs"),
        ({"xyzzy": 4}, "xyzzy: vLLM's engine has no such argument; see"),
        ({"dtype": "float16"}, "dtype: use --dtype instead"),
        ({"enable_lora": True}, "enable_lora: leave it out"),
        ({"max_num_seqs": "many"}, "max_num_seqs=many: input should be a valid integer"),
        ({"enforce_eager": 7}, "enforce_eager=7: input should be a valid boolean"),
        ({"tensor_parallel_size": 0}, "tensor_parallel_size"),
    ],
)
def test_a_wrong_argument_is_named_before_anything_is_loaded(
    model: Path, arguments: dict[str, Any], reason: str
) -> None:
    with pytest.raises(UserError, match=reason) as caught:
        open_vllm(model, **arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.vllm
def test_arguments_reach_vllm_and_the_manifest(engine: VllmEngine, model: Path) -> None:
    other = open_vllm(model, max_model_len=64)
    assert other.model.context_length == 64
    done = other.generate([replace(asked(other, 1)[0], prompt_ids=tuple(range(20, 84)))])
    assert done[0].finish_reason == "error"
    other.close()
    facts = engine.facts()
    assert facts["arguments"] == QUICK_START
    assert facts["same_batches_same_text"] is False
    assert facts["vllm"]


@pytest.mark.vllm
def test_ids_texts_ends_and_counts_are_those_of_hf(engine: VllmEngine, hf: HuggingFaceEngine) -> None:
    free = hf.generate(asked(hf, 24, max_tokens=40))
    assert {done.finish_reason for done in free} == {"stop", "length"}
    assert told(engine.generate(asked(engine, 24, max_tokens=40))) == told(free)
    stops = (max((done.text for done in free), key=len)[3:5], "e", "<|im_end|>", "<|im_start|>")
    for max_tokens in (1, 7, 40):
        batch = asked(hf, 24, max_tokens=max_tokens, stop=stops)
        assert told(engine.generate(batch)) == told(hf.generate(batch))


@pytest.mark.vllm
def test_the_embedded_model_says_what_it_says_on_hf() -> None:
    source = replace(resolve_model("tiny"), dtype="float32")
    hf = HuggingFaceEngine.load(source, {"device": "cpu"})
    opened = VllmEngine.load(source, QUICK_START)
    (task,) = load_tasks(["coin_flip"], "embedded", [], {"seed": 0}, 8)
    turns = [[user(task.item(task.rows("test")[index]).prompt)] for index in task.indices]
    calls = [request(hf.prompt_ids(turn), item=str(number)) for number, turn in enumerate(turns)]
    assert [opened.prompt_ids(turn) for turn in turns] == [call.prompt_ids for call in calls]
    assert told(opened.generate(calls)) == told(hf.generate(calls))
    opened.close()


@pytest.mark.vllm
def test_samples_of_one_prompt_share_its_prefill_and_differ(engine: VllmEngine) -> None:
    prompt = engine.prompt_ids([user("word " * 200)])[:300]
    samples = [
        request(prompt, item="x", seed=seed, temperature=1.0, max_tokens=12, text="x") for seed in range(6)
    ]
    shared = engine.execution.shared_prefix_tokens
    done = engine.generate(samples)
    assert len({each.generated_ids for each in done}) > 3
    assert sum(each.cached_tokens > 0 for each in done) >= 5
    assert all(each.cached_tokens < each.prompt_tokens == 300 for each in done)
    assert engine.execution.shared_prefix_tokens - shared == sum(each.cached_tokens for each in done)


@pytest.mark.vllm
def test_a_seed_holds_among_greedy_neighbours(engine: VllmEngine) -> None:
    drawn = asked(engine, 4, temperature=1.0)
    alone = told(engine.generate(drawn))
    greedy = asked(engine, 8)
    mixed = [*greedy[:4], *drawn, *greedy[4:]]
    assert told(engine.generate(mixed))[4:8] == alone
    assert (
        told(engine.generate(greedy)) == told(engine.generate(mixed))[:4] + told(engine.generate(mixed))[8:]
    )


@pytest.mark.vllm
def test_an_adapter_says_what_it_says_under_peft(
    engine: VllmEngine, hf: HuggingFaceEngine, model: Path, tmp_path: Path
) -> None:
    folder = save_adapter(tmp_path / "tuned", model, seed=5)
    ours, theirs = engine.add_adapter("tuned", folder), hf.add_adapter("tuned", folder)
    assert ours.hash == theirs.hash
    assert ours.probe_change > 1e-2 > 10 * ours.probe_noise
    batch = asked(hf, 8, adapter="tuned")
    assert told(engine.generate(batch)) == told(hf.generate(batch))


@pytest.mark.soak
@pytest.mark.vllm
def test_adapters_of_higher_rank_and_more_than_fit_at_once_are_served(
    engine: VllmEngine, model: Path, tmp_path: Path
) -> None:
    names = [f"small{number}" for number in range(5)]
    for number, name in enumerate(names):
        engine.add_adapter(name, save_adapter(tmp_path / name, model, seed=10 + number))
    apart = {name: told(engine.generate(asked(engine, 2, adapter=name))) for name in names}
    engine.add_adapter("large", save_rank(tmp_path / "large", model, 24))
    mixed = [each for name in [*names, "large"] for each in asked(engine, 2, adapter=name)]
    done = told(engine.generate(mixed))
    for place, name in enumerate(names):
        assert done[2 * place : 2 * place + 2] == apart[name]
    assert len({each[2] for each in done}) > 6


@pytest.mark.vllm
def test_an_adapter_that_vllm_cannot_serve_is_refused_and_the_engine_goes_on(
    engine: VllmEngine, model: Path, tmp_path: Path
) -> None:
    before = told(engine.generate(asked(engine, 2)))
    folder = save_adapter(tmp_path / "dora", model, use_dora=True)
    with pytest.raises(UserError, match=r"dora: vLLM cannot load it .*DoRA"):
        engine.add_adapter("dora", folder)
    assert told(engine.generate(asked(engine, 2))) == before


@pytest.mark.soak
@pytest.mark.vllm
def test_a_dead_worker_is_an_error_and_the_next_call_starts_anew(model: Path) -> None:
    before = {child.pid for child in workers()}
    opened = open_vllm(model)
    first = told(opened.generate(asked(opened, 2)))
    opened.submit(asked(opened, 500, max_tokens=200))
    for child in workers():
        if child.pid not in before:
            child.kill()
    with pytest.raises(RunError, match="vLLM stopped working"):
        while opened.poll():
            pass
    opened.cancel()
    assert told(opened.generate(asked(opened, 2))) == first
    opened.close()
    assert {child.pid for child in workers()} == before


KILLED = """
import os, signal, sys, threading, time
sys.path[:0] = sys.argv[2].split(":")
from pathlib import Path


def main() -> None:
    from test_vllm_engine import asked, workers
    from vllm_models import open_vllm

    opened = open_vllm(Path(sys.argv[1]))
    before = {child.pid for child in workers()}
    working = threading.Thread(target=opened.generate, args=(asked(opened, 1),))
    working.start()
    if sys.argv[3] == "while it works":
        working.join()
    guards = 1
    while len(started := [child.pid for child in workers() if child.pid not in before]) <= guards:
        time.sleep(0.05)
    print(*started, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
"""


@pytest.mark.soak
@pytest.mark.vllm
@pytest.mark.parametrize("when", ["while it starts", "while it works"])
def test_a_killed_run_leaves_no_process_behind(model: Path, tmp_path: Path, when: str) -> None:
    (tmp_path / "killed.py").write_text(KILLED)
    here = Path(__file__).parent
    places = f"{here}:{here.parent / 'fixtures'}"
    command = [sys.executable, str(tmp_path / "killed.py"), str(model), places, when]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    left = [psutil.Process(pid) for pid in map(int, done.stdout.split()) if psutil.pid_exists(pid)]
    assert len(done.stdout.split()) >= 2
    assert psutil.wait_procs(left, timeout=20)[1] == []


def save_rank(folder: Path, model: Path, rank: int) -> Path:
    """A random adapter of that rank."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(rank)
    base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    settings = LoraConfig(r=rank, lora_alpha=rank, target_modules="all-linear", task_type="CAUSAL_LM")
    wrapped = get_peft_model(base, settings)
    for name, parameter in wrapped.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    wrapped.save_pretrained(folder)
    return folder
