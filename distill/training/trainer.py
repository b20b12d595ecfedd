"""TRL's SFTTrainer with three changes: the batches, the loss over target positions only, the validation.

Batches: examples of similar length share one, in an order that depends only on seed and epoch, so that a
resumed training and one on several devices see the same steps. With variable-length flash attention, the
examples of a batch are joined without padding; it keeps them apart by their boundaries.

Loss: the same number as TRL's (a test compares them), but the vocabulary is projected only where the next id
is a target, by transformers' own `logits_to_keep`; elsewhere the logits would be thrown away. What all rows
of a batch begin with is computed once (`shared.py`).
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Sampler
from transformers import EvalPrediction, PreTrainedModel
from transformers.trainer_pt_utils import get_length_grouped_indices
from transformers.utils import is_flash_attn_2_available
from trl import SFTConfig, SFTTrainer
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from distill.training.data import IGNORED
from distill.training.progress import Meter
from distill.training.shared import begin, can_share, shared_length
from harness.types import stable_hash

LARGEST_LOGITS = 2**27
"""Number of logits of one batch from which TRL's tiled projection is used, which never holds them all. A step
holds about four copies of them, together 2 GiB at this number."""

__all__ = ["BatchOrder", "DistillTrainer", "SFTConfig", "can_flatten", "exact_answers"]


def can_flatten(model: PreTrainedModel) -> bool:
    """Whether examples can be joined in one row: only with attention that respects their boundaries.

    TRL itself does not check this: with another attention it would join them as well.
    """
    return bool(
        torch.cuda.is_available()
        and is_flash_attn_2_available()
        and getattr(model, "_supports_flash_attn", False)
    )


class BatchOrder(Sampler[int]):
    """The order of an epoch, drawn from seed and epoch: shuffled, then sorted by length within shuffled
    groups of many batches (transformers' own grouping), so that a batch needs little padding. Examples of a
    later stage come after those of an earlier one."""

    def __init__(
        self, lengths: list[int], batch: int, seed: int, by_length: bool, stages: Sequence[int] = ()
    ) -> None:
        self._lengths = lengths
        self._batch = batch
        self._seed = seed
        self._by_length = by_length
        self._stages = stages or [0] * len(lengths)
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by accelerate's data loader, and by ours for a loader that resumes in mid-epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        draw = torch.Generator().manual_seed(int(stable_hash(["order", self._seed, self._epoch]), 16) >> 1)
        for stage in sorted(set(self._stages)):
            here = [place for place, its in enumerate(self._stages) if its == stage]
            if self._by_length:
                lengths = [self._lengths[place] for place in here]
                drawn = get_length_grouped_indices(lengths, self._batch, generator=draw)
            else:
                drawn = torch.randperm(len(here), generator=draw).tolist()
            yield from (here[place] for place in drawn)


class DistillTrainer(SFTTrainer):
    """SFTTrainer on rows of `input_ids` and `labels`; `meter` counts what it processes, `stages` is the
    stage of each row."""

    data_collator: Any

    def __init__(self, *, meter: Meter, stages: Sequence[int] = (), **options: Any) -> None:
        super().__init__(compute_metrics=exact_answers, **options)
        self.meter = meter
        self.order = BatchOrder(
            [len(ids) for ids in self.train_dataset["input_ids"]],
            self.args.per_device_train_batch_size
            * self.args.gradient_accumulation_steps
            * self.args.world_size,
            self.args.data_seed,
            by_length=not self.padding_free,
            stages=stages,
        )
        model = self.accelerator.unwrap_model(self.model)
        model = model.get_base_model() if hasattr(model, "get_base_model") else model
        self._can_slice = "logits_to_keep" in inspect.signature(type(model).forward).parameters
        self._can_share = self._can_slice and can_share(model, self.args, self.accelerator.num_processes)
        self._vocabulary = model.config.get_text_config().vocab_size

    def _get_train_sampler(self, train_dataset: Any = None) -> BatchOrder:
        return self.order

    def get_eval_dataloader(self, eval_dataset: Any = None) -> DataLoader:
        """Padded batches: the scores are per example, so each needs its own row."""
        flattening = self.data_collator
        self.data_collator = DataCollatorForLanguageModeling(flattening.pad_token_id)
        try:
            return super().get_eval_dataloader(eval_dataset)
        finally:
            self.data_collator = flattening

    def training_step(
        self, model: Any, inputs: dict[str, torch.Tensor], num_items_in_batch: Any = None
    ) -> Any:
        real = inputs["attention_mask"].sum() if "attention_mask" in inputs else inputs["input_ids"].numel()
        loss = super().training_step(model, inputs, num_items_in_batch)
        self.meter.add(real, inputs["input_ids"].numel(), loss)
        return loss

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """Negative log-likelihood of the target ids, divided by their number in the whole step."""
        positions, wanted = _targets(inputs["labels"])
        logits = wanted.numel() * self._vocabulary
        if return_outputs or self.aux_loss_enabled or not self._can_slice or logits > LARGEST_LOGITS:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        loss = _losses(self._logits(model, inputs, positions), wanted).sum()
        if num_items_in_batch is None:
            return loss / (wanted != IGNORED).sum().clamp(min=1)
        if self.args.average_tokens_across_devices:
            # The number is that of all processes, and their gradients are averaged.
            loss = loss * self.accelerator.num_processes
        return loss / num_items_in_batch

    def prediction_step(
        self, model: Any, inputs: dict[str, torch.Tensor], prediction_loss_only: bool, ignore_keys: Any = None
    ) -> tuple[None, torch.Tensor, torch.Tensor]:
        """Per example: negative log-likelihood, number of target ids, and whether all are the argmax.

        With the target as input, every id is the argmax after the ids before it if and only if greedy
        decoding from the prompt alone gives exactly this target and then ends. So the share of such examples
        is the task's exact match with the pseudo-label, at the cost of one pass.
        """
        inputs = self._prepare_inputs(inputs)
        positions, wanted = _targets(inputs["labels"])
        with torch.no_grad(), self.compute_loss_context_manager():
            logits = self._logits(model, inputs, positions)
        counted = wanted != IGNORED
        exact = ((logits.argmax(-1) == wanted) | ~counted).all(1)
        columns = (_losses(logits, wanted).sum(1), counted.sum(1), exact)
        return None, torch.stack([column.float() for column in columns], dim=1), counted.sum(1)[:, None]

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """No card in the trainer's own checkpoints: cards.py writes those of the distilled one."""

    def _logits(self, model: Any, inputs: dict[str, torch.Tensor], positions: torch.Tensor) -> torch.Tensor:
        """Rows x positions x vocabulary, in float32 as in transformers' own loss."""
        given = {name: value for name, value in inputs.items() if name != "labels"}
        if not self._can_slice:
            return model(**given, use_cache=False).logits[:, positions].float()
        ids, shared = inputs["input_ids"], 0
        if self._can_share:
            shared = shared_length(ids, inputs.get("attention_mask"), int(positions[0]))
        if shared:
            given |= {"input_ids": ids[:, shared:], "past_key_values": begin(model, ids, shared)}
        return model(**given, use_cache=shared > 0, logits_to_keep=positions - shared).logits.float()


def exact_answers(prediction: EvalPrediction) -> dict[str, float]:
    """`loss` per target id; `answer`, the share of examples whose whole target is reproduced; `progress`, by
    which early stopping on the answer ranks the steps.

    Progress is the answer and, among equal ones, the lower loss, which adds less than one example does: at
    the start no target is reproduced, and that must not count as the best. When all are reproduced, it stops.
    """
    losses, counts, exact = prediction.predictions.astype(float).T
    loss, answer = float(losses.sum() / counts.sum()), float(exact.mean())
    nearer = 1.0 if answer == 1.0 else 1 / (1 + loss)
    return {"loss": loss, "answer": answer, "progress": answer + nearer / len(exact)}


def _targets(labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Positions whose next id is a target in any row, and the targets there, rows x positions."""
    following = labels[:, 1:]
    positions = (following != IGNORED).any(dim=0).nonzero().squeeze(1)
    return positions, following[:, positions]


def _losses(logits: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Rows x positions; 0 where there is no target."""
    losses = cross_entropy(logits.flatten(0, 1), wanted.flatten(), ignore_index=IGNORED, reduction="none")
    return losses.view(wanted.shape)
