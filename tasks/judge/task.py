"""Pairwise judging: does the model prefer what people prefer, in whichever order it sees the two responses?

Five lm-eval tasks share this file; each YAML names its own loader:

| task | test pairs | train inputs |
| --- | --- | --- |
| `s2d_judge_generated` (short name `judge`) | generated (generate.py) | generated |
| `s2d_judge_mtbench` | MT-bench human votes (votes.py) | oasst2 (hub) or oasst1 (folder) |
| `s2d_judge_oasst2`, `s2d_judge_oasst1` | ranked replies of other trees (oasst.py) | the same data set |
| `s2d_judge_pandalm` (folder only) | PandaLM's test set (votes.py) | oasst1 |

A folder holds `mt_bench_human_judgments/human.jsonl`, `oasst1/validation_en.jsonl`, `pandalm/test.jsonl`; for
oasst2, `oasst2/train.jsonl` and `oasst2/validation.jsonl`. Task argument `pairs` is the choice of pairs from
ranks (oasst.PAIRINGS). `difficulty` means nothing here.

Agreement is the mean over both orders and all human votes: a row's score is the share of its votes that
equal the verdict, its weight the number of votes. A missing verdict agrees with no vote.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tasks.errors import TaskError
from tasks.judge import generate, oasst, votes
from tasks.judge.answer import MARK, answer
from tasks.judge.examples import EXAMPLES
from tasks.judge.pairs import JUDGE_GENERATED, Pair, rows
from tasks.sources import data_source, hub_rows, local_file, read_rows, to_splits, whole_number
from tasks.spec import Metric, PaperSetup, RawScores, TaskRow, TaskSpec

if TYPE_CHECKING:
    from datasets import Dataset

MT_BENCH_HUB = "lmsys/mt_bench_human_judgments"
OASST_HUB = {"oasst2": "OpenAssistant/oasst2", "oasst1": "OpenAssistant/oasst1"}
SWAPPED = {"A": "B", "B": "A", "C": "C"}

Source = Literal["hub"] | Path

COMPARE = (
    "{question}\n\n"
    "Act as an impartial judge. Compare the two responses step by step: first write down in several "
    "sentences how helpful, relevant, accurate and detailed each one is, whatever their order and length. "
    "Only after that, in a last line of its own, give the verdict. {finish}"
)
"""The prompt of `cot`: an item's question only shows the responses, so the instruction is added."""
COMPARED = "{question}\n\nWhich response is better? Compare them first. {finish}"
"""The same after worked verdicts."""

SPEC = TaskSpec(
    name="judge",
    s2_method="cot_fewshot",
    metrics=(
        Metric("agreement", "number", "share of human votes that equal the verdict, over both orders"),
        Metric(
            "agreement_no_ties", "number", "the same without votes for a tie; a verdict of a tie is a miss"
        ),
        Metric(
            "inconsistency",
            "binary",
            "share of pairs whose two orders have different winners, or a missing verdict; a row's raw value "
            "is [pair, winner], the second part is compared",
            higher_is_better=False,
            aggregation="pair_disagreement",
        ),
        Metric(
            "first_position",
            "binary",
            "share of prompts where the response shown first is chosen: 0.5 is unbiased, lower is not better",
            higher_is_better=None,
        ),
    ),
    answer=answer,
    target=lambda verdict: f"[[{verdict}]]",
    max_tokens={"direct": 256},
    answer_mark=MARK,
    method_options={
        "cot": {"reason": COMPARE},
        "cot_fewshot": {"examples": EXAMPLES, "reason": COMPARED},
        "bsm": {"solve": "single"},
    },
    samples=1,
    samples_embedded=1,
    samples_per_order=1,
    inputs_embedded=600,
    swap=SWAPPED.__getitem__,
    paper=PaperSetup("bsm", inputs=19_672, steps=600, tokens_per_step=131_000),
)
"""The generated task. Its `bsm` asks about one response a call, which a small model can do."""

SPECS: dict[str, TaskSpec] = {
    "judge": SPEC,
    **{
        name: replace(
            SPEC,
            name=name,
            method_options={**SPEC.method_options, "bsm": {"solve": "pair", "max_criteria": 3}},
        )
        for name in ("judge_mtbench", "judge_oasst2", "judge_oasst1", "judge_pandalm")
    },
}
"""Short name -> spec. Real data is judged as in the paper, both responses in one call. Three of the
paper's up to five criteria are used, since each is a call with both responses in its prompt."""


class Score(float):
    """A row's score that knows its weight, for `weighted_mean`; everywhere else a plain number."""

    weight: float

    def __new__(cls, value: float, weight: float = 1.0) -> Score:
        score = super().__new__(cls, value)
        score.weight = weight
        return score


def process_results(doc: Mapping[str, Any], results: Sequence[str]) -> RawScores:
    """Scores of one response; `inconsistency` is [pair, winner], to be compared within the pair."""
    verdict = SPEC.answer(results[0])
    votes_for = {"A": doc["votes_a"], "B": doc["votes_b"], "C": doc["votes_tie"]}
    agreeing = votes_for[verdict] if verdict else 0
    scores: RawScores = {
        "agreement": Score(agreeing / doc["n"], doc["weight"]),
        "inconsistency": [doc["cluster_id"], _winner(verdict, doc["order"])],
        "first_position": float(verdict == "A"),
    }
    decided = doc["votes_a"] + doc["votes_b"]
    if decided:
        hits = 0 if verdict == "C" else agreeing
        scores["agreement_no_ties"] = Score(hits / decided, json.loads(doc["weights"])["agreement_no_ties"])
    return scores


