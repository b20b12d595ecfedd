"""Programs: what each asks, what it makes of replies, how names and yields are checked. No model."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from program_fixtures import ITEM, PAIR, answer_rule, completion, content, drive

from harness.errors import UserError
from harness.programs import Program, Running, base, check_yield, get_method, methods, step_kind
from harness.programs import cot as cot_module
from harness.programs.rar import strip_quotes
from harness.programs.s2a import parse_rewrite
from harness.types import Ask, Item, user

NEEDED: dict[str, dict[str, object]] = {"cot_fewshot": {"examples": [("Is 2 odd?", "2 / 2 = 1. Answer: no")]}}
"""Options without which a method cannot run."""

# Names and the registry


def test_every_builtin_method_is_listed_and_asks_only_its_declared_steps():
    names = [known.name for known in methods()]
    ours = "direct think cot cot_fewshot rar_1step rar_2step s2a bsm self_consistency"
    papers = "cot_paper rar_1step_paper rar_2step_paper s2a_paper pair_v2"
    assert names == sorted(names) and set(names) >= set(f"{ours} {papers}".split())
    for known in methods():
        options = NEEDED.get(known.name, {})
        _, rounds = drive(known, PAIR, lambda ask: "Answer: 3", vote=answer_rule, **options)
        asked = list(dict.fromkeys(step_kind(ask.step) for asks in rounds for ask in asks))
        assert tuple(asked) == known.steps, known.name


def test_unknown_method_names_the_known_ones_and_a_close_one():
    with pytest.raises(UserError, match=r"'rar_2stp'.*did you mean 'rar_2step'.*known are .*bsm, .*cot"):
        get_method("rar_2stp")


def test_only_think_switches_thinking_on():
    assert [known.name for known in methods() if known.thinking] == ["think"]
    assert get_method("think*3").thinking


def test_a_new_file_adds_a_method_and_a_taken_name_is_refused(monkeypatch):
    monkeypatch.setattr(base, "_METHODS", dict(base._METHODS))

    @base.method("twice", "asks two times", steps=("ask",))
    def twice(item: Item) -> Program:
        first = yield Ask("ask:1", [user(item.question)])
        second = yield Ask("ask:2", [user(first.text)])
        return second.text

    assert drive("twice", ITEM, lambda ask: content(ask) + "!")[0] == "Is 7 {odd}?!!"
    with pytest.raises(UserError, match=r"'cot' is registered by harness.programs.cot already"):
        base.method("cot", "another one")(twice)


def test_unknown_option_is_one_line_that_names_method_and_option():
    with pytest.raises(UserError, match=r"rar_2step.*'loud'"):
        get_method("rar_2step").start(ITEM, {"loud": True})


def test_wording_with_an_unknown_field_names_the_ones_there_are():
    with pytest.raises(UserError, match=r"\{answer_form\}, \{finish\}, \{question\}"):
        drive("cot", ITEM, lambda ask: "", reason="{questoin}?")


@pytest.mark.parametrize(
    ("step", "kind"),
    [("respond", "respond"), ("solve:4", "solve"), ("3/reason", "reason"), ("12/solve:4", "solve")],
)
def test_step_kind(step, kind):
    assert step_kind(step) == kind


# What a program may yield


def test_one_ask_becomes_a_list_and_a_list_stays_in_order():
    first, second = Ask("a:1", [user("x")]), Ask("a:2", [user("y")])
    assert check_yield(first) == [first]
    assert check_yield([first, second]) == [first, second]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("text", "yielded str"),
        ([], "empty list"),
        ([Ask("a", [user("x")]), Ask("a", [user("y")])], "twice"),
        (Ask("", [user("x")]), "without a step name"),
        (Ask("a", []), "messages must be"),
        (Ask("a", [{"role": "user"}]), "messages must be"),
        (Ask("a", [{"role": "user", "content": 3}]), "messages must be"),
    ],
)
def test_bad_yield_names_the_method(value, message):
    with pytest.raises(UserError, match=f"Method broken.*{message}"):
        check_yield(value, "broken")


def test_a_program_that_returns_no_text_is_named():
    def nothing() -> Iterator[Ask]:
        yield Ask("a", [user("x")])

    running = Running(nothing(), "silent")
    with pytest.raises(UserError, match="Method silent returned NoneType"):
        running.send([completion("x")])


# System 1, chain of thought


def test_direct_and_think_send_the_prompt_as_it_is():
    for name in ("direct", "think"):
        text, rounds = drive(name, ITEM, lambda ask: " Answer: yes ")
        assert text == " Answer: yes "
        assert [content(ask) for asks in rounds for ask in asks] == [ITEM.prompt]


def test_cot_asks_for_steps_and_then_the_answer_form():
    _, [[ask]] = drive("cot", ITEM, lambda ask: "")
    asked = content(ask)
    assert asked.startswith("Is 7 {odd}?\n\nThink step by step: first write down your reasoning")
    assert asked.endswith('Finish with "Answer: yes" or "Answer: no".')


@pytest.mark.parametrize("demand", ["Let's think step by step.", "Work Step-by-Step:"])
def test_a_question_that_asks_for_steps_itself_is_not_asked_twice(demand):
    asks = Item("i", "i", "p", f"Is 7 odd? {demand}", "")
    _, [[ask]] = drive("cot", asks, lambda ask: "")
    assert content(ask) == f"Is 7 odd? {demand}"


def test_a_task_without_an_answer_form_gets_no_dangling_sentence():
    free = Item("i", "i", "Say hello.", "Say hello.", "")
    _, [[ask]] = drive("cot", free, lambda ask: "")
    assert content(ask).startswith("Say hello.\n\nThink step by step")
    assert content(ask).endswith("give the answer.")


def test_built_in_worked_examples_are_eight_and_their_arithmetic_holds():
    assert len(cot_module.EXAMPLES) == 8
    for _, worked in cot_module.EXAMPLES:
        equations = re.findall(r"(\d+) ([-+*/]) (\d+) = (\d+)", worked)
        assert equations
        for left, sign, right, result in equations:
            a, b = int(left), int(right)
            assert {"+": a + b, "-": a - b, "*": a * b, "/": a / b}[sign] == int(result), worked
        assert worked.endswith(f"Answer: {equations[-1][3]}")


def test_fewshot_shows_examples_as_turns_and_the_question_in_their_shape():
    _, [[ask]] = drive("cot_fewshot", ITEM, lambda ask: "", **NEEDED["cot_fewshot"])
    finish = 'Finish with "Answer: yes" or "Answer: no".'
    assert ask.messages == [
        user(f"Is 2 odd?\n\n{finish}"),
        {"role": "assistant", "content": "2 / 2 = 1. Answer: no"},
        user(f"Is 7 {{odd}}?\n\n{finish}"),
    ]
    assert ask.stop == ()


def test_fewshot_leaves_a_prompt_alone_that_follows_turns_of_the_task():
    for name in ("cot_fewshot", "cot_fewshot*2"):
        program = get_method(name).start(ITEM, NEEDED["cot_fewshot"], answer_rule, turns=True)
        assert Running(program).asks[0].messages == [user(ITEM.prompt)]
    # Other methods are not told.
    assert get_method("cot").start(ITEM, {}, turns=True)


def test_fewshot_without_any_example_says_what_to_do():
    with pytest.raises(UserError, match=r"cot_fewshot shows worked examples.*num_fewshot.*or use cot"):
        drive("cot_fewshot", ITEM, lambda ask: "")


@pytest.mark.parametrize("examples", [[("a", "b", "c")], [("a", 3)], [("a",)]])
def test_bad_examples_are_named(examples):
    with pytest.raises(UserError, match="examples must be"):
        drive("cot_fewshot", ITEM, lambda ask: "", examples=examples)


# Rephrase and Respond


def test_rar_1step_is_one_call_with_the_question():
    text, [[ask]] = drive("rar_1step", ITEM, lambda ask: "Answer: yes")
    assert text == "Answer: yes"
    assert content(ask).startswith(ITEM.question)


def test_rar_2step_answers_original_and_rephrased_question():
    replies = {"rephrase": '"Does 2 not divide 7?"', "respond": "Answer: yes"}
    text, rounds = drive("rar_2step", ITEM, lambda ask: replies[ask.step])
    assert text == "Answer: yes"
    assert ITEM.question in content(rounds[0][0])
    second = content(rounds[1][0])
    assert ITEM.question in second and "Does 2 not divide 7?" in second and '"Does' not in second


def test_rar_2step_can_hide_the_original_question():
    _, rounds = drive("rar_2step", ITEM, lambda ask: "Does 2 not divide 7?", show_original=False)
    assert ITEM.question not in content(rounds[1][0])
    with pytest.raises(UserError, match="show_original is false"):
        drive("rar_2step", ITEM, lambda ask: "", show_original=False, respond="{question} {rephrased}")


def test_rar_2step_takes_a_tasks_wording_and_survives_an_empty_rephrasing():
    _, rounds = drive("rar_2step", ITEM, lambda ask: " ", rephrase="R {question}", respond="S {rephrased}")
    assert [content(asks[0]) for asks in rounds] == ["R Is 7 {odd}?", "S Is 7 {odd}?"]


@pytest.mark.parametrize(
    ("text", "stripped"),
    [
        ('"Is it up?"', "Is it up?"),
        ("“Is it up?”", "Is it up?"),
        ("'Isn't it up?'", "Isn't it up?"),
        ('"Heads" or "tails"', '"Heads" or "tails"'),
        ('"Take the words in "Edgar Bob""', 'Take the words in "Edgar Bob"'),
        ('Take "Edgar Bob"', 'Take "Edgar Bob"'),
        ('"', '"'),
    ],
)
def test_outer_quotes_are_stripped_only_when_they_belong_together(text, stripped):
    assert strip_quotes(text) == stripped


# System 2 Attention


def test_s2a_answers_from_the_rewritten_parts_alone():
    opinion = Item("i", "i", "p", "I think it is Lyon. Capital of France?", "Answer: and a name")
    replies = {"rewrite": "Context: none\nQuestion: Capital of France?", "respond": "Answer: Paris"}
    text, rounds = drive("s2a", opinion, lambda ask: replies[ask.step])
    assert text == "Answer: Paris"
    assert "Lyon" in content(rounds[0][0])
    second = content(rounds[1][0])
    assert "Lyon" not in second and "Context" not in second
    assert second.startswith("Question: Capital of France?")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Context: Ann has 3.\nQuestion: How many?", ("Ann has 3.", "How many?")),
        (
            "**Unbiased text context:** Ann has 3.\n\n**Question/Query:** How many?",
            ("Ann has 3.", "How many?"),
        ),
        (
            "Sure!\nunbiased text context (no opinions): Ann\nhas 3.\nquery: How many?",
            ("Ann\nhas 3.", "How many?"),
        ),
        ("Question: How many?", ("", "How many?")),
        ("Context: (none)\nQuestion: How many?", ("", "How many?")),
        ("Context: How many?", ("", "How many?")),
        ("How many in this context: all?", ("", "How many in this context: all?")),
        ("Context:\nQuestion:", ("", "")),
        ("", ("", "")),
    ],
)
def test_rewrite_is_parsed_with_and_without_labels(text, parts):
    assert parse_rewrite(text) == parts


def test_s2a_falls_back_on_the_users_text_when_the_rewrite_is_empty():
    _, rounds = drive("s2a", ITEM, lambda ask: "")
    assert f"Question: {ITEM.question}" in content(rounds[1][0])


# Any text from the model


@given(st.text())
def test_parsers_never_raise_and_invent_nothing(text):
    assert strip_quotes(text) in text
    context, question = parse_rewrite(text)
    assert context in text and question in text


@given(st.sampled_from([known.name for known in methods()]), st.text(max_size=80))
def test_every_method_ends_in_text_whatever_the_model_says(name, text):
    response, _ = drive(name, PAIR, lambda ask: text, vote=answer_rule, **NEEDED.get(name, {}))
    assert isinstance(response, str)
