"""Parsers of model text and of what people type: any text is fine, or one of our own errors, in linear time.

More cases: `make fuzz` (fuzzing.py). Long repetitive texts have their own test, since a pattern that
backtracks shows there and nowhere else; the test's time limit is generous, and a quadratic parser passes it
by far.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fuzzing import JSON, MARKS, MODEL_TEXT, altered, fuzz
from hypothesis import strategies as st

from distill.teacher.filters import parse_usc
from distill.teacher.select import parse_filter
from harness.engines.openai.address import check_base_url
from harness.engines.openai.client import Broken
from harness.engines.openai.completion import completion
from harness.engines.openai.prompt_ids import read_ids
from harness.engines.openai.refusals import error_inside, read_error
from harness.engines.openai.reply import read_reply
from harness.engines.openai.retry import retry_after
from harness.engines.openai.served import context_of, read_models, told_of_weights
from harness.errors import UserError, one_line
from harness.options import key_values
from harness.programs.base import get_method
from harness.programs.bsm import add_scores, parse_criteria, parse_pair, parse_score
from harness.programs.direct import think
from harness.programs.rar import strip_quotes
from harness.programs.s2a import parse_rewrite
from harness.types import Completion, Item, Request, Sampling, stable_hash
from harness.variants import parse_variants
from results.errors import ResultsError
from results.policy import parse_rule
from results.schema import step_kind
from tasks import registry
from tasks.answers import after_marker, first_line, last_line
from tasks.gsm8k.task import last_number, marked_number
from tasks.trivia_bias.grading import is_right, normalise

ITEM = Item("i", "c", "Is it?", "Is it?", "yes or no")
REQUEST = Request("i", "direct", 0, [], (1, 2), Sampling(stop=("END",)), 0)
NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)


def answers(text: str) -> None:
    """Every task's own rule."""
    for name in registry.families():
        found = registry.spec(name).answer(text)
        assert found is None or (isinstance(found, str) and found and found == found.strip())
    assert registry.spec("coin_flip").answer(text) in (None, "yes", "no")
    assert registry.spec("judge").answer(text) in (None, "A", "B", "C")
    letters = registry.spec("last_letter").answer(text)
    assert letters is None or letters == letters.lower()
    for number in (registry.spec("gsm8k").answer(text), marked_number(text), last_number(text)):
        assert number is None or NUMBER.fullmatch(number)


def grading(text: str) -> None:
    answer = registry.spec("trivia_bias").answer(text)
    assert answer is None or (normalise(answer) and len(answer.splitlines()) == 1)
    assert is_right(answer, (normalise(text), "paris")) in (True, False)
    assert normalise(normalise(text)) == normalise(text)


def markers(text: str) -> None:
    found = after_marker(text)
    assert found is None or found == found.strip()
    assert all(len(line(text).splitlines()) <= 1 for line in (first_line, last_line))


def rewrites(text: str) -> None:
    context, question = parse_rewrite(text)
    assert context in text and question in text
    assert not context or question


def criteria(text: str) -> None:
    for most in (1, 3, 5):
        found = parse_criteria(text, most)
        assert len(found) <= most and all(found) and len(set(found)) == len(found)


def scores(text: str) -> None:
    allowed = {None, 1, 2, 3, 4, 5}
    pair, score = parse_pair(text), parse_score(text)
    assert {*pair, score} <= allowed
    assert registry.spec("judge").answer(add_scores([pair, (score, score)])) in (None, "A", "B", "C")


def quotes(text: str) -> None:
    assert strip_quotes(text) in text


def thoughts(text: str) -> None:
    program = think(ITEM)
    next(program)
    with pytest.raises(StopIteration) as ended:
        program.send(Completion(text, "stop", 1, 1))
    assert ended.value.value in text


def choices(text: str) -> None:
    for count in (0, 1, 8):
        assert parse_usc(text, count) in (None, *range(count))


def typed(text: str) -> None:
    """What people type: an error of ours, which fits into one line."""
    readers: tuple[Callable[[str], Any], ...] = (
        parse_variants, parse_filter, get_method, check_base_url, step_kind,
        lambda text: key_values(text, "--sampling"), lambda text: parse_rule(text, Path("policy")),
    )  # fmt: skip
    for reader in readers:
        try:
            reader(text)
        except (UserError, ResultsError) as error:
            assert len(one_line(error).splitlines()) == 1


