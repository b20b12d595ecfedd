"""How many of lm-eval's own generation tasks run three ways, and why the others do not. No data, no network.

    python tests/benchmarks/lm_eval_scan.py [--json FILE]

It reads every configuration of the installed lm-eval that says `output_type: generate_until`. Each is loaded
with made-up rows (numbers, letters, words) in place of its data: its own filters and metrics are real,
and our rule is searched as in a run. What only the data can show is reported as such: how a metric in the
task's own Python scores its answers, and whether a data set has a split that the configuration does not name
(a task without a split to learn from counts as one that needs the line `train_from` in its block).

Prints a card and, last, one line of JSON with the counts by reason.
"""

from __future__ import annotations

import argparse
import copy
import json
import logging
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.lm.block import block_of
from harness.lm.catalog import config_of, files, task_root
from harness.lm.data import scored_split
from harness.lm.foreign import foreign_task

KINDS = {
    "numbers": ["42", "17", "803", "96", "51", "28", "64", "35"],
    "letters in brackets": ["(A)", "(C)", "(B)", "(D)", "(A)", "(C)", "(B)", "(D)"],
    "letters": ["A", "C", "B", "D", "A", "C", "B", "D"],
    "words": ["Paris", "Rome", "Oslo", "Lima", "Cairo", "Delhi", "Quito", "Minsk"],
    "truth": ["True", "False", "True", "False", "True", "False", "True", "False"],
    "yes and no": ["yes", "no", "yes", "no", "yes", "no", "yes", "no"],
    "lists": ["[1, 2]", "[3]", "[5, 8]", "[7]", "[2]", "[9, 4]", "[6]", "[0]"],
}
"""Possible answers of a task; the first kind that its filters read is used."""
ROWS = 8
WITHOUT = "three ways without an edit"
BLOCK = "three ways with a block"
NONE = "base and System 2 only"
NOT = "not at all"
DATA = "cannot be told without its data"


def main(arguments: Sequence[str] | None = None) -> int:
    """Read, try, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", type=Path, help="write what was found of each task")
    options = parser.parse_args(arguments)
    logging.disable(logging.WARNING)
    found: dict[str, tuple[str, str]] = {}
    known: dict[str, tuple[str, str]] = {}
    for name, path in files().items():
        config = config_of(path)
        if config.get("output_type") == "generate_until" and isinstance(config.get("task"), str):
            found[name] = judged(config, known)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for outcome, reason in found.values():
        counts[outcome][reason] += 1
    print(f"{len(found):,} configurations in {task_root()} generate text")
    for outcome in (WITHOUT, BLOCK, NONE, DATA, NOT):
        print(f"\n{sum(counts[outcome].values()):>6,}  {outcome}")
        for reason, count in counts[outcome].most_common():
            print(f"        {count:>6,}  {reason}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))
    line = {outcome: dict(counts[outcome].most_common()) for outcome in (WITHOUT, BLOCK, NONE, DATA, NOT)}
    print(json.dumps({"status": "ok", "configurations": len(found), "counts": line}))
    return 0


def judged(config: Mapping[str, Any], known: dict[str, tuple[str, str]]) -> tuple[str, str]:
    """(outcome, reason) of one configuration; configurations that differ only in irrelevant keys count
    once."""
    early = _told_by_the_configuration(config)
    if early is not None:
        return early
    kept = {
        key: config.get(key)
        for key in ("filter_list", "metric_list", "generation_kwargs", "gen_prefix", "repeats", "num_fewshot")
    }
    own_python = callable_text(config.get("process_results")) or any(
        callable_text(entry.get("metric")) for entry in config.get("metric_list") or []
    )
    shown = " ".join(str(config.get(key) or "") for key in ("description", "doc_to_text"))
    shown += json.dumps((config.get("fewshot_config") or {}).get("samples") or "", default=str)
    signature = json.dumps([kept, own_python, _forms_in(shown)], sort_keys=True, default=str)
    if signature not in known:
        known[signature] = _tried(config, kept, shown, bool(own_python))
    outcome, reason = known[signature]
    if outcome in (WITHOUT, DATA) and not _has_training(config):
        if outcome == DATA:
            return DATA, f"{reason}; it also needs train_from"
        return BLOCK, "names no split to learn from: train_from (one line)"
    return outcome, reason


def _told_by_the_configuration(config: Mapping[str, Any]) -> tuple[str, str] | None:
    if config.get("doc_to_image") or config.get("doc_to_audio"):
        return NOT, "shows images or plays sounds"
    if config.get("unsafe_code"):
        return NOT, "runs code that a model wrote"
    if not scored_split(config):
        return DATA, "names no split that is scored"
    return None


def _has_training(config: Mapping[str, Any]) -> bool:
    """Whether the configuration alone names rows for training that are not scored. A split of worked
    examples does not count: only the data shows how many rows it has."""
    own = scored_split(config)
    if config.get("training_split") not in (None, own):
        return True
    if config.get("fewshot_split") == "train" != own:
        return True
    return bool(config.get("test_split")) and config.get("validation_split") not in (None, own)


def callable_text(value: Any) -> bool:
    """Whether a value of a configuration is a function, which is read here as text."""
    return isinstance(value, str) and value.startswith(str(task_root()))


def _forms_in(shown: str) -> list[str]:
    """Usual forms of an answer that the configuration's own text shows, as far as it is text."""
    from harness.lm.forms import COMMON, parts

    return [
        form for form in COMMON if parts(form)[0].strip() and parts(form)[0].strip().lower() in shown.lower()
    ]


