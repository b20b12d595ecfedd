"""The answer form that System 2 is asked for, and sample texts in that form.

The texts are for trying a rule: like reasoning, they name two answers before they give one.
"""

from __future__ import annotations

import re

from harness.lm import forms
from harness.lm.rule import Rule

PLACE = "X"
"""Replaces the answer in the form that System 2 is asked for."""
NO_ANSWER = "zzyzx"
"""An answer that is wrong everywhere."""
REASONING = (
    "First we look at what is given. Some would say {other}, and {answer} comes to mind as well.\n\n"
    "Then we go through it in 2 steps, (A) and (B), and check each of them: nothing is left out. "
    "It is not {other}.\n"
)
"""A System 2 text that names two answers before it gives one."""
SENTENCE = re.compile(r"[^\n`#<]{3,60}")
"""Matches words on one line: only such a text is used as the form that System 2 is asked for."""


def asked_form(target: str, begun: str | None = None) -> str:
    """The form that System 2 is asked to finish with, so that the rule can read the answer in it. `begun`
    is the text with which the task would begin a reply."""
    if target == forms.BARE and begun is not None:
        target = f"{begun.strip()} {forms.ANSWER}"
    if target == forms.BARE:
        return '"Answer: " and the answer'
    return f'"{forms.write(target, PLACE)}", where {PLACE} is the answer'


def system2_text(rule: Rule, said: str, answer: str, other: str) -> str:
    """A System 2 text that mentions two answers and ends with `said` in the form that was asked for."""
    before, behind = quoted(rule.answer_form)
    if not before:
        before, behind = forms.parts("Answer: " + forms.ANSWER if rule.target == forms.BARE else rule.target)
    space = "" if before.endswith((" ", "$", "(", "{", "[", "*")) else " "
    return f"{REASONING.format(answer=answer, other=other)}{before}{space}{said}{behind}"


def quoted(form: str) -> tuple[str, str]:
    """The text before and behind the answer inside the quotes of an answer form; empty without quotes."""
    found = re.search(r'["“]([^"“”]+)["”]', form)
    if found is None:
        return "", ""
    before, _, behind = re.sub(rf"\b{PLACE}\b", forms.ANSWER, found[1], count=1).partition(forms.ANSWER)
    return before, behind
