"""A small synthetic run folder and its leaderboard, for the tests of the page, the plots and the paper.

Nothing here is a result: scores follow from a hash of item and variant.
`build_run` writes `manifest.json` and `samples/` in the layout of the design and returns the leaderboard as a
dict.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from results.analysis.leaderboard import build
from results.page.build import write_page

HOSTILE = (
    '</script><script>window.planted = 1</script><img src=x onerror="window.planted = 2">'
    "<svg onload='window.planted = 3'> {{ 7 * 7 }} & \u2028 \U0001f600"
)
SHARES = {
    "base": 0.3,
    "s2": 0.62,
    "distilled": 0.6,
    "distilled-s1": 0.4,
    "distilled-nofilter": 0.52,
    "distilled-all": 0.56,
}
TASKS = ("last_letter", "coin_flip", "trivia_bias", "judge", "gsm8k")
KINDS = ("base", "s2", "distilled")
STEPS = {
    "last_letter": ("rephrase", "respond"),
    "coin_flip": ("rephrase", "respond"),
    "trivia_bias": ("extract", "respond"),
    "judge": ("branch", "solve:1", "solve:2", "merge"),
    "gsm8k": ("cot",),
}
METRICS = {
    "last_letter": ("exact_match",),
    "coin_flip": ("accuracy",),
    "trivia_bias": ("accuracy_biased", "accuracy_unbiased"),
    "judge": ("agreement", "inconsistency"),
    "gsm8k": ("strict_match", "flexible_match"),
}


def build_run(
    folder: Path,
    tasks: Sequence[str] = TASKS,
    variants: Sequence[str] = ("base", "s2", "distilled"),
    items: int = 60,
    words: int = 12,
    hostile: bool = True,
) -> dict[str, Any]:
    """Write a run of `items` items per task whose steps hold `words` words each; return its leaderboard."""
    folder.mkdir(parents=True, exist_ok=True)
    for task in tasks:
        for variant in variants:
            rows = [_row(task, variant, number, words, hostile) for number in range(items)]
            path = folder / "samples" / variant / f"{task}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    notes = ["A made-up run.", *([HOSTILE] if hostile else [])]
    manifest = _manifest(folder.name, tasks, variants, items, notes)
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return build(folder)


def large_page(root: Path) -> Path:
    """The page of 5 tasks x 6 variants x 2,000 items, made once per session under `root`."""
    path = root / "large" / "leaderboard.html"
    return (
        path
        if path.is_file()
        else write_page(path.parent, build_run(path.parent, TASKS, tuple(SHARES), 2000, 200))
    )


def _chance(*parts: object) -> float:
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def _row(task: str, variant: str, number: int, words: int, hostile: bool) -> dict[str, Any]:
    share = SHARES.get(variant, 0.5) if task != "gsm8k" or variant in ("base", "s2") else 0.29
    right = _chance(task, variant, number) < share
    planted = HOSTILE if hostile and number % 5 == 0 else ""
    names = STEPS[task] if variant == "s2" else ("direct",)
    answer = "yes" if right else ("no" if number % 3 else None)
    steps = []
    for place, name in enumerate(names):
        last = place == len(names) - 1
        count = words + int(20 * _chance("tokens", task, variant, number, place))
        count = count if variant == "s2" else 4 + count // 8
        text = f"{name} {number}: " + "the coin is flipped by Ann and Bob " * max(1, count // 8) + planted
        text += f" Answer: {answer}" if last and answer else ""
        steps.append(
            {
                "name": name,
                "messages": [{"role": "user", "content": f"Question {number}"}],
                "text": text,
                "prompt_tokens": 30 + place,
                "cached_tokens": 10,
                "generated_tokens": count,
                "finish_reason": "stop",
            }
        )
    metrics = METRICS[task]
    scores: dict[str, float | None] = {metric: float(right) for metric in metrics}
    if task == "trivia_bias":
        scores = {metrics[number % 4 == 0]: float(right)}
    usage = {
        key: sum(step[key] for step in steps)
        for key in ("prompt_tokens", "cached_tokens", "generated_tokens")
    }
    return {
        "item_id": f"{task}-{number:05d}",
        "cluster_id": f"{task}-{number:05d}",
        "weight": 1.0,
        "sample_index": 0,
        "task": task,
        "variant": variant,
        "method": "rar_2step" if variant == "s2" else "direct",
        "seed": 0,
        "prompt": f"Question {number} of {task}: is the coin still heads up? {planted}",
        "response": steps[-1]["text"],
        "answer": answer,
        "target": "yes",
        "scores": scores,
        "failure": None if answer else "no_answer",
        "truncated": False,
        "usage": {"calls": len(steps), **usage},
        "steps": steps,
    }


def _distillation(task: str) -> dict[str, Any]:
    return {
        "task": task,
        "variant": "distilled",
        "seed": 0,
        "teacher_method": "rar_2step",
        "teacher_tokens": 48213,
        "teacher_prompt_tokens": 61000,
        "samples_per_input": 3,
        "inputs": 200,
        "kept": 141,
        "dropped": {"no_majority": 52, "overlap": 7},
        "train_tokens": 21000,
        "train_flops": 1.7e13,
        "teacher_flops": 2.9e13,
        "pseudo_label_accuracy": 0.83,
        "status": "trained",
        "checkpoint": None,
    }


def _manifest(
    run: str, tasks: Sequence[str], variants: Sequence[str], items: int, notes: list[str]
) -> dict[str, Any]:
    def metrics(task: str) -> dict[str, Any]:
        return {
            name: {
                "kind": "binary",
                "direction": "lower" if name == "inconsistency" else "higher",
                "aggregation": "mean",
                "description": name.replace("_", " "),
            }
            for name in METRICS[task]
        }

    return {
        "schema": 1,
        "run": run,
        "status": "finished",
        "command": f"s2d-bench --models {','.join(variants)}",
        "options": {
            "models": ",".join(variants),
            "pretrained": "tiny",
            "engine": "scripted",
            "seed": 0,
            "margin": 5,
        },
        "versions": {"s2d-bench": "0.1", "python": "3.11"},
        "git_commit": "0" * 40,
        "hardware": {"cpu": "made up", "cores": 2, "memory_gb": 8, "gpu": None, "memory_bandwidth_gbs": 31.7},
        "model": {
            "name": "tiny",
            "fingerprint": "ab" * 8,
            "parameters": 135000000,
            "dtype": "float32",
            "template_hash": "cd" * 8,
        },
        "tasks": {
            task: {
                "primary": METRICS[task][0],
                "s2_method": "rar_2step",
                "n_items": items,
                "n_clusters": items,
                "metrics": metrics(task),
                "items_hash": "ef" * 8,
                "task_hash": "01" * 8,
                "data": "embedded",
            }
            for task in tasks
        },
        "variants": {
            name: {"weights": name, "method": "direct", "kind": name if name in KINDS else "named"}
            for name in variants
        },
        "comparisons": [],
        "distillation": [_distillation(task) for task in tasks] if "distilled" in variants else [],
        "timing": {"evaluate_seconds": 98765.4, "tokens_per_second": 54321.0},
        "execution": {"padding_tokens": 13131},
        "notes": notes,
    }


class Markup(HTMLParser):
    """Collects what model text must never become: images, handlers, scripts beside the page's own."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "script":
            self.scripts.append(dict(attrs).get("type") or "")
        if tag == "img" or any(name.startswith("on") for name, _ in attrs):
            self.found.append(f"{tag} {attrs}")


def planted(html: str) -> list[str]:
    """What of planted markup became part of a page; empty for a safe one."""
    markup = Markup()
    markup.feed(html)
    own = markup.scripts.count("")
    return markup.found + ([] if own == 1 else [f"{own} scripts run"])
