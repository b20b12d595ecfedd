"""`--until-decided`: items are asked in planned rounds, and a task stops when its claims are decided.

The plan is written before the first call (`look_plan.py`). A round asks the items of one look, for
all tasks that go on, in one stream of batches per variant; then `results` says which variants of a task may
stop, and the task ends when all have stopped.
Decisions depend on the call store only, so a run that was killed makes the same rounds again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

from distill.checkpoint import Distilled
from distill.pipeline import find_or_make
from harness.command.look_plan import (
    follow,
    in_order,
    looks_before,
    say_looks,
    sizes_of,
    start_of,
    take_up,
)
from harness.engines.base import AdapterInfo
from harness.evaluate import evaluate
from harness.folder import RunFolder
from harness.lm.score import part
from harness.lm.task import TaskData
from harness.placement import Placement, placements
from harness.progress import say
from harness.session import Session
from harness.variants import Variant, untrained_first
from results.analysis.decide import standings
from results.files import write_rows
from results.schema import Distillation, LookPlan, SampleRow

Phases = tuple[list[Distillation], dict[str, float], dict[str, str]]
"""Records of distillation, seconds by variant, and the SHA-256 of each samples file."""


class Places:
    """Where variants run; an adapter that was added at the first look stays for the later ones."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._kept: dict[tuple[str, int], list[Placement]] = {}

    def of(self, variant: Variant, seed: int, made: dict[str, Distilled]) -> Iterator[Placement]:
        """Like `placements`; a separate engine is opened again at each look."""
        key = variant.name, seed
        if key in self._kept:
            yield from self._kept[key]
            return
        folders = {task: each.folder for task, each in made.items()}
        found, alone = [], False
        for where, adapters in placements(self._session, variant, seed, folders):
            note_probes(made, adapters)
            alone = alone or where is not self._session
            found.append((where, adapters))
            yield where, adapters
        if not alone:
            self._kept[key] = found


def note_probes(made: Mapping[str, Distilled], adapters: Mapping[str, AdapterInfo | None]) -> None:
    """Writes into each record by how much its adapter changed the probe."""
    for task, adapter in adapters.items():
        if task in made and adapter is not None:
            made[task].record["probe_change"] = adapter.probe_change


def phases(session: Session, folder: RunFolder, variants: Sequence[Variant]) -> Phases:
    """Runs all looks of all variants and seeds, until every task has stopped under the last plan."""
    plan = take_up(folder, session.options, sizes_of(session.tasks))
    folder.save(samples={})
    return _Rounds(session, folder, variants, plan).run()


class _Rounds:
    """The rounds of one run."""

    def __init__(
        self, session: Session, folder: RunFolder, variants: Sequence[Variant], plan: LookPlan
    ) -> None:
        self._session, self._folder, self._plan = session, folder, plan
        self._variants = untrained_first(variants)
        self._seeds = session.options.every_seed
        self._places = Places(session)
        self._made: dict[tuple[str, int], dict[str, Distilled]] = {}
        self._rows: dict[tuple[str, str], list[SampleRow]] = {}
        self._samples: dict[str, str] = {}
        self._stopped: set[tuple[str, str]] = set()
        self._timing = dict.fromkeys((variant.name for variant in self._variants), 0.0)

    def run(self) -> Phases:
        for number, sizes in enumerate(self._plan["planned"]):
            if number:
                self._follow(sizes)
            self._rounds()
        return self._records(), self._timing, self._samples

    def _rounds(self) -> None:
        """Runs the looks of one plan."""
        orders = {task.name: in_order(task) for task in self._session.tasks}
        most = max(len(entry["clusters"]) for entry in self._plan["tasks"].values())
        for look in range(most):
            parts = []
            for task in self._session.tasks:
                entry = self._plan["tasks"][task.name]
                if entry["ended"] is None:
                    first = entry["clusters"][look - 1] if look else start_of(entry)
                    parts.append(part(task, set(orders[task.name][first : entry["clusters"][look]])))
                    entry["asked"] = look + 1
            if not parts:
                break
            self._ask(parts, look + 1)
            self._stop(look)

    def _follow(self, sizes: dict[str, int]) -> None:
        """Begins the next plan: variants whose claims are all decided are not asked again."""
        followed = follow(self._plan, self._session.options, sizes)
        if not followed:
            return
        self._folder.save(looks=self._plan, samples=self._samples)
        found = standings(self._folder.path)
        for name in followed:
            entry = self._plan["tasks"][name]
            entry["ended"] = found[name].ended
            self._stopped = {each for each in self._stopped if each[0] != name}
            self._stopped |= {(name, variant) for variant in found[name].stopped}
            say(
                f"{name}: --limit was raised after its claims were given up; a new plan tests the new items "
                "alone, at the error that the old plan left"
            )
            say_looks(name, entry)
        self._folder.save(looks=self._plan, samples={})

    def _ask(self, parts: Sequence[TaskData], look: int) -> None:
        """Runs one round: the items of one look, each task by the variants that have not stopped."""
        before = {name: looks_before(entry) for name, entry in self._plan["tasks"].items()}
        for variant in self._variants:
            going_on = {task.name for task in parts if (task.name, variant.name) not in self._stopped}
            if not going_on:
                continue
            began = time.perf_counter()
            for seed in self._seeds:
                made = {
                    task: each for task, each in self._distilled(variant, seed).items() if task in going_on
                }
                for where, adapters in self._places.of(variant, seed, made):
                    chosen = [task for task in parts if task.name in adapters and task.name in going_on]
                    for name, found in evaluate(where, variant, seed, chosen, adapters).items():
                        for row in found:
                            row["look"] = before[name] + look
                        self._rows.setdefault((variant.name, name), []).extend(found)
                        self._plan["tasks"][name]["variants"][variant.name] = look
                        self._write(variant.name, name)
            self._timing[variant.name] += time.perf_counter() - began

    def _distilled(self, variant: Variant, seed: int) -> dict[str, Distilled]:
        """Returns the checkpoints of a distilled variant, made at the first look."""
        key = variant.name, seed
        if variant.kind == "distilled" and key not in self._made:
            self._made[key] = find_or_make(self._session, variant, seed)
            self._folder.save(distillation=self._records())
        return self._made.get(key, {})

    def _records(self) -> list[Distillation]:
        return [each.record for made in self._made.values() for each in made.values()]

    def _write(self, variant: str, task: str) -> None:
        path = self._folder.samples_path(variant, task)
        digest = write_rows(path, self._rows[variant, task])
        self._samples[path.relative_to(self._folder.path).as_posix()] = digest

    def _stop(self, look: int) -> None:
        """Stops variants and tasks that are decided, given up, or at their planned end, and prints it."""
        self._folder.save(looks=self._plan, samples=self._samples)
        found = standings(self._folder.path)
        for name, entry in self._plan["tasks"].items():
            if entry["ended"] is not None:
                continue
            task = found[name]
            entry["ended"] = task.ended
            if look + 1 == len(entry["clusters"]) and entry["ended"] != "decided":
                entry["ended"] = "planned end"
            asked = (
                f"at look {look + 1}, after {entry['clusters'][look]:,} of {entry['clusters'][-1]:,} clusters"
            )
            if entry["ended"] is not None:
                say(f"{name}: {entry['ended']} {asked}")
                continue
            stopped = {(name, variant) for variant in task.stopped} - self._stopped
            if stopped:
                say(f"{name}: no open claim about {', '.join(sorted(one for _, one in stopped))} {asked}")
            self._stopped |= stopped
        self._folder.save(looks=self._plan, samples={})
