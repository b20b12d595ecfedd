"""`compare` on logs that the harnesses themselves wrote: lm-eval, inspect_ai, lighteval, evalscope.

Each test skips where its package is not installed; lm-eval always is. The two systems' answers are ours, no
model is loaded. The figures that each harness made of its log are compared with ours.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from results.compare import compare
from results.records.log import Log
from results.records.readers.find import read_logs
from results.schema import Compared, Comparison

pytestmark = pytest.mark.slow
N = 60
SHARES = {"one": 0.5, "two": 0.8}
"""How often each system is right: the second is better."""


def right(side: str) -> list[bool]:
    draw = random.Random(side)
    return [draw.random() < SHARES[side] for _ in range(N)]


def row(found: Compared, metric: str | None = None) -> Comparison:
    return next(
        each for each in found["comparisons"]
        if each["claim"] == "superior" and (each["primary"] if metric is None else each["metric"] == metric)
    )  # fmt: skip


def only(path: Path) -> Log:
    (log,) = read_logs(path)
    return log


# lm-eval: four tasks of its four kinds, written with log_samples.

ROWS = [{"question": f"Sum {n} and {n}.", "answer": str(2 * n), "label": n % 2} for n in range(N)]
TASKS: dict[str, dict[str, Any]] = {
    "last_word": {
        "output_type": "loglikelihood", "doc_to_text": "{{question}}", "doc_to_target": " {{answer}}",
        "metric_list": [
            {"metric": "perplexity", "aggregation": "perplexity", "higher_is_better": False},
            {"metric": "acc", "aggregation": "mean", "higher_is_better": True},
        ],
    },
    "choice": {
        "output_type": "multiple_choice", "doc_to_text": "{{question}}", "doc_to_target": "label",
        "doc_to_choice": ["no", "yes"],
        "metric_list": [{"metric": name} for name in ("acc", "f1", "mcc", "brier_score")],
    },
    "wiki": {
        "output_type": "loglikelihood_rolling", "doc_to_text": "", "doc_to_target": "{{question}} {{answer}}",
        "metric_list": [{"metric": name} for name in ("word_perplexity", "byte_perplexity", "bits_per_byte")],
    },
    "sums": {
        "output_type": "generate_until", "doc_to_text": "{{question}}", "doc_to_target": "{{answer}}",
        "generation_kwargs": {"until": ["\n"]},
        "filter_list": [
            {"name": "strict", "filter": [{"function": "regex", "regex_pattern": "answer is ([0-9]+)"},
                                          {"function": "take_first"}]},
            {"name": "flexible", "filter": [{"function": "regex", "regex_pattern": "([0-9]+)"},
                                            {"function": "take_first"}]},
        ],
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    },
}  # fmt: skip


def lm_eval_model(side: str) -> Any:
    from lm_eval.api.model import LM

    hits = right(side)

    class Answers(LM):
        """Answers by the number in the question, right where the side is right."""

        def number(self, text: str) -> int:
            return int(text.split("Sum ")[1].split()[0])

        def loglikelihood(self, requests: Any, **_: Any) -> Any:
            found = []
            for request in requests:
                text, end = request.args
                number = self.number(text)
                truth = end.strip() == str(2 * number) or end.strip() == ("no", "yes")[number % 2]
                found.append((-1.0 if truth == hits[number] else -4.0, truth and hits[number]))
            return found

        def loglikelihood_rolling(self, requests: Any, **_: Any) -> Any:
            return [-20.0 if hits[self.number(request.args[0])] else -26.0 for request in requests]

        def generate_until(self, requests: Any, **_: Any) -> Any:
            replies = []
            for request in requests:
                number = self.number(request.args[0])
                answer = 2 * number + (not hits[number])
                replies.append(f"So the answer is {answer}" if number % 3 else f"I say {answer}")
            return replies

    return Answers()


@pytest.fixture(scope="module")
def lm_eval_logs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, Any]]:
    """Folders of both sides, and the figures that lm-eval made of the first."""
    import lm_eval
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    folder = tmp_path_factory.mktemp("lm_eval")
    (folder / "rows.jsonl").write_text("".join(json.dumps(each) + "\n" for each in ROWS))
    data = {"dataset_path": "json", "dataset_kwargs": {"data_files": {"test": str(folder / "rows.jsonl")}}}
    for name, task in TASKS.items():
        whole = {"task": name, "test_split": "test", **data, **task}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(whole))
    manager = TaskManager(include_path=str(folder), include_defaults=False)
    aggregated: dict[str, Any] = {}
    for side in SHARES:
        found = lm_eval.simple_evaluate(
            lm_eval_model(side), tasks=list(TASKS), task_manager=manager, log_samples=True, bootstrap_iters=0
        )
        assert found is not None
        tracker = EvaluationTracker(output_path=str(folder / side))
        tracker.general_config_tracker.model_name_sanitized = side
        samples = found.pop("samples")
        tracker.save_results_aggregated(results=dict(found), samples=samples)
        for task in found["configs"]:
            tracker.save_results_samples(task_name=task, samples=samples[task])
        aggregated.setdefault("results", found["results"])
    return folder / "one", folder / "two", aggregated["results"]


def test_every_kind_of_lm_evals_metrics_is_as_lm_eval_has_it(lm_eval_logs: tuple[Path, Path, Any]) -> None:
    one, two, figures = lm_eval_logs
    found = compare(one, two)
    assert {each["task"] for each in found["comparisons"]} == set(TASKS)
    checked = 0
    for each in (each for each in found["comparisons"] if each["claim"] == "superior"):
        # Every metric says that the second is better, whichever end of it is the better one.
        assert each["verdict"] == "yes", (each["task"], each["metric"], each["sentence"])
        theirs = figures[each["task"]][each["metric"]]
        if each["metric"] == "perplexity,none":
            assert each["unit"] == "nats" and math.exp(-each["score_a"]) == pytest.approx(theirs)
        else:
            assert each["score_a"] == pytest.approx(theirs), each["metric"]
        assert each["without_number"] == {"a": 0, "b": 0}
        checked += 1
    assert checked == 2 + 4 + 3 + 2
    turned = compare(two, one)
    assert {each["verdict"] for each in turned["comparisons"] if each["claim"] == "superior"} == {"no"}


# inspect_ai


def inspect_logs(folder: Path, epochs: int, form: str) -> Iterator[tuple[Path, dict[str, float]]]:
    """Logs of both sides, and inspect_ai's own accuracies of the first."""
    inspect_ai = pytest.importorskip("inspect_ai")
    from inspect_ai.dataset import MemoryDataset, Sample
    from inspect_ai.model import ModelOutput, ModelUsage, get_model
    from inspect_ai.scorer import includes, match
    from inspect_ai.solver import generate

    samples = [
        Sample(id=f"q{n}", input=each["question"], target=each["answer"]) for n, each in enumerate(ROWS)
    ]
    for side in SHARES:
        hits, asked = right(side), {}

        def reply(
            input: Any, *_: Any, hits: Sequence[bool] = hits, asked: dict[str, int] = asked, side: str = side
        ) -> Any:
            number = int(input[-1].text.split("Sum ")[1].split()[0])
            asked[number] = asked.get(number, -1) + 1
            hit = hits[(number + 7 * asked[number]) % N]
            output = ModelOutput.from_content(f"mockllm/{side}", f"It is {2 * number + (not hit)}")
            output.usage = ModelUsage(input_tokens=10, output_tokens=5 + 4 * hit, input_tokens_cache_read=7)
            return output

        task = inspect_ai.Task(
            dataset=MemoryDataset(samples), solver=generate(), scorer=[match(), includes()], name="sums",
            epochs=inspect_ai.Epochs(epochs, ["mean", "max"]) if epochs > 1 else None,
        )  # fmt: skip
        (log,) = inspect_ai.eval(
            task, model=get_model(f"mockllm/{side}", custom_outputs=reply), log_dir=str(folder / side),
            log_format=form, display="none", max_connections=1,
        )  # fmt: skip
        assert log.results is not None
        own = {
            f"{s.name}/{s.reducer}" if epochs > 1 else s.name: s.metrics["accuracy"].value
            for s in log.results.scores
        }
        yield folder / side, own


