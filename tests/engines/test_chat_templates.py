"""A template that loses a question is found out before anything is asked; one that wants parts gets parts."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from test_hf_engine import load
from tiny_models import TEMPLATE, build_tokenizer, edit_json, request, save_model

from harness.engines.chat import WORDS, Chat
from harness.errors import UserError
from harness.types import user
from tasks import thoughts

OF_PARTS = (
    "{{ bos_token }}{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% for part in message.content %}{% if part.type == 'text' %}{{ part.text }}{% endif %}{% endfor %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
FIRST_PART = TEMPLATE.replace("message['content']", "message['content'][0]['text']")


@pytest.mark.parametrize("template", [OF_PARTS, FIRST_PART], ids=["loops over parts", "takes the first part"])
def test_a_template_of_parts_renders_what_the_plain_one_renders(
    tmp_path: Path, tiny_model: Path, template: str
) -> None:
    plain, parts = load(tiny_model), load(save_model(tmp_path / "parts", template=template))
    turns = [user("Is it heads up?"), {"role": "assistant", "content": "yes"}, user("And now, Ünï?")]
    assert parts.prompt_ids(turns) == plain.prompt_ids(turns)
    assert parts.target_ids("yes") == plain.target_ids("yes")


LOSING = {
    "only system turns": (
        "{% for message in messages if message.role == 'system' %}{{ message.content }}{% endfor %}"
    ),
    "the beginning alone": "{% for message in messages %}{{ message.content[:500] }}{% endfor %}",
    "capitals": "{% for message in messages %}{{ message.content | upper }}{% endfor %}",
}


@pytest.mark.parametrize("kind", LOSING)
def test_a_template_that_loses_words_is_named(tmp_path: Path, kind: str) -> None:
    folder = save_model(tmp_path / "model", template=LOSING[kind])
    with pytest.raises(UserError, match=r"model: its chat template leaves out or changes words") as caught:
        load(folder)
    assert "fix tokenizer.chat_template" in str(caught.value) and "\n" not in str(caught.value)


def test_spaces_around_a_message_are_no_words(tmp_path: Path) -> None:
    template = TEMPLATE.replace("message['content']", "message['content'] | trim")
    assert load(save_model(tmp_path / "model", template=template)).prompt_ids([user(WORDS)])


def test_a_target_ends_with_what_the_template_puts_behind_a_reply(tmp_path: Path) -> None:
    """Not with the tokenizer's end of sequence, where the turn ends with another end id."""
    folder = save_model(tmp_path / "model", end_every=0)
    edit_json(folder / "tokenizer_config.json", eos_token="<|bos|>")
    edit_json(folder / "generation_config.json", eos_token_id=[0, 1])
    engine = load(folder)
    assert engine._tokenizer.eos_token_id == 0
    assert engine.target_ids("yes")[-1] == 1
    edit_json(folder / "generation_config.json", eos_token_id=[0])
    assert load(folder).target_ids("yes")[-1] == 0, "what does not end a reply is no end"


OPENED = TEMPLATE.replace("{% if enable_thinking %}", "{% if add_generation_prompt %}")


def test_a_thought_that_the_prompt_begins_stands_in_the_text_and_a_target_ends_it(
    tmp_path: Path, tiny_model: Path
) -> None:
    """Cut before its end, it could not be told from a reply; a target without its end would be thought."""
    engine = load(tiny_model)
    prompts = {thinking: engine.prompt_ids([user("Why?")], thinking=thinking) for thinking in (False, True)}
    texts = {
        thinking: engine.generate([request(prompt, max_tokens=3)])[0].text
        for thinking, prompt in prompts.items()
    }
    assert texts[True].startswith("<think>\n") and not texts[False].startswith("<think>")
    assert thoughts.split(texts[True]) == ("", True)

    always = load(save_model(tmp_path / "always", template=OPENED))
    said = always._tokenizer.decode(always.target_ids("Answer: yes")[:-1])
    assert said == "</think>\n\nAnswer: yes"
    assert engine._tokenizer.decode(engine.target_ids("Answer: yes")[:-1]) == "Answer: yes"


@pytest.mark.parametrize("own", [None, ("<mull>", "</mull>")])
def test_marks_of_thoughts_stay_where_they_are_special_tokens(own: tuple[str, str] | None) -> None:
    tokenizer = build_tokenizer()
    marks = own or ("[THINK]", "[/THINK]")
    tokenizer.add_special_tokens({"extra_special_tokens": [*marks, "<|other|>"]})
    ids = tokenizer(f"{marks[0]}six<|other|>{marks[1]}seven<|im_end|>", add_special_tokens=False)["input_ids"]
    day = datetime(2026, 1, 1)
    chat = Chat(tokenizer, frozenset({tokenizer.eos_token_id}), day, own)
    assert chat.text(ids, (), ()) == f"{marks[0]}six{marks[1]}seven"
    assert thoughts.split(thoughts.known(chat.text(ids, (), ()), own)) == ("seven", False)
    assert chat.text(ids, (marks[1],), ()) == f"{marks[0]}six"
    if own:
        assert Chat(tokenizer, frozenset(), day).text(ids, (), ()) == "sixseven"


def test_a_mark_that_ends_the_turn_is_no_part_of_the_text() -> None:
    tokenizer = build_tokenizer()
    tokenizer.add_special_tokens({"extra_special_tokens": ["<|end|>"]})
    ids = tokenizer("six<|end|>", add_special_tokens=False)["input_ids"]
    assert Chat(tokenizer, frozenset({ids[-1]}), datetime(2026, 1, 1)).text(ids, (), ()) == "six"
