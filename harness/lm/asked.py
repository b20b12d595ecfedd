"""What System 2 is asked to finish with, and a text as it may then write.

The texts are for trying a rule: they name two answers before they give one, as reasoning does.
"""

from __future__ import annotations

import re

from harness.lm import forms
from harness.lm.rule import Rule

PLACE = "X"
"""Stands for the answer in what System 2 is asked for."""
NO_ANSWER = "zzyzx"
"""An answer that is wrong everywhere."""
REASONING = (
    "First we look at what is given. Some would say {other}, and {answer} comes to mind as well.\n\n"
    "Then we go through it in 2 steps, (A) and (B), and check each of them: nothing is left out. "
    "It is not {other}.\n"
)
"""Words of a System 2 that names two answers before it gives one."""
SENTENCE = re.compile(r"[^\n`#<]{3,60}")
"""What a reply may be asked to finish with: words on one line."""


def asked_form(target: str, begun: str | None = None) -> str:
    """What System 2 is asked to finish with, so that the target's form is read in its text too. `begun` is
    what the task would begin a reply with."""
    if target == forms.BARE and begun is not None:
        target = f"{begun.strip()} {forms.ANSWER}"
    if target == forms.BARE:
        return '"Answer: " and the answer'
    return f'"{forms.write(target, PLACE)}", where {PLACE} is the answer'


def system2_text(rule: Rule, said: str, answer: str, other: str) -> str:
    """A text of System 2 that mentions two answers and ends with `said` in the form that it is asked for."""
    before, behind = quoted(rule.answer_form)
    if not before:
        before, behind = forms.parts("Answer: " + forms.ANSWER if rule.target == forms.BARE else rule.target)
    space = "" if before.endswith((" ", "$", "(", "{", "[", "*")) else " "
    return f"{REASONING.format(answer=answer, other=other)}{before}{space}{said}{behind}"


def quoted(form: str) -> tuple[str, str]:
    """What stands before and behind the answer in the words that an answer form quotes; empty for none."""
    found = re.search(r'["“]([^"“”]+)["”]', form)
    if found is None:
        return "", ""
    before, _, behind = re.sub(rf"\b{PLACE}\b", forms.ANSWER, found[1], count=1).partition(forms.ANSWER)
    return before, behind
