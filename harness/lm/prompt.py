"""What the two systems are asked on a task of lm-eval's: its prompt, for each in a form that it can answer.

A prompt may end as a text that a base model goes on with (`A:`), and it may ask for the reasoning itself
(`A: Let's think step by step.`). System 1 gets the prompt as it is, but for that request: with it, it would
be System 2. System 2 gets the question without both, since a method adds words of its own behind it.
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
"""The same, hidden in the cue."""
CUE = re.compile(r"(?:\n[^\S\n]*[^\n:：]{1,30}|\s(?:A|Answer|Solution|Response|Output))\s*[:：]\s*\Z")
"""The last words of a text that one is to go on with: `A:`, `Answer:`, or a short line before a colon."""


@dataclass(frozen=True)
class Prompts:
    """The prompts of one lm-eval task."""

    task: Any
    shipped: bool = False
    """Whether System 1 is asked to think step by step where the task's prompt does."""

    def as_shipped(self, row: Mapping[str, Any]) -> str:
        """The user's turn as lm-eval writes it, with what the model would begin its reply with at its end: a
        reply cannot be begun for a model that answers in turns."""
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
        """System 2's, without cue and request."""
        prompt = without_request(str(self.task.doc_to_text(dict(row))))
        return CUE.sub("", prompt).rstrip() or prompt

    def asks_for_steps(self, row: Mapping[str, Any]) -> bool:
        """Whether the task's prompt ends in a request for reasoning."""
        prompt = self.as_shipped(row)
        return without_request(prompt) != prompt

    def _begun(self, row: Mapping[str, Any]) -> str:
        return str(self.task.doc_to_prefix(dict(row)) or "") if self.task.config.gen_prefix else ""


def without_request(prompt: str) -> str:
    """`prompt` without a request for reasoning at its end; a prompt that is nothing else stays."""
    return STEPS_CUE.sub(r"\1", TRIGGER.sub("", prompt)) or prompt
