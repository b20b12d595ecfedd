"""The prompts of the two systems on an lm-eval task, each in a form that the system can answer.

A task's prompt may end with a cue for a base model (`A:`), or ask for reasoning itself (`A: Let's think step
by step.`). System 1 gets the prompt without that request, because with it, it would be System 2. System 2
gets the question without both, because a method appends its own words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TRIGGER = re.compile(
    r"[ \t\n]*\b(?:let['’]s|let us|please|first,?)?\s*(?:think|reason|solve|work)\b[^.:\n]{0,40}?"
    r"\bstep[- ]by[- ]step\b[.:!]?\s*\Z",
    re.IGNORECASE,
)
"""A request for reasoning at the end of a prompt."""
STEPS_CUE = re.compile(r"\bstep[- ]by[- ]step (answer|solution|response)(?=\s*:\s*\Z)", re.IGNORECASE)
"""The same request inside the cue."""
CUE = re.compile(r"(?:\n[^\S\n]*[^\n:：]{1,30}|\s(?:A|Answer|Solution|Response|Output))\s*[:：]\s*\Z")
"""The cue at the end of a text to be continued: `A:`, `Answer:`, or a short line before a colon."""


@dataclass(frozen=True)
class Prompts:
    """The prompts of one lm-eval task."""

    task: Any
    shipped: bool = False
    """Whether System 1 keeps the task's request to think step by step."""

    def as_shipped(self, row: Mapping[str, Any]) -> str:
        """The user's turn as lm-eval writes it. A given beginning of the reply goes to its end, because a
        chat model cannot continue a reply."""
        prompt = str(self.task.doc_to_text(dict(row)))
        begun = self._begun(row)
        if not begun:
            return prompt
        apart = prompt[-1:].isspace() or begun[:1].isspace() or not prompt
        return prompt + ("" if apart else self.task.config.target_delimiter or " ") + begun

    def direct(self, row: Mapping[str, Any]) -> str:
        """System 1's."""
        prompt = self.as_shipped(row)
        return prompt if self.shipped else without_request(prompt)

    def question(self, row: Mapping[str, Any]) -> str:
        """The prompt of System 2, without cue and request."""
        prompt = without_request(str(self.task.doc_to_text(dict(row))))
        return CUE.sub("", prompt).rstrip() or prompt

    def asks_for_steps(self, row: Mapping[str, Any]) -> bool:
        """Whether the task's prompt ends in a request for reasoning."""
        prompt = self.as_shipped(row)
        return without_request(prompt) != prompt

    def _begun(self, row: Mapping[str, Any]) -> str:
        return str(self.task.doc_to_prefix(dict(row)) or "") if self.task.config.gen_prefix else ""


def without_request(prompt: str) -> str:
    """`prompt` without a request for reasoning at its end; a prompt that is nothing else is unchanged."""
    return STEPS_CUE.sub(r"\1", TRIGGER.sub("", prompt)) or prompt
