"""Adapters on a server: each has its own model name in requests, and a check that it really is another model
(rule 3).

vLLM lists what `--lora-modules NAME=FOLDER` serves beside the base model, with the folder as its `root`.
Other servers list names only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from harness.engines.hf.adapters import adapter_hash
from harness.engines.openai.client import Rejected, ServerClient
from harness.engines.openai.explained import REFUSES_EVERY_REQUEST
from harness.engines.openai.handshake import Server, probe
from harness.types import stable_hash

SMALLEST_CHANGE = 1e-4
"""Smallest change of a log-probability that counts; smaller ones appear even on a server without noise."""


def served_from(folder: Path, listed: Sequence[Mapping[str, Any]]) -> str | None:
    """The server's name for the model in `folder`; None if it serves none from there."""
    wanted = folder.expanduser().resolve()
    for entry in listed:
        root = entry.get("root")
        if isinstance(root, str) and entry.get("parent") and Path(root).resolve() == wanted:
            return str(entry["id"])
    return None


def served_hash(entry: Mapping[str, Any]) -> str:
    """Hash of an adapter's content if its folder can be read here, else of the server's entry for it."""
    root = entry.get("root")
    if isinstance(root, str) and entry.get("parent"):
        try:
            return adapter_hash(Path(root))
        except OSError:
            pass
    return stable_hash(["served", entry.get("id"), root, entry.get("parent")])


async def probe_change(
    client: ServerClient, server: Server, model: str, day: date
) -> tuple[float, float] | None:
    """Largest change of a first token's log-probability between the base model and `model`, and between
    two passes of the base model; None if the server gives no log-probabilities. Raises Rejected or
    NoAnswer."""
    found = []
    for asked in (server.model, server.model, model):
        try:
            reply = await probe(client, server.dialect, asked, day, logprobs=True)
        except Rejected as problem:
            if problem.status in REFUSES_EVERY_REQUEST:
                raise
            return None
        found.append(reply.logprobs)
    if not all(found):
        return None
    return largest_change(found[0], found[2]), largest_change(found[0], found[1])


def largest_change(first: Mapping[str, float], second: Mapping[str, float]) -> float:
    """Smallest possible distance between two lists of most likely tokens, in log-probability. A token that
    one list lacks is at most as likely as the last one in that list."""
    change = 0.0
    for token in {*first, *second}:
        if token in first and token in second:
            change = max(change, abs(first[token] - second[token]))
        else:
            here, there = (first, second) if token in first else (second, first)
            change = max(change, here[token] - min(there.values()))
    return change


def is_shown(change: float, noise: float) -> bool:
    """Whether a change is larger than the difference between two equal requests."""
    return change > max(3 * noise, SMALLEST_CHANGE)
