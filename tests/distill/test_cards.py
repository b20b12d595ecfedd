"""The cards of a checkpoint: complete, read by the hub's own reader, and unmoved by what texts hold."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from drawn_fixtures import HOSTILE, MODEL, entry, facts_of, record_of, some_drawn
from markdown_it import MarkdownIt

from distill.papers.cards import KNOWN, hub_id, write_papers
from distill.papers.markdown import SHOWN, Markdown, environment, fenced, front_matter, inline, table, tidy
from distill.papers.prompts import method_prompts
from distill.teacher.filter_kinds import FILTERS, asked_for, reasons
from distill.teacher.overlap import KINDS
from harness.programs import rar
from harness.programs.base import Method, Program, get_method, methods
from harness.types import Ask, Item, user

ITEM = entry(0, ["yes"], kept="yes").item
JUDGED = Item("i", "c", "p", "q", "a verdict", {"response_a": "one", "response_b": "two", "rank": 3})


def cards(folder: Path, facts: Mapping[str, Any]) -> tuple[str, str]:
    write_papers(folder, facts)
    return (folder / "README.md").read_text(), (folder / "examples" / "README.md").read_text()


def body(card: str) -> list[Any]:
    """Tokens of a card's Markdown below its YAML."""
    return MarkdownIt("commonmark", {"html": True}).enable("table").parse(card.split("\n---\n", 1)[1])


def headings(card: str) -> list[str]:
    tokens = body(card)
    return [tokens[place + 1].content for place, each in enumerate(tokens) if each.type == "heading_open"]


def cells(card: str) -> dict[str, str]:
    """First cell -> second cell of every table row, as a reader sees them."""
    tokens = [each for each in body(card) if each.type in ("tr_open", "inline")]
    rows: list[list[str]] = [[]]
    for each in tokens:
        if each.type == "tr_open":
            rows.append([])
        else:
            rows[-1].append("".join(child.content for child in each.children))
    return {row[0]: row[1] for row in rows if len(row) > 1}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    (tmp_path / "adapter_config.json").write_text("{}")
    (tmp_path / "adapter_model.safetensors").write_bytes(b"weights")
    return tmp_path


def test_the_hub_reads_the_model_card(checkpoint: Path) -> None:
    from huggingface_hub import ModelCard

    write_papers(checkpoint, facts_of(some_drawn()))
    data = ModelCard.load(checkpoint / "README.md").data
    assert data.base_model == KNOWN["smollm2"]
    assert (data["library_name"], data.pipeline_tag, data.license) == ("peft", "text-generation", "other")
    assert data.tags == ["s2d-bench", "system-2-distillation", "lora", "coin-flip"]


def test_the_card_says_what_was_done(checkpoint: Path) -> None:
    card, _ = cards(checkpoint, facts_of(some_drawn()))
    said = cells(card)
    expected = {
        "name": KNOWN["smollm2"],
        "hash of weights, tokenizer and dtype": MODEL["fingerprint"],
        "hash of the chat template": MODEL["template_hash"],
        "parameters": "134,515,008",
        "unlabeled inputs asked": "10",
        "samples per input": "3",
        "inputs kept": "6 (60 %)",
        "filter": "majority",
        "tokens generated": "11,931",
        "prompt tokens": "24,467",
        "FLOPs, 2 x parameters a token": "9.79e+12",
        "kept answers that the base model gives by itself": "25 %",
        "no_majority": "3",
        "all_failed": "1",
        "exact": "3",
        "symbols": "1",
        "steps": "12",
        "loss": "0.6291",
        "tokens per second": "33.25",
        "learning_rate": "0.0004",
        "tokens seen, prompts included": "5,724",
        "FLOPs, 4 x parameters a token": "3.08e+12",
        "seed": "0",
        "torch": "2.13.0",
        "adapter_model.safetensors": hashlib.sha256(b"weights").hexdigest(),
        "this checkpoint": "fill in",
    }
    assert {name: said.get(name) for name in expected} == expected
    assert "| rephrase | 0.7 " in card and " 0.95 " in card
    assert "75 % are right" in card and "neither the filter nor the training saw them" in card
    # Half of the kept have 1 of 3 for a margin, half have 3 of 3.
    assert re.search(r"\| kept +\| 0\.33 +\| 0\.33 +\| 0\.33 +\| 0\.67 +\| 1\.00 ", card)


