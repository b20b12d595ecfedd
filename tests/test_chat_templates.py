"""A template that loses a question is found out before anything is asked; one that wants parts gets parts."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_hf_engine import load
from tiny_models import TEMPLATE, edit_json, save_model

from harness.engines.chat import WORDS
from harness.errors import UserError
from harness.types import user

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
    assert "mend tokenizer.chat_template" in str(caught.value) and "\n" not in str(caught.value)


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
