"""What curtailed votes spare of the embedded model's teacher: samples and tokens, with equal kept inputs.

    python tests/benchmarks/curtailed_votes.py [--inputs 60] [--samples 8] [--tasks coin_flip,gsm8k]

Samples the teacher of each task twice, each time from an empty call store: in waves until each vote is
certain, and all K samples. Nothing is trained. It fails where a kept input or a target differs, for their ids
are what training would get.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from distill.pipeline import _drop_unreadable
from distill.plan import plan_of
from distill.teacher.sample import sample_teachers
from distill.teacher.select import Sampled, keep
from harness.lm.chosen import loaded_tasks
from harness.opening import opened
from harness.options import RunOptions
from harness.variants import parse_variants
from tasks import registry

Ids = list[tuple[list[int], list[int]]]
"""Prompt and target of each training example."""


def sampled(options: RunOptions) -> dict[str, tuple[Sampled, Ids]]:
    """What the teacher of each task gave, and the ids that training would get."""
    tasks = loaded_tasks(options)
    (variant,) = parse_variants("distilled")
    with opened(options, "benchmark", "distill", tasks, [variant]) as (session, _):
        plans = [plan_of(session, task, variant, options.seed) for task in tasks]
        draws = sample_teachers(session, [plan.ask for plan in plans], options.seed, "teacher")
        found = keep(session, draws, [plan.filter for plan in plans], options.seed, "teacher")
        for plan, each in zip(plans, found, strict=True):
            _drop_unreadable(plan.task, each)
        engine = session.engine
        return {
            plan.task.name: (
                each,
                [
                    (
                        list(engine.prompt_ids([{"role": "user", "content": one.item.prompt}])),
                        list(engine.target_ids(plan.task.spec.target(one.answer))),
                    )
                    for one in each.examples
                ],
            )
            for plan, each in zip(plans, found, strict=True)
        }


def main() -> int:
    parser = argparse.ArgumentParser(
        description="What curtailed votes spare of the embedded model's teacher."
    )
    parser.add_argument("--inputs", type=int, default=60)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--tasks", default=",".join(registry.families()))
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    options = RunOptions(
        tasks=tuple(given.tasks.split(",")), samples=given.samples, distill_inputs=given.inputs,
        limit=20, seed=given.seed,
    )  # fmt: skip
    spent, taught = [], []
    for all_samples in (False, True):
        with tempfile.TemporaryDirectory() as scratch:
            found = sampled(replace(options, all_samples=all_samples, output=str(Path(scratch) / "run")))
            spent.append(
                {task: (each.generated_tokens, each.samples_drawn) for task, (each, _) in found.items()}
            )
            taught.append({task: ids for task, (_, ids) in found.items()})
    same = taught[0] == taught[1]
    few, full = ({task: tokens for task, (tokens, _) in each.items()} for each in spent)
    for task in few:
        samples = spent[0][task][1], spent[1][task][1]
        print(
            f"{task:<12} {len(taught[1][task]):>4} examples, {samples[0]:>5} of {samples[1]:>5} samples, "
            f"{few[task]:>7} of {full[task]:>7} tokens ({few[task] / max(full[task], 1):.2f})"
        )
    share = sum(few.values()) / max(sum(full.values()), 1)
    print(json.dumps({"same_training_data": same, "share_of_tokens": round(share, 3)}))
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
