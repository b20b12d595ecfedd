"""Costs: tokens, calls, FLOPs and dollars, per item and per correct answer, and the break-even of
distillation.

FLOPs: 2 * parameters for every prompt and every generated token. Cached prompt tokens count like the
others, so two engines that ran the same calls show the same figure. Dollars distinguish cached tokens,
because vendors do.

Break-even: (teacher sampling + training) / saving per query, in each unit. Tokens: generated tokens of
the teacher plus tokens trained on, over generated tokens saved. The interval divides by the ends of the
paired interval of the saving; null is "never".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from results.analysis.clusters import row_pair
from results.analysis.prices import Prices
from results.records.columns import Columns
from results.schema import UNITS, BreakEven, Distillation, Unit
from results.statistics import bootstrap
from results.statistics.mover import mover

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CostModel:
    """Parameters of the model and prices, if known: they turn rows into FLOPs and dollars."""

    parameters: int | None
    prices: Prices | None = None

    def per_row(self, columns: Columns, unit: Unit) -> Floats | None:
        """Cost of each row in `tokens` (generated), `flops` or `usd`; None if unknown."""
        prompt, cached = columns.usage["prompt_tokens"], columns.usage["cached_tokens"]
        generated = columns.usage["generated_tokens"]
        if unit == "tokens":
            return generated
        if unit == "flops":
            return None if self.parameters is None else 2.0 * self.parameters * (prompt + generated)
        return None if self.prices is None else self.prices.of_calls(prompt, cached, generated)

    def mean(self, columns: Columns, unit: Unit) -> float | None:
        """Mean cost of one row."""
        rows = self.per_row(columns, unit)
        return None if rows is None else float(rows.mean())

    def paid(self, entry: Distillation, unit: Unit) -> float | None:
        """Cost of teacher sampling and training of one `distillation` entry of the manifest."""
        generated = float(entry.get("teacher_tokens") or 0)
        prompt = float(entry.get("teacher_prompt_tokens") or 0)
        trained = float(entry.get("train_tokens") or 0)
        if unit == "tokens":
            return generated + trained
        train_flops = float(entry.get("train_flops") or 0)
        if unit == "flops":
            teacher = entry.get("teacher_flops")
            if teacher is None and self.parameters is not None:
                teacher = 2.0 * self.parameters * (prompt + generated)
            return None if teacher is None else float(teacher) + train_flops
        if self.prices is None:
            return None
        sampled = float(self.prices.of_calls(np.array([prompt]), np.zeros(1), np.array([generated]))[0])
        return sampled + self.prices.of_training(trained, train_flops, self.parameters)


def per_correct(cost: float | None, score: float | None) -> float | None:
    """Cost of one correct answer; None if the cost is unknown or nothing is correct."""
    return None if cost is None or not score or score <= 0 else cost / score


def break_even(
    model: CostModel, entry: Distillation, taught: Sequence[tuple[Columns, Columns]], confidence: float = 0.95
) -> BreakEven:
    """Queries after which a distillation has paid for itself, by unit: `{value, low, high}`, null = never.

    `taught` are the rows of teacher and student on every task that the distillation taught. Queries are
    assumed to be spread equally over the tasks, so the saving is the mean of the tasks' savings.
    A unit that cannot be computed (no prices, unknown parameters, no rows to compare or too few for an
    interval) is null as a whole.
    """
    result: BreakEven = {"tokens": None, "flops": None, "usd": None}
    for unit in UNITS:
        paid = model.paid(entry, unit)
        spent = [(teacher, model.per_row(teacher, unit), model.per_row(student, unit))
                 for teacher, student in taught]  # fmt: skip
        saved = [
            row_pair(teacher, after, before)
            for teacher, before, after in spent
            if before is not None and after is not None
        ]
        if paid is None or not saved or any(one.n < bootstrap.FEWEST_CLUSTERS for one in saved):
            continue
        ends = [bootstrap.reaching_interval(one.difference, one.weight, confidence) for one in saved]
        savings = [one.estimate for one in saved]
        interval = mover(savings, [end.low for end in ends], [end.high for end in ends])
        result[unit] = {
            "value": _queries(paid, float(np.mean(savings))),
            "low": _queries(paid, interval.high),
            "high": _queries(paid, interval.low),
        }
    return result


def _queries(paid: float, saving: float) -> float | None:
    return paid / saving if saving > 0 else None
