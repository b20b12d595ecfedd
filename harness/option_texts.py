"""What the text of an option may not hold: a key, or what no file and no path can hold.

Options are written to the manifest and to `config.yaml`, names in them become names of files; so all of it
is looked at before the run folder exists. What an option means is not known here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from harness.errors import UserError

SECRETS = frozenset(
    {"key", "api_key", "apikey", "token", "hf_token", "api_token", "password", "secret", "authorization"}
)
"""Names under which people type keys."""

KEY_VARIABLES = ("S2D_API_KEY", "OPENAI_API_KEY", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
"""Where keys belong."""

SHORTEST_KEY = 8
"""Characters; a shorter value of such a variable is no key, and may stand in a name by chance."""

LONGEST_NAME = 255
"""Bytes of one part of a path, in every file system that is in use."""

SAY_IT_THEMSELVES = ("models", "tasks")
"""Options that have words of their own for an empty value."""


def check_texts(options: Mapping[str, Any]) -> None:
    """UserError for the first text in `options` (values, and both sides of pairs) that cannot stand there."""
    _refuse_keys(options)
    for option, value in options.items():
        pairs = isinstance(value, Mapping)
        if not pairs and option not in SAY_IT_THEMSELVES and not all(map(str.strip, _texts(value))):
            # Most often a shell variable that nobody set; the default would be a run that was not meant.
            raise UserError(f"{_flag(option)} is empty: give it a value, or leave it out")
        for text in _texts(value):
            check_text(text, _flag(option))


def check_text(text: str, option: str) -> None:
    """UserError for text that no file can hold or that no file can be called."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UserError(f"{option} {text!r} is not UTF-8 text: type it again, or rename the file") from None
    if "\0" in text:
        raise UserError(f"{option} {text!r} holds a NUL character: take it out")
    longest = max(re.split(r"[/\\,]", text), key=len)
    if len(longest.encode()) > LONGEST_NAME:
        raise UserError(f"{option} {longest[:40]}...: a name has at most {LONGEST_NAME} bytes: shorten it")


def _refuse_keys(options: Mapping[str, Any]) -> None:
    for option, pairs in options.items():
        if isinstance(pairs, Mapping) and any(str(name).lower() in SECRETS for name in pairs):
            raise UserError(
                f"{_flag(option)}: a key comes from the environment and from nowhere else: set "
                f"{KEY_VARIABLES[0]} for a server, HF_TOKEN for the hub"
            )
    texts = list(_texts(options))
    for variable in KEY_VARIABLES:
        key = os.environ.get(variable, "").strip()
        if len(key) >= SHORTEST_KEY and any(key in text for text in texts):
            raise UserError(
                f"an option holds the value of {variable}: take it out; keys are read from the environment "
                "and never written"
            )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield str(key)
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)


def _flag(option: str) -> str:
    return "--" + option.replace("_", "-")