@pytest.mark.parametrize("form", ["eval", "json"])
@pytest.mark.parametrize("epochs", [1, 3])
def test_logs_of_inspect_ai(tmp_path: Path, epochs: int, form: str) -> None:
    (one, own), (two, _) = inspect_logs(tmp_path, epochs, form)
    found = compare(one, two)
    for metric, accuracy in own.items():
        assert row(found, metric)["score_a"] == pytest.approx(accuracy)
        assert row(found, metric)["n"] == N
    assert row(found)["verdict"] == "yes" and row(found)["direction"] == "higher"
    # Read by inspect_ai's own reader, the log holds the same scores and tokens.
    from inspect_ai.log import read_eval_log

    (file,) = one.iterdir()
    log, theirs = only(file), read_eval_log(str(file))
    spent = {each.id: 0 for each in theirs.samples or []}
    for sample in theirs.samples or []:
        spent[sample.id] += sum(usage.output_tokens for usage in sample.model_usage.values())
    assert {each.item: each.tokens.generated for each in log.records if each.tokens} == spent
    assert {(each.tokens.prompt, each.tokens.cached) for each in log.records if each.tokens} == {
        (17 * epochs, 7 * epochs)
    }
    assert log.version == theirs.eval.packages["inspect_ai"]


# lighteval: its tracker writes the details; its pipeline needs data from the hub.


