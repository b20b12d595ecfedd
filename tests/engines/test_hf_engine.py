"""The `hf` engine says what transformers' own `generate` says, however rows are batched, shared or dropped.

On random models of two layers in float32, where batch composition cannot change a text.
"""

from __future__ import annotations

import random
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_models import CONTEXT, edit_json, questions, request, save_model

from harness.engines.hf import decode as hf_decode
from harness.engines.hf.draw import draw
from harness.engines.hf.engine import HuggingFaceEngine
from harness.engines.hf.prefixes import MIN_COMMON, MIN_SHARED
from harness.engines.hf.rows import Row
from harness.engines.hf.settings import pick_dtype
from harness.errors import RunError, UserError
from harness.models.source import ModelSource
from harness.types import Completion, Request, user


@pytest.fixture(scope="module")
def engine(tiny_source: ModelSource) -> HuggingFaceEngine:
    return HuggingFaceEngine.load(tiny_source, {"device": "cpu"})


@pytest.fixture(scope="module")
def reference(tiny_model: Path) -> Any:
    """The same model as transformers loads it on its own."""
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)


def load(folder: Path, **more: Any) -> HuggingFaceEngine:
    return HuggingFaceEngine.load(ModelSource(str(folder), str(folder), dtype="float32"), more)


def generated(model: Any, prompt: tuple[int, ...], max_tokens: int) -> list[int]:
    """New ids by transformers' own greedy generation, one row."""
    ids = torch.tensor([prompt])
    out = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=max_tokens)
    new: list[int] = out[0, len(prompt) :].tolist()
    return new


def ids_of(completions: list[Completion]) -> list[list[int]]:
    return [list(done.generated_ids) for done in completions]


def samples(engine: HuggingFaceEngine, count: int, **more: Any) -> list[Request]:
    """`count` samples of each of three long prompts."""
    prompts = [engine.prompt_ids([user(text)]) for text in questions(3, longest=60)]
    return [
        request(prompt, seed=seed, item=str(place), **more)
        for place, prompt in enumerate(prompts)
        for seed in range(count)
    ]


def test_greedy_ids_are_those_of_generate(engine: HuggingFaceEngine, reference: Any) -> None:
    asked = [request(engine.prompt_ids([user(text)]), max_tokens=32) for text in questions(24)]
    done = engine.generate(asked)
    assert ids_of(done) == [generated(reference, each.prompt_ids, 32) for each in asked]
    assert len({each.generated_tokens for each in done}) > 4, "rows must end at different lengths"
    ends = engine._end_ids
    for each in done:
        assert (each.finish_reason == "stop") == (each.generated_ids[-1] in ends)


def test_a_sliding_window_model_says_what_generate_says(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    folder = save_model(tmp_path / "windowed", window=24)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    windowed = load(folder)
    start = windowed.prompt_ids([user(" ".join(questions(9)))])[: 2 * MIN_SHARED]
    alike = [(*start, *range(40, 40 + length)) for length in (3, 9, 27)]
    other = [windowed.prompt_ids([user(text)]) for text in questions(4)]
    asked = [request(prompt, max_tokens=16) for prompt in [*alike, *other, alike[0]]]
    assert ids_of(windowed.generate(asked)) == [generated(model, each.prompt_ids, 16) for each in asked]


def test_a_shared_beginning_is_computed_once_and_changes_nothing(
    engine: HuggingFaceEngine, reference: Any
) -> None:
    start = engine.prompt_ids([user(" ".join(questions(2, longest=60)))])[: 2 * MIN_SHARED]
    draw = random.Random(3)
    ends = [tuple(draw.choices(range(20, 300), k=draw.randint(1, 40))) for _ in range(9)]
    strangers = [engine.prompt_ids([user(text)]) for text in questions(4, seed=1)]
    asked = [request(prompt, max_tokens=16) for prompt in [*((*start, *end) for end in ends), *strangers]]
    draw.shuffle(asked)
    before = engine.execution.shared_prefix_tokens
    assert ids_of(engine.generate(asked)) == [generated(reference, each.prompt_ids, 16) for each in asked]
    assert engine.execution.shared_prefix_tokens - before >= 8 * len(start)


def test_what_all_prompts_begin_with_is_computed_once_and_changes_nothing(
    engine: HuggingFaceEngine, reference: Any
) -> None:
    """Too short for a group of its own, as a template's system turn is; in several chunks and in one."""
    draw = random.Random(5)
    start = tuple(draw.choices(range(20, 300), k=MIN_COMMON + 4))
    for count in (5, 40):
        ends = [tuple(draw.choices(range(20, 300), k=draw.randint(1, 40))) for _ in range(count)]
        asked = [request((*start, *end), max_tokens=16) for end in ends]
        before = engine.execution.shared_prefix_tokens
        assert ids_of(engine.generate(asked)) == [generated(reference, each.prompt_ids, 16) for each in asked]
        assert engine.execution.shared_prefix_tokens - before == len(start) * (count - 1)


def test_k_samples_of_a_prompt_share_its_prefill_and_keep_their_own_seeds(engine: HuggingFaceEngine) -> None:
    asked = samples(engine, 8, max_tokens=16, temperature=1.0)
    before = engine.execution.shared_prefix_tokens
    together = engine.generate(asked)
    assert engine.execution.shared_prefix_tokens > before
    alone = [engine.generate([each])[0] for each in asked]
    assert ids_of(together) == ids_of(alone)
    halves = engine.generate(asked[::2])
    assert ids_of(halves) == ids_of(together[::2])
    first_prompt = {done.generated_ids for done in together[:8]}
    assert len(first_prompt) > 1


@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    lengths=st.lists(st.integers(1, CONTEXT - 1), min_size=1, max_size=7),
    shared=st.integers(0, 200),
    most=st.integers(1, 12),
)
def test_rows_of_any_lengths_are_independent(
    engine: HuggingFaceEngine, lengths: list[int], shared: int, most: int
) -> None:
    draw = random.Random(repr((lengths, shared)))
    stock = draw.choices(range(3, 300), k=CONTEXT)
    prompts = [
        tuple(stock[: min(shared, length)] + draw.choices(range(3, 300), k=max(0, length - shared)))
        for length in lengths
    ]
    asked = [request(prompt, max_tokens=most) for prompt in prompts]
    alone = [engine.generate([each])[0] for each in asked]
    assert ids_of(engine.generate(asked)) == ids_of(alone)


