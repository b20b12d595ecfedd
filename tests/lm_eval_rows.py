"""Rows of lm-eval's own tasks with the columns of their data sets, made up, and the model that plays on them.

Each question holds a code word (`K017`) by which the scripted model (tests/scripts/reasoner.py) finds its
right answer and a wrong one; its other words are drawn, so that training and test rows overlap in nothing.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = dict[str, Any]
SCRIPT = Path(__file__).parent / "scripts" / "reasoner.py"
TEST, TRAIN = 40, 40

WORDS = [
    "amber",
    "anvil",
    "apron",
    "basin",
    "birch",
    "bison",
    "brook",
    "cabin",
    "cedar",
    "chalk",
    "clover",
    "cobalt",
    "copper",
    "coral",
    "cotton",
    "cradle",
    "crater",
    "dune",
    "ember",
    "falcon",
    "fern",
    "fiddle",
    "flint",
    "garnet",
    "ginger",
    "glacier",
    "gravel",
    "harbor",
    "hazel",
    "heron",
    "indigo",
    "ivory",
    "jasper",
    "juniper",
    "kettle",
    "lagoon",
    "lantern",
    "lemon",
    "lilac",
    "linen",
    "lobster",
    "magnet",
    "maple",
    "marble",
    "meadow",
    "mortar",
    "needle",
    "nettle",
    "oyster",
    "parcel",
    "pebble",
    "pepper",
    "pigeon",
    "pillow",
    "plover",
    "pottery",
    "quarry",
    "quartz",
    "rafter",
    "ribbon",
    "river",
    "saddle",
    "salmon",
    "satchel",
    "sickle",
    "spruce",
    "squash",
    "stable",
    "sugar",
    "tallow",
    "thicket",
    "thistle",
    "timber",
    "trellis",
    "tulip",
    "turnip",
    "velvet",
    "violet",
    "walnut",
    "willow",
]
NAMES = [
    "Anders",
    "Beatrix",
    "Casimir",
    "Dorothea",
    "Emeric",
    "Felicity",
    "Gideon",
    "Harriet",
    "Isidore",
    "Juliana",
    "Konrad",
    "Leopold",
    "Mathilda",
    "Nathaniel",
    "Ottilie",
    "Perpetua",
    "Quentin",
    "Rosalind",
    "Sebastian",
    "Theodora",
    "Ulrika",
    "Valentin",
    "Wilhelmina",
    "Xaver",
    "Yolanda",
    "Zacharias",
    "Ambrose",
    "Bernadette",
    "Cornelius",
    "Delphine",
]


@dataclass(frozen=True)
class Drawn:
    """What a row is made of."""

    key: str
    number: int
    right: str
    wrong: str
    words: tuple[str, ...]


def drawn(number: int, answers: Callable[[random.Random], tuple[str, str]]) -> Drawn:
    """The parts of row `number`; equal for equal numbers."""
    rng = random.Random(number)
    right, wrong = answers(rng)
    return Drawn(f"K{number:03d}", number, right, wrong, tuple(rng.choices(WORDS, k=12)))


def numbers(rng: random.Random) -> tuple[str, str]:
    right, wrong = rng.sample(range(11, 98), 2)
    return str(right), str(wrong)


def people(rng: random.Random) -> tuple[str, str]:
    right, wrong = rng.sample(NAMES, 2)
    return right, wrong


def letters(rng: random.Random) -> tuple[str, str]:
    right, wrong = rng.sample("ABCD", 2)
    return f"({right})", f"({wrong})"


def booleans(rng: random.Random) -> tuple[str, str]:
    return ("True", "False") if rng.random() < 0.5 else ("False", "True")


def question(item: Drawn, asks: str = "How many are left") -> str:
    return f"Shop {item.key} keeps {', '.join(item.words[:5])} and {' '.join(item.words[5:9])}. {asks}?"


def gsm8k(item: Drawn) -> Row:
    worked = (
        f"At first there are some {item.words[0]}.\nThen it is 2*3=<<2*3=6>>6 and more.\n#### {item.right}"
    )
    return {"question": question(item), "answer": worked}


def triviaqa(item: Drawn) -> Row:
    return {
        "question": question(item, "Who founded it").rstrip("?"),
        "question_id": f"tc_{item.number}",
        "question_source": "http://www.triviacountry.com/",
        "entity_pages": {"doc_source": [], "filename": [], "title": [], "wiki_context": []},
        "search_results": {"description": [], "filename": [], "rank": [], "title": [], "url": []},
        "answer": {
            "aliases": [item.right, f"{item.right} the Elder"],
            "normalized_aliases": [item.right.lower(), f"{item.right.lower()} the elder"],
            "matched_wiki_entity_name": "",
            "normalized_matched_wiki_entity_name": "",
            "normalized_value": item.right.lower(),
            "type": "WikipediaEntity",
            "value": item.right,
        },
    }


def nq_open(item: Drawn) -> Row:
    return {
        "question": question(item, "Who runs it").rstrip("?").lower().replace("k", "K"),
        "answer": [item.right],
    }


def drop(item: Drawn) -> Row:
    date = {"day": "", "month": "", "year": ""}
    passage = f"In {item.key} the {' '.join(item.words)} were counted twice, {item.wrong} and {item.right}."
    return {
        "section_id": f"nfl_{item.number}",
        "query_id": f"q-{item.number}",
        "passage": passage,
        "question": "How many were there in the end?",
        "answer": {"number": item.right, "date": date, "spans": [], "worker_id": "", "hit_id": ""},
        "validated_answers": {
            "number": [item.right], "date": [date], "spans": [[]], "worker_id": [""], "hit_id": [""],
        },
    }  # fmt: skip


def squad_completion(item: Drawn) -> Row:
    context = f"{question(item, 'Who owns it')} They say {item.right}."
    return {
        "doc_id": f"d{item.number}",
        "title": item.words[0],
        "context": context,
        "question": "Who is the owner?",
        "text": f"{context}\nThe owner of {item.words[9]} and {item.words[10]} in {item.key} is",
        "value": item.right,
    }


def bbh_boolean(item: Drawn) -> Row:
    return {"input": f"not ( {item.key} ) and {' or '.join(item.words[:7])} is", "target": item.right}


def bbh_date(item: Drawn) -> Row:
    year = 2000 + item.number % 90
    calendar = [f"{month:02d}/{day:02d}/{year}" for month in range(1, 13) for day in range(1, 28)]
    days = random.Random(item.number).sample(calendar, 4)
    options = "\n".join(f"({letter}) {day}" for letter, day in zip("ABCD", days, strict=True))
    asked = f"{' '.join(item.words[:7])} of {item.key} fell on a day. What is the date in MM/DD/YYYY?"
    return {"input": f"{asked}\nOptions:\n{options}", "target": item.right}


def minerva(item: Drawn) -> Row:
    problem = f"Let ${item.key}$ be a {' '.join(item.words[:7])}. What is its value?"
    solution = f"We have $2+3=5$ and so on, which gives $\\boxed{{{item.right}}}$."
    return {"problem": problem, "level": "Level 2", "type": "Algebra", "solution": solution}


def mgsm_test(item: Drawn) -> Row:
    return {
        "question": question(item),
        "answer": None,
        "answer_number": int(item.right),
        "equation_solution": None,
    }


def mgsm_train(item: Drawn) -> Row:
    return {
        "question": f"Question: {question(item)}",
        "answer": f"Step-by-Step Answer: First there were some. Then more came. The answer is {item.right}.",
        "answer_number": int(item.right),
        "equation_solution": f"2 + 3 = {item.right}.",
    }


def coqa(item: Drawn) -> Row:
    asked = [f"What does {item.key} keep?", "Who owns it?"]
    said = [item.words[0], item.right]
    turns = {"input_text": said, "answer_start": [0, 5], "answer_end": [4, 9], "turn_id": [1, 2]}
    return {
        "id": f"c{item.number}",
        "source": "race",
        "story": f"{question(item, 'Who knows')} {item.right} owns {' and '.join(item.words[6:])}.",
        "questions": {"input_text": asked, "turn_id": [1, 2]},
        "answers": turns,
        "additional_answers": {str(n): {**turns, "input_text": [said[0].upper(), said[1]]} for n in range(3)},
    }


def mmlu(item: Drawn) -> Row:
    choices = [f"the {word}" for word in item.words[8:12]]
    place = "ABCD".index(item.right[1])
    return {
        "question": f"Which of these belongs to {item.key}, {', '.join(item.words[:6])}?",
        "subject": "anatomy",
        "choices": [f"{choice} {n}" for n, choice in enumerate(choices)],
        "answer": place,
    }


@dataclass(frozen=True)
class Shipped:
    """One task that lm-eval ships, with data that stands in for the hub's."""

    task: str
    row: Callable[[Drawn], Row]
    answers: Callable[[random.Random], tuple[str, str]]
    scored: str = "test"
    train: str | None = "train"
    """The split that the hub's data set has to learn from; None for none."""
    n_train: int = TRAIN
    train_row: Callable[[Drawn], Row] | None = None
    more: tuple[tuple[str, int], ...] = ()
    """Other splits of the hub's data set, with numbers of rows."""


