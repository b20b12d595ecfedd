"""`leaderboard.json` from a run folder: rows, comparisons, the whole over all tasks, distillation, notes.

The keys are those of the design; more were added (`direction`, `sentence`, `overall`, `methods`, ...),
none renamed. No wall-clock figure enters, so equal records give equal bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from results import comparisons, methods, notes, overall
from results.cost import CostModel, break_even, per_correct
from results.errors import ResultsError
from results.load import RunData, load_run
from results.prices import Prices, load_prices
from results.samples import FAILURES, USAGE, Columns
from results.samplesets import require_same_items, sample

SCHEMA = 1
MARGIN_POINTS = 5.0
PAIR_CLAIMS: dict[tuple[str, str], tuple[str, ...]] = {
    ("base", "s2"): ("superior", "cheaper"),
    ("base", "distilled"): ("superior", "cheaper"),
    ("s2", "distilled"): ("non_inferior", "cheaper"),
}
"""What distillation promises, pair by pair; a pair that the user names gets every claim."""
NAMED_CLAIMS = ("superior", "non_inferior", "cheaper")

Row = dict[str, Any]
Pair = tuple[str, str]


def build(
    run_folder: Path, margin: float | None = None, prices: Path | None = None, exact: bool = False
) -> dict[str, Any]:
    """The leaderboard of a run folder.

    `margin` in points (default: the run's own, else 5); `prices` a YAML file (`results.prices`); `exact`
    uses the exact McNemar test, for gates. ResultsError where the folder cannot be read or variants have
    different items.
    """
    return from_run(load_run(run_folder), margin, load_prices(prices) if prices else None, exact)


def from_run(
    run: RunData,
    margin: float | None = None,
    prices: Prices | None = None,
    exact: bool = False,
    extra: Mapping[Pair, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """The same from a loaded run; `extra` adds claims for pairs that the leaderboard does not make by
    itself.
    """
    options = run.manifest.get("options") or {}
    points = float(margin if margin is not None else options.get("margin") or MARGIN_POINTS)
    if not 0 < points < 100:
        raise ResultsError(f"margin {points:g} is not between 0 and 100 points; give for example --margin 5")
    parameters = (run.manifest.get("model") or {}).get("parameters")
    costs = CostModel(int(parameters) if parameters else None, prices)
    used: set[str] = set()
    rows = score_rows(run, costs, used)
    compared: list[Row] = []
    pairs = default_pairs(run)
    named = [(str(pair[0]), str(pair[1])) for pair in run.manifest.get("comparisons") or []]
    pairs |= {pair: NAMED_CLAIMS for pair in named if pair not in pairs}
    for pair, claims in (extra or {}).items():
        pairs[pair] = tuple(dict.fromkeys((*pairs.get(pair, ()), *claims)))
    for task in run.tasks:
        for (a, b), claims in pairs.items():
            first, second = run.columns.get((task, a)), run.columns.get((task, b))
            if first is None or second is None:
                continue
            require_same_items(first, second)
            found = comparisons.compare(
                first, second, run.metrics(task), claims, points / 100, costs, used, exact
            )
            if noise_floor(run, a, b):
                found = [row | {"noise_floor": True} for row in found]
            compared += found
    comparisons.adjust(compared)
    if any(row["p_adjusted"] is not None for row in compared):
        used.add("family")
    whole = overall.combine(run, pairs, compared, points / 100)
    if whole:
        used.add("overall")
    return {
        "schema": SCHEMA,
        "run": run.manifest["run"],
        "margin": points / 100,
        "prices": None if prices is None else {"date": prices.date, "file": prices.source},
        "rows": rows,
        "comparisons": compared,
        "overall": whole,
        "distillation": distillation(run, costs),
        "methods": methods.as_rows(used),
        "notes": notes.collect(run, rows, compared, costs),
    }


def default_pairs(run: RunData) -> dict[tuple[str, str], tuple[str, ...]]:
    """The design's three pairs; a variant stands for `s2` by name, else by kind (`s2:cot`)."""
    standing = {}
    for kind in ("base", "s2", "distilled"):
        of_kind = [
            name for name, entry in run.manifest["variants"].items() if (entry or {}).get("kind") == kind
        ]
        if kind in run.manifest["variants"]:
            standing[kind] = kind
        elif of_kind:
            standing[kind] = of_kind[0]
    return {
        (standing[a], standing[b]): claims
        for (a, b), claims in PAIR_CLAIMS.items()
        if a in standing and b in standing
    }


def noise_floor(run: RunData, a: str, b: str) -> bool:
    """Whether a pair is one variant run twice: what it shows is chance alone."""
    first, second = (run.manifest["variants"].get(name) or {} for name in (a, b))
    return bool(first) and all(first.get(key) == second.get(key) for key in ("weights", "method"))


def score_rows(run: RunData, costs: CostModel, used: set[str]) -> list[Row]:
    """One row per task, variant and metric, the primary metric first."""
    rows: list[Row] = []
    not_distilled = {
        (entry.get("task"), entry.get("variant", "distilled"))
        for entry in run.manifest.get("distillation") or []
        if entry.get("status") == "not_distilled"
    }
    for task in run.tasks:
        for variant in run.variants:
            columns = run.columns.get((task, variant))
            if columns is not None:
                rows += _scored(run, columns, costs, used)
            elif (task, variant) in not_distilled:
                rows.append(_not_distilled(run, task, variant))
    return rows


def _scored(run: RunData, columns: Columns, costs: CostModel, used: set[str]) -> list[Row]:
    rows = []
    usd, flops = costs.mean(columns, "usd"), costs.mean(columns, "flops")
    tokens = {name: float(columns.usage[name].mean()) for name in USAGE}
    for position, (metric, description) in enumerate(run.metrics(columns.task).items()):
        scored = sample(columns, metric)
        score = low = high = method = None
        if scored is not None:
            interval, key = methods.score_interval(scored)
            used.add(key)
            score, low, high, method = scored.score, interval.low, interval.high, interval.method
        higher = description.get("direction") != "lower"
        rows.append(
            {
                "task": columns.task, "variant": columns.variant, "method": columns.method, "metric": metric,
                "n": 0 if scored is None else scored.n, "score": score, "ci_low": low, "ci_high": high,
                **tokens,
                "failures": dict(columns.failures), "truncated": columns.truncated,
                "usd_per_1k_items": None if usd is None else 1000 * usd, "flops_per_item": flops,
                "tokens_per_correct": per_correct(tokens["generated_tokens"], score) if higher else None,
                "usd_per_correct": per_correct(usd, score) if higher else None,
                "primary": position == 0, "direction": "higher" if higher else "lower", "interval": method,
                "n_rows": columns.n_rows, "status": "scored",
                "steps": {
                    step: {name: total / columns.n_rows for name, total in totals.items()}
                    for step, totals in columns.steps.items()
                },
            }
        )  # fmt: skip
    return rows


def _not_distilled(run: RunData, task: str, variant: str) -> Row:
    metric, description = next(iter(run.metrics(task).items()))
    entry = run.manifest["variants"].get(variant) or {}
    nothing = dict.fromkeys(
        ("score", "ci_low", "ci_high", *USAGE, "usd_per_1k_items", "flops_per_item", "tokens_per_correct",
         "usd_per_correct", "interval")
    )  # fmt: skip
    return {
        "task": task, "variant": variant, "method": entry.get("method", "direct"), "metric": metric, "n": 0,
        **nothing,
        "failures": dict.fromkeys(FAILURES, 0), "truncated": 0, "primary": True,
        "direction": description.get("direction", "higher"), "n_rows": 0, "status": "not_distilled",
        "steps": {},
    }  # fmt: skip


DISTILLATION_KEYS = (
    "task", "variant", "seed", "status", "teacher_method", "teacher_tokens", "teacher_prompt_tokens",
    "samples_per_input", "inputs", "kept", "dropped", "train_tokens", "train_flops", "teacher_flops",
    "pseudo_label_accuracy", "checkpoint",
)  # fmt: skip


def distillation(run: RunData, costs: CostModel) -> list[Row]:
    """The manifest's distillations with their break-even against the variant that taught them."""
    rows = []
    pairs = default_pairs(run)
    teacher_name = next((a for (a, _), claims in pairs.items() if "non_inferior" in claims), "s2")
    for entry in run.manifest.get("distillation") or []:
        row = {key: entry.get(key) for key in DISTILLATION_KEYS}
        row["dropped"] = row["dropped"] or {}
        # Named by content, so the last part says it all; the rest of the path is the machine's.
        row["checkpoint"] = Path(row["checkpoint"]).name if row["checkpoint"] else None
        done = entry.get("status") != "not_distilled"
        teacher = run.columns.get((entry.get("task", ""), teacher_name)) if done else None
        student = run.columns.get((entry.get("task", ""), entry.get("variant") or "distilled"))
        row["break_even"] = break_even(costs, entry, teacher, student)
        rows.append(row)
    return rows
