"""`gain_kept` of a comparison: how much of System 2's gain over base a distilled variant keeps.

The `superior` rows of (base, distilled) have this key, one for each metric. The teacher is the variant that
taught the distilled one: (distilled - base) / (teacher - base), over the items that all three have. `{value,
low, high}` are fractions; an end is null if the gain is too small for a bound. The whole is null if the
teacher gains nothing over base.
"""

from __future__ import annotations

from collections.abc import Iterable

from results.analysis import choose_test as methods
from results.analysis import clusters as samplesets
from results.analysis import looks
from results.analysis.clusters import same_rows
from results.analysis.pairing import in_common_looks, paired
from results.analysis.table_functions import SharePart
from results.records.columns import Columns
from results.records.load import RunData
from results.records.roles import Trio
from results.schema import Share


def share(run: RunData, asked: Iterable[tuple[Trio, str, bool]]) -> Share | None:
    """The share over one or several tasks: for each a trio, its metric, and whether lower is better."""
    known = list(asked)
    found = [part for part in (_part(run, *one) for one in known) if part is not None]
    confidence = looks.confidence(run, [rows for rows, _ in found])
    kept = methods.GAIN_KEPT.run(([part for _, part in found], confidence)) if found else None
    return None if kept is None else {"value": kept.value, "low": kept.low, "high": kept.high}


def _part(run: RunData, trio: Trio, metric: str, lower: bool) -> tuple[Columns, SharePart] | None:
    """The rows that all three have, as those of base, and their sums."""
    if trio.base is None or trio.teacher is None:
        return None
    both = paired(run, trio.task, trio.base, trio.distilled)
    taught = paired(run, trio.task, trio.teacher, trio.distilled)
    # Each pair drops the seeds that it lacks; compare the three only if all pairs drop the same ones.
    if both is None or taught is None:
        return None
    plan = looks.plan_of(run.manifest, trio.task)
    rows = [looks.newest(one, plan) for one in in_common_looks(*both, taught[0])]
    if not same_rows(rows[0], rows[2]):
        return None
    found = samplesets.together(rows, metric)
    if found is None:
        return None
    base, distilled, teacher = found
    sign = -1.0 if lower else 1.0
    return rows[0], (
        sign * (distilled.total - base.total),
        sign * (teacher.total - base.total),
        float(base.weight.sum()),
    )