SHIPPED = (
    Shipped("gsm8k", gsm8k, numbers),
    Shipped("gsm8k_cot", gsm8k, numbers),
    Shipped("gsm8k_cot_zeroshot", gsm8k, numbers),
    Shipped("triviaqa", triviaqa, people, scored="validation"),
    Shipped("nq_open", nq_open, people, scored="validation"),
    Shipped("drop", drop, numbers, scored="validation"),
    Shipped("squad_completion", squad_completion, people, scored="validation", train=None),
    Shipped("bbh_cot_zeroshot_boolean_expressions", bbh_boolean, booleans, train=None),
    Shipped("bbh_cot_zeroshot_date_understanding", bbh_date, letters, train=None),
    Shipped("minerva_math_algebra", minerva, numbers),
    Shipped("mgsm_direct_en", mgsm_test, numbers, train_row=mgsm_train, n_train=8),
    Shipped("coqa", coqa, people, scored="validation"),
    Shipped("mmlu_flan_cot_zeroshot_anatomy", mmlu, letters, scored="validation", train=None,
            more=(("dev", 5), ("test", TRAIN))),
)  # fmt: skip
BY_NAME = {shipped.task: shipped for shipped in SHIPPED}


def write_data(shipped: Shipped, folder: Path, n_scored: int = TEST) -> Path:
    """Files for `--data`, and the scripted model with its answers; the model's script."""
    here = folder / "data" / shipped.task
    here.mkdir(parents=True)
    splits = [(shipped.scored, n_scored, shipped.row)]
    if shipped.train is not None:
        splits.append((shipped.train, shipped.n_train, shipped.train_row or shipped.row))
    splits += [(name, count, shipped.row) for name, count in shipped.more]
    known: dict[str, list[str]] = {}
    start = 0
    for name, count, row in splits:
        items = [drawn(number, shipped.answers) for number in range(start, start + count)]
        start += 200
        known |= {item.key: [item.right, item.wrong] for item in items}
        text = "".join(json.dumps(row(item)) + "\n" for item in items)
        (here / f"{name}.jsonl").write_text(text)
    script = folder / "reasoner.py"
    script.write_text(SCRIPT.read_text())
    (folder / "answers.json").write_text(json.dumps(known))
    return script
