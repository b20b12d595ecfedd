"""Which training inputs overlap test items, and of what kind: nothing may be learnt from the test (rule 7).

Four kinds, from the strictest to the loosest; each compares what both items have:

- `exact`: the same prompt.
- `normalised`: the same words in the item's own text (its prompt where it has none), whatever the case,
  punctuation and spacing. The text has no template and no instruction, so two templates of one question meet.
- `ngram`: NGRAM words in a row of the item's own text are equal (13, as Brown et al. 2020,
  https://arxiv.org/abs/2005.14165, appendix C, chose). Shorter texts have no such run. Words are what
  Unicode calls words, so in scripts without spaces only the other kinds can find anything.
- `symbols`: for symbolic tasks, the same set of names or words, in any order. First names recur between
  training and test of all public data (both parts of a coin-flip set have an Ann), so a single shared name
  is not an overlap here; `shared_symbols` counts such candidates. `strict_symbols` makes one shared name an
  overlap: generated data has disjoint lists of names and passes.

Time grows with the words of both sides, not with their product: each kind is a look-up in a table of hashes,
and an n-gram hit is verified on the words themselves.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import RunError, UserError

if TYPE_CHECKING:
    import numpy as np

KINDS = ("exact", "normalised", "ngram", "symbols")
"""All kinds, strictest first: a candidate that overlaps in several ways is counted under the first."""

NGRAM = 13
"""Number of words in a row that make an overlap."""

EVIDENCE_LENGTH = 120
"""Most characters of evidence per overlap."""


@dataclass(frozen=True)
class OverlapItem:
    """The part of an item that is compared."""

    id: str
    text: str
    """The item's own words: template and instruction removed."""
    symbols: tuple[str, ...] = ()
    """Names and words of a symbolic task, else empty."""
    prompt: str = ""
    """The text that the model is shown."""


@dataclass(frozen=True)
class Overlap:
    """A candidate that overlaps a test item; of several such test items, one."""

    kind: str
    candidate_id: str
    test_id: str
    evidence: str
    """The common text, cut to EVIDENCE_LENGTH characters."""


Keys = Callable[[OverlapItem], list[tuple[Hashable, str]]]
"""The look-up keys of an item, each with its evidence. An empty key is ignored."""