def _tried(
    config: Mapping[str, Any], kept: Mapping[str, Any], shown: str, own_python: bool
) -> tuple[str, str]:
    reasons: list[tuple[str, str]] = []
    own_sums = any(callable_text(entry.get("aggregation")) for entry in kept.get("metric_list") or [])
    for answers in KINDS.values():
        try:
            task = made_up(kept, shown, answers, own_python)
            data = foreign_task("scanned", "scanned", task, block_of())
        except UserError as error:
            if own_sums:
                return DATA, "sums its scores up by its own Python"
            text = str(error).removeprefix("task scanned ")
            return NOT, text.split(":")[0].split(" (")[0]
        except KeyError:
            return DATA, "its filter is registered by its own Python"
        except Exception as error:
            return NOT, f"its filters or metrics cannot be loaded here ({type(error).__name__})"
        if data.spec.undistillable is None:
            if own_python and not data.foreign.rule.extracts:  # type: ignore[union-attr]
                return DATA, "scored by its own Python, no filter extracts: answers are read behind a mark"
            return WITHOUT, "as it ships"
        reasons.append((NONE, data.spec.undistillable))
    if own_sums:
        return DATA, "sums its scores up by its own Python"
    texts = [reason for _, reason in reasons]
    if any("grades a text by its words" in text for text in texts):
        return NONE, "whole texts: its metric grades a text by its words (translation, summary)"
    if any("reads whole texts" in text for text in texts):
        return NONE, "whole texts: no filter extracts, and no short answer is scored as right"
    return BLOCK, "its filters read a form that was not found: target (one line)"


def made_up(kept: Mapping[str, Any], shown: str, answers: Sequence[str], own_python: bool) -> Any:
    """A task with the filters, metrics and settings of a configuration, and rows of ours."""
    from lm_eval.api.task import ConfigurableTask

    kept = {key: copy.deepcopy(value) for key, value in kept.items() if value is not None}
    if own_python:  # it would look for columns that only the data has
        kept["metric_list"] = [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}]
    for entry in kept["metric_list"] if kept.get("metric_list") else []:
        if callable_text(entry.get("aggregation")):
            entry["aggregation"] = imported(entry["aggregation"])
    for entry in kept.get("filter_list") or []:
        for step in entry["filter"]:
            if callable_text(step.get("function")):
                step["function"] = imported(step["function"])
            if callable_text(step.get("filter_fn")):
                step["filter_fn"] = imported(step["filter_fn"])
    prefix = kept.pop("gen_prefix", None)
    shots = min(int(kept.pop("num_fewshot", 0) or 0), 2)
    return ConfigurableTask(
        config={
            **kept,
            "task": "scanned",
            "custom_dataset": lambda **_: dataset(answers, shown),
            "output_type": "generate_until",
            "training_split": "train",
            "test_split": "test",
            "doc_to_text": "prompt",
            "doc_to_target": "gold",
            "num_fewshot": shots,
            **({"gen_prefix": "The answer is"} if prefix else {}),
        }
    )


def dataset(answers: Sequence[str], shown: str) -> dict[str, Any]:
    """Rows with the columns that filters of lm-eval read."""
    from datasets import Dataset

    def rows(start: int) -> Any:
        return Dataset.from_list(
            [
                {
                    "prompt": f"{shown[:4000]}\nWhich is number {number}?\nAnswer:",
                    "gold": answers[number % len(answers)],
                    "choices": ["alder", "beech", "cedar", "dogwood"],
                    "input": f"{number}: (A) alder (B) beech (C) cedar (D) dogwood List: elm oak ash",
                    "question": f"Which is number {number}?",
                }
                for number in range(start, start + ROWS)
            ]
        )

    return {"train": rows(100), "test": rows(0)}


def imported(place: str) -> Any:
    """The function or class that a configuration names by file."""
    from lm_eval.tasks._yaml_loader import _import_fun_from_str

    return _import_fun_from_str(place)


if __name__ == "__main__":
    sys.exit(main())