REPLY = {
    "choices": [{
        "message": {"role": "assistant", "content": "Answer: yes", "reasoning": "hm"},
        "finish_reason": "stop", "token_ids": [5, 6],
        "logprobs": {"content": [{"token": "a", "top_logprobs": [{"token": "a", "logprob": -0.5}]}]},
    }],
    "usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13,
              "prompt_tokens_details": {"cached_tokens": 3}},
    "prompt_token_ids": [1, 2],
}  # fmt: skip


def replies(data: Any) -> None:
    """A server's reply: a completion that can be stored, or Broken."""
    try:
        reply = read_reply(data)
    except Broken:
        return
    done = completion(REQUEST, reply, thinking=True)
    assert done.finish_reason in ("stop", "length", "error")
    assert 0 <= done.cached_tokens <= done.prompt_tokens < 2**63
    stable_hash([done.text, done.generated_ids])
    json.dumps(done.prompt_ids)


MODELS = {"object": "list", "data": [{"id": "m", "root": "/models/m", "parent": None, "max_model_len": 9}]}
TOKENS = {"count": 2, "max_model_len": 9, "tokens": [3, 4]}
ERRORS = {"error": {"message": "no", "type": "x", "param": "seed", "code": "insufficient_quota"},
          "detail": [{"loc": ["body", "n"], "msg": "no"}]}  # fmt: skip
DATES = st.builds(
    "{}, {} {} {} {}:{}:{} {}".format,
    st.sampled_from(["Sun", "x"]), st.integers(0, 99), st.sampled_from(["Jan", "Nov", "9", ""]),
    st.integers(), st.integers(0, 99), st.integers(0, 99), st.integers(0, 99),
    st.sampled_from(["GMT", "+9999", ""]),
)  # fmt: skip


def listings(data: Any) -> None:
    """What servers say beside their completions."""
    for read in (read_models, read_ids):
        try:
            found = read(data)
        except Broken:
            continue
        json.dumps(found)
    error_inside(data)
    context = context_of({"meta": data}, {"default_generation_settings": data})
    assert context >= 0 and json.dumps(told_of_weights({"meta": data, "digest": data}, {"model_path": data}))
    told = read_error(json.dumps(data).encode())
    message, parameter, code = told.message, told.parameter, told.code
    assert isinstance(message, str) and all(isinstance(each, str | None) for each in (parameter, code))


def waits(text: str) -> None:
    for name in ("retry-after", "retry-after-ms"):
        wait = retry_after({name: text})
        assert wait is None or 0 <= wait < math.inf


TEXT_TARGETS: dict[str, tuple[Callable[[Any], None], st.SearchStrategy[Any]]] = {
    "answers of all tasks": (answers, MODEL_TEXT),
    "grading": (grading, MODEL_TEXT),
    "markers": (markers, MODEL_TEXT),
    "rewrites": (rewrites, MODEL_TEXT),
    "criteria": (criteria, MODEL_TEXT),
    "scores": (scores, MODEL_TEXT),
    "quotes": (quotes, MODEL_TEXT),
    "thoughts": (thoughts, MODEL_TEXT),
    "choices": (choices, MODEL_TEXT),
    "what people type": (typed, MODEL_TEXT | st.text(alphabet="=:@,*()./bases2cot5 \n\x1b", max_size=40)),
    "replies of a server": (replies, JSON | altered(REPLY)),
    "lists and errors of a server": (
        listings,
        JSON | altered(MODELS) | altered(TOKENS) | altered(ERRORS) | altered({"error": "no"}),
    ),
    "waits that a server asks for": (
        waits,
        DATES | st.floats().map(str) | st.integers().map(str) | st.text(),
    ),
}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", TEXT_TARGETS)
def test_any_text_is_read_or_named(name: str) -> None:
    check, inputs = TEXT_TARGETS[name]
    fuzz(name, check, inputs)


LONG_TEXT = 20_000
"""Characters. A parser of quadratic time needs minutes for all of these texts, ours about a second."""


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "name", [name for name, (check, _) in TEXT_TARGETS.items() if check not in (replies, listings)]
)
def test_long_repetitive_texts_take_linear_time(name: str) -> None:
    check, _ = TEXT_TARGETS[name]
    for mark in MARKS:
        check((mark * LONG_TEXT)[:LONG_TEXT])
        check("Answer: " + (mark * LONG_TEXT)[:LONG_TEXT] + "\nx")
