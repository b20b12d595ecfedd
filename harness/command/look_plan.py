"""The plan of a run with `--until-decided`: made before the first call, and followed by another one only if
`--limit` was raised after all looks were over.

A later plan is for new items alone, and for tasks whose claims were given up: these have error left, and the
new looks spend it (`results.statistics.sequential.plan`). A decided task stays as it is. At its planned end a
claim has spent all of its error, so more items cannot decide it.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.errors import UserError
from harness.folder import RunFolder
from harness.lm.task import TaskData
from harness.options import LOOKS, SPENDINGS, RunOptions
from harness.progress import say
from harness.types import stable_hash
from results.schema import EarlierLooks, LookPlan, LooksOfTask
from results.statistics.sequential.plan import planned


def in_order(task: TaskData) -> list[str]:
    """Returns the scored clusters in the order of asking: that of `--limit`, by hash of the content."""
    clusters = {item.cluster_id for item in task.scored_items()}
    return sorted(clusters, key=lambda cluster: stable_hash([task.name, cluster]))


def take_up(folder: RunFolder, options: RunOptions, sizes: dict[str, int]) -> LookPlan:
    """Writes the plan into the manifest before anything is asked, and returns it, at its beginning. `sizes`
    are the clusters of each task. UserError if items were asked without a plan or under another one; other
    sizes are a further plan."""
    plan: LookPlan = {
        "spending": options.spending or SPENDINGS[0],
        "futility": not options.no_futility,
        "margin": float(options.margin),
        "made_anew": [],
        "planned": [sizes],
        "tasks": {},
    }
    before = folder.manifest.get("looks")
    if before is None:
        if "samples" in folder.manifest:
            raise UserError(
                f"{folder.path} was begun without --until-decided: its items have been seen, so no plan can "
                "be made for them; leave the option out, or name another --output"
            )
    else:
        for name in ("spending", "futility", "margin"):
            if before[name] != plan[name]:
                raise UserError(
                    f"{folder.path} was planned with {name} {before[name]}, now it is {plan[name]}: a plan "
                    "does not change; repeat the options of the run, or name another --output"
                )
        held = before.get("planned") or [
            {name: entry["clusters"][-1] for name, entry in before["tasks"].items()}
        ]
        plan["planned"] = held if held[-1] == sizes else [*held, sizes]
    for name, size in plan["planned"][0].items():
        plan["tasks"][name] = _entry(plan, options, size)
    folder.save(looks=plan)
    for name, entry in plan["tasks"].items():
        say_looks(name, entry)
    return plan


def follow(plan: LookPlan, options: RunOptions, sizes: dict[str, int]) -> list[str]:
    """Gives each task that was given up a plan for its clusters up to `sizes` that were not asked. Returns
    their names. `plan` is changed."""
    followed = []
    for name, entry in plan["tasks"].items():
        asked = entry["clusters"][entry["asked"] - 1]
        if entry["ended"] != "given up" or sizes[name] <= asked:
            continue
        stopped: EarlierLooks = {
            "clusters": entry["clusters"],
            "asked": entry["asked"],
            "ended": entry["ended"],
            "variants": entry["variants"],
        }
        earlier = [*entry.get("earlier", []), stopped]
        plan["made_anew"].append(f"{name} from {entry['clusters'][-1]:,} to {sizes[name]:,} clusters")
        plan["tasks"][name] = {**_entry(plan, options, sizes[name], asked), "earlier": earlier}
        followed.append(name)
    return followed


def start_of(entry: LooksOfTask) -> int:
    """Returns the clusters that earlier plans of a task asked."""
    return max((each["clusters"][each["asked"] - 1] for each in entry.get("earlier", [])), default=0)


def looks_before(entry: LooksOfTask) -> int:
    """Returns the looks that earlier plans of a task made."""
    return sum(each["asked"] for each in entry.get("earlier", []))


def say_looks(name: str, entry: LooksOfTask) -> None:
    """Prints the looks of a task."""
    say(f"plan: looks at {name} after {', '.join(f'{n:,}' for n in entry['clusters'])} clusters")


def sizes_of(tasks: Sequence[TaskData]) -> dict[str, int]:
    """Returns the clusters of each task."""
    return {task.name: len(in_order(task)) for task in tasks}


def _entry(plan: LookPlan, options: RunOptions, size: int, start: int = 0) -> LooksOfTask:
    looks = planned(size - start, options.looks or LOOKS, plan["spending"], plan["futility"])
    return {
        "clusters": [start + n for n in looks.clusters],
        "asked": 0,
        "ended": None,
        "variants": {},
    }
