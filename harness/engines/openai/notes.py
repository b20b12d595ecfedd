"""Plain sentences for the report on what a server did otherwise than asked; each is said once.

When something is to be said is decided where it is met.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.engines.openai.client import Rejected
from harness.engines.openai.dialect import Dialect
from harness.engines.openai.refusals import Overflow
from harness.progress import say


class Notes:
    """What was said so far."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def add(self, sentence: str) -> None:
        """A sentence for the report and the person at the keyboard."""
        if sentence not in self.said:
            self.said.append(sentence)
            say(f"note: {sentence}")

    def left_out(self, before: Dialect, after: Dialect, problem: Rejected) -> None:
        """What the server does not take and is not asked for from now on."""
        if after.most_stops != before.most_stops:
            taken = f"only {after.most_stops} stop strings" if after.most_stops else "no stop strings"
            self.add(
                f"The server takes {taken} ({problem}). Texts are cut at the others here: they are the same, "
                "but tokens that it generated behind such a stop are counted."
            )
        for name in after.left_out.keys() - before.left_out.keys():
            self.add(
                f"The server does not take {name} ({problem}). Where it was to be 1, which is what a server "
                "without it draws with, it was left out."
            )

    def special_tokens_hidden(self, stops: Sequence[str]) -> None:
        """Says that stops which are marks of turns do nothing there."""
        self.add(
            f"The server leaves special tokens out of its texts, so a stop that is one ({', '.join(stops)}) "
            "does not end a text there, as it does with --engine hf and vllm."
        )

    def stop_not_heeded(self) -> None:
        """Says that a text went on behind a stop that was sent: some gateways hand on four alone."""
        self.add(
            "The server went on behind a stop string that it was sent. The text is cut there, but the tokens "
            "that it generated behind the stop are counted."
        )

    def only_thoughts(self) -> None:
        """Says that texts are empty although the model wrote something."""
        self.add(
            "The server put whole replies into reasoning_content and left the text empty, so they have no "
            "answer: start it without its reasoning parser (vllm serve without --reasoning-parser; llama.cpp "
            "with --reasoning-format none), or ask a model that thinks with the method think."
        )

    def cut_to_the_context(self, overflow: Overflow | None) -> None:
        """Says that an answer gets fewer tokens than its limit."""
        context = f" of {overflow.context:,} tokens" if overflow else ""
        self.add(
            f"The server's context{context} left some answers less room than their limit: there only a "
            "longer context helps, not --sampling max_tokens."
        )