def test_without_labels_the_card_says_that_nothing_is_known(checkpoint: Path) -> None:
    drawn = some_drawn()
    record = record_of(drawn, pseudo_label_accuracy=None, allow_overlap=True, already_given=None)
    card, _ = cards(checkpoint, facts_of(drawn, record))
    assert "is not known: the inputs carry no labels" in card
    assert "scores on those tests prove nothing" in card
    assert cells(card)["kept answers that the base model gives by itself"] == "not recorded"


def test_warnings_come_first_and_not_twice(checkpoint: Path) -> None:
    drawn = some_drawn()
    part = facts_of(drawn, record_of(drawn, warnings=["Too *few* <inputs>.", "Too *few* <inputs>."]))
    card, _ = cards(checkpoint, part)
    assert headings(card)[1] == "Read this first"
    assert card.count(r"- Too \*few\* &lt;inputs&gt;.") == 1


def test_the_teacher_s_own_wording_and_one_whole_sample_are_shown(checkpoint: Path) -> None:
    drawn = some_drawn()
    wording = {"rephrase": "Say it otherwise: {question}", "show_original": False}
    card, _ = cards(checkpoint, facts_of(drawn, options=wording))
    assert "user: Say it otherwise: {question}\n" in card
    assert "user: [reply to rephrase]\n\nThink step by step" in card
    for text in (f"rephrase: {drawn[0].item.question}", "Reply to rephrase", "Reply to respond"):
        assert text in card
    assert drawn[0].item.prompt in card and "\nAnswer: yes\n" in card


@pytest.mark.parametrize("place", ["question", "reply", "name", "answer"])
def test_hostile_text_stays_text(checkpoint: Path, place: str) -> None:
    drawn = some_drawn()
    plain = facts_of(drawn)
    usual = [headings(card) for card in cards(checkpoint, plain)]
    first = {"question": HOSTILE, "text": HOSTILE}
    if place == "question":
        drawn = [entry(0, ["yes"], kept="yes", **first), entry(1, ["no"], **first), *drawn]
    if place == "answer":
        drawn = [entry(0, [HOSTILE], kept=HOSTILE), *drawn]
    reply = HOSTILE if place == "reply" else "Reply"
    model = {**MODEL, "name": HOSTILE} if place == "name" else MODEL
    warned = record_of(drawn, warnings=[HOSTILE], dropped={HOSTILE: 2})
    facts = facts_of(drawn, warned if place == "answer" else None, model, reply=reply)
    for card, before in zip(cards(checkpoint, facts), usual, strict=True):
        found = headings(card)
        if place == "answer" and "Read this first" in found:
            found.remove("Read this first")
        same = found if place != "name" else found[1:]
        assert same == (before if place != "name" else before[1:])
        types = {child.type for each in body(card) for child in [each, *(each.children or [])]}
        assert not types & {"html_block", "html_inline", "image", "hr"}
        links = [child for each in body(card) for child in each.children or [] if child.type == "link_open"]
        assert {link.attrs["href"] for link in links} <= {"https://arxiv.org/abs/2407.06023"}
        assert "\x1b" not in card and "\u202e" not in card
        assert "license: mit" not in card.split("\n---\n")[0]


def test_a_folder_or_a_file_as_base_model_leaves_no_path_and_no_hub_id(
    checkpoint: Path, tmp_path: Path
) -> None:
    from huggingface_hub import ModelCard

    model = {**MODEL, "name": str(tmp_path / "secret" / "my-model")}
    for card in cards(checkpoint, facts_of(some_drawn(), model=model)):
        assert "my-model" in card and "secret" not in card
    assert ModelCard.load(checkpoint / "README.md").data.base_model is None


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("smollm2", KNOWN["smollm2"]),
        ("Qwen/Qwen2.5-7B-Instruct", "Qwen/Qwen2.5-7B-Instruct"),
        ("tiny", None),
        ("/models/qwen", None),
        ("./models/qwen", None),
        ("a/b/c", None),
        ("model.gguf", None),
        ("a/b\nlicense: mit", None),
    ],
)
def test_hub_ids_are_told_from_paths(name: str, meant: str | None) -> None:
    assert hub_id(name) == meant


