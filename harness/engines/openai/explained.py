"""One line for people on why a server cannot be used, with its own message and the next step.

The caller decides what is an error of one item and what ends a run.
"""

from __future__ import annotations

from harness.engines.openai.address import KEY_VARIABLES
from harness.engines.openai.client import NoAnswer, Rejected, ServerClient
from harness.engines.openai.dialect import Dialect, advice

REFUSES_EVERY_REQUEST = frozenset({*range(300, 400), 401, 402, 403, 404, 405, 407, 501})
"""Statuses that every other request would get as well."""


def explain_refusal(client: ServerClient, problem: Rejected) -> str:
    """One line with the next step for a refusal that every request of the run would get."""
    where = f"the server at {client.base_url}"
    if problem.status in {401, 403, 407}:
        if client.has_key:
            return f"{where} refuses the key ({problem}): set {KEY_VARIABLES[0]} to a valid one"
        return f"{where} wants a key ({problem}): set {KEY_VARIABLES[0]} in the environment"
    if problem.status == 402:
        return f"{where} wants a payment ({problem}): pay its operator, then repeat the command"
    if problem.status in {404, 405, 501}:
        return (
            f"{where} does not know the model or the address ({problem}): --engine-args model=NAME names "
            "the model as the server does, --base-url is the part before /chat/completions"
        )
    if 300 <= problem.status < 400:
        return f"{where} answers elsewhere ({problem}): give that address as --base-url"
    if problem.overflow:
        return (
            f"{where} has no room for even a short prompt ({problem}): start it with a longer context "
            "(vllm serve --max-model-len; llama.cpp --ctx-size, which is divided among its slots)"
        )
    return (
        f"{where} refuses every request of this kind ({problem}): change what its message names, with "
        "--sampling, --engine-args or in the server, then repeat the command"
    )


def explain_silence(client: ServerClient, problem: NoAnswer) -> str:
    """One line with the next step for a server that gives no usable reply."""
    where = f"the server at {client.base_url}"
    if problem.exhausted:
        return f"{where} takes no more requests ({problem}): repeat the command later to continue"
    if problem.status == 429:
        return f"{where} is too busy ({problem}): lower --engine-args concurrency=, then repeat the command"
    if problem.broken:
        return f"{where} cannot be used ({problem}): see its log, then repeat the command"
    return (
        f"{where} does not answer ({problem}): check --base-url and that the server is up and ready, "
        "then repeat the command"
    )


def explain_feature(client: ServerClient, name: str, dialect: Dialect, words: str, sent: int = 0) -> str:
    """One line on a parameter that the server does not accept, with its message. `sent` is the limit that
    was sent."""
    where = f"the server at {client.base_url}"
    return f"{where} does not take {name!r} ({words}): {advice(name, dialect, words, sent)}"
