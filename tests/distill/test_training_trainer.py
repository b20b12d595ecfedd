"""The loss over target positions is the plain loss, and no example depends on its company.

Marked `slow`: it imports TRL. On the tiny random model in float32.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import save_model
from training_fixtures import END, make_job, random_ids

from distill.training.data import IGNORED, example
from harness.errors import RunError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("trainer") / "model", spread=0.3)


@pytest.fixture(scope="module")
def rows() -> list[dict[str, list[int]]]:
    """Lengths differ, and some targets end before others begin."""
    draw = random.Random(5)
    return [example(random_ids(draw, 2, 40), [*random_ids(draw, 1, 6), END]) for _ in range(12)]


def make_trainer(
    folder: Path, rows: list[dict[str, list[int]]], lora: bool, output: Path, **more: Any
) -> Any:
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from distill.training.progress import Meter
    from distill.training.trainer import DistillTrainer, SFTConfig

    options = {"bf16": more.pop("bf16", False), "max_length": None, "report_to": "none"}
    options |= {
        "gradient_checkpointing": more.pop("gradient_checkpointing", False),
        "per_device_train_batch_size": 4,
        "per_device_eval_batch_size": 16,
        "data_seed": 0,
        "use_cpu": True,
        "disable_tqdm": True,
    }
    trainer = DistillTrainer(
        meter=Meter(),
        model=AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32),
        args=SFTConfig(output_dir=str(output), **options, **more),
        train_dataset=Dataset.from_list(rows),
        eval_dataset=Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(folder),
        peft_config=LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM") if lora else None,
    )
    if lora:
        torch.manual_seed(1)
        for name, parameter in trainer.model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.1)
    return trainer


@pytest.fixture(scope="module", params=[False, True], ids=["full", "lora"])
def trainer(
    request: pytest.FixtureRequest,
    model_folder: Path,
    rows: list[dict[str, list[int]]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Any:
    return make_trainer(model_folder, rows, request.param, tmp_path_factory.mktemp("out"))


@pytest.fixture(scope="module")
def flattening(
    model_folder: Path, rows: list[dict[str, list[int]]], tmp_path_factory: pytest.TempPathFactory
) -> Any:
    """A trainer whose batches lie end to end. Without flash attention transformers makes of the positions
    a mask that keeps examples apart, so what TRL's collator says of the boundaries can be tested here."""
    return make_trainer(model_folder, rows, False, tmp_path_factory.mktemp("flat"), padding_free=True)


def loss_of(trainer: Any, rows: list[dict[str, list[int]]], tokens: int | None = None) -> torch.Tensor:
    count = None if tokens is None else torch.tensor(tokens)
    return trainer.compute_loss(trainer.model, trainer.data_collator(rows), num_items_in_batch=count)