def test_a_folder_that_exists_is_no_hub_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "one").mkdir(parents=True)
    assert hub_id("runs/one") is None


def test_a_full_model_is_described_as_one(tmp_path: Path) -> None:
    from huggingface_hub import ModelCard

    drawn = some_drawn()
    record = record_of(drawn, settings={"tuning": "full"})
    card, _ = cards(tmp_path, facts_of(drawn, record))
    data = ModelCard.load(tmp_path / "README.md").data
    assert (data["library_name"], data.to_dict()["base_model_relation"]) == ("transformers", "finetune")
    assert "peft" not in card.split("## Base model")[0].lower()
    assert "FLOPs, 6 x parameters a token" in cells(card)


def test_one_checkpoint_of_several_tasks_has_a_part_for_each(checkpoint: Path) -> None:
    drawn = some_drawn()
    facts = facts_of(drawn)
    other = facts_of(drawn, record_of(drawn, task="gsm8k", teacher_method="cot", inputs=77))["tasks"]
    facts["tasks"] += other
    card, data = cards(checkpoint, facts)
    assert "# 2 tasks: System 2 distilled into" in card
    assert "s2d_coin_flip,s2d_gsm8k" in card
    assert [found for found in headings(card) if found.startswith("The teacher")] == [
        r"The teacher of coin\_flip: rar\_2step",
        r"The teacher of gsm8k: cot",
    ]
    assert {r"coin\_flip", "gsm8k"} <= set(headings(data))


def test_training_facts_are_read_from_the_folder(checkpoint: Path) -> None:
    evaluations = [{"step": 33, "loss": 0.41234, "answer": 0.5}, {"step": 66, "loss": 0.2, "answer": 0.75}]
    found = {"steps": 99, "best_step": None, "evaluations": evaluations, "versions": {"trl": "1.16.0"}}
    (checkpoint / "training.json").write_text(json.dumps(found))
    facts = facts_of(some_drawn())
    del facts["training"]
    card, _ = cards(checkpoint, facts)
    said = cells(card)
    assert (said["steps"], said["33"], said["trl"], said["torch"]) == ("99", "0.4123", "1.16.0", "2.13.0")
    assert "best step" not in said


def test_a_card_says_that_experts_were_trained(checkpoint: Path) -> None:
    said = "those of the experts included"
    assert said not in cards(checkpoint, facts_of(some_drawn()))[0]
    settings = {"target_parameters": ["model.layers.0.mlp.experts.gate_up_proj"]}
    (checkpoint / "adapter_config.json").write_text(json.dumps(settings))
    assert said in cards(checkpoint, facts_of(some_drawn()))[0]


def test_the_same_facts_give_the_same_cards_and_no_scratch(checkpoint: Path) -> None:
    facts = facts_of(some_drawn())
    assert json.loads(json.dumps(facts))["tasks"][0]["kept"] == 6
    first = cards(checkpoint, facts)
    assert cards(checkpoint, json.loads(json.dumps(facts))) == first
    assert {path.name for path in (checkpoint / "examples").iterdir()} == {"README.md"}


def test_every_filter_and_overlap_has_its_words() -> None:
    assert set(asked_for()) >= {"majority", "usc", "perturbation"} and {"swap", "none"} < set(FILTERS)
    assert all(each.keeps for each in FILTERS.values())
    assert set(reasons()) >= {"no_majority", "all_failed", "order_inconsistent", "usc_no_choice"}
    assert all(reason.card for reason in reasons().values())
    from distill.papers.cards import OVERLAPS

    assert set(OVERLAPS) == set(KINDS)


# Prompts of a method


def test_prompts_are_what_the_method_asks() -> None:
    rephrase, respond = method_prompts(get_method("rar_2step"), ITEM, {})
    words = rar.TWO_STEPS["default"]
    *examples, asked = rephrase["messages"]
    assert asked == user(words.rephrase)
    assert [turn["content"] for turn in examples[1::2]] == [reply for _, reply in words.examples]
    filled = words.respond.replace("{rephrased}", "[reply to rephrase]").replace(
        "{finish}", "Finish with yes or no."
    )
    assert respond == {"step": "respond", "messages": [user(filled)]}


