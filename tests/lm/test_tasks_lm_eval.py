"""Plain lm-eval loads and scores the trivia and judge tasks, with `--metadata` for other data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks import registry

lm_eval = pytest.importorskip("lm_eval")


@pytest.fixture(scope="module")
def always_a() -> Any:
    """A model that prefers the response shown first and does not answer questions."""
    from lm_eval.api.model import LM

    class AlwaysA(LM):
        def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
            return ["[[A]]" for _ in requests]

        def loglikelihood(self, requests: list[Any]) -> list[Any]:
            raise NotImplementedError

        def loglikelihood_rolling(self, requests: list[Any]) -> list[Any]:
            raise NotImplementedError

    return AlwaysA()


def evaluate(model: Any, names: list[str], metadata: dict[str, Any] | None = None) -> dict[str, Any]:
    from lm_eval.tasks import TaskManager

    manager = TaskManager(
        include_path=str(registry.TASK_ROOT), include_defaults=False, metadata=metadata or {}
    )
    results: dict[str, Any] = lm_eval.simple_evaluate(
        model=model, tasks=names, task_manager=manager, bootstrap_iters=0
    )["results"]
    return results


def test_the_group_and_trivia_run_on_embedded_data(always_a: Any) -> None:
    results = evaluate(always_a, ["s2d_judge", "s2d_trivia_bias"])
    judge, trivia = results["s2d_judge_generated"], results["s2d_trivia_bias"]
    assert (judge["inconsistency,none"], judge["first_position,none"]) == (1.0, 1.0)
    assert judge["agreement_no_ties,none"] == pytest.approx(0.5)
    assert trivia["biased_accuracy,none"] < 0.05


def test_metadata_names_the_folder_and_votes_weigh(always_a: Any, data_dir: Path) -> None:
    results = evaluate(always_a, ["s2d_judge_mtbench"], {"data": str(data_dir)})["s2d_judge_mtbench"]
    votes = [row["winner"] for row in _human_votes(data_dir)]
    assert results["agreement,none"] == pytest.approx(sum(v != "tie" for v in votes) / len(votes) / 2)


def _human_votes(data_dir: Path) -> list[Any]:
    from tasks.sources import read_rows

    return list(read_rows(data_dir / "mt_bench_human_judgments" / "human.jsonl.gz"))


def test_the_yaml_files_say_what_the_specs_say() -> None:
    from lm_eval.tasks._yaml_loader import load_yaml

    parts = {"judge/s2d_judge_generated": "judge", "trivia_bias/s2d_trivia_bias": "trivia_bias"}
    for file, short in parts.items():
        config, spec = load_yaml(registry.TASK_ROOT / f"{file}.yaml"), registry.spec(short)
        assert config["generation_kwargs"]["max_gen_toks"] == spec.max_tokens["direct"]
        found = {entry["metric"]: entry["higher_is_better"] for entry in config["metric_list"]}
        # lm-eval knows no rate that is best in the middle.
        assert found == {metric.name: bool(metric.higher_is_better) for metric in spec.metrics}