def test_details_of_lighteval(tmp_path: Path) -> None:
    pytest.importorskip("lighteval")
    from lighteval.logging.evaluation_tracker import EvaluationTracker
    from lighteval.models.dummy.dummy_model import DummyModelConfig
    from lighteval.models.model_output import ModelResponse
    from lighteval.tasks.requests import Doc

    for side in SHARES:
        tracker = EvaluationTracker(output_dir=str(tmp_path / side), save_details=True)
        tracker.general_config_logger.model_name = f"org/{side}"
        tracker.general_config_logger.model_config = DummyModelConfig(seed=1)
        numbers = range(N) if side == "one" else reversed(range(N))
        for number in numbers:
            each, hit = ROWS[number], right(side)[number]
            doc = Doc(
                query=each["question"],
                choices=[each["answer"]],
                gold_index=0,
                id=str(number),
                task_name="sums",
            )
            said = ModelResponse(text=["x"], input_tokens=[1, 2], output_tokens=[[1] * 9])
            tracker.details_logger.log("sums|0", doc, said, {"em": float(hit)})
        tracker.details_logger.aggregate()
        tracker.save()
    found = compare(tmp_path / "one", tmp_path / "two")
    assert (row(found)["n"], row(found)["verdict"]) == (N, "yes")
    assert row(found)["score_a"] == pytest.approx(sum(right("one")) / N)
    assert any("padded width" in note for note in found["notes"])
    assert found["a"] == "org/one"


# evalscope: a benchmark of its own on rows of ours, with its mock model.


def test_reviews_of_evalscope(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("evalscope")
    from evalscope import TaskConfig, run_task
    from evalscope.api.model import ModelOutput
    from evalscope.models.mockllm import MockLLM

    rows = [{"question": each["question"], "A": each["answer"], "B": "none", "answer": "A"} for each in ROWS]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sums_val.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    for side in SHARES:
        hits = right(side)

        def generate(self: Any, input: Any, *_: Any, hits: Sequence[bool] = hits, **__: Any) -> Any:
            asked = next(message.text for message in reversed(input) if message.role == "user")
            number = int(asked.split("Sum ")[1].split()[0])
            return ModelOutput.from_content("mock", f"ANSWER: {'A' if hits[number] else 'B'}")

        monkeypatch.setattr(MockLLM, "generate", generate)
        run_task(
            TaskConfig(
                model=side, eval_type="mock_llm", datasets=["general_mcq"], work_dir=str(tmp_path / side),
                dataset_args={"general_mcq": {"local_path": str(tmp_path / "data"), "subset_list": ["sums"]}},
                eval_batch_size=1, no_timestamp=True,
            )
        )  # fmt: skip
    found = compare(tmp_path / "one", tmp_path / "two")
    assert (row(found)["n"], row(found)["verdict"], row(found)["direction"]) == (N, "yes", "higher")
    assert row(found)["score_a"] == pytest.approx(sum(right("one")) / N)
    report = next((tmp_path / "one" / "reports").rglob("*.json"))
    assert only(tmp_path / "one").metrics["accuracy"].said_by == str(report)