@pytest.mark.parametrize(
    "name", [each.name for each in methods()] + ["cot*3", "self_consistency(rar_2step)*2"]
)
def test_every_method_shows_each_kind_of_step_once(name: str) -> None:
    method = get_method(name)
    item = JUDGED if name in ("bsm", "pair_v2") else ITEM
    options = (
        {"examples": [("What is 1 + 1?", "One and one are 2. Answer: 2")]} if name == "cot_fewshot" else {}
    )
    shown = method_prompts(method, item, options, vote=lambda text: text)
    assert tuple(each["step"] for each in shown) == method.steps
    if name == "bsm":
        assert "{response_a}" in shown[1]["messages"][0]["content"]


def test_a_method_that_reads_its_item_is_shown_with_a_real_one() -> None:
    def reads(item: Item) -> Program:
        yield Ask("count", [user(f"{int(item.question) + 1}?")])
        return ""

    item = Item("i", "c", "41", "41", "")
    (shown,) = method_prompts(Method("reads", "", ("count",), reads), item, {})
    assert shown["messages"] == [user("42?")]


def test_a_method_that_needs_real_replies_shows_none_and_one_without_end_stops() -> None:
    def parses(item: Item) -> Program:
        reply = yield Ask("one", [user("a number")])
        return str(int(reply.text))

    def waits(item: Item) -> Program:
        while True:
            yield Ask("again", [user("done?")])

    assert method_prompts(Method("parses", "", ("one",), parses), ITEM, {}) == []
    assert [each["step"] for each in method_prompts(Method("waits", "", (), waits), ITEM, {})] == ["again"]


# Markdown


@pytest.mark.parametrize("inside", ["```", "````\n~~~", "`" * 50, "a ``` b", "\r```\r# x"])
def test_a_fence_cannot_be_closed_from_inside(inside: str) -> None:
    tokens = MarkdownIt("commonmark").parse(fenced(inside) + "\n\nafter")
    assert [each.type for each in tokens] == ["fence", "paragraph_open", "inline", "paragraph_close"]
    assert tokens[0].content == inside.replace("\r", "\n") + "\n"


def test_empty_lines_of_shown_text_stay_and_those_of_templates_go() -> None:
    shown = fenced("a\n\n\nb\n```\n\n\nc")
    assert tidy(f"\n# t\n\n\n\n{shown}\n\n\n\nend\n\n") == f"# t\n\n{shown}\n\nend\n"


def test_long_text_is_cut_with_its_length_said() -> None:
    shown = fenced("x" * (SHOWN + 1234))
    assert "1,234 more characters" in shown and len(shown) < SHOWN + 100


def test_inline_text_renders_as_itself() -> None:
    text = "a_b *c* `d` [e](f) <g> & | ~~h~~ #! \\ $i$"
    (_, found, _) = MarkdownIt("commonmark").parse(inline(text))
    assert "".join(child.content for child in found.children) == text
    assert {child.type for child in found.children} <= {"text", "text_special"}


def test_tables_keep_their_columns() -> None:
    made = table(["a", "b"], [["x | y", "z\n\nw"], [Markdown("*m*"), None]])
    tokens = MarkdownIt("commonmark").enable("table").parse(made)
    assert sum(each.type == "td_open" for each in tokens) == 4
    assert "*m*" in made and "not recorded" in made


def test_yaml_cannot_be_left() -> None:
    import yaml

    made = front_matter({"base_model": HOSTILE.replace("\ud800", "")})
    assert yaml.safe_load(made.split("---\n", 1)[1].removesuffix("---")) == {
        "base_model": HOSTILE.replace("\ud800", "")
    }
    assert [line for line in made.splitlines() if line.startswith("---")] == ["---", "---"]


def test_templates_escape_what_is_not_marked() -> None:
    template = environment().from_string("{{ bad }} {{ good }} {{ none }}")
    assert template.render(bad="<b>*", good=Markdown("*"), none=None) == r"&lt;b&gt;\* * not recorded"
