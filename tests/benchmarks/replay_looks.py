"""What `--until-decided` would have made of finished runs: verdicts and System 2 tokens beside the full run.

    python tests/benchmarks/replay_looks.py RUN [RUN ...] [--looks 5] [--limit N]

Takes the samples of finished runs (no model), hands them out look by look in the order in which a run would
have asked them, and lets `results.analysis.decide` stop tasks. Texts do not depend on the rounds where an
engine repeats texts (`hf` in float32), so the outcome is that of the run itself. `--limit N` takes the first
N clusters of each task as the planned ones.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from harness.types import stable_hash
from results.analysis.decide import standings
from results.analysis.leaderboard import build
from results.statistics.sequential.plan import planned

Rows = dict[tuple[str, str], list[dict[str, Any]]]
Last = dict[tuple[str, str], int]
"""(variant, task) -> the last look at which a variant that stopped was asked."""
NEVER = 1_000


def read_rows(run: Path) -> Rows:
    found: Rows = {}
    for path in run.glob("samples/*/*.jsonl"):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        found[rows[0]["variant"], rows[0]["task"]] = rows
    return found


def write_run(
    folder: Path, manifest: dict[str, Any], rows: Rows, asked: dict[str, dict[str, int]], last: Last
) -> None:
    """A run folder with the rows of the clusters in `asked` (task -> cluster -> look), those of a variant in
    `last` up to its last look."""
    for (variant, task), of_pair in rows.items():
        path = folder / "samples" / variant.replace("/", "_") / f"{task}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = [
            {**row, "look": asked[task][row["cluster_id"]]} if manifest.get("looks") else row
            for row in of_pair
            if asked[task].get(row["cluster_id"], NEVER) <= last.get((variant, task), NEVER - 1)
        ]
        path.write_text("".join(json.dumps(row) + "\n" for row in kept))
    (folder / "manifest.json").write_text(json.dumps({**manifest, "samples": {}}))


def order_of(task: str, rows: Rows, limit: int | None) -> list[str]:
    clusters = {row["cluster_id"] for (_, of), found in rows.items() if of == task for row in found}
    return sorted(clusters, key=lambda cluster: stable_hash([task, cluster]))[:limit]


def replay(run: Path, looks: int, limit: int | None, spending: str) -> dict[str, Any]:
    """Verdicts that agree, and System 2 tokens, of one run."""
    manifest, rows = json.loads((run / "manifest.json").read_text()), read_rows(run)
    orders = {task: order_of(task, rows, limit) for task in manifest["tasks"]}
    plans = {task: planned(len(order), looks, spending, True) for task, order in orders.items()}
    entries: dict[str, dict[str, Any]] = {
        task: {"clusters": list(plan.clusters), "asked": 0, "ended": None, "variants": {}}
        for task, plan in plans.items()
    }
    last: Last = {}
    margin = float(manifest["options"]["margin"])
    plan = {"spending": spending, "futility": True, "margin": margin, "made_anew": [], "tasks": entries}
    asked: dict[str, dict[str, int]] = {task: {} for task in orders}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for look in range(looks):
            for task, entry in entries.items():
                if entry["ended"] is None and look < len(entry["clusters"]):
                    first = entry["clusters"][look - 1] if look else 0
                    asked[task] |= dict.fromkeys(orders[task][first : entry["clusters"][look]], look + 1)
                    entry["asked"] = look + 1
                    here = [variant for variant, of in rows if of == task and (variant, of) not in last]
                    entry["variants"] |= dict.fromkeys(here, look + 1)
            write_run(folder, {**manifest, "status": "running", "looks": plan}, rows, asked, last)
            found = standings(folder)
            for task, entry in entries.items():
                if entry["ended"] is None:
                    entry["ended"] = found[task].ended
                    if look + 1 == len(entry["clusters"]) and entry["ended"] != "decided":
                        entry["ended"] = "planned end"
                    for variant in found[task].stopped:
                        last.setdefault((variant, task), look + 1)
        write_run(folder, {**manifest, "status": "finished", "looks": plan}, rows, asked, last)
        stopped = build(folder)
    whole = {task: dict.fromkeys(order, 1) for task, order in orders.items()}
    with tempfile.TemporaryDirectory() as scratch:
        write_run(Path(scratch), {**manifest, "status": "finished"}, rows, whole, {})
        full = build(Path(scratch))
    key = ("task", "a", "b", "claim")
    shown = [
        {
            tuple(row[name] for name in key): row["verdict"]  # type: ignore[literal-required]
            for row in board["comparisons"]
            if row["primary"] or row["claim"] == "cheaper"
        }
        for board in (stopped, full)
    ]
    differ = [
        (*claim, verdict, shown[0][claim])
        for claim, verdict in shown[1].items()
        if shown[0][claim] != verdict
    ]
    tokens = [
        sum(
            row["usage"]["generated_tokens"]
            for (variant, task), found in rows.items()
            if manifest["variants"][variant]["kind"] == "s2"
            for row in found
            if chosen[task].get(row["cluster_id"], NEVER) <= until.get((variant, task), NEVER - 1)
        )
        for chosen, until in ((asked, last), (whole, {}))
    ]
    return {
        "run": str(run), "claims": len(shown[1]), "differ": differ, "s2_tokens": tokens,
        "asked": {task: (entry["variants"], entry["ended"]) for task, entry in entries.items()},
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description="What --until-decided would have made of finished runs.")
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--looks", type=int, default=5)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--spending", default="obrien-fleming")
    given = parser.parse_args()
    claims = same = 0
    spent = [0, 0]
    for run in given.runs:
        found = replay(run, given.looks, given.limit, given.spending)
        print(json.dumps(found))
        claims += found["claims"]
        same += found["claims"] - len(found["differ"])
        spent = [a + b for a, b in zip(spent, found["s2_tokens"], strict=True)]
    print(
        f"{same} of {claims} verdicts are those of the full run ({same / claims:.1%}); "
        f"{spent[0] / spent[1]:.2f} of its System 2 tokens"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
