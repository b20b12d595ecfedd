"""Builds `leaderboard.json` from a run folder: rows, comparisons, claims over all tasks, distillation, notes.

docs/results-schema.md lists the keys. There are no wall-clock figures, so equal records give equal bytes.

`trios[]` names, per task, the three variants in the headline: the distilled one, its teacher and base.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from results.analysis import choose_test as methods
from results.analysis import cut, kept, looks, notes, overall, reasoning, seeds
from results.analysis.claims import Comparisons
from results.analysis.clusters import sample
from results.analysis.cost import CostModel, per_correct
from results.analysis.distilled import distillation_rows, methods_on
from results.analysis.frontier import frontiers
from results.analysis.headline import headline
from results.analysis.pairing import paired
from results.analysis.prices import Prices, kept_prices, load_prices
from results.errors import ResultsError
from results.records.columns import Columns
from results.records.load import RunData, load_run
from results.records.roles import (
    Trio,
    noise_floor,
    not_distilled,
    standing,
    taught_by,
    teacher_on,
    trios,
)
from results.schema import (
    FAILURES,
    MARGIN_POINTS,
    SCHEMA,
    USAGE,
    Board,
    ClaimName,
    Comparison,
    Leaderboard,
    Manifest,
    NoReasoning,
    Overall,
    PairMarks,
    Planned,
    Scored,
    ScoreRow,
)

PAIR_CLAIMS: dict[tuple[str, str], tuple[ClaimName, ...]] = {
    ("base", "s2"): ("superior", "cheaper"),
    ("base", "distilled"): ("superior", "cheaper"),
    ("s2", "distilled"): ("non_inferior", "cheaper"),
}
"""The claims of each pair of roles (s2 is the teacher); a pair that the user names gets every claim."""
NAMED_CLAIMS: tuple[ClaimName, ...] = ("superior", "non_inferior", "cheaper")

Pair = tuple[str, str]


def build(
    run_folder: Path, margin: float | None = None, prices: Path | None = None, exact: bool = False,
    interval: str | None = None,
) -> Leaderboard:  # fmt: skip
    """The leaderboard of a run folder.

    `margin` in points (default: the run's own, else 5); `prices` a YAML file (default: the prices of the
    run's tables, see `prices.py`); `exact` uses the exact McNemar test, for gates; `interval` is a key
    of `choose_test.INTERVALS` (default: the run's own). ResultsError if the folder cannot be read or
    variants have different items.
    """
    run = load_run(run_folder)
    known = load_prices(prices) if prices else kept_prices(run)
    return from_run(run, margin, known, exact, interval=interval)


def share_margin(points: float | None) -> float:
    """A margin in points (None: MARGIN_POINTS) as a fraction. ResultsError if it is not between 0 and 100."""
    chosen = float(MARGIN_POINTS if points is None else points)
    if not 0 < chosen < 100:
        raise ResultsError(f"margin {chosen:g} is not between 0 and 100 points: give for example --margin 5")
    return chosen / 100


def from_run(
    run: RunData,
    margin: float | None = None,
    prices: Prices | None = None,
    exact: bool = False,
    extra: Mapping[Pair, Sequence[ClaimName]] | None = None,
    interval: str | None = None,
) -> Leaderboard:
    """The same from a loaded run; `extra` adds claims on pairs that the leaderboard does not compare by
    default.
    """
    margin = share_margin(run.manifest["options"].get("margin") if margin is None else margin)
    asked = interval or run.manifest["options"].get("interval") or methods.ADJUSTED
    if asked not in methods.INTERVALS:
        raise ResultsError(f"interval {asked!r} is unknown: choose one of {', '.join(methods.INTERVALS)}")
    if asked != methods.ADJUSTED and run.manifest.get("looks"):
        raise ResultsError(
            f"--interval {asked}: a run with planned looks has its own intervals: leave the option out"
        )
    looks.require_whole_looks(run)
    costs = cost_model(run, prices)
    used: set[str] = set()
    unreasoned = reasoning.lacking(run)
    rows = score_rows(run, costs, used, unreasoned)
    compared = Comparisons(margin, costs, used, exact, asked, looks.plans(run.manifest))
    of_task, apart, claimed = compare_pairs(run, compared, unreasoned, extra)
    found = compared.decide()
    whole = overall.combine(run, claimed.items(), found, margin, asked)
    if whole:
        used.add("overall")
    add_gain_kept(run, found, whole, used)
    board: Board = {
        "schema": SCHEMA,
        "run": run.manifest["run"],
        "margin": margin,
        "model": _model(run),
        "seeds": sorted({seed for columns in run.columns.values() for seed in set(columns.seed.tolist())}),
        "prices": None if prices is None else prices.as_json(),
        "trios": [trio.as_json() for task in run.tasks for trio in of_task[task]],
        "rows": rows,
        "comparisons": found,
        "overall": whole,
        "distillation": distillation_rows(run, costs),
        "frontier": frontiers(run, found, margin, asked),
        "methods": methods.as_rows(used, asked),
        "notes": notes.collect(run, rows, found, costs, apart, of_task),
    }
    if compared.plans:
        board["looks"] = looks.looked_tasks(run)
    return {"headline": headline(board), **board}


def cost_model(run: RunData, prices: Prices | None = None) -> CostModel:
    """Parameters and prices of this run."""
    parameters = run.manifest["model"].get("parameters")
    return CostModel(int(parameters) if parameters else None, prices)


def compare_pairs(
    run: RunData, compared: Comparisons, unreasoned: Mapping[tuple[str, str], NoReasoning],
    extra: Mapping[Pair, Sequence[ClaimName]] | None = None,
) -> tuple[dict[str, list[Trio]], list[tuple[str, str, str]], dict[Pair, tuple[ClaimName, ...]]]:  # fmt: skip
    """Hand every pair of every task to `compared`. Returns the trios by task, the pairs (task, a, b) without
    a common seed, and the claims of each pair.
    """
    of_task = {task: trios(run.manifest, task, methods_on(run, task)) for task in run.tasks}
    apart: list[tuple[str, str, str]] = []
    claimed: dict[Pair, tuple[ClaimName, ...]] = {}
    for task in run.tasks:
        pairs = default_pairs(run, of_task[task])
        standing_pairs = set(pairs)
        named = [(str(pair[0]), str(pair[1])) for pair in run.manifest["comparisons"]]
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
            marks: PairMarks = {"named": (a, b) not in standing_pairs}
            if noise_floor(run.manifest, a, b):
                marks["noise_floor"] = True
            if doubts := [name for name in (a, b) if (task, name) in unreasoned]:
                marks["no_reasoning"] = [
                    f"{name}, {reasoning.figures([unreasoned[task, name]])}" for name in doubts
                ]
            if labelled := [name for name in (a, b) if taught_by(run.manifest, name) == "labels"]:
                marks["uses_labels"] = labelled
            compared.add(*rows_of_both, run.metrics(task), claims, **marks)
    return of_task, apart, claimed


def _model(run: RunData) -> str | None:
    """The model as the user named it."""
    name = run.manifest["options"].get("pretrained") or run.manifest["model"].get("name")
    return None if name is None else str(name)


def default_pairs(run: RunData, of_task: Sequence[Trio]) -> dict[Pair, tuple[ClaimName, ...]]:
    """The default pairs on one task: base and s2, and the pairs of each trio."""
    roles = standing(run.manifest)
    base, first = roles.get("base"), roles.get("s2")
    kinds = {name: entry.get("kind") for name, entry in run.manifest["variants"].items()}
    taught = [trio.teacher for trio in of_task if trio.teacher and kinds[trio.teacher] == "s2"]
    wanted = [("base", base, "s2", s2) for s2 in dict.fromkeys([first, *taught])]
    for trio in of_task:
        wanted.append(("base", trio.base, "distilled", trio.distilled))
        wanted.append(("s2", trio.teacher, "distilled", trio.distilled))
    return {(a, b): PAIR_CLAIMS[one, other] for one, a, other, b in wanted if a and b and a != b}


def add_gain_kept(
    run: RunData, compared: Sequence[Comparison], whole: Sequence[Overall], used: set[str]
) -> None:
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
    for over_all in whole:
        of_pair = asked.get((over_all["a"], over_all["b"]), [])
        if over_all["claim"] == "superior" and len(of_pair) == len(over_all["tasks"]):
            over_all["gain_kept"] = kept.share(run, of_pair)


def score_rows(
    run: RunData, costs: CostModel, used: set[str], unreasoned: Mapping[tuple[str, str], NoReasoning]
) -> list[ScoreRow]:
    """One row per task, variant and metric, the primary metric first.

    `cut`, `without_turns` and `no_reasoning` say what makes the row doubtful, and are null or empty if it is
    not; `teacher` is the variant that taught a distilled one.
    """
    rows: list[ScoreRow] = []
    without = not_distilled(run.manifest)
    context = run.manifest["model"].get("context_length")
    for task in run.tasks:
        for variant in run.variants:
            columns = run.columns.get((task, variant))
            if columns is not None:
                found = _scored(run, columns, costs, used)
            elif (task, variant) in without:
                found = [_not_distilled(run, task, variant)]
            else:
                continue
            teacher = teacher_on(run.manifest, task, variant, methods_on(run, task))
            cut_off = cut.describe(columns, context) if columns else None
            without_their_turns = without_turns(run.manifest, task, columns.method) if columns else []
            labelled = taught_by(run.manifest, variant) == "labels"
            rows += [
                {
                    **row,
                    "teacher": teacher,
                    "cut": cut_off,
                    "without_turns": without_their_turns,
                    "no_reasoning": unreasoned.get((task, variant)),
                    "uses_labels": labelled,
                }
                for row in found
            ]
    return rows


def without_turns(manifest: Manifest, task: str, method: str) -> list[str]:
    """Steps of a method that cannot use the task's turns before the prompt; empty if there are
    none.
    """
    if not manifest["tasks"][task].get("turns"):
        return []
    known = manifest["methods"]
    entry = known.get(method) or known.get(method.split("*")[0])
    return [] if entry is None else list(entry.get("without_turns") or [])


def _scored(run: RunData, columns: Columns, costs: CostModel, used: set[str]) -> list[Scored]:
    rows: list[Scored] = []
    usd, flops = costs.mean(columns, "usd"), costs.mean(columns, "flops")
    plan = looks.plan_of(run.manifest, columns.task)
    # Later plans test new clusters alone.
    asked = looks.newest(columns, plan)
    marks: Planned = {} if plan is None else {"planned_n": looks.planned_clusters(asked, plan)}
    tokens = {name: float(columns.usage[name].mean()) for name in USAGE}
    told = notes.tells_cached(run)
    for position, (metric, description) in enumerate(run.metrics(columns.task).items()):
        scored = sample(asked, metric)
        score = low = high = method = None
        if scored is not None:
            interval, key = looks.score_interval(scored, plan, int(asked.look.max()))
            used.add(key)
            score, method = scored.score, interval.method
            # Equal scores in a unit of their own: a bootstrap does not tell how far others may be off.
            if interval.low < interval.high:
                low, high = interval.low, interval.high
        of_seeds = seeds.pooled(asked, metric)
        anew = of_seeds.anew or (None, None)
        direction = description.get("direction") or "higher"
        higher = direction == "higher"
        rows.append(
            {
                "task": columns.task, "variant": columns.variant, "method": columns.method, "metric": metric,
                "n": 0 if scored is None else scored.n, "score": score, "ci_low": low, "ci_high": high,
                "by_seed": of_seeds.scores, "seed_spread": of_seeds.spread,
                "anew_low": anew[0], "anew_high": anew[1],
                "calls": tokens["calls"], "prompt_tokens": tokens["prompt_tokens"],
                "cached_tokens": tokens["cached_tokens"] if told else None,
                "generated_tokens": tokens["generated_tokens"],
                "failures": dict(columns.failures), "truncated": columns.truncated,
                "usd_per_1k_items": None if usd is None else 1000 * usd, "flops_per_item": flops,
                "tokens_per_correct": per_correct(tokens["generated_tokens"], score) if higher else None,
                "usd_per_correct": per_correct(usd, score) if higher else None,
                "primary": position == 0, "direction": direction, "interval": method,
                "n_rows": columns.n_rows, "status": "scored", **marks,
                "steps": {
                    step: {
                        "calls": totals["calls"] / columns.n_rows,
                        "prompt_tokens": totals["prompt_tokens"] / columns.n_rows,
                        "cached_tokens": totals["cached_tokens"] / columns.n_rows if told else None,
                        "generated_tokens": totals["generated_tokens"] / columns.n_rows,
                    }
                    for step, totals in columns.steps.items()
                },
            }
        )  # fmt: skip
    return rows


def _not_distilled(run: RunData, task: str, variant: str) -> Scored:
    metric, description = next(iter(run.metrics(task).items()))
    return {
        "task": task, "variant": variant,
        "method": run.manifest["variants"][variant].get("method", "direct"), "metric": metric, "n": 0,
        "score": None, "ci_low": None, "ci_high": None,
        "by_seed": [], "seed_spread": None, "anew_low": None, "anew_high": None,
        "calls": None, "prompt_tokens": None, "cached_tokens": None, "generated_tokens": None,
        "usd_per_1k_items": None, "flops_per_item": None, "tokens_per_correct": None,
        "usd_per_correct": None, "interval": None,
        "failures": dict.fromkeys(FAILURES, 0), "truncated": 0, "primary": True,
        "direction": description.get("direction", "higher"), "n_rows": 0, "status": "not_distilled",
        "steps": {},
    }  # fmt: skip
