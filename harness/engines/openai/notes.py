"""Sentences for the report on what a server does differently from what was asked; each appears once.

The callers decide when to add one.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.engines.openai.client import Rejected
from harness.engines.openai.dialect import Dialect
from harness.engines.openai.refusals import Overflow
from harness.progress import say


class Notes:
    """The sentences so far."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def add(self, sentence: str) -> None:
        """Adds a sentence to the report and prints it."""
        if sentence not in self.said:
            self.said.append(sentence)
            say(f"note: {sentence}")

    def left_out(self, before: Dialect, after: Dialect, problem: Rejected) -> None:
        """Reports what the server does not accept and what is left out from now on."""
        if after.most_stops != before.most_stops:
            taken = f"only {after.most_stops} stop strings" if after.most_stops else "no stop strings"
            self.add(
                f"The server takes {taken} ({problem}). Texts are cut here at the other stops, so they "
                "are the same, but tokens that it generated behind such a stop are counted."
            )
        for name in after.left_out.keys() - before.left_out.keys():
            self.add(
                f"The server does not take {name} ({problem}). Where the value is 1, the default of "
                "servers, it is left out."
            )

    def special_tokens_hidden(self, stops: Sequence[str]) -> None:
        """Reports that stops which are special tokens have no effect on this server."""
        self.add(
            f"The server leaves special tokens out of its texts, so a stop that is one ({', '.join(stops)}) "
            "does not end a text there, as it does with --engine hf and vllm."
        )

    def stop_not_heeded(self) -> None:
        """Reports that a text continued behind a stop that was sent: some gateways pass on only four
        stops."""
        self.add(
            "The server continued behind a stop string that it was sent. The text is cut there, but "
            "the tokens that it generated behind the stop are counted."
        )

    def only_thoughts(self) -> None:
        """Reports that texts are empty although the model wrote something."""
        self.add(
            "The server put whole replies into reasoning_content and left the text empty, so they have no "
            "answer: start it without its reasoning parser (vllm serve without --reasoning-parser; llama.cpp "
            "with --reasoning-format none), or ask a model that thinks with the method think."
        )

    def cut_to_the_context(self, overflow: Overflow | None) -> None:
        """Reports that an answer gets fewer tokens than its limit."""
        context = f" of {overflow.context:,} tokens" if overflow else ""
        self.add(
            f"The server's context{context} left some answers less room than their limit. Only a longer "
            "context helps there, not --sampling max_tokens."
        )