def _winner(verdict: str | None, order: str) -> str:
    """The winner, whichever order was shown. A missing verdict equals nothing, not even another missing
    one."""
    if verdict is None:
        return f"no verdict, {order}"
    in_order = verdict if order == "as_given" else SWAPPED[verdict]
    return {"A": "first", "B": "second", "C": "tie"}[in_order]


def weighted_mean(scores: Sequence[float]) -> float:
    """lm-eval aggregation: the mean of `Score`s by their weight (votes)."""
    weights = [getattr(score, "weight", 1.0) for score in scores]
    return sum(s * w for s, w in zip(scores, weights, strict=True)) / sum(weights)


def pair_disagreement(values: Iterable[Sequence[str]]) -> float:
    """lm-eval aggregation: share of pairs with different winners, among the pairs with both orders."""
    winners: dict[str, list[str]] = defaultdict(list)
    for pair, winner in values:
        winners[pair].append(winner)
    whole = [found for found in winners.values() if len(found) > 1]
    return sum(len(set(found)) > 1 for found in whole) / len(whole) if whole else float("nan")


def load(data: str = "embedded", seed: int = 0, **_: Any) -> dict[str, Dataset]:
    """Splits of the generated task. TaskError for another source than `embedded`."""
    if data_source(data) != "embedded":
        raise TaskError(
            "judge: these pairs are generated, so --data embedded is the only source: "
            "with other data use judge_mtbench, judge_oasst2, judge_oasst1 or judge_pandalm"
        )
    seed = whole_number(seed, "seed", default=0, low=0, high=2**31 - 1)
    made = {split: rows("judge", generate.pairs(split, seed), JUDGE_GENERATED) for split in generate.SIZES}
    return to_splits("judge", train=made["train"], validation=made["validation"], test=made["test"])


def load_mtbench(data: str = "embedded", pairs: str = "best_vs_each", **_: Any) -> dict[str, Dataset]:
    """Test: all human votes of MT-bench. Train and validation: OpenAssistant trees."""
    source = _real("judge_mtbench", data, "hub or --data DIR")
    inputs = _oasst(source, "oasst2" if source == "hub" else "oasst1", pairs)
    if source == "hub":
        found = hub_rows(MT_BENCH_HUB, split="human")
    else:
        found = read_rows(local_file(source, "mt_bench_human_judgments/human.jsonl"))
    return _judged("judge_mtbench", inputs, votes.mt_bench(found))


def load_oasst2(data: str = "embedded", pairs: str = "best_vs_each", **_: Any) -> dict[str, Dataset]:
    """All splits from trees of oasst2; the test is its validation split."""
    inputs = _oasst(_real("judge_oasst2", data, "hub, or --data DIR with oasst2/"), "oasst2", pairs)
    return _ranked("judge_oasst2", inputs)


def load_oasst1(data: str = "embedded", pairs: str = "best_vs_each", **_: Any) -> dict[str, Dataset]:
    """All splits from trees of oasst1: of one file in a folder, of both splits on the hub."""
    inputs = _oasst(_real("judge_oasst1", data, "hub or --data DIR"), "oasst1", pairs)
    return _ranked("judge_oasst1", inputs)


def load_pandalm(data: str = "embedded", pairs: str = "best_vs_each", **_: Any) -> dict[str, Dataset]:
    """Test: PandaLM's test set. Train and validation: trees of oasst1."""
    source = _real("judge_pandalm", data, "DIR")
    if source == "hub":
        raise TaskError(
            "judge_pandalm: PandaLM's test set is not on the hub: use --data DIR with pandalm/test.jsonl"
        )
    inputs = _oasst(source, "oasst1", pairs)
    found = read_rows(local_file(source, "pandalm/test.jsonl"))
    return _judged("judge_pandalm", inputs, votes.pandalm(found))


def _real(task: str, data: str, needed: str) -> Source:
    source = data_source(data)
    if source == "embedded":
        raise TaskError(f"{task}: nothing is embedded for this part: use --data {needed}, or the task judge")
    return source


def _oasst(source: Source, name: str, pairing: str) -> dict[str, list[TaskRow]]:
    """Split -> rows from trees. The rows are the same for every part, so a checkpoint serves all of them."""
    if source == "hub":
        splits = oasst.pairs(hub_rows(OASST_HUB[name], split="train"), oasst.HUB_SHARES, pairing)
        test = oasst.pairs(hub_rows(OASST_HUB[name], split="validation"), (("test", 100),), pairing)
    elif name == "oasst2":
        splits = oasst.pairs(read_rows(local_file(source, "oasst2/train.jsonl")), oasst.HUB_SHARES, pairing)
        validation = read_rows(local_file(source, "oasst2/validation.jsonl"))
        test = oasst.pairs(validation, (("test", 100),), pairing)
    else:
        given = read_rows(local_file(source, "oasst1/validation_en.jsonl"))
        splits, test = oasst.pairs(given, oasst.LOCAL_SHARES, pairing), {}
    return {split: rows(f"judge_{name}", found) for split, found in {**splits, **test}.items()}


def _ranked(task: str, splits: Mapping[str, Sequence[TaskRow]]) -> dict[str, Dataset]:
    if not splits["test"]:
        raise TaskError(f"{task}: no English opening prompt has two ranked replies: check the data in --data")
    return to_splits(task, train=splits["train"], validation=splits["validation"], test=splits["test"])


def _judged(task: str, inputs: Mapping[str, Sequence[TaskRow]], found: Sequence[Pair]) -> dict[str, Dataset]:
    test = rows(task, found)
    note = (
        f"{sum(row['n'] for row in test) // 2} human votes on {len(found)} pairs, each asked in both orders."
    )
    return to_splits(
        task, train=inputs["train"], validation=inputs["validation"], test=test, notes={"test": note}
    )
