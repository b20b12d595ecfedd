"""Whole runs on servers as they are: the same weights to the end, cached tokens, notes that stay."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from openai_odd_server import Body, OddServer, Refusal, of_llama_cpp, refusal
from test_end_to_end import run_command

from results.tables import render as tables
from results.tables import rows as table_rows


@pytest.fixture
def llama() -> Iterator[OddServer]:
    with OddServer(returns_ids=False, says_at=of_llama_cpp()) as server:
        yield server


def command(server: OddServer, models: str = "base", limit: int = 3) -> list[str]:
    return [
        "--engine", "openai", "--base-url", server.base_url, "--pretrained", "fake", "--models", models,
        "--tasks", "coin_flip", "--data", "embedded", "--limit", str(limit), "--output", "run",
    ]  # fmt: skip


def saved(folder: Path, name: str = "manifest") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "run" / f"{name}.json").read_text())
    return found


def test_a_run_is_not_continued_with_other_weights_under_the_same_name(
    llama: OddServer, tmp_path: Path
) -> None:
    assert run_command(tmp_path, command(llama)).returncode == 0
    asked = len(llama.chats)
    llama.says_at = of_llama_cpp(size=144_811_456)
    done = run_command(tmp_path, command(llama))
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("s2d-bench:")]
    assert "size: 96576768, now 144811456" in line and "name another --output" in line
    assert len(llama.chats) == asked + 1  # the probe
    llama.says_at = of_llama_cpp()
    assert run_command(tmp_path, command(llama)).returncode == 0


def test_cached_tokens_that_no_server_tells_are_no_zero(llama: OddServer, tmp_path: Path) -> None:
    def change(reply: dict[str, Any], body: Body) -> Any:
        reply["usage"].pop("prompt_tokens_details")
        return reply

    llama.change = change
    assert run_command(tmp_path, command(llama, "base,s2")).returncode == 0
    (row,) = [json.loads(line) for line in (tmp_path / "run/samples/base/coin_flip.jsonl").open()][:1]
    assert row["usage"]["cached_tokens"] is None and row["steps"][0]["cached_tokens"] is None
    assert row["usage"]["prompt_tokens"] > 0
    board = saved(tmp_path, "leaderboard")
    assert all(row["cached_tokens"] is None for row in board["rows"])
    assert any("does not report cached prompt tokens" in note for note in board["notes"])
    cached = table_rows.COST_HEADERS.index("cached")
    assert [row[cached] for row in table_rows.cost_cells(board, str)] == ["-", "-"]


def test_cached_tokens_that_a_server_tells_of_some_calls_are_known_of_all(
    llama: OddServer, tmp_path: Path
) -> None:
    """vLLM leaves out what would be 0."""
    told = cycle([None, {"cached_tokens": 2}])

    def change(reply: dict[str, Any], body: Body) -> Any:
        reply["usage"]["prompt_tokens_details"] = next(told)
        return reply

    llama.change = change
    assert run_command(tmp_path, command(llama, limit=4)).returncode == 0
    board = saved(tmp_path, "leaderboard")
    assert board["rows"][0]["cached_tokens"] == 1.0
    assert not any("cached" in note for note in board["notes"])


def test_what_was_said_of_the_calls_stays_when_the_run_is_continued(llama: OddServer, tmp_path: Path) -> None:
    def refuse(body: Body) -> Refusal | None:
        return refusal("Unsupported parameter: 'stop'", param="stop") if "stop" in body else None

    llama.refuse = refuse
    assert run_command(tmp_path, command(llama)).returncode == 0
    asked = len(llama.chats)
    told = [note for note in saved(tmp_path)["notes"] if "no stop strings" in note]
    assert len(told) == 1
    assert run_command(tmp_path, command(llama)).returncode == 0
    assert len(llama.chats) == asked + 1  # all calls are in the store
    assert [note for note in saved(tmp_path)["notes"] if "no stop strings" in note] == told
    assert set(told) <= set(saved(tmp_path, "leaderboard")["notes"])


def test_texts_that_fill_the_context_are_not_sent_to_the_limit(llama: OddServer, tmp_path: Path) -> None:
    def change(reply: dict[str, Any], body: Body) -> Any:
        """As llama.cpp does: it stops where the slot is full."""
        usage, choice = reply["usage"], reply["choices"][0]
        usage["completion_tokens"] = 512 - usage["prompt_tokens"]
        choice["finish_reason"] = "length"
        return reply

    llama.change = change
    assert run_command(tmp_path, command(llama)).returncode == 0
    board = saved(tmp_path, "leaderboard")
    assert board["rows"][0]["cut"]["context_length"] == 512
    assert "max_tokens" not in tables.terminal(board)


def test_one_refusal_of_every_call_ends_a_run_with_one_line(llama: OddServer, tmp_path: Path) -> None:
    llama.refuse = lambda body: refusal("temperature must be above 0") if body["temperature"] == 0 else None
    done = run_command(tmp_path, command(llama, limit=20))
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("s2d-bench:")]
    assert "temperature must be above 0" in line and "--sampling temperature=1.0" in line
    assert saved(tmp_path)["status"] == "failed"
    assert not (tmp_path / "run" / "samples").exists()
    llama.refuse = None
    assert run_command(tmp_path, command(llama, limit=20)).returncode == 0
    assert saved(tmp_path, "leaderboard")["rows"][0]["failures"]["error"] == 0


@pytest.mark.parametrize("more", [[], ["--dry-run"]], ids=["run", "dry run"])
def test_an_adapter_that_is_not_served_is_found_before_the_first_call(
    llama: OddServer, tmp_path: Path, more: list[str]
) -> None:
    done = run_command(tmp_path, [*command(llama, "base,mine=served:tuned"), *more])
    assert done.returncode == 2
    assert "--models mine=served:tuned: the server at" in done.stderr and "serves fake" in done.stderr
    assert len(llama.chats) == 1, "the probe of the server, and no item"
    assert not (tmp_path / "run").exists()


def test_a_dry_run_asks_a_server_some_items_and_writes_nothing(llama: OddServer, tmp_path: Path) -> None:
    done = run_command(tmp_path, [*command(llama, "base,s2", limit=100), "--dry-run"])
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["calls_at_most"], told["memory_gb"]) == (200, {})
    assert len(llama.chats) == 1 + 2 * (2 + 4 + 8), "calls may cost money"
    assert list(tmp_path.iterdir()) == []
