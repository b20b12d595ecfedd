"""Coin flip: after some people flip a coin and some do not, is it still heads up? (arXiv 2201.11903)

Sources: `embedded` (generate.py), `hub` (skrishna/coin_flip; the paper tests on its validation split of 1,333
rows, so that is the test here and the hub's test split is the validation), or a folder with
`coin_flip/test.jsonl` (training inputs) and `coin_flip/validation_skrishna.jsonl` (test).

Task arguments: `difficulty` people per item (embedded; else 2 to 4); `wording`: `plain`, `reverse` (adds
"Flip means reverse.") or `yes_no` (adds a demand for yes or no as well), the three forms whose sensitivity
arXiv 2407.06023 reports; `extra=rar_gpt4` makes `coin_flip/rar_gpt4.jsonl` the test (folder); `validation=N`
holds N training rows out (folder).

The public files put "Q: " before a question or a note about the meaning of a flip behind it. Both are
removed, so that training and test items ask alike, and only `wording` adds text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.coin_flip import generate
from tasks.coin_flip.answer import MARKERS, answer
from tasks.coin_flip.examples import EXAMPLES
from tasks.errors import TaskError
from tasks.sources import (
    Row,
    data_source,
    hold_out,
    hub_rows,
    local_file,
    read_rows,
    require,
    to_splits,
    whole_number,
)
from tasks.spec import Metric, PaperSetup, TaskRow, TaskSpec

if TYPE_CHECKING:
    from datasets import Dataset

HUB = "skrishna/coin_flip"
ANSWER_FORM = '"Answer: yes" or "Answer: no"'
PROMPT = "{question}\nReply only with {answer_form}."
WORDINGS = {
    "plain": "",
    "reverse": " Flip means reverse.",
    "yes_no": " Flip means reverse. Answer the Yes or No question.",
}

WRAPPING = re.compile(r"^\s*Q:\s*")
NOTE = re.compile(r'\s*(?:Note that "flip" here means "reverse"\.|Flip means reverse\.)\s*$')
TURN_SENTENCE = re.compile(r"[^.\s][^.]*? (?:flips|does not flip) the coin\.")
TURN = re.compile(r"(?:^|\.)\s*([^.\s][^.]*?) (?:flips|does not flip) the coin(?=\.)")

SPEC = TaskSpec(
    name="coin_flip",
    s2_method="cot_fewshot",
    metrics=(Metric("accuracy", "binary", "yes or no is right"),),
    answer=answer,
    target=lambda word: f"Answer: {word}",
    max_tokens={"direct": 256},
    answer_mark=MARKERS,
    method_options={"cot_fewshot": {"examples": EXAMPLES}},
    perturb=lambda row: other_order(row),
    paper=PaperSetup("rar_2step_paper", inputs=20_000, steps=100, tokens_per_step=66_000),
)


def load(
    data: str = "embedded",
    seed: int | str = 0,
    difficulty: int | str | None = None,
    wording: str = "plain",
    extra: str | None = None,
    validation: int | str | None = None,
    **_: Any,
) -> dict[str, Dataset]:
    """Splits `train`, `validation`, `test`; see the top of this file. TaskError for bad data or arguments."""
    source = data_source(data)
    if wording not in WORDINGS:
        raise TaskError(f"coin_flip: wording={wording!r}: choose one of {', '.join(WORDINGS)}")
    if extra is not None and not isinstance(source, Path):
        raise TaskError(f"coin_flip: extra={extra!r} is a file of a data folder: use --data DIR with it")
    if source == "embedded":
        people = None if difficulty is None else whole_number(difficulty, "difficulty", 2, low=2, high=8)
        seed = whole_number(seed, "seed", default=0, low=0, high=2**31 - 1)
        train, checks, test = (
            generate.items(split, seed, people) for split in ("train", "validation", "test")
        )
    elif source == "hub":
        train, checks, test = (
            [_read(row) for row in hub_rows(HUB, split=split)] for split in ("train", "test", "validation")
        )
    else:
        train, test = _folder(source, extra)
        held = whole_number(validation, "validation", default=0, low=0, high=len(train) - 1)
        train, checks = hold_out(train, held)
    return to_splits(
        "coin_flip",
        train=(as_item(row, wording) for row in train),
        validation=(as_item(row, wording) for row in checks),
        test=(as_item(row, wording) for row in test),
    )


def other_order(row: Mapping[str, Any]) -> TaskRow | None:
    """The row with its people in the reverse order, which does not change the answer. None if that is the
    same question, or if a sentence between the people would be in the wrong place."""
    question, prompt = str(row["question"]), str(row["prompt"])
    turns = list(TURN_SENTENCE.finditer(question))
    if len(turns) < 2 or any(after.start() - before.end() > 1 for before, after in pairwise(turns)):
        return None
    first, last = turns[0].start(), turns[-1].end()
    reversed_turns = " ".join(turn[0] for turn in reversed(turns))
    other = question[:first] + reversed_turns + question[last:]
    if other == question or question not in prompt:
        return None
    return {**row, "question": other, "prompt": prompt.replace(question, other, 1)}


def process_results(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
    """Scores of one response: 1 or 0."""
    return {"accuracy": float(SPEC.answer(results[0]) == doc["target"])}


def _folder(folder: Path, extra: str | None) -> tuple[list[TaskRow], list[TaskRow]]:
    if extra is not None and not re.fullmatch(r"rar_\w+", extra):
        raise TaskError(f"coin_flip: extra={extra!r}: give the name of a rar_ file without its ending")
    train, test = (
        [_read(row) for row in read_rows(local_file(folder, f"coin_flip/{name}.jsonl"))]
        for name in ("test", extra or "validation_skrishna")
    )
    return train, test


def _read(row: Row) -> TaskRow:
    """A row of the public data: `inputs` and `targets` (hub layout) or `question` and `answer`."""
    text_key, gold_key = ("inputs", "targets") if "inputs" in row else ("question", "answer")
    question = NOTE.sub("", WRAPPING.sub("", require(row, text_key, str))).strip()
    gold = require(row, gold_key, str).strip().lower()
    if gold not in ("yes", "no"):
        raise TaskError(f"{row.where}: {gold_key!r} is {gold!r}, expected yes or no: fix or remove the row")
    names = TURN.findall(question)
    if not names:
        raise TaskError(f"{row.where}: nobody flips or does not flip the coin: fix or remove the row")
    symbols = [name.lower() for name in names]
    return {"question": question, "target": gold, "symbols": symbols, "text": " ".join(names)}


def as_item(row: Mapping[str, Any], wording: str = "plain") -> TaskRow:
    """The row with its prompt, in one of WORDINGS."""
    question = row["question"] + WORDINGS[wording]
    prompt = PROMPT.format(question=question, answer_form=ANSWER_FORM)
    return {**row, "question": question, "prompt": prompt, "answer_form": ANSWER_FORM}
