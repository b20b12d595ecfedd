"""Our task folders under lm-eval's own machinery: every YAML loads, and gold responses score 1.

Marked `slow`: importing lm-eval takes about eight seconds.
"""

from __future__ import annotations

from typing import Any

import pytest

from tasks import registry

pytestmark = pytest.mark.slow
SINGLE = ("last_letter", "coin_flip", "gsm8k")


@pytest.fixture(scope="module")
def manager() -> Any:
    """A task manager that knows our folders alone."""
    from lm_eval.tasks import TaskManager

    return TaskManager(
        include_path=registry.folders(), include_defaults=False, metadata={"data": "embedded", "seed": 3}
    )


@pytest.fixture(scope="module")
def built(manager: Any) -> dict[str, Any]:
    """Short name -> lm-eval's task object, with the documents built."""
    names = [registry.lm_eval_name(short) for short in SINGLE]
    return {registry.short_name(name): task for name, task in manager.load(names)["tasks"].items()}


def test_every_built_in_task_is_found(manager: Any) -> None:
    assert {registry.lm_eval_name(short) for short in SINGLE} <= set(manager.all_tasks)
    assert registry.TAG in manager.all_tags


@pytest.mark.parametrize("short", SINGLE)
def test_documents_are_the_ones_that_load_gives(built: dict[str, Any], short: str) -> None:
    from importlib import import_module

    rows = import_module(registry.MODULES[short]).load(data="embedded", seed=3)
    documents = built[short].test_docs()
    assert documents["item_id"] == rows["test"]["item_id"]
    assert built[short].doc_to_text(documents[0]) == documents[0]["prompt"]
    assert built[short].doc_to_target(documents[0]) == documents[0]["target"]
    assert len(built[short].training_docs()) == len(rows["train"])


@pytest.mark.parametrize("short", SINGLE)
def test_yaml_and_spec_agree(built: dict[str, Any], short: str) -> None:
    config, spec = built[short].config, registry.spec(short)
    assert [metric["metric"] for metric in config.metric_list] == [metric.name for metric in spec.metrics]
    assert config.generation_kwargs["max_gen_toks"] == spec.max_tokens["direct"]
    assert config.generation_kwargs["until"], "an empty `until` makes lm-eval stop at a blank line"
    assert config.generation_kwargs["temperature"] == 0.0


@pytest.mark.parametrize("short", SINGLE)
def test_no_stop_string_cuts_a_reply_of_several_paragraphs(built: dict[str, Any], short: str) -> None:
    reply = "Question: 1. Start.\n\nThen 2.\n\n### So\n\n" + registry.spec(short).target("x")
    assert not any(stop in reply for stop in built[short].config.generation_kwargs["until"])


def test_lm_eval_scores_right_and_wrong_responses(manager: Any) -> None:
    """The first documents are answered rightly, the others not at all: half of the score."""
    from lm_eval import simple_evaluate
    from lm_eval.api.model import LM

    class HalfRight(LM):
        def generate_until(self, requests: list[Any], *_: Any, **__: Any) -> list[str]:
            return [f"Answer: {r.doc['target']}" if r.doc_id < 2 else "Well." for r in requests]

        def loglikelihood(self, *_: Any, **__: Any) -> Any:
            raise AssertionError("no task of ours asks for likelihoods")

        loglikelihood_rolling = loglikelihood

    found = simple_evaluate(
        model=HalfRight(),
        tasks=[registry.lm_eval_name(short) for short in SINGLE],
        task_manager=manager,
        limit=4,
        bootstrap_iters=0,
        log_samples=False,
    )
    for short in SINGLE:
        scores = found["results"][registry.lm_eval_name(short)]
        for metric in registry.spec(short).metrics:
            assert scores[f"{metric.name},none"] == 0.5
