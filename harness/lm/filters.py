"""A task's filters, one at a time: what each returns for a text and a row, and whether it extracts an answer.

lm-eval applies a filter to all responses of a run. Here a filter is applied to one text, with the row that it
may read. A filter extracts if its result is not just the text with other spaces and case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from harness.lm.replaced import replaced

NO_MATCH = frozenset({"", "[invalid]", "None", "[]"})
"""What filters return if they find nothing, apart from fallback texts of their own."""
PROBE = (
    "Nobody here can say what that might be.\nSo the matter rests, whoever asks; and there is more to come."
)
"""A text of several sentences that contains no answer to any question."""
_VOTES = ("majority_vote", "take_first_k")


class Reader:
    """One filter of a task, identified by its position."""

    def __init__(self, ensemble: Any, index: int) -> None:
        self.name = str(ensemble.name)
        self.index = index
        self._ensemble = ensemble
        fallbacks = (getattr(make(), "fallback", None) for make in ensemble.filters)
        self._no_match = NO_MATCH | {str(fallback) for fallback in fallbacks if fallback is not None}

    def raw(self, text: str, row: Mapping[str, Any]) -> Any:
        """What lm-eval would give to the metrics. Raises whatever the filter raises."""
        from lm_eval.api.instance import Instance

        probe = Instance("generate_until", dict(row), ("", {}), 0, metadata=(None, 0, 1), resps=[text])
        with _tables_for(text, row):
            self._ensemble.apply([probe])
        return probe.filtered_resps[self._ensemble.name]

    def answer(self, text: str, row: Mapping[str, Any]) -> str | None:
        """The same as text; None if the filter finds nothing."""
        try:
            found = self.raw(text, row)
        except Exception:  # a filter is the task author's code; if it fails, there is no answer
            return None
        while isinstance(found, list | tuple) and found:
            found = found[0]
        answer = str(found).strip()
        return None if answer in self._no_match else answer

    def extracts(self, row: Mapping[str, Any]) -> bool:
        """Whether it takes an answer out of a text. A filter that only strips, folds case or takes the
        first of several responses does not."""
        return letters(PROBE) not in letters(self.answer(PROBE, row) or "")


def readers(task: Any) -> list[Reader]:
    """All filters of a task in the task's order."""
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
    """Inside the block, lm-eval's multiple-choice filter builds its punctuation table only for the
    characters of `texts`. Otherwise it builds one for all of Unicode at each call, which takes a quarter
    of a second."""
    from lm_eval.filters import extraction

    if not hasattr(extraction, "sys"):
        yield
        return
    highest = max(map(ord, str(texts)))
    with replaced(extraction, "sys", SimpleNamespace(maxunicode=highest + 1)):
        yield


def letters(text: str) -> str:
    """The letters of a text, so that spaces, case and punctuation do not count."""
    return re.sub(r"[\W_]+", "", text.casefold())
