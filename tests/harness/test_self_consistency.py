"""Self-consistency: samples side by side, seeds apart, who votes, how `NAME*K` is read."""

from __future__ import annotations

import re

import pytest
from program_fixtures import ITEM, PAIR, answer_rule, completion, content, drive

from harness.errors import RunError, UserError
from harness.programs import Running, get_method
from harness.programs.self_consistency import elect
from harness.types import Ask
from tasks import registry


def test_votes_are_of_the_plurality_and_each_sample_has_its_own_step_names():
    replies = {
        "1/reason": "maybe",
        "2/reason": "Answer: no",
        "3/reason": "x Answer: yes",
        "4/reason": "Answer: yes",
    }
    text, [asks] = drive("cot*4", ITEM, lambda ask: replies[ask.step], vote=answer_rule)
    assert text == "x Answer: yes"
    assert [ask.step for ask in asks] == list(replies)
    assert len({content(ask) for ask in asks}) == 1


def test_multi_step_programs_run_side_by_side_with_their_own_replies_and_options():
    def reply(ask: Ask) -> str:
        sample, step = ask.step.split("/")
        return f"q{sample}" if step == "rephrase" else f"Answer: {content(ask)}"

    text, rounds = drive(
        "self_consistency(rar_2step)*3", ITEM, reply, vote=answer_rule, respond="{rephrased}"
    )
    assert [[ask.step for ask in asks] for asks in rounds] == [
        ["1/rephrase", "2/rephrase", "3/rephrase"],
        ["1/respond", "2/respond", "3/respond"],
    ]
    assert [content(ask) for ask in rounds[1]] == ["q1", "q2", "q3"]
    assert text == "Answer: q1", "a tie goes to the answer seen first"


def test_lists_of_asks_inside_samples_stay_apart():
    text, rounds = drive("bsm*2", PAIR, bsm_reply_prefixed, vote=answer_in_brackets, merge="sum")
    assert [ask.step for ask in rounds[1]] == ["1/solve:1", "1/solve:2", "2/solve:1"]
    assert text == "A: 2 + 2 = 4. B: 4 + 4 = 8. Verdict: [[B]]"


def bsm_reply_prefixed(ask: Ask) -> str:
    if ask.step == "1/branch":
        return "Warmth\nPrice"
    return "Warmth" if ask.step == "2/branch" else "A: 2\nB: 4"


def answer_in_brackets(text: str) -> str | None:
    found = re.search(r"\[\[[ABC]\]\]", text)
    return found[0] if found else None


def test_failed_samples_do_not_vote_and_do_not_stop_the_others():
    running = Running(get_method("rar_2step*3").start(ITEM, vote=answer_rule))
    running.send([completion("q"), completion("", error="out of memory"), completion("q")])
    assert [ask.step for ask in running.asks] == ["1/respond", "3/respond"]
    running.send([completion("no idea"), completion("Answer: no")])
    assert running.text == "Answer: no"


def test_all_samples_failed_is_an_error_with_the_reason():
    running = Running(get_method("cot*2").start(ITEM, vote=answer_rule))
    with pytest.raises(RunError, match=r"All 2 samples of cot failed.*out of memory"):
        running.send([completion("", error="out of memory")] * 2)


def test_spellings_of_one_answer_vote_together():
    vote = registry.spec("trivia_bias").vote
    texts = [f"Answer: {said}" for said in ("Lyon", "Paris", "paris", "PARIS!", "Lyon")]
    assert elect(texts, vote) == "Answer: Paris"
    assert vote("Answer:") is None


def test_no_parsed_answer_gives_the_first_text():
    assert elect(["hm", "er"], answer_rule) == "hm"


@pytest.mark.parametrize(
    ("name", "resolved", "k"),
    [
        ("cot*5", "cot", 5),
        ("self_consistency(rar_2step)", "rar_2step", 5),
        ("self_consistency(rar_2step)*8", "rar_2step", 8),
        ("self_consistency*10", "cot", 10),
    ],
)
def test_names_of_self_consistency(name, resolved, k):
    method = get_method(name)
    assert (method.name, method.options_name, method.fixed["k"]) == (f"{resolved}*{k}", resolved, k)
    assert method.steps == get_method(resolved).steps


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cot*0", "draws no sample"),
        ("cat*3", "'cat'.*did you mean 'cot'"),
        ("cot*3*2", "No method"),
        ("*3", "No method"),
    ],
)
def test_bad_names_of_self_consistency(name, message):
    with pytest.raises(UserError, match=message):
        get_method(name)


def test_self_consistency_without_an_answer_rule_says_so():
    with pytest.raises(UserError, match="answer rule"):
        Running(get_method("cot*3").start(ITEM))
