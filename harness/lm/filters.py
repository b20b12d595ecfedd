"""A task's filters, one at a time: what each makes of a text and a row, and whether it extracts an answer.

lm-eval applies a filter to all responses of a run; here it is applied to one text, with the row that it may
read. A filter extracts where it hands back something else than the text itself in other spaces and case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

NO_MATCH = frozenset({"", "[invalid]", "None", "[]"})
"""What filters hand back where they find nothing, their own fall-back texts apart."""
PROBE = (
    "Nobody here can say what that might be.\nSo the matter rests, whoever asks; and there is more to come."
)
"""A text of several sentences that holds no answer to anything."""
_VOTES = ("majority_vote", "take_first_k")


class Reader:
    """One filter of a task, by its place among them."""

    def __init__(self, ensemble: Any, index: int) -> None:
        self.name = str(ensemble.name)
        self.index = index
        self._ensemble = ensemble
        fallbacks = (getattr(make(), "fallback", None) for make in ensemble.filters)
        self._no_match = NO_MATCH | {str(fallback) for fallback in fallbacks if fallback is not None}

    def raw(self, text: str, row: Mapping[str, Any]) -> Any:
        """What lm-eval hands to the metrics. Whatever the filter raises."""
        from lm_eval.api.instance import Instance

        probe = Instance("generate_until", dict(row), ("", {}), 0, metadata=(None, 0, 1), resps=[text])
        with _tables_for(text, row):
            self._ensemble.apply([probe])
        return probe.filtered_resps[self._ensemble.name]

    def answer(self, text: str, row: Mapping[str, Any]) -> str | None:
        """The same as text; None where the filter finds nothing."""
        try:
            found = self.raw(text, row)
        except Exception:  # a filter is its author's; where it cannot read a text, no answer is there
            return None
        while isinstance(found, list | tuple) and found:
            found = found[0]
        answer = str(found).strip()
        return None if answer in self._no_match else answer

    def extracts(self, row: Mapping[str, Any]) -> bool:
        """Whether it takes an answer out of a text; a filter that only strips, folds case or takes the first
        of several responses does not."""
        return letters(PROBE) not in letters(self.answer(PROBE, row) or "")


def readers(task: Any) -> list[Reader]:
    """All filters of a task in its own order."""
    return [Reader(ensemble, index) for index, ensemble in enumerate(task._filters)]


def without_votes(filter_list: Sequence[Mapping[str, Any]] | None) -> list[Mapping[str, Any]] | None:
    """A `filter_list` without the filters that vote over several responses to one item."""
    if not filter_list:
        return None
    return [
        entry for entry in filter_list if not any(step.get("function") in _VOTES for step in entry["filter"])
    ]


@contextmanager
def _tables_for(*texts: Any) -> Iterator[None]:
    """While it is open, lm-eval's filter for multiple choice makes its table of punctuation for the signs of
    `texts` alone. It makes one of all signs of Unicode at each call, which takes a quarter of a second."""
    from lm_eval.filters import extraction

    if not hasattr(extraction, "sys"):
        yield
        return
    highest = max(map(ord, str(texts)))
    with patch.object(extraction, "sys", SimpleNamespace(maxunicode=highest + 1)):
        yield


def letters(text: str) -> str:
    """The letters of a text, so that spaces, case and punctuation do not count."""
    return re.sub(r"[\W_]+", "", text.casefold())
