"""The parameters that a server accepts, learnt from its refusals.

A parameter that changes nothing is left out if the server refuses it. So is a stop string, because texts are
cut at stops here as well. What the run asked for and what makes a difference is never left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from harness.engines.openai.client import Rejected
from results.schema import JsonObject

DEFAULTS: dict[str, float] = {"temperature": 1.0, "top_p": 1.0}
"""Values that a server uses if they are not sent; only these values may be left out."""

_LLAMA_CPP_NEUTRAL: JsonObject = {
    "repeat_penalty": 1.0,
    "mirostat": 0,
    "xtc_probability": 0.0,
    "dry_multiplier": 0.0,
    "typical_p": 1.0,
    "dynatemp_range": 0.0,
}
"""llama.cpp's own parameters; if a server refuses one of them, none of them is sent."""

NEUTRAL: JsonObject = {
    "top_k": -1,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    **_LLAMA_CPP_NEUTRAL,
}
"""Sampling that changes nothing. Servers fill in what is not sent from the model's generation_config.json,
or from the metadata of a GGUF file: for Qwen2.5 a repetition penalty of 1.05, which changes even greedy
texts."""

SPECIAL = "skip_special_tokens"
"""If false, a server shows special tokens in its text, and finds stops that are special tokens."""

OPTIONAL = ("return_token_ids", "chat_template_kwargs", SPECIAL, *NEUTRAL)
"""Extensions of the interface; left out if the server refuses one."""

FEATURES = ("top_p", "temperature", "top_k", "seed", "stop", "logprobs", *OPTIONAL)
"""Parameters that a refusal may name. If it names several, the first that can be left out is left out:
some models accept only one of top_p and temperature."""

MOST_STOPS = 4
"""OpenAI's limit, which other servers adopted."""

LIMITS = (16, 64, 256, 1024)
"""Limits to try if a server says that one is too short but not how long it must be."""

_COMPLAINS = re.compile(
    r"unsupported|not support|unrecogni[sz]ed|unknown|unexpected|not (permitted|allowed)|extra (field|input)"
    r"|invalid|cannot both|too (many|long|large|small|low|high|short)|must be|should|at (most|least)|only"
    r"|(greater|less|higher|lower|more|fewer) than|below|above|minimum|maximum|reached",
    re.IGNORECASE,
)
_NEVER = re.compile(r"unsupported|not support|unrecogni[sz]ed|unknown", re.IGNORECASE)
_AT_LEAST = re.compile(
    r"(?:>=|at least|minimum(?: value)?(?: of| is)?|(?:greater|more|higher) than or equal to"
    r"|(?:less|lower) than|below|under)[^\d.]{0,20}(?P<least>\d{1,5})"
    r"|(?:>|(?:greater|more|higher) than|above)[^\d.]{0,20}(?P<above>\d{1,5})",
    re.IGNORECASE,
)
_TOO_LONG = re.compile(r"too (large|long|high|big)|at most|maximum|less than or|exceed|<=", re.IGNORECASE)
_MOST = re.compile(
    r"(?:at most|maximum(?: length| of)?|up to|<=|more than|max)[^\d.]{0,12}(\d{1,3})", re.IGNORECASE
)


