"""What a training has processed: tokens, padding, loss, time; and its progress lines.

Sums stay on the device until they are read, so counting does not make the device wait. Of transformers, only
its callbacks are used here.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from accelerate import PartialState
from accelerate.utils import gather_object
from transformers import TrainerCallback

from distill.training.resume import mark_whole
from harness.progress import PACE
from harness.progress import SECONDS_BETWEEN as SECONDS_IN_A_LOG

SECONDS_BETWEEN = float(os.environ.get(PACE) or SECONDS_IN_A_LOG)
"""Seconds between two progress lines. The first step has a line too, and the end of the training."""


class Meter:
    """Sums over the micro-batches of this process; `before` holds those of an interrupted training."""

    def __init__(self, before: dict[str, float] | None = None) -> None:
        self._before = before or {}
        self._began: float | None = None
        self._real: Any = 0
        self._filled = 0
        self._loss: Any = 0.0
        self._seen: tuple[float, float] = (0.0, 0.0)

    def begin(self) -> None:
        """Start the clock."""
        self._began = time.perf_counter()

    def add(self, real: Any, filled: int, loss: Any) -> None:
        """Adds a micro-batch of `filled` positions, `real` of them tokens; `loss` is its share of the
        step's."""
        self._real = self._real + real
        self._filled += filled
        self._loss = self._loss + loss

    @property
    def seconds(self) -> float:
        """Seconds since this process began training (earlier processes are in `before`)."""
        return 0.0 if self._began is None else time.perf_counter() - self._began

    def since_last(self) -> tuple[float, float]:
        """Tokens and summed loss of this process since the last call."""
        now = (float(self._real), float(self._loss))
        before, self._seen = self._seen, now
        return now[0] - before[0], now[1] - before[1]

    def totals(self) -> dict[str, float]:
        """Totals over all processes, and over earlier ones before a restart. Every process has to call it."""
        mine = {"tokens": float(self._real), "filled": float(self._filled), "loss": float(self._loss)}
        parts = gather_object([mine])
        sums = {name: sum(part[name] for part in parts) for name in mine}
        sums["loss"] /= len(parts)
        sums["seconds"] = self.seconds
        return {name: value + self._before.get(name, 0.0) for name, value in sums.items()}


class Watch(TrainerCallback):
    """Prints progress, keeps the order of examples in step with the epoch, marks complete checkpoints."""

    def __init__(self, name: str, meter: Meter, order: Any) -> None:
        self._name = name
        self._meter = meter
        self._order = order
        self._first = self._shown = 0
        self._shown_at: float | None = None
        self._evaluated_at: float | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._meter.begin()
        self._first = self._shown = state.global_step

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        # When a loader skips the batches before a kill, accelerate's set_epoch does not reach the sampler.
        self._order.set_epoch(int(state.epoch or 0))

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if not self._is_due(self._shown_at) or not state.is_world_process_zero:
            return
        waited = self._meter.seconds - (self._shown_at or 0.0)
        steps = state.global_step - self._shown
        tokens, loss = self._meter.since_last()
        done = state.global_step - self._first
        left = (state.max_steps - state.global_step) * self._meter.seconds / done
        rate = tokens * args.world_size / waited
        self._say(
            f"step {state.global_step} of {state.max_steps}, loss {loss / steps:.3f}, {rate:.0f} tokens/s, "
            f"{left // 60:.0f}:{left % 60:02.0f} left"
        )
        self._shown, self._shown_at = state.global_step, self._meter.seconds

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, float], **_: Any) -> None:
        last = state.global_step >= state.max_steps
        if state.is_world_process_zero and (last or self._is_due(self._evaluated_at)):
            self._evaluated_at = self._meter.seconds
            loss, answer = metrics["eval_loss"], metrics["eval_answer"]
            self._say(
                f"step {state.global_step} of {state.max_steps}, validation loss {loss:.3f}, "
                f"{answer:.1%} of the answers reproduced"
            )

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        totals = self._meter.totals()
        PartialState().wait_for_everyone()  # each process writes its own random state
        if state.is_world_process_zero:
            checkpoint = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            mark_whole(checkpoint, bool(control.should_training_stop), totals)

    def _is_due(self, told_at: float | None) -> bool:
        """Whether a line may follow one that was printed at `told_at` seconds; None if there is none yet."""
        return told_at is None or self._meter.seconds - told_at >= SECONDS_BETWEEN

    def _say(self, text: str) -> None:
        print(f"train {self._name}: {text}", file=sys.stderr, flush=True)
