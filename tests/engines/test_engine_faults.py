"""Engines that run out of memory or of numbers, models that say odd things: that item's failure, counted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from kill_fixtures import SCRIPTS
from safetensors.torch import load_file, save_file
from test_end_to_end import run_command
from tiny_models import questions, request, save_adapter

from harness.engines.hf import engine as hf_module
from harness.engines.hf.engine import HuggingFaceEngine
from harness.errors import RunError
from harness.models.source import ModelSource
from harness.sample_rows import failure
from harness.types import Completion, Request, Response, Step, user

Change = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

NO_MEMORY = {
    "accelerator": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 GiB"),
    "processor": RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"),
    "cublas": RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    "python": MemoryError(),
}


@pytest.fixture
def engine(tiny_source: ModelSource) -> HuggingFaceEngine:
    return HuggingFaceEngine.load(tiny_source, {"device": "cpu"})


def asked_of(engine: HuggingFaceEngine, count: int = 12, **more: Any) -> list[Request]:
    return [
        request(engine.prompt_ids([user(text)]), item=str(number), seed=number, **{"max_tokens": 24, **more})
        for number, text in enumerate(questions(count))
    ]


def limit_memory(engine: HuggingFaceEngine, error: BaseException, rows: int, width: int = 10**6) -> list[int]:
    """Let the model fail on more than `rows` rows, or on more than `width` new positions; the rows of each
    failure come in the list."""
    forward = engine._model.forward
    failed: list[int] = []

    def limited(*given: Any, **more: Any) -> Any:
        count, length = more["input_ids"].shape
        if count > rows or length > width:
            failed.append(count)
            raise error
        return forward(*given, **more)

    engine._model.forward = limited
    return failed


def change_logits(engine: HuggingFaceEngine, change: Change) -> None:
    """Let the model's logits be `change(input_ids, logits)`."""
    forward = engine._model.forward

    def changed(*given: Any, **more: Any) -> Any:
        output = forward(*given, **more)
        output.logits = change(more["input_ids"], output.logits)
        return output

    engine._model.forward = changed


@pytest.mark.parametrize("kind", NO_MEMORY)
@pytest.mark.parametrize("sampling", [{}, {"temperature": 1.0}], ids=["greedy", "sampled"])
def test_a_batch_too_large_for_memory_runs_in_halves_and_says_the_same(
    engine: HuggingFaceEngine, kind: str, sampling: dict[str, Any]
) -> None:
    asked = asked_of(engine, **sampling)
    expected = engine.generate(asked)
    useful = engine.execution.useful_decode_rows
    failed = limit_memory(engine, NO_MEMORY[kind], rows=3)
    assert engine.generate(asked) == expected
    assert failed and engine.execution.splits >= 3
    assert engine.execution.useful_decode_rows == 2 * useful
    failed.clear()
    assert engine.generate(asked) == expected
    assert not failed, "what did not fit is not tried again"


def test_a_row_that_does_not_fit_alone_is_that_item_s_error(engine: HuggingFaceEngine) -> None:
    asked = asked_of(engine, 6)
    expected = engine.generate(asked)
    long = request(engine.prompt_ids([user("word " * 60)]), item="long")
    limit_memory(engine, NO_MEMORY["processor"], rows=99, width=max(len(each.prompt_ids) for each in asked))
    done = engine.generate([*asked[:3], long, *asked[3:]])
    assert [*done[:3], *done[4:]] == expected
    assert (done[3].finish_reason, done[3].text, done[3].generated_tokens) == ("error", "", 0)
    assert "memory is too small" in str(done[3].error)


