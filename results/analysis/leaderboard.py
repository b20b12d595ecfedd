"""`leaderboard.json` from a run folder: rows, comparisons, the whole over all tasks, distillation, notes.

The keys stand in docs/results-schema.md. No wall-clock figure enters, so equal records give equal bytes.

`trios[]` names, per task, what was distilled, its teacher and base: the three that the headline is about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from results.analysis import choose_test as methods
from results.analysis import cut, kept, notes, overall, reasoning
from results.analysis.claims import Comparisons
from results.analysis.clusters import sample
from results.analysis.cost import CostModel, break_even, per_correct
from results.analysis.headline import headline
from results.analysis.pairing import of_seed, paired
from results.analysis.prices import Prices, load_prices
from results.errors import ResultsError
from results.records.columns import Columns
from results.records.lines import FAILURES, USAGE
from results.records.load import RunData, load_run
from results.records.roles import (
    Trio,
    distillations,
    noise_floor,
    not_distilled,
    standing,
    tasks_of,
    teacher_of,
    teacher_on,
    trios,
)

SCHEMA = 1
MARGIN_POINTS = 5.0
PAIR_CLAIMS: dict[tuple[str, str], tuple[str, ...]] = {
    ("base", "s2"): ("superior", "cheaper"),
    ("base", "distilled"): ("superior", "cheaper"),
    ("s2", "distilled"): ("non_inferior", "cheaper"),
}
"""What distillation promises, pair by pair, s2 being the teacher; a pair that the user names gets every
claim."""
NAMED_CLAIMS = ("superior", "non_inferior", "cheaper")

Row = dict[str, Any]
Pair = tuple[str, str]


def build(
    run_folder: Path, margin: float | None = None, prices: Path | None = None, exact: bool = False
) -> dict[str, Any]:
    """The leaderboard of a run folder.

    `margin` in points (default: the run's own, else 5); `prices` a YAML file (`prices.py`); `exact`
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
    margin = options.get("margin") if margin is None else margin
    points = float(MARGIN_POINTS if margin is None else margin)
    if not 0 < points < 100:
        raise ResultsError(f"margin {points:g} is not between 0 and 100 points; give for example --margin 5")
    parameters = (run.manifest.get("model") or {}).get("parameters")
    costs = CostModel(int(parameters) if parameters else None, prices)
    used: set[str] = set()
    unreasoned = reasoning.lacking(run)
    of_task = {task: trios(run.manifest, task, methods_on(run, task)) for task in run.tasks}
    rows = score_rows(run, costs, used, unreasoned)
    compared = Comparisons(points / 100, costs, used, exact)
    apart: list[tuple[str, str, str]] = []
    claimed: dict[Pair, tuple[str, ...]] = {}
    for task in run.tasks:
        pairs = default_pairs(run, of_task[task])
        standing_pairs = set(pairs)
        named = [(str(pair[0]), str(pair[1])) for pair in run.manifest.get("comparisons") or []]
        pairs |= {pair: NAMED_CLAIMS for pair in named if pair not in pairs}
        for pair, claims in (extra or {}).items():
            pairs[pair] = tuple(dict.fromkeys((*pairs.get(pair, ()), *claims)))
        for (a, b), claims in pairs.items():
            claimed[a, b] = tuple(dict.fromkeys((*claimed.get((a, b), ()), *claims)))
            rows_of_both = paired(run, task, a, b)
            if rows_of_both is None:
                if {(task, a), (task, b)} <= run.columns.keys():
                    apart.append((task, a, b))
                continue
            keys: Row = {"named": (a, b) not in standing_pairs}
            if noise_floor(run.manifest, a, b):
                keys["noise_floor"] = True
            if doubts := [name for name in (a, b) if (task, name) in unreasoned]:
                keys["no_reasoning"] = [
                    f"{name}, {reasoning.figures([unreasoned[task, name]])}" for name in doubts
                ]
            compared.add(*rows_of_both, run.metrics(task), claims, **keys)
    found = compared.decide()
    whole = overall.combine(run, claimed.items(), found, points / 100)
    if whole:
        used.add("overall")
    add_gain_kept(run, found, whole, used)
    board: dict[str, Any] = {
        "schema": SCHEMA,
        "run": run.manifest["run"],
        "margin": points / 100,
        "prices": None if prices is None else {"date": prices.date, "file": prices.source},
        "trios": [trio.as_json() for task in run.tasks for trio in of_task[task]],
        "rows": rows,
        "comparisons": found,
        "overall": whole,
        "distillation": distillation(run, costs),
        "methods": methods.as_rows(used),
        "notes": notes.collect(run, rows, found, costs, apart, of_task),
    }
    return {"headline": headline(board), **board}


def default_pairs(run: RunData, of_task: Sequence[Trio]) -> dict[Pair, tuple[str, ...]]:
    """The design's three pairs on one task: of what stands for base and s2, and of each trio."""
    roles = standing(run.manifest)
    base, first = roles.get("base"), roles.get("s2")
    kinds = {name: (entry or {}).get("kind") for name, entry in run.manifest["variants"].items()}
    taught = [trio.teacher for trio in of_task if trio.teacher and kinds[trio.teacher] == "s2"]
    wanted = [("base", base, "s2", s2) for s2 in dict.fromkeys([first, *taught])]
    for trio in of_task:
        wanted.append(("base", trio.base, "distilled", trio.distilled))
        wanted.append(("s2", trio.teacher, "distilled", trio.distilled))
    return {(a, b): PAIR_CLAIMS[one, other] for one, a, other, b in wanted if a and b and a != b}


def methods_on(run: RunData, task: str) -> dict[str, str]:
    """Methods of the variants that have samples of a task."""
    return {name: of.method for (of_task, name), of in run.columns.items() if of_task == task}


def add_gain_kept(run: RunData, compared: Sequence[Row], whole: Sequence[Row], used: set[str]) -> None:
    """`gain_kept` on every claim that a distilled variant is better than base (see `kept.py`)."""
    asked: dict[Pair, list[tuple[Trio, str, bool]]] = {}
    base = standing(run.manifest).get("base")
    for row in compared:
        if row["claim"] != "superior" or row["a"] != base:
            continue
        teacher = teacher_on(run.manifest, row["task"], row["b"], methods_on(run, row["task"]))
        if teacher in (None, base, row["b"]) or (row["task"], teacher) not in run.columns:
            continue
        one = (Trio(row["task"], base, teacher, row["b"]), row["metric"], row["direction"] == "lower")
        row["gain_kept"] = kept.share(run, [one])
        used.add("gain_kept")
        if row["primary"]:
            asked.setdefault((row["a"], row["b"]), []).append(one)
    for row in whole:
        if row["claim"] == "superior" and len(asked.get((row["a"], row["b"]), [])) == len(row["tasks"]):
            row["gain_kept"] = kept.share(run, asked[row["a"], row["b"]])


def score_rows(
    run: RunData, costs: CostModel, used: set[str], unreasoned: Mapping[tuple[str, str], Any]
) -> list[Row]:
    """One row per task, variant and metric, the primary metric first.

    `cut`, `without_turns` and `no_reasoning` say what makes the row doubtful, and are null or empty where
    nothing does; `teacher` is the variant that taught a distilled one.
    """
    rows: list[Row] = []
    without = not_distilled(run.manifest)
    context = (run.manifest.get("model") or {}).get("context_length")
    for task in run.tasks:
        for variant in run.variants:
            columns = run.columns.get((task, variant))
            if columns is not None:
                found = _scored(run, columns, costs, used)
            elif (task, variant) in without:
                found = [_not_distilled(run, task, variant)]
            else:
                continue
            doubts = {
                "teacher": teacher_on(run.manifest, task, variant, methods_on(run, task)),
                "cut": cut.describe(columns, context) if columns else None,
                "without_turns": without_turns(run.manifest, task, columns.method) if columns else [],
                "no_reasoning": unreasoned.get((task, variant)),
            }
            rows += [row | doubts for row in found]
    return rows


def without_turns(manifest: Mapping[str, Any], task: str, method: str) -> list[str]:
    """Steps of a method that cannot use the turns which the task puts before a prompt; empty where it puts
    none.
    """
    if not manifest["tasks"][task].get("turns"):
        return []
    known = manifest.get("methods") or {}
    entry = known.get(method) or known.get(method.split("*")[0]) or {}
    return list(entry.get("without_turns") or [])


def _scored(run: RunData, columns: Columns, costs: CostModel, used: set[str]) -> list[Row]:
    rows = []
    usd, flops = costs.mean(columns, "usd"), costs.mean(columns, "flops")
    tokens = {name: float(columns.usage[name].mean()) for name in USAGE}
    untold = {} if notes.tells_cached(run) else {"cached_tokens": None}
    for position, (metric, description) in enumerate(run.metrics(columns.task).items()):
        scored = sample(columns, metric)
        score = low = high = method = None
        if scored is not None:
            interval, key = methods.score_interval(scored)
            used.add(key)
            score, low, high, method = scored.score, interval.low, interval.high, interval.method
        direction = description.get("direction") or "higher"
        higher = direction == "higher"
        rows.append(
            {
                "task": columns.task, "variant": columns.variant, "method": columns.method, "metric": metric,
                "n": 0 if scored is None else scored.n, "score": score, "ci_low": low, "ci_high": high,
                **tokens, **untold,
                "failures": dict(columns.failures), "truncated": columns.truncated,
                "usd_per_1k_items": None if usd is None else 1000 * usd, "flops_per_item": flops,
                "tokens_per_correct": per_correct(tokens["generated_tokens"], score) if higher else None,
                "usd_per_correct": per_correct(usd, score) if higher else None,
                "primary": position == 0, "direction": direction, "interval": method,
                "n_rows": columns.n_rows, "status": "scored",
                "steps": {
                    step: {name: total / columns.n_rows for name, total in totals.items()} | untold
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
    "pseudo_label_accuracy", "checkpoint", "reason",
)  # fmt: skip


def distillation(run: RunData, costs: CostModel) -> list[Row]:
    """The manifest's distillations with their break-even against the variant that taught them."""
    rows = []
    for entry in distillations(run.manifest):
        row = {key: entry.get(key) for key in DISTILLATION_KEYS}
        teachers = {
            teacher_of(run.manifest, entry, methods_on(run, task)) for task in tasks_of(run.manifest, entry)
        }
        row["teacher"] = teachers.pop() if len(teachers) == 1 else None
        row["dropped"] = row["dropped"] or {}
        # Named by content, so the last part says it all; the rest of the path is the machine's.
        row["checkpoint"] = Path(row["checkpoint"]).name if row["checkpoint"] else None
        done = entry.get("status") != "not_distilled"
        row["break_even"] = break_even(costs, entry, taught(run, entry) if done else [])
        rows.append(row)
    return rows


def taught(run: RunData, entry: Row) -> list[tuple[Columns, Columns]]:
    """Rows of teacher and student, for every task that a distillation taught, of its own seed."""
    found = []
    for task in tasks_of(run.manifest, entry):
        teacher = teacher_of(run.manifest, entry, methods_on(run, task))
        both = paired(run, task, teacher, entry["variant"]) if teacher else None
        if both is not None and entry.get("seed") is not None:
            both = of_seed(both[0], entry["seed"]), of_seed(both[1], entry["seed"])
        if both is not None and both[0].n_rows:
            found.append(both)
    return found