class OverlapIndex:
    """Test items, indexed once for any number of searches; each kind's table is built when it is first
    used."""

    def __init__(self, tests: Sequence[OverlapItem]) -> None:
        self.tests = list(tests)
        self.vocabulary: dict[str, int] = {}
        self._tables: dict[Keys, dict[Hashable, int]] = {}
        self._windows: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None

    def first_test(self, keys: Keys) -> dict[Hashable, int]:
        """Key -> first test item with that key."""
        if keys not in self._tables:
            table: dict[Hashable, int] = {}
            for test, item in enumerate(self.tests):
                for key, _ in keys(item):
                    if key:
                        table.setdefault(key, test)
            self._tables[keys] = table
        return self._tables[keys]

    def windows(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Runs of NGRAM words by ascending hash: hash, test item, first word; of equal hashes the first
        test item comes first."""
        import numpy as np

        if self._windows is None:
            hashes, owners, starts = _hash_windows(self.tests, self.vocabulary)
            order = np.argsort(hashes, kind="stable")
            self._windows = hashes[order], owners[order], starts[order]
        return self._windows


def find_overlaps(
    candidates: Sequence[OverlapItem],
    tests: Sequence[OverlapItem] | OverlapIndex,
    kinds: Collection[str] = KINDS,
    strict_symbols: bool = False,
) -> list[Overlap]:
    """Overlaps of `candidates` with `tests`, at most one per candidate and kind, in the candidates' order.

    UserError for a kind that does not exist.
    """
    unknown = sorted(set(kinds) - set(KINDS))
    if unknown:
        raise UserError(f"Unknown kind of overlap {', '.join(unknown)}: use {', '.join(KINDS)}.")
    index = tests if isinstance(tests, OverlapIndex) else OverlapIndex(tests)
    finders: dict[str, Callable[[], Iterator[tuple[int, int, str]]]] = {
        "exact": lambda: _equal(candidates, index, _prompt_key),
        "normalised": lambda: _equal(candidates, index, _normalised_keys),
        "ngram": lambda: _ngrams(candidates, index),
        "symbols": lambda: _equal(candidates, index, _each_symbol if strict_symbols else _symbol_set),
    }
    found = [
        (
            position,
            rank,
            Overlap(kind, candidates[position].id, index.tests[test].id, evidence[:EVIDENCE_LENGTH]),
        )
        for rank, kind in enumerate(KINDS)
        if kind in kinds
        for position, test, evidence in finders[kind]()
    ]
    return [overlap for _, _, overlap in sorted(found, key=lambda entry: entry[:2])]


def split_overlapping(
    candidates: Sequence[OverlapItem],
    tests: Sequence[OverlapItem] | OverlapIndex,
    kinds: Collection[str] = KINDS,
    strict_symbols: bool = False,
) -> tuple[list[OverlapItem], dict[str, int]]:
    """(candidates without overlap, dropped candidates per kind). The counts add up to the number dropped.

    A candidate is dropped by its id, so candidates with the same id are dropped together. Every requested
    kind has a count, including 0.
    """
    reason: dict[str, str] = {}
    for overlap in find_overlaps(candidates, tests, kinds, strict_symbols):
        reason.setdefault(overlap.candidate_id, overlap.kind)
    counts = Counter(reason[item.id] for item in candidates if item.id in reason)
    kept = [item for item in candidates if item.id not in reason]
    return kept, {kind: counts[kind] for kind in KINDS if kind in kinds}


def require_disjoint(
    candidates: Sequence[OverlapItem],
    tests: Sequence[OverlapItem] | OverlapIndex,
    kinds: Collection[str] = KINDS,
    strict_symbols: bool = False,
) -> None:
    """RunError with the first overlap, if there is one: the last check before training."""
    found = find_overlaps(candidates, tests, kinds, strict_symbols)
    if found:
        first = found[0]
        raise RunError(
            f"{len({overlap.candidate_id for overlap in found})} training inputs overlap test items, first "
            f"{first.candidate_id} with {first.test_id} ({first.kind}: {first.evidence!r}): "
            "take them out, or allow it with --allow-overlap."
        )


def shared_symbols(candidates: Iterable[OverlapItem], tests: Iterable[OverlapItem]) -> int:
    """Candidates that share at least one name or word with a test item: to be reported, not dropped."""
    in_tests = {symbol.casefold() for item in tests for symbol in item.symbols}
    return sum(any(symbol.casefold() in in_tests for symbol in item.symbols) for item in candidates)


def words(text: str) -> list[str]:
    """The words of `text` without case, punctuation and compatibility forms (ligatures, full width)."""
    return re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold())


def _prompt_key(item: OverlapItem) -> list[tuple[Hashable, str]]:
    return [(item.prompt, item.prompt)]


def _normalised_keys(item: OverlapItem) -> list[tuple[Hashable, str]]:
    joined = " ".join(words(item.text) or words(item.prompt))
    return [(joined, joined)]


def _symbol_set(item: OverlapItem) -> list[tuple[Hashable, str]]:
    return [(frozenset(symbol.casefold() for symbol in item.symbols), ", ".join(item.symbols))]


def _each_symbol(item: OverlapItem) -> list[tuple[Hashable, str]]:
    return [(symbol.casefold(), symbol) for symbol in item.symbols]


def _equal(
    candidates: Sequence[OverlapItem], index: OverlapIndex, keys: Keys
) -> Iterator[tuple[int, int, str]]:
    """(candidate, test, evidence) for items with a common key."""
    first_test = index.first_test(keys)
    for position, item in enumerate(candidates):
        for key, evidence in keys(item):
            if key in first_test:
                yield position, first_test[key], evidence
                break


def _ngrams(candidates: Sequence[OverlapItem], index: OverlapIndex) -> Iterator[tuple[int, int, str]]:
    """(candidate, test, evidence) for items with NGRAM equal words in a row."""
    import numpy as np

    hashes, owners, starts = index.windows()
    asked, askers, places = _hash_windows(candidates, index.vocabulary)
    if not len(hashes):
        return
    left = np.minimum(np.searchsorted(hashes, asked, side="left"), len(hashes) - 1)
    done = -1
    for hit in np.flatnonzero(hashes[left] == asked):
        position, test = int(askers[hit]), int(owners[left[hit]])
        if position == done:
            continue
        shared = words(candidates[position].text)[places[hit] : places[hit] + NGRAM]
        start = int(starts[left[hit]])
        # Two different runs may have the same hash, though rarely: only equal words count.
        if shared == words(index.tests[test].text)[start : start + NGRAM]:
            done = position
            yield position, test, " ".join(shared)


def _hash_windows(
    items: Sequence[OverlapItem], vocabulary: dict[str, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each run of NGRAM words in one item: hash (uint64), index of the item, index of its first word.

    A run's hash is a polynomial in random 64-bit numbers of its words, modulo 2**64. New words are added
    to `vocabulary`.
    """
    import numpy as np

    ids: list[int] = []
    lengths: list[int] = []
    for item in items:
        found = words(item.text)
        ids.extend(vocabulary.setdefault(word, len(vocabulary)) for word in found)
        lengths.append(len(found))
    # The generator's stream starts the same for any length: a word keeps its number when words are added.
    numbers = np.random.default_rng(0).integers(0, 2**64, max(len(vocabulary), 1), dtype=np.uint64)
    values = numbers[np.array(ids, dtype=np.int64)]
    owner = np.repeat(np.arange(len(items)), lengths)
    start = np.arange(len(ids)) - np.repeat(np.cumsum([0, *lengths[:-1]])[: len(lengths)], lengths)
    windows = max(len(ids) - NGRAM + 1, 0)
    hashes = np.zeros(windows, dtype=np.uint64)
    for offset in range(NGRAM):
        hashes = hashes * np.uint64(0x9E3779B97F4A7C15) + values[offset : offset + windows]
    inside = owner[:windows] == owner[len(ids) - windows :]
    return hashes[inside], owner[:windows][inside], start[:windows][inside]