@pytest.mark.parametrize("kind", NO_MEMORY)
def test_weights_that_memory_is_too_small_for_end_the_run_in_one_line(
    tiny_source: ModelSource, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Where they are moved to the device."""

    def moved(*_: object, **__: object) -> None:
        raise NO_MEMORY[kind]

    monkeypatch.setattr(torch.nn.Module, "to", moved)
    with pytest.raises(RunError, match="memory is too small for the weights of tiny-random: choose"):
        HuggingFaceEngine.load(tiny_source, {"device": "cpu"})


@pytest.mark.parametrize("kind", NO_MEMORY)
def test_an_adapter_that_memory_is_too_small_for_is_not_called_broken(
    engine: HuggingFaceEngine, tiny_adapter: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    def loaded(*_: object, **__: object) -> None:
        raise NO_MEMORY[kind]

    monkeypatch.setattr("peft.PeftModel.from_pretrained", loaded)
    with pytest.raises(RunError, match="memory is too small for the adapter"):
        engine.add_adapter("tuned", tiny_adapter)


def test_another_error_of_the_model_is_not_taken_for_memory(engine: HuggingFaceEngine) -> None:
    limit_memory(engine, RuntimeError("shapes cannot be multiplied"), rows=3)
    with pytest.raises(RuntimeError, match="multiplied"):
        engine.generate(asked_of(engine))


def tiny_run(folder: Path, model: Path, *more: str) -> dict[str, Any]:
    """The manifest of a run of the random model on a few coin flips."""
    arguments = [
        "--models", "base,s2", "--pretrained", str(model), "--dtype", "float32", "--data", "embedded",
        "--tasks", "coin_flip", "--limit", "6", "--sampling", "max_tokens=12", "--output", "run", *more,
    ]  # fmt: skip
    done = run_command(folder, arguments)
    assert done.returncode == 0, done.stderr
    manifest: dict[str, Any] = json.loads((folder / "run" / "manifest.json").read_text())
    return manifest


def test_the_manifest_says_that_batches_varied_also_after_another_process(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [tmp_path / name for name in ("plain", "tight")]
    for folder in folders:
        folder.mkdir()
    plain = tiny_run(folders[0], tiny_model)
    assert plain["engine"]["same_batches_same_text"] is True
    whole = hf_module.decode_batch

    def tight(model: Any, rows: Any, *rest: Any) -> None:
        if len(rows) > 2:
            raise NO_MEMORY["accelerator"]
        whole(model, rows, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(hf_module, "decode_batch", tight)
        first = tiny_run(folders[1], tiny_model)
    manifest = folders[1] / "run" / "manifest.json"
    # A finished run would only be shown.
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "status": "stopped"}))
    again = tiny_run(folders[1], tiny_model)
    assert first["execution"]["splits"] > 0 == again["execution"]["splits"]
    for said in (first, again):
        assert said["engine"]["same_batches_same_text"] is False
        assert any("smaller parts" in note for note in said["notes"])
    samples = [(folder / "run" / "samples" / "s2" / "coin_flip.jsonl").read_bytes() for folder in folders]
    assert samples[0] == samples[1], "in float32 the parts make no difference"


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_logits_that_are_no_numbers_are_the_error_of_their_row_alone(
    engine: HuggingFaceEngine, value: float, temperature: float
) -> None:
    asked = asked_of(engine, temperature=temperature)
    expected = engine.generate(asked)
    # An id that no prompt holds and no row says.
    said = {token for each in expected for token in (*each.prompt_ids, *each.generated_ids)}
    mark = max(set(range(len(engine._tokenizer))) - said)
    cursed = replace(asked[4], prompt_ids=(*asked[4].prompt_ids, mark))

    def spoil(ids: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        logits[(ids == mark).any(dim=1), :, 7] = value
        return logits

    change_logits(engine, spoil)
    done = engine.generate([*asked[:4], cursed, *asked[5:]])
    assert [*done[:4], *done[5:]] == [*expected[:4], *expected[5:]]
    assert (done[4].finish_reason, done[4].text) == ("error", "")
    assert "not finite at token 1" in str(done[4].error)


def test_tokens_before_the_numbers_went_astray_are_counted(engine: HuggingFaceEngine) -> None:
    change_logits(
        engine, lambda ids, logits: logits if ids.shape[1] > 1 else torch.full_like(logits, float("nan"))
    )
    done = engine.generate(asked_of(engine))
    failed = [each for each in done if each.finish_reason == "error"]
    assert failed
    assert {(each.generated_tokens, len(each.generated_ids)) for each in failed} == {(1, 1)}


def test_an_adapter_of_no_numbers_stops_the_run(
    engine: HuggingFaceEngine, tiny_model: Path, tmp_path: Path
) -> None:
    folder = save_adapter(tmp_path / "astray", tiny_model)
    file = folder / "adapter_model.safetensors"
    save_file({name: torch.full_like(each, float("nan")) for name, each in load_file(file).items()}, file)
    with pytest.raises(RunError, match=r"not finite.*diverged.*learning_rate"):
        engine.add_adapter("astray", folder)


SAYINGS = {
    "nothing": ("<|im_end|>", "stop", "", "empty"),
    "only spaces": ("Ġ", "length", " ", "truncated"),
    "half a character": ("â", "length", "\ufffd", "truncated"),
    "its template's own tokens": ("<|im_start|>", "length", "", "truncated"),
    "one letter without end": ("a", "length", "a", "truncated"),
}
"""The token that the model insists on, and what becomes of it."""


@pytest.mark.parametrize("saying", SAYINGS)
def test_a_model_that_says_one_thing_only_is_counted_to_the_token(
    engine: HuggingFaceEngine, saying: str
) -> None:
    name, reason, sign, counted = SAYINGS[saying]
    token = engine._tokenizer.convert_tokens_to_ids(name)

    def insist(ids: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        logits[..., token] = 1e4
        return logits

    change_logits(engine, insist)
    for asked, done in zip(asked_of(engine, 4), engine.generate(asked_of(engine, 4)), strict=True):
        assert done.finish_reason == reason
        assert set(done.text) == set(sign)
        assert done.generated_tokens == (1 if reason == "stop" else asked.sampling.max_tokens)
        assert done.text.encode().decode() == done.text
        response = Response(done.text, [Step("direct", asked.messages, done)])
        assert failure(response, None) == counted


def test_odd_answers_are_failures_with_a_column_and_no_crash(tmp_path: Path) -> None:
    done = run_command(
        tmp_path,
        [
            "--engine", "scripted", "--engine-args", f"script={SCRIPTS / 'odd.py'}", "--models", "base,s2",
            "--tasks", "last_letter,coin_flip", "--limit", "40", "--output", "run",
        ],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "run" / "leaderboard.json").read_text())["rows"]
    for task in ("last_letter", "coin_flip"):
        for variant in ("base", "s2"):
            (row,) = (each for each in rows if (each["task"], each["variant"]) == (task, variant))
            text = (tmp_path / "run" / "samples" / variant / f"{task}.jsonl").read_text(encoding="utf-8")
            samples = [json.loads(line) for line in text.splitlines()]
            counted = Counter(sample["failure"] for sample in samples)
            assert len(samples) == row["n"] == 40
            assert {kind: counted[kind] for kind in row["failures"]} == row["failures"]
            if variant == "base":
                assert min(counted[kind] for kind in ("error", "empty", "truncated", "no_answer")) > 0
            assert all(sample["scores"][row["metric"]] == 0 for sample in samples if sample["failure"])


def test_half_a_surrogate_pair_becomes_text_that_can_be_stored() -> None:
    from harness.engines.scripted import ScriptedEngine

    engine = ScriptedEngine(lambda request, adapter: "half \ud83d")
    (done,) = engine.generate([request(engine.prompt_ids([user("x")]))])
    assert isinstance(done, Completion)
    assert done.text == "half ?"