def test_prefill_in_several_chunks_changes_nothing(
    engine: HuggingFaceEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [request(engine.prompt_ids([user(text)]), max_tokens=12) for text in questions(16)]
    whole = ids_of(engine.generate(asked))
    monkeypatch.setattr(hf_decode, "CHUNK_TOKENS_LEAST", 40)
    monkeypatch.setattr(hf_decode, "CHUNK_TOKENS_MOST", 150)
    assert len(hf_decode._chunks([len(each.prompt_ids) for each in asked])) > 3
    assert ids_of(engine.generate(asked)) == whole


def test_no_decode_step_is_spent_on_a_finished_row(engine: HuggingFaceEngine) -> None:
    asked = [request(engine.prompt_ids([user(text)]), max_tokens=32) for text in questions(24)]
    before = replace(engine.execution)
    done = engine.generate(asked)
    rows = engine.execution.decode_rows - before.decode_rows
    assert rows == sum(each.generated_tokens - 1 for each in done)
    assert engine.execution.as_dict()["useful_decode_share"] == 1.0


def test_a_batch_under_way_says_how_far_it_is(
    engine: HuggingFaceEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read after each step, as a thread may."""
    seen: list[tuple[int, int]] = []
    goes_on = Row.goes_on

    def watched(row: Row, *more: Any) -> bool:
        seen.append(engine.under_way())
        return goes_on(row, *more)

    monkeypatch.setattr(Row, "goes_on", watched)
    done = engine.generate([request(engine.prompt_ids([user(text)]), max_tokens=6) for text in questions(9)])
    tokens = sum(each.generated_tokens for each in done)
    assert seen[0] == (0, 0) and seen == sorted(seen)
    assert seen[-1][0] == len(done) - 1 and seen[-1][1] == tokens - 1
    assert engine.under_way() == (0, 0)


def test_a_stop_ends_the_row_where_its_text_is_complete(engine: HuggingFaceEngine) -> None:
    asked = [request(engine.prompt_ids([user(text)]), max_tokens=32) for text in questions(12)]
    free = max(zip(asked, engine.generate(asked), strict=True), key=lambda pair: len(pair[1].text))
    text = free[1].text
    for start in range(1, len(text) - 4, 3):
        stop = text[start : start + 3]
        cut = engine.generate([replace(free[0], sampling=replace(free[0].sampling, stop=(stop,)))])[0]
        said = engine._tokenizer.decode(cut.generated_ids, skip_special_tokens=True)
        assert cut.generated_ids == free[1].generated_ids[: cut.generated_tokens]
        assert stop in said
        assert stop not in engine._tokenizer.decode(cut.generated_ids[:-1], skip_special_tokens=True)
        assert cut.text == text.split(stop, 1)[0]


@pytest.mark.parametrize("stop", ["次の問題：", "Следующий вопрос:", "\n\nQ:"])
def test_a_stop_in_any_script_is_seen_however_many_ids_it_has(engine: HuggingFaceEngine, stop: str) -> None:
    ids = engine._tokenizer.encode(f"words before it {stop}", add_special_tokens=False)
    row = hf_decode.Row((1,), request((1,), stop=(stop,)).sampling, 0, 99)
    for before, after in ((ids[:-1], False), (ids, True)):
        row.generated = list(before)
        assert engine._has_stop(row) is after


def test_a_stop_that_is_a_special_token_ends_the_row(engine: HuggingFaceEngine) -> None:
    drawn = [
        request(engine.prompt_ids([user("go on")]), max_tokens=200, temperature=6.0, seed=seed)
        for seed in range(40)
    ]
    mark = engine._tokenizer.convert_tokens_to_ids("<|im_start|>")
    free = [done for done in zip(drawn, engine.generate(drawn), strict=True) if mark in done[1].generated_ids]
    assert free, "no row drew the mark"
    for asked, before in free:
        cut = engine.generate([replace(asked, sampling=replace(asked.sampling, stop=("<|im_start|>",)))])[0]
        expected = before.generated_ids[: before.generated_ids.index(mark) + 1]
        assert (cut.generated_ids, cut.finish_reason) == (expected, "stop")
        assert "<|" not in cut.text


def test_sampling_follows_temperature_top_k_and_top_p() -> None:
    logits = torch.tensor([[1.0, 3.0, 0.0, 2.0]]).repeat(2000, 1)
    draws = torch.rand(2000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def shares(**sampling: Any) -> list[float]:
        drawn = request((1,), temperature=1.0, **sampling).sampling if "temperature" not in sampling else None
        drawn = drawn or request((1,), **sampling).sampling
        rows = [hf_decode.Row((1,), drawn, 0, 1, draws=draw[None]) for draw in draws]
        found = torch.tensor(draw(logits, rows))
        return [float((found == token).float().mean()) for token in range(4)]

    for temperature in (0.5, 1.0, 2.0):
        expected = torch.softmax(logits[0] / temperature, dim=0).tolist()
        assert shares(temperature=temperature) == pytest.approx(expected, abs=0.03)
    # The probabilities are .09, .64, .03, .24: .64 is not yet .7, with .24 it is.
    both = pytest.approx([0, 0.731, 0, 0.269], abs=0.03)
    assert shares(top_k=2) == both and shares(top_p=0.7) == both
    assert shares(top_k=2)[::2] == shares(top_p=0.7)[::2] == [0, 0]
    # Of .64 and .24, which top-k leaves, .64 is .73: more than .7.
    assert shares(top_k=2, top_p=0.7) == [0, 1, 0, 0]
    assert shares(top_k=1) == shares(top_p=0.5) == shares(top_p=0.0) == [0, 1, 0, 0]


def test_prompt_ids_are_those_of_the_template(engine: HuggingFaceEngine, tiny_model: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    for turns in ([user("hi")], [{"role": "system", "content": "be brief"}, user("Ünïcode 🙂")]):
        expected = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=True)
        ids = list(engine.prompt_ids(turns))
        assert ids == list(expected["input_ids"])
        assert ids.count(tokenizer.bos_token_id) == 1
    thinking = engine.prompt_ids([user("hi")], thinking=True)
    assert engine._tokenizer.decode(thinking).endswith("<think>\n")


def test_two_bos_ids_stop_the_run(tmp_path: Path) -> None:
    template = "{{ bos_token }}{{ bos_token }}{{ messages[0]['content'] }}"
    folder = save_model(tmp_path / "doubled", template=template)
    with pytest.raises(RunError, match="two BOS"):
        load(folder)


def test_a_model_without_a_chat_template_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no chat template"):
        load(save_model(tmp_path / "plain", template=None))


def test_weights_that_are_damaged_or_incomplete_are_refused(tiny_model: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    # Copies: a file that is cut while it is mapped into memory kills the process.
    cut, incomplete, wider = (
        Path(shutil.copytree(tiny_model, tmp_path / name)) for name in ("cut", "incomplete", "wider")
    )
    whole = (cut / "model.safetensors").read_bytes()
    (cut / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    gone = "layers.1.self_attn.q_proj"
    tensors = load_file(tiny_model / "model.safetensors")
    kept = {name: value for name, value in tensors.items() if gone not in name}
    save_file(kept, incomplete / "model.safetensors", metadata={"format": "pt"})
    edit_json(wider / "config.json", hidden_size=128)
    for folder, reason in ((cut, "could not be loaded"), (incomplete, gone), (wider, "could not be loaded")):
        with pytest.raises(UserError, match=reason) as caught:
            load(folder)
        assert folder.name in str(caught.value) and "\n" not in str(caught.value)


def test_equal_weights_and_dtype_have_equal_fingerprints(tmp_path: Path, tiny_source: ModelSource) -> None:
    first = HuggingFaceEngine.load(tiny_source, {}).model
    assert first == HuggingFaceEngine.load(tiny_source, {}).model
    half = HuggingFaceEngine.load(replace(tiny_source, dtype="bfloat16"), {}).model
    other = load(save_model(tmp_path / "other", seed=5)).model
    assert len({first.fingerprint, half.fingerprint, other.fingerprint}) == 3
    assert (first.dtype, half.dtype, first.context_length) == ("float32", "bfloat16", CONTEXT)


def test_unknown_settings_are_named(tiny_source: ModelSource) -> None:
    with pytest.raises(UserError, match="--dtype float99"):
        pick_dtype("float99", "cpu")
    with pytest.raises(UserError, match="batch_row"):
        HuggingFaceEngine.load(tiny_source, {"batch_row": 3})