@dataclass(frozen=True)
class Dialect:
    """What a server accepts."""

    limit: str = "max_tokens"
    """Name of the parameter for the token limit; newer models of OpenAI want `max_completion_tokens`."""
    probe_limit: int = 1
    """Tokens that the probe asks for; some servers refuse a lower limit."""
    most_stops: int | None = None
    """Most stop strings that it accepts; None: any number."""
    optional: frozenset[str] = frozenset(OPTIONAL)
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Parameters of `DEFAULTS` that it refuses even with the neutral value, and its message."""
    own: Mapping[str, Any] = field(default_factory=dict)
    """Extra fields that the user adds to each request."""


def named(problem: Rejected, body: Mapping[str, Any], dialect: Dialect) -> list[str]:
    """Parameters of `body` that a refusal is about; first those that can be left out."""
    known = [*FEATURES, dialect.limit, *dialect.own]
    sent = [name for name in dict.fromkeys(known) if name in body]
    if problem.parameter is not None and problem.parameter in body:
        found = [problem.parameter] if problem.parameter in sent else []
    elif _COMPLAINS.search(problem.message):
        found = [name for name in sent if _names(problem.message, name)]
    else:
        found = []
    return sorted(found, key=lambda name: not _is_neutral(name, body, dialect))


def without(
    problem: Rejected, body: Mapping[str, Any], dialect: Dialect, probing: bool = False
) -> Dialect | None:
    """The dialect of a server that refused `body` with this problem; None if nothing can be left out.
    `probing`: any number of tokens is fine."""
    wanted = "max_completion_tokens"
    if wanted in f"{problem.parameter} {problem.message}" and dialect.limit != wanted:
        return replace(dialect, limit=wanted)
    about = named(problem, body, dialect)
    needless = {name for name in about if name in dialect.optional and _is_neutral(name, body, dialect)}
    if needless:
        kin = {*_LLAMA_CPP_NEUTRAL} if needless & _LLAMA_CPP_NEUTRAL.keys() else set()
        return replace(dialect, optional=dialect.optional - needless - kin)
    for name in about:
        if name in DEFAULTS and _is_neutral(name, body, dialect):
            return replace(dialect, left_out={**dialect.left_out, name: str(problem)})
        if name == "stop":
            return replace(dialect, most_stops=_most_stops(problem.message, body["stop"]))
        if name == dialect.limit and probing and not _TOO_LONG.search(problem.message):
            least = least_limit(problem.message, body[name])
            longer = least or next((limit for limit in LIMITS if limit > body[name]), None)
            return replace(dialect, probe_limit=longer) if longer else None
    return None


def advice(name: str, dialect: Dialect, words: str, sent: int = 0) -> str:
    """What a user can change if a server refused `name` with this message and the run needs it. `sent` is
    the limit that was sent."""
    other = "or use a server that takes it, such as vllm serve"
    if name in dialect.own:
        return f"take body.{name} out of --engine-args"
    if name == dialect.limit:
        least = least_limit(words, sent)
        bound = f"at least {least}" if least else "what it takes"
        own = "in a method of yours Ask(max_tokens=N)"
        return f"set --sampling max_tokens=N or max_tokens.STEP=N ({own}) to {bound}"
    if name in DEFAULTS:
        return f"ask for the value that it accepts with --sampling {name}=1.0, {other}"
    if name == "seed":
        return f"use greedy decoding (--sampling temperature=0, and no method that draws samples), {other}"
    if name == "chat_template_kwargs":
        return f"leave out the method think, {other}"
    return f"leave {name} out of --sampling, {other}"


def _is_neutral(name: str, body: Mapping[str, Any], dialect: Dialect) -> bool:
    """Whether the request works without this parameter, given its value."""
    if name in dialect.own:
        return False
    if name in DEFAULTS:
        return bool(body[name] == DEFAULTS[name])
    if name in NEUTRAL:
        return bool(body[name] == NEUTRAL[name])
    return name in (SPECIAL, "return_token_ids") or (
        name == "chat_template_kwargs" and not body[name].get("enable_thinking")
    )


def _names(message: str, name: str) -> bool:
    """Whether a message is about a parameter of that name, and does not only contain the word."""
    name = re.escape(name)
    if "_" in name:
        return re.search(rf"\b{name}\b", message) is not None
    quoted = rf"['\"`.]{name}['\"`\[]|(?:^|[\s.]){name}:"
    listed = rf"(?:parameter|argument|field|propert|option|setting|input)\w*\b[^.]{{0,60}}\b{name}\b"
    said = rf"\b{name}\b (?:is|are|does|do|must|should|cannot|sequences?|strings?|words?|list|array)\b"
    return re.search(rf"{quoted}|{listed}|{said}", message, re.IGNORECASE) is not None


def _most_stops(message: str, sent: Sequence[str]) -> int:
    """How many of `sent` to try next."""
    found = _MOST.search(message)
    if found and 0 < int(found[1]) < len(sent):
        return int(found[1])
    return MOST_STOPS if len(sent) > MOST_STOPS and not _NEVER.search(message) else 0


def least_limit(message: str, sent: int) -> int:
    """The lowest limit that a server says it accepts; 0 if it does not say that `sent` is too low."""
    for found in _AT_LEAST.finditer(message):
        least = int(found["least"]) if found["least"] else int(found["above"]) + 1
        if sent < least <= max(LIMITS):
            return least
    return 0
