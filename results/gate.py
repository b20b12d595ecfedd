"""Judges a run by a policy: holds, fails, or cannot tell. For a CI job that must reject a bad model.

    s2d-bench gate runs/nightly --policy release.txt
    s2d-bench gate runs/last_week runs/nightly --policy no_worse.txt

Two runs, or logs of other harnesses, are judged by `results.gate_pair`.

`published/example_policy.txt` is a complete policy with a comment on each rule; the README shows a CI job.

Exit status: 0 every rule holds; 1 at least one fails; 3 none fails, but the data cannot tell about at least
one; 2 the policy or the run folder cannot be read. The gate uses the exact McNemar test, which is stricter
than the mid-p of the tables. Holm's correction runs over the leaderboard's family plus the other claims of
the policy. So its p may differ from that of the tables, and a line with a p says why. `results.policy` reads
the rules and lists them.

- `B superior to A`: the verdict of the claim.
- `B non-inferior to A by M`: the verdict at margin M.
- `tokens B <= X A`: holds if the whole interval of the ratio is at most X, fails if it is above X.
- `score B >= X`: holds if the whole 95 % interval of the score is at least X, fails if it is below.
- `overlap == 0`: no training input overlaps a test item. Holds if overlapping candidates were left out before
  sampling; cannot tell if overlap was allowed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from results.analysis.leaderboard import from_run
from results.analysis.prices import load_prices
from results.analysis.verdicts import Claim, is_primary
from results.errors import ResultsError
from results.files import one_line
from results.gate_pair import judge_sides
from results.gate_rules import CLAIM_OF, EXIT_CODES, WORDS, Status, of_claim, overlap, score
from results.policy import ALL, Rule, read_policy
from results.records.load import RunData, load_run
from results.schema import ClaimName, Leaderboard


@dataclass(frozen=True)
class GateOutcome:
    """The outcome of a gate; `lines` has one per rule and task, with the reason."""

    status: Status
    exit_code: int
    lines: tuple[str, ...]


def check(
    run_folder: Path, policy_path: Path, prices: Path | None = None, run_b: Path | None = None
) -> GateOutcome:
    """Judge every rule: of one run, or of `run_b` against the earlier `run_folder`; both may be logs.

    ResultsError (exit 2) for a bad policy, an unknown variant or task, a bad run folder.
    """
    rules = read_policy(policy_path)
    is_run = (Path(run_folder) / "manifest.json").is_file()
    if run_b is not None or (Path(run_folder).exists() and not is_run):
        return concluded(judge_sides(rules, Path(run_folder), run_b, policy_path, prices))
    run = load_run(run_folder)
    for rule in rules:
        _require_known(rule, run, policy_path)
    extra: dict[tuple[str, str], tuple[ClaimName, ...]] = {}
    for rule in rules:
        if rule.kind in CLAIM_OF:
            claim = CLAIM_OF[rule.kind]
            extra[rule.a, rule.b] = tuple(dict.fromkeys((*extra.get((rule.a, rule.b), ()), claim)))
    known = load_prices(prices) if prices else None
    boards: dict[float | None, Leaderboard] = {}
    judged: list[tuple[Status, str]] = []
    if run.manifest.get("status") not in (None, "finished"):
        text = f"the run is {run.manifest['status']}, not finished: repeat its command, then ask again."
        judged.append(("cannot_tell", text))
        if run.manifest.get("looks"):
            # A verdict now would be a look outside the plan.
            rules = []
    for rule in rules:
        margin = rule.number if rule.kind == "non_inferior" else None
        if margin not in boards:
            boards[margin] = from_run(run, margin, known, exact=True, extra=extra)
        judged += judge(rule, run, boards[margin])
    return concluded(judged)


def concluded(judged: Sequence[tuple[Status, str]]) -> GateOutcome:
    """The status of all rules together, and a line for each."""
    status = combine([each for each, _ in judged])
    lines = tuple(f"{WORDS[each]:<11}  {one_line(line)}" for each, line in judged)
    return GateOutcome(status, EXIT_CODES[status], lines)


def combine(found: Sequence[Status]) -> Status:
    """`fails` if any fails, else `cannot_tell` if any is, else `holds`."""
    if "fails" in found:
        return "fails"
    return "cannot_tell" if "cannot_tell" in found else "holds"


def judge(rule: Rule, run: RunData, board: Leaderboard) -> list[tuple[Status, str]]:
    """Status and reason of a rule, on each of its tasks."""
    if rule.kind == "overlap":
        return [overlap(rule, run)]
    if rule.kind == "score":
        scores = [row for row in board["rows"] if row["variant"] == rule.b and row["primary"]]
        found = [
            score(rule, row["task"], row["metric"], row["score"], row["ci_low"], row["ci_high"], 100.0)
            for row in scores
            if rule.task in (None, row["task"])
        ]
        if found:
            return found
        return [("cannot_tell", f"{rule.text}: {rule.b} has no score on {rule.task or 'any task'}.")]
    rows: Sequence[Claim] = board["comparisons"]
    if rule.task == ALL and len(run.tasks) > 1:
        rows = board["overall"]
    elif rule.task not in (None, ALL):
        rows = [row for row in rows if row["task"] == rule.task]
    rows = [
        row
        for row in rows
        if (row["a"], row["b"], row["claim"]) == (rule.a, rule.b, CLAIM_OF[rule.kind]) and is_primary(row)
    ]
    tasks = run.tasks if rule.task is None else [rule.task]
    silent = [] if rule.task == ALL and rows else [t for t in tasks if t not in {row["task"] for row in rows}]
    judged = [of_claim(rule, row) for row in rows]
    missing: list[tuple[Status, str]] = [
        ("cannot_tell", f"{rule.text}: {task} has no samples of both variants.") for task in silent
    ]
    return judged + missing


def _require_known(rule: Rule, run: RunData, path: Path) -> None:
    for name in (rule.a, rule.b):
        if name and name not in run.variants:
            raise ResultsError(
                f"policy {path}: {rule.text!r} names {name!r}, but the run has "
                f"{', '.join(run.variants)}; change it"
            )
    if rule.kind == "score" and rule.task == ALL:
        raise ResultsError(
            f"policy {path}: {rule.text!r}: a score belongs to one task: name a task, or leave out `on all`"
        )
    if rule.task not in (None, ALL, *run.tasks):
        raise ResultsError(
            f"policy {path}: {rule.text!r} names task {rule.task!r}, but the run has "
            f"{', '.join(run.tasks)}; change it"
        )
