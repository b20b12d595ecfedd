"""The call store: every finished model call on disk, found again by its request.

One SQLite file per run in write-ahead mode. A batch is committed whole, so after a kill either all of its
calls are there or none. This lets an engine plan the same batches again (docs/architecture.md, section 6).
The file is checked when it is opened, and each row has a checksum: a damaged store is reported and never
used.

No row is ever changed or deleted.
"""

from __future__ import annotations

import json
import sqlite3
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.errors import RunError, UserError
from harness.types import Completion, FinishReason, Request, Sampling, stable_hash

SCHEMA_VERSION = 2
"""2: rows have a checksum."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS calls (
    key TEXT PRIMARY KEY,
    phase TEXT NOT NULL,
    item_id TEXT NOT NULL,
    step TEXT NOT NULL,
    sample_index INTEGER NOT NULL,
    seed INTEGER NOT NULL,
    adapter TEXT,
    sampling TEXT NOT NULL,
    messages TEXT NOT NULL,
    prompt_ids TEXT NOT NULL,
    generated_ids TEXT NOT NULL,
    text TEXT NOT NULL,
    finish_reason TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    generated_tokens INTEGER NOT NULL,
    error TEXT,
    batch TEXT NOT NULL,
    finished_at REAL NOT NULL,
    checksum INTEGER NOT NULL
);
"""

_COMPLETION_COLUMNS = "key, text, finish_reason, prompt_tokens, cached_tokens, generated_tokens, error"

_VARIED = "batches_varied"

_NOT_REPORTED = -1
"""Cached tokens of a call whose engine did not report them; the column of an earlier release allows no
NULL."""

_COMPACT = json.JSONEncoder(separators=(",", ":"))


def call_key(
    fingerprint: str,
    adapter_hash: str | None,
    prompt_ids: Sequence[int],
    sampling: Sampling,
    seed: int,
    step: str,
    sample_index: int,
) -> str:
    """Name of a call: everything that could change its completion, and nothing else (rule 6)."""
    return stable_hash(
        [fingerprint, adapter_hash, list(prompt_ids), sampling.as_dict(), seed, step, sample_index], 32
    )