def test_the_loss_and_its_gradients_are_those_of_the_plain_path(
    trainer: Any, rows: list[dict[str, list[int]]]
) -> None:
    from trl import SFTTrainer

    batch = trainer.data_collator(rows)
    model = trainer.model
    learnt = [parameter for parameter in model.parameters() if parameter.requires_grad]
    plain = model(**batch).loss
    wanted = torch.autograd.grad(plain, learnt)
    ours = loss_of(trainer, rows)
    got = torch.autograd.grad(ours, learnt)
    of_trl = SFTTrainer.compute_loss(trainer, model, trainer.data_collator(rows))
    assert ours.item() == pytest.approx(plain.item(), rel=1e-6) == pytest.approx(of_trl.item(), rel=1e-6)
    assert max(gradient.abs().max() for gradient in wanted) > 1e-4
    for one, other in zip(got, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def alike(rows: list[dict[str, list[int]]], length: int) -> list[dict[str, list[int]]]:
    """The same examples after one beginning of `length` ids."""
    beginning = random_ids(random.Random(8), length, length)
    return [
        {"input_ids": [*beginning, *row["input_ids"]], "labels": [*[IGNORED] * length, *row["labels"]]}
        for row in rows
    ]


@pytest.fixture
def positions_run(trainer: Any) -> Iterator[list[int]]:
    """Positions that each pass through the first layer has, rows x length."""
    seen: list[int] = []
    layer = trainer.accelerator.unwrap_model(trainer.model).get_decoder().layers[0]
    watching = layer.register_forward_pre_hook(lambda _, given: seen.append(given[0].shape[:2].numel()))
    yield seen
    watching.remove()


@pytest.mark.parametrize("same_prompt", [False, True], ids=["own prompts", "one prompt"])
def test_a_shared_beginning_runs_once_with_the_same_loss_and_gradients(
    trainer: Any, rows: list[dict[str, list[int]]], same_prompt: bool, positions_run: list[int]
) -> None:
    several = alike(rows, 30)
    if same_prompt:
        prompt = several[0]["input_ids"][:40]
        several = [example(prompt, [place + 5, END]) for place in range(6)]
    batch = trainer.data_collator(several)
    model = trainer.model
    learnt = [parameter for parameter in model.parameters() if parameter.requires_grad]
    plain = model(**batch).loss
    wanted = torch.autograd.grad(plain, learnt)
    width = batch["input_ids"].shape[1]
    assert positions_run == [len(several) * width]
    del positions_run[:]
    ours = loss_of(trainer, several)
    got = torch.autograd.grad(ours, learnt)
    # The last id of a prompt is run in each row: its logits predict the target.
    shared = 39 if same_prompt else 30
    assert positions_run == [shared, len(several) * (width - shared)]
    assert ours.item() == pytest.approx(plain.item(), rel=1e-6)
    assert max(gradient.abs().max() for gradient in wanted) > 1e-4
    for one, other in zip(got, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=5e-5 * float(other.abs().max()))


def test_a_beginning_is_shared_in_bfloat16_too(
    model_folder: Path, rows: list[dict[str, list[int]]], tmp_path: Path
) -> None:
    """As real models train: under autocast, through the wrapper that accelerate puts around the model."""
    trainer = make_trainer(model_folder, alike(rows, 30), True, tmp_path, bf16=True)
    model = trainer.model = trainer.accelerator.prepare_model(trainer.model)
    learnt = [parameter for parameter in model.parameters() if parameter.requires_grad]
    found = []
    for shares in (True, False):
        trainer._can_share = shares
        with trainer.compute_loss_context_manager():
            loss = loss_of(trainer, alike(rows, 30))
        found.append((loss.item(), torch.autograd.grad(loss, learnt)))
    (loss, got), (plain, wanted) = found
    assert loss == pytest.approx(plain, rel=0.01)
    scale = max(float(each.abs().max()) for each in wanted)
    assert (
        max(float((one - other).abs().max()) for one, other in zip(got, wanted, strict=True)) < 0.05 * scale
    )


def test_a_short_beginning_is_not_worth_a_pass_of_its_own(
    trainer: Any, rows: list[dict[str, list[int]]], positions_run: list[int]
) -> None:
    loss_of(trainer, alike(rows, 10))
    assert len(positions_run) == 1


@pytest.mark.parametrize(
    "more, changed",
    [
        ({"gradient_checkpointing": True}, {}),
        ({}, {"attention_dropout": 0.1}),
    ],
    ids=["checkpointing", "dropout"],
)
def test_no_beginning_is_shared_with_checkpointing_or_dropout(
    model_folder: Path,
    rows: list[dict[str, list[int]]],
    tmp_path: Path,
    more: dict[str, Any],
    changed: dict[str, Any],
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model_folder, folder)
    described = folder / "config.json"
    described.write_text(json.dumps({**json.loads(described.read_text()), **changed}))
    trainer = make_trainer(folder, alike(rows, 30), False, tmp_path / "out", **more)
    assert not trainer._can_share
    assert loss_of(trainer, alike(rows, 30)).item() > 0


def test_parts_of_a_step_add_up_to_the_step(trainer: Any, rows: list[dict[str, list[int]]]) -> None:
    tokens = sum(label != IGNORED for row in rows for label in row["labels"])
    parts = sum(loss_of(trainer, rows[start : start + 3], tokens).item() for start in range(0, 12, 3))
    assert parts == pytest.approx(loss_of(trainer, rows).item(), rel=1e-5)


def test_the_projection_sees_target_positions_only(
    trainer: Any, rows: list[dict[str, list[int]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.Size] = []
    head = trainer.accelerator.unwrap_model(trainer.model).get_output_embeddings()
    watching = head.register_forward_hook(lambda _, given, __: seen.append(given[0].shape))
    try:
        loss_of(trainer, rows[:1])
    finally:
        watching.remove()
    assert seen[0][1] == sum(label != IGNORED for label in rows[0]["labels"])


def test_large_batches_go_through_trls_tiles_with_the_same_loss(
    trainer: Any, rows: list[dict[str, list[int]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = loss_of(trainer, rows).item()
    monkeypatch.setattr("distill.training.trainer.LARGEST_LOGITS", 10)
    assert loss_of(trainer, rows).item() == pytest.approx(ours, rel=1e-6)


def test_models_that_cannot_slice_their_logits_are_sliced_afterwards(
    trainer: Any, rows: list[dict[str, list[int]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = score(trainer, rows)
    monkeypatch.setattr(trainer, "_can_slice", False)
    torch.testing.assert_close(score(trainer, rows), scores, rtol=1e-5, atol=1e-5)


def score(trainer: Any, rows: list[dict[str, list[int]]]) -> torch.Tensor:
    """Rows x (negative log-likelihood, target ids, exact) of padded batches."""
    trainer.model.eval()
    batch = next(iter(trainer.get_eval_dataloader(_dataset(rows))))
    assert len(batch["input_ids"]) == len(rows)
    return trainer.prediction_step(trainer.model, batch, False)[1]


def _dataset(rows: list[dict[str, list[int]]]) -> Any:
    from datasets import Dataset

    return Dataset.from_list(rows)


def test_an_example_scores_the_same_in_any_company(trainer: Any, rows: list[dict[str, list[int]]]) -> None:
    alone = torch.cat([score(trainer, [row]) for row in rows])
    for company in (rows[:8], rows[4:12], rows[2:10][::-1]):
        together = score(trainer, company)
        wanted = torch.stack([alone[rows.index(row)] for row in company])
        torch.testing.assert_close(together, wanted, rtol=1e-5, atol=1e-5)
    assert alone[:, 0].std() > 0.1


def test_examples_that_lie_end_to_end_are_kept_apart(
    flattening: Any, rows: list[dict[str, list[int]]]
) -> None:
    batch = flattening.data_collator(rows)
    assert batch["input_ids"].shape == (1, sum(len(row["input_ids"]) for row in rows))
    assert "attention_mask" not in batch, "with one, flash attention would not see the boundaries"
    bounds = batch["cu_seq_lens_q"].tolist()
    assert bounds[1:] == torch.tensor([len(row["input_ids"]) for row in rows]).cumsum(0).tolist()
    alone = sum(loss_of(flattening, [row], 1).item() for row in rows)
    assert loss_of(flattening, rows, 1).item() == pytest.approx(alone, rel=1e-5)
    scores = score(flattening, rows[:8])
    assert scores.shape == (8, 3), "evaluation is per example"


def test_the_end_is_in_the_loss_though_padding_has_the_same_id(
    trainer: Any, rows: list[dict[str, list[int]]]
) -> None:
    tokenizer = trainer.processing_class
    assert tokenizer.pad_token_id == tokenizer.eos_token_id == END
    for batch in trainer.get_train_dataloader():
        for ids, mask, labels in zip(
            batch["input_ids"], batch["attention_mask"], batch["labels"], strict=True
        ):
            last = int(mask.sum()) - 1
            assert labels[last] == ids[last] == END
            assert (labels[last + 1 :] == IGNORED).all() and (ids[last + 1 :] == END).all()
            row = next(row for row in rows if row["input_ids"] == ids[: last + 1].tolist())
            assert labels[: last + 1].tolist() == row["labels"]


def test_a_teacher_forced_hit_is_what_greedy_decoding_says(trainer: Any) -> None:
    from transformers import GenerationConfig

    model = trainer.accelerator.unwrap_model(trainer.model).eval()
    draw = random.Random(9)
    prompts = [random_ids(draw, 2, 20) for _ in range(6)]
    greedy = GenerationConfig(max_new_tokens=5, do_sample=False, eos_token_id=END, pad_token_id=END)
    said = [
        model.generate(torch.tensor([prompt]), generation_config=greedy)[0][len(prompt) :].tolist()
        for prompt in prompts
    ]
    hits = [example(prompt, answer) for prompt, answer in zip(prompts, said, strict=True)]
    misses = [example(prompt, [*answer[:-1], 9]) for prompt, answer in zip(prompts, said, strict=True)]
    assert score(trainer, hits)[:, 2].tolist() == [1.0] * 6
    expected = [float(answer[-1] == 9) for answer in said]
    assert score(trainer, misses)[:, 2].tolist() == expected


def test_progress_ranks_by_the_answer_then_by_the_loss_and_ends_where_all_is_right() -> None:
    from transformers import EvalPrediction

    from distill.training.trainer import exact_answers

    def ranked(loss: float, right: int) -> float:
        rows = torch.tensor([[loss, 1.0, float(place < right)] for place in range(10)]).numpy()
        scores = exact_answers(EvalPrediction(predictions=rows, label_ids=rows))
        assert scores["loss"] == pytest.approx(loss) and scores["answer"] == pytest.approx(right / 10)
        return scores["progress"]

    assert ranked(9.0, 0) < ranked(3.0, 0) < ranked(8.0, 1) < ranked(0.0, 9) < ranked(50.0, 10)
    assert ranked(0.5, 10) == ranked(0.1, 10)


def test_the_order_is_drawn_from_seed_and_epoch_and_groups_like_lengths() -> None:
    from distill.training.trainer import BatchOrder

    draw = random.Random(3)
    lengths = [draw.randint(30, 400) for _ in range(320)]

    def order(seed: int, epoch: int, by_length: bool = True) -> list[int]:
        made = BatchOrder(lengths, 8, seed, by_length)
        made.set_epoch(epoch)
        return list(made)

    assert order(0, 0) == order(0, 0) != order(0, 1) != order(1, 1)
    assert sorted(order(0, 0)) == sorted(order(0, 0, by_length=False)) == list(range(320))

    def padding(places: list[int]) -> int:
        batches = [places[start : start + 8] for start in range(0, 320, 8)]
        return sum(
            max(lengths[place] for place in batch) - lengths[each] for batch in batches for each in batch
        )

    assert padding(order(0, 0)) < padding(order(0, 0, by_length=False)) / 3


@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_dropout_is_attentions_in_full_tuning_and_loras_else(
    model_folder: Path, tmp_path: Path, tuning: str
) -> None:
    from distill.training.child import _described, _load

    job = make_job(model_folder, tmp_path / "job", tuning=tuning, dropout=0.3)
    model, _ = _load(job, job.settings, _described(job, job.settings))
    used = 0.3 if tuning == "full" else 0.0
    assert {layer.self_attn.attention_dropout for layer in model.model.layers} == {used}


def test_a_model_without_such_dropout_says_so(tmp_path: Path) -> None:
    from transformers import GPT2Config

    from distill.training.child import _described, _load

    GPT2Config(n_layer=1).save_pretrained(tmp_path / "gpt2")
    job = make_job(tmp_path / "gpt2", tmp_path / "job", tuning="full", dropout=0.3)
    with pytest.raises(RunError, match="a gpt2 model takes no dropout"):
        _load(job, job.settings, _described(job, job.settings))
