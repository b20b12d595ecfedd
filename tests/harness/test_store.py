"""The call store: found by content, committed whole, never overwritten; its errors say what to do."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_models import request

from harness.errors import RunError, UserError
from harness.store import CallStore, call_key
from harness.types import Completion, Request, Sampling

DONE = Completion("said ナ\x00 🙂", "stop", 3, 2, 1, (1, 2, 3), (7, 0))
KEY = {
    "fingerprint": "model",
    "adapter_hash": None,
    "prompt_ids": (1, 2),
    "sampling": Sampling(),
    "seed": 0,
    "step": "direct",
    "sample_index": 0,
}
CHANGES = {
    "fingerprint": "other",
    "adapter_hash": "adapter",
    "prompt_ids": (1, 2, 3),
    "sampling": Sampling(temperature=0.7),
    "seed": 1,
    "step": "reason",
    "sample_index": 1,
}


@pytest.fixture
def store(tmp_path: Path) -> CallStore:
    return CallStore(tmp_path / "calls.sqlite")


def calls(count: int) -> list[tuple[Request, Completion]]:
    return [
        (request((number,), item=str(number)), replace(DONE, text=str(number))) for number in range(count)
    ]


@pytest.mark.parametrize("name", CHANGES)
def test_whatever_can_change_a_completion_is_in_the_key(name: str) -> None:
    assert call_key(**KEY) == call_key(**{**KEY, "prompt_ids": [1, 2]})
    assert call_key(**KEY) != call_key(**{**KEY, name: CHANGES[name]})


@pytest.mark.parametrize(
    "sampling", [Sampling(top_p=0.9), Sampling(top_k=5), Sampling(max_tokens=9), Sampling(stop=("x",))]
)
def test_every_part_of_sampling_is_in_the_key(sampling: Sampling) -> None:
    assert call_key(**KEY) != call_key(**{**KEY, "sampling": sampling})


def test_a_call_is_found_again_by_another_process(store: CallStore, tmp_path: Path) -> None:
    asked = request((1, 2, 3))
    store.commit("base", [(asked, DONE)])
    again = CallStore(tmp_path / "calls.sqlite")
    assert again.lookup([asked.key, "unknown"]) == {asked.key: replace(DONE, prompt_ids=(), generated_ids=())}
    assert again.with_ids([asked.key, "unknown"])[asked.key].generated_ids == (7, 0)
    assert again.with_ids([asked.key])[asked.key].prompt_tokens == 3


def test_prompt_and_generated_ids_come_back_whole(store: CallStore) -> None:
    asked = request((5, 6, 7))
    store.commit("base", [(asked, replace(DONE, prompt_ids=asked.prompt_ids))])
    assert store.with_ids([asked.key]) == {asked.key: replace(DONE, prompt_ids=(5, 6, 7))}


def test_more_keys_than_a_query_takes_are_looked_up(store: CallStore) -> None:
    made = calls(2100)
    store.commit("base", made)
    keys = [asked.key for asked, _ in made]
    found = store.lookup([*keys, *keys])
    assert [found[key].text for key in keys] == [str(number) for number in range(2100)]


def test_a_finished_call_is_never_changed(store: CallStore) -> None:
    asked = request((1,))
    store.commit("base", [(asked, DONE)])
    store.commit("s2", [(asked, replace(DONE, text="another"))])
    assert store.lookup([asked.key])[asked.key].text == DONE.text
    assert (store.count(), store.count("base"), store.count("s2")) == (1, 1, 0)


def test_an_error_is_kept_as_one(store: CallStore) -> None:
    asked = request((1,))
    store.commit("base", [(asked, Completion("", "error", 9, 0, error="too long"))])
    found = store.lookup([asked.key])[asked.key]
    assert (found.finish_reason, found.error, found.generated_tokens) == ("error", "too long", 0)


def test_a_batch_is_committed_whole_or_not_at_all(store: CallStore) -> None:
    good, bad = calls(2)
    broken = (bad[0], replace(bad[1], text=None))
    with pytest.raises(RunError, match=r"calls\.sqlite could not be written"):
        store.commit("base", [good, broken])
    assert store.count() == 0
    store.commit("base", [good])
    assert list(store.lookup([good[0].key, bad[0].key])) == [good[0].key]


def test_a_full_disk_is_one_line_and_loses_nothing(store: CallStore) -> None:
    store.commit("base", calls(3))
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(RunError, match="free some space") as caught:
        store.commit("base", [(request((9,)), replace(DONE, text="x" * 10**6))])
    assert "\n" not in str(caught.value)
    assert store.count() == 3
    store._connection.execute("PRAGMA max_page_count=100000")
    store.commit("base", [(request((9,)), DONE)])
    assert store.count() == 4


def test_another_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"
    path.write_text("these are my notes\n" * 100)
    with pytest.raises(UserError, match="move it away"):
        CallStore(path)
    assert path.read_text().startswith("these are my notes")


def test_a_store_of_another_version_is_refused(store: CallStore, tmp_path: Path) -> None:
    store.close()
    with sqlite3.connect(tmp_path / "calls.sqlite") as connection:
        connection.execute("UPDATE meta SET value='99' WHERE name='schema'")
    with pytest.raises(UserError, match="version 99"):
        CallStore(tmp_path / "calls.sqlite")


def test_an_empty_batch_is_no_error(store: CallStore) -> None:
    store.commit("base", [])
    assert store.count() == 0
