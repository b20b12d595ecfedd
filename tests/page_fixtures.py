"""A small synthetic run folder and its leaderboard, for the tests of the page, the plots and the paper.

Nothing here is a result: scores follow from a hash of item and variant, intervals are the plain normal ones.
`build_run` writes `manifest.json` and `samples/` in the layout of the design and returns the leaderboard as a
dict.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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
STEPS = {
    "last_letter": ("rephrase", "respond"),
    "coin_flip": ("rephrase", "respond"),
    "trivia_bias": ("extract", "respond"),
    "judge": ("branch", "solve", "solve", "merge"),
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
    board: dict[str, Any] = {
        "schema": 1,
        "run": folder.name,
        "rows": [],
        "comparisons": [],
        "distillation": [],
        "notes": ["A made-up run.", HOSTILE] if hostile else ["A made-up run."],
    }
    for task in tasks:
        scores = {}
        for variant in variants:
            rows = [_row(task, variant, number, words, hostile) for number in range(items)]
            path = folder / "samples" / variant / f"{task}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
            scores[variant] = rows
            board["rows"] += [_board_row(task, variant, metric, rows) for metric in METRICS[task]]
        for a, b in _pairs(variants):
            board["comparisons"] += _claims(task, a, b, scores[a], scores[b])
        if "distilled" in variants:
            board["distillation"].append(_distillation(task))
    (folder / "manifest.json").write_text(
        json.dumps(_manifest(folder.name, tasks, variants, items)), encoding="utf-8"
    )
    return board


def _pairs(variants: Sequence[str]) -> list[tuple[str, str]]:
    wanted = [("base", "s2"), ("base", "distilled"), ("s2", "distilled")]
    return [(a, b) for a, b in wanted if a in variants and b in variants]


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


def _mean(rows: Sequence[dict[str, Any]], metric: str) -> tuple[float, int]:
    values = [row["scores"][metric] for row in rows if row["scores"].get(metric) is not None]
    return sum(values) / max(1, len(values)), len(values)


def _board_row(task: str, variant: str, metric: str, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    score, n = _mean(rows, metric)
    half = 1.96 * math.sqrt(max(score * (1 - score), 0.01) / max(1, n))
    use = {key: sum(row["usage"][key] for row in rows) / len(rows) for key in rows[0]["usage"]}
    return {
        "task": task,
        "variant": variant,
        "method": rows[0]["method"],
        "metric": metric,
        "n": n,
        "score": score,
        "ci_low": max(0.0, score - half),
        "ci_high": min(1.0, score + half),
        **use,
        "failures": {"no_answer": sum(row["failure"] == "no_answer" for row in rows)},
        "usd_per_1k_items": None,
        "flops_per_item": 2.0 * 135e6 * (use["prompt_tokens"] + use["generated_tokens"]),
    }


def _claims(
    task: str, a: str, b: str, left: Sequence[dict[str, Any]], right: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    metric = METRICS[task][0]
    (first, n), (second, _) = _mean(left, metric), _mean(right, metric)
    half = 1.96 * math.sqrt(0.4 / max(1, n))
    difference, margin = second - first, 0.05
    tokens = [sum(row["usage"]["generated_tokens"] for row in rows) for rows in (left, right)]
    ratio = tokens[1] / tokens[0]
    base = {
        "task": task,
        "metric": metric,
        "a": a,
        "b": b,
        "n": n,
        "difference": difference,
        "ci_low": difference - half,
        "ci_high": difference + half,
        "test": "McNemar, mid-p",
        "p": min(1.0, math.exp(-abs(difference / half) * 3)),
        "p_adjusted": min(1.0, 3 * math.exp(-abs(difference / half) * 3)),
        "alpha": 0.05,
        "margin": None,
        "mde": 1.43 * half,
        "needed_n": None,
        "token_ratio": ratio,
        "token_ratio_low": 0.9 * ratio,
        "token_ratio_high": 1.1 * ratio,
    }
    superior = "yes" if difference > half else "no" if difference < -half else "cannot_tell"
    inferior = (
        "yes" if difference - half > -margin else "no" if difference + half < -margin else "cannot_tell"
    )
    cheaper = "yes" if ratio < 0.9 else "no" if ratio > 1.1 else "cannot_tell"
    return [
        {**base, "claim": "superior", "verdict": superior},
        {
            **base,
            "claim": "non_inferior",
            "verdict": inferior,
            "margin": margin,
            "alpha": 0.025,
            "needed_n": 2000,
        },
        {
            **base,
            "claim": "cheaper",
            "verdict": cheaper,
            "test": "paired bootstrap",
            "p": None,
            "p_adjusted": None,
        },
    ]


def _distillation(task: str) -> dict[str, Any]:
    return {
        "task": task,
        "teacher_tokens": 48213,
        "samples_per_input": 3,
        "inputs": 200,
        "kept": 141,
        "dropped": {"no_majority": 52, "overlap": 7},
        "train_tokens": 21000,
        "train_flops": 1.7e13,
        "pseudo_label_accuracy": 0.83,
        "break_even": {
            "flops": {"value": 5400.0, "low": 4900.0, "high": 6100.0},
            "tokens": {"value": 812.0, "low": 640.0, "high": None},
            "usd": None,
        },
    }


def _manifest(run: str, tasks: Sequence[str], variants: Sequence[str], items: int) -> dict[str, Any]:
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
        "variants": {name: {"weights": "model", "method": "direct", "kind": "named"} for name in variants},
        "comparisons": [list(pair) for pair in _pairs(variants)],
        "distillation": [],
        "timing": {"evaluate_seconds": 98765.4, "tokens_per_second": 54321.0},
        "execution": {"padding_tokens": 13131},
        "notes": [],
    }