class CallStore:
    """Calls of one run. Only one process writes, because of the run folder's lock."""

    def __init__(self, path: Path) -> None:
        """Opens or creates the file. UserError if it is not a complete store of this version, RunError if
        the disk refuses."""
        self.path = path
        with self._guarded():
            self._connection = sqlite3.connect(path, isolation_level=None)
            try:
                self._connection.execute("PRAGMA journal_mode=WAL")
                self._connection.execute("PRAGMA synchronous=NORMAL")
                self._connection.executescript(_SCHEMA)
                self._check_version()
                self._check_pages()
            except BaseException:
                self._connection.close()
                raise

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Turns SQLite's errors into one line about the disk or the file."""
        try:
            yield
        except sqlite3.OperationalError as error:
            if "UTF-8" in str(error):
                raise self._damaged(str(error).splitlines()[0]) from error
            raise self._refused(error) from error
        except sqlite3.DatabaseError as error:
            raise self._damaged(str(error)) from error

    def _refused(self, error: sqlite3.Error) -> RunError:
        return RunError(
            f"{self.path} could not be written ({error}): free some space, then repeat the command"
        )

    def _damaged(self, how: str) -> UserError:
        return UserError(
            f"{self.path} cannot be read as a call store ({how}): restore it, save its whole rows with "
            f"`sqlite3 {self.path.name} .recover`, or move it away to start the run anew"
        )

    def _check_pages(self) -> None:
        """UserError if pages of the file are missing or contradict each other; reads all of it once."""
        said = self._connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if said != "ok":
            raise self._damaged(" ".join(said.split()))

    def _check_version(self) -> None:
        found = self._connection.execute("SELECT value FROM meta WHERE name='schema'").fetchone()
        if found is None:
            self._connection.execute("INSERT INTO meta VALUES ('schema', ?)", (str(SCHEMA_VERSION),))
        elif found[0] != str(SCHEMA_VERSION):
            raise UserError(
                f"{self.path} is a store of version {found[0]}, this release uses version {SCHEMA_VERSION}: "
                "finish the run with the release that started it, or use another --output"
            )

    def lookup(self, keys: Iterable[str]) -> dict[str, Completion]:
        """Finished calls among `keys`, without their token ids (`with_ids` has them). UserError for a row
        that is damaged."""
        found: dict[str, Completion] = {}
        wanted = list(dict.fromkeys(keys))
        for start in range(0, len(wanted), 500):
            part = wanted[start : start + 500]
            marks = ",".join("?" * len(part))
            query = f"SELECT {_COMPLETION_COLUMNS}, checksum FROM calls WHERE key IN ({marks})"
            with self._guarded():
                rows = self._connection.execute(query, part).fetchall()
            for *row, checksum in rows:
                if _checksum(row) != checksum:
                    raise self._damaged(f"call {row[0]} was changed or damaged")
                key, text, finish, prompt, cached, generated, error = row
                found[key] = Completion(text, finish, prompt, generated, _told(cached), error=error)
        return found

    def commit(
        self, phase: str, finished: Sequence[tuple[Request, Completion]], varied: bool = False
    ) -> None:
        """Writes a batch whole; `varied`: it ran in smaller parts than planned. RunError if the disk
        refuses; then nothing of the batch is kept."""
        if not finished:
            return
        now = time.time()
        batch = stable_hash([request.key for request, _ in finished])
        rows = [_row(phase, request, completion, batch, now) for request, completion in finished]
        marks = ",".join("?" * len(rows[0]))
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(
                f"INSERT INTO calls VALUES ({marks}) ON CONFLICT(key) DO NOTHING", rows
            )
            if varied:
                self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, 'yes')", (_VARIED,))
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise self._refused(error) from error

    @property
    def batches_varied(self) -> bool:
        """Whether any batch of the run, in this process or an earlier one, ran in smaller parts."""
        query = "SELECT count(*) FROM meta WHERE name = ?"
        return bool(self._connection.execute(query, (_VARIED,)).fetchone()[0])

    def count(self, phase: str | None = None) -> int:
        """Calls in the store, of one phase or of all."""
        if phase is None:
            return int(self._connection.execute("SELECT count(*) FROM calls").fetchone()[0])
        query = "SELECT count(*) FROM calls WHERE phase = ?"
        return int(self._connection.execute(query, (phase,)).fetchone()[0])

    def with_ids(self, keys: Iterable[str]) -> dict[str, Completion]:
        """Finished calls among `keys` with prompt and generated ids."""
        found: dict[str, Completion] = {}
        query = f"SELECT {_COMPLETION_COLUMNS}, prompt_ids, generated_ids FROM calls WHERE key = ?"
        for key in keys:
            row = self._connection.execute(query, (key,)).fetchone()
            if row is not None:
                _, text, finish, prompt, cached, generated, error, prompt_ids, generated_ids = row
                finish_reason: FinishReason = finish
                found[key] = Completion(
                    text,
                    finish_reason,
                    prompt,
                    generated,
                    _told(cached),
                    tuple(json.loads(prompt_ids)),
                    tuple(json.loads(generated_ids)),
                    error,
                )
        return found

    def close(self) -> None:
        self._connection.close()


def _told(cached: int) -> int | None:
    return None if cached == _NOT_REPORTED else cached


def _row(phase: str, request: Request, completion: Completion, batch: str, now: float) -> tuple[Any, ...]:
    cached = _NOT_REPORTED if completion.cached_tokens is None else completion.cached_tokens
    return (
        request.key, phase, request.item_id, request.step, request.sample_index, request.seed,
        request.adapter, json.dumps(request.sampling.as_dict()), json.dumps(request.messages),
        _COMPACT.encode(request.prompt_ids), _COMPACT.encode(completion.generated_ids),
        completion.text, completion.finish_reason, completion.prompt_tokens, cached,
        completion.generated_tokens, completion.error, batch, now,
        _checksum((
            request.key, completion.text, completion.finish_reason, completion.prompt_tokens,
            cached, completion.generated_tokens, completion.error,
        )),
    )  # fmt: skip


def _checksum(row: Sequence[Any]) -> int:
    """Checksum of the values of `_COMPLETION_COLUMNS`."""
    return zlib.crc32(json.dumps(list(row)).encode())
