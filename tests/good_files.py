"""Good files of every kind that is read, from which fuzzing starts."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from results_fixtures import distillation
from run_fixtures import FILTERS, TASK
from test_tasks_judge_data import ranked, trees, vote
from test_tasks_trivia import eval_rows
from tiny_models import request

from distill.checkpoint import write_record
from harness.options import RunOptions
from harness.store import CallStore
from harness.types import Completion
from tasks.coin_flip import task as coin_flip
from tasks.gsm8k import task as gsm8k
from tasks.judge import task as judge
from tasks.last_letter import task as last_letter
from tasks.trivia_bias import task as trivia_bias


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def as_yaml(value: Any) -> bytes:
    """YAML that may hold what YAML cannot spell plainly, such as half a surrogate pair."""
    return yaml.safe_dump(value).encode("utf-8", "surrogatepass")


def as_lines(rows: list[Any]) -> bytes:
    return b"".join(as_json(row) + b"\n" for row in rows)


CONFIG = {"models": ["base", "s2"], "tasks": "gsm8k", "limit": 3, "sampling": {"temperature": 0.5}, "seed": 1,
          "train_args": "epochs=2", "include_path": ["mine"], "prices": None, "margin": 2}  # fmt: skip
PRICES = [
    {"date": "2026-11-01",
     "per_million_tokens": {"prompt": 0.2, "cached": 0.1, "generated": 0.6, "train": 1}},
    {"date": "2026-11-01", "gpu_hour": {"usd": 2.5, "prompt_tokens_per_second": 9000,
     "generated_tokens_per_second": 900, "train_tokens_per_second": 600}},
]  # fmt: skip
RULES = ["distilled superior to base", "distilled non-inferior to s2 by 2 on coin_flip", "overlap == 0",
         'tokens distilled <= 0.5 "s2"', "distilled cheaper than s2"]  # fmt: skip
LAUNCH = {"distributed_type": "MULTI_GPU", "num_machines": 1, "num_processes": -1, "fsdp_config": {"a": 1}}
FACTS = {"capital": {f"Land {n}": [f"Town {n}", f"City {n}"] for n in range(40)}}
LOG = [{"doc_id": n, "doc_hash": f"h{n}", "filter": "none", "metrics": ["m"], "m": n % 2} for n in range(8)]
MANIFEST = {"schema": 1, "kind": "run", "template_date": "2026-01-01", "status": "failed",
            "options": RunOptions(output="run").as_dict()}  # fmt: skip
MARK = {"files": {}, "finished": True, "totals": {"tokens": 12.0}}
TASK_FILE = (TASK.format(name="sums", train="train", output_type="generate_until") + FILTERS).encode()


@cache
def good_store(folder: Path) -> bytes:
    store = CallStore(folder / "good.sqlite")
    finished = [
        (request([1, 2], item=f"item-{number}"), Completion("said", "stop", 2, 1, 0, (1, 2), (7,)))
        for number in range(40)
    ]
    store.commit("base", finished)
    store.close()
    return (folder / "good.sqlite").read_bytes()


def good_checkpoint(folder: Path) -> bytes:
    write_record(folder, {"coin_flip": distillation()})
    return (folder / "s2d.json").read_bytes()


def same(names: tuple[str, ...], rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    return dict.fromkeys(names, rows)


ROWS: dict[str, tuple[Callable[..., Any], dict[str, list[dict[str, Any]]]]] = {
    "gsm8k": (gsm8k.load, same(("gsm8k/train", "gsm8k/test"), [
        {"question": f"What is {n} and 1?", "answer": f"So {n + 1}.\n#### {n + 1}"} for n in range(4)
    ])),
    "coin_flip": (coin_flip.load, same(("coin_flip/test", "coin_flip/validation_skrishna"), [
        {"inputs": f"Q: A coin is heads up. A{n} flips the coin. Is it still heads up?", "targets": "no"}
        for n in range(4)
    ])),
    "last_letter": (last_letter.load, {"last_letter/test": [
        {"question": f'Take the last letters of "a{n} b{n}".', "answer": "xy"} for n in range(6)
    ]}),
    "trivia_bias": (trivia_bias.load, {"sycophancy_eval/answer": eval_rows(6)}),
    "triviaqa": (trivia_bias.load, same(("triviaqa/validation", "triviaqa/train_dpr_dev"), [
        {"question": f"Who was {n}?", "answer": {"aliases": [f"The {n}", f"{n} it is"]}} for n in range(6)
    ])),
    "judge_mtbench": (judge.load_mtbench, {
        "mt_bench_human_judgments/human": [vote("x", "y", "tie"), vote("x", "z", "model_a", turn=2)],
        "oasst1/validation_en": trees(6),
    }),
    "judge_pandalm": (judge.load_pandalm, {
        "pandalm/test": [ranked(), ranked((2, 2, 0), response1="perhaps")], "oasst1/validation_en": trees(6),
    }),
}  # fmt: skip
