"""What the text of an option must not contain: a key, or characters that no file and no path can have.

Options are written to the manifest and to `config.yaml`, and names in them become names of files, so all of
them are checked before the run folder exists.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.errors import UserError

_NAMES_A_KEY = re.compile(
    r"(.*[-_.])?(key|apikey|token|auth|authorization|bearer|passw(or)?d|secret|credentials?)", re.IGNORECASE
)
"""Names under which people type keys: `api_key`, `access-token`, `password`."""

_NAMES = re.compile(r"(?:^|(?<=[,\s=?&;{\"']))([\w.-]+)[\"']?\s*[=:]")
"""The name before a value in a word of a command line, in an address, in JSON or YAML."""

_ADDRESS_WITH_A_USER = re.compile(r"\w://[^/?#\s]*@")
"""`https://user:password@host`: the hub and servers take keys from the environment."""

_LOOKS_LIKE_A_KEY = re.compile(
    r"(?<![\w/-])(?:hf_[A-Za-z0-9]{30,}|sk-(?=\S*[0-9])(?=\S*[A-Z])(?=\S*[a-z])[A-Za-z0-9_-]{20,})"
)
"""Keys of the hub and of well-known servers, under any name; not `runs/sk-llama-3-8b`."""

_COMMENT = re.compile(r"(?:^|\s)#.*")

KEY_VARIABLES = ("S2D_API_KEY", "OPENAI_API_KEY", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
"""Environment variables for keys."""

_FROM_THE_ENVIRONMENT = (
    f"a key comes only from the environment: set {KEY_VARIABLES[0]} for a server, HF_TOKEN for the hub"
)

SHORTEST_KEY = 8
"""Characters; a shorter value of such a variable is not a key, and may be part of a name by chance."""

LONGEST_NAME = 255
"""Bytes of one part of a path, in all common file systems."""

WITH_OWN_EMPTY_CHECK = ("models", "tasks")
"""Options with their own error for an empty value."""


def check_texts(options: Mapping[str, Any]) -> None:
    """UserError for the first text in `options` (values, and both sides of pairs) that is not allowed."""
    _refuse_keys(options)
    for option, value in options.items():
        pairs = isinstance(value, Mapping)
        if not pairs and option not in WITH_OWN_EMPTY_CHECK and not all(map(str.strip, _texts(value))):
            # The usual cause is an unset shell variable; using the default would be a run that the user did
            # not mean.
            raise UserError(f"{_flag(option)} is empty: give it a value, or leave it out")
        for text in _texts(value):
            check_text(text, _flag(option))


def check_text(text: str, option: str) -> None:
    """UserError for text that no file can contain or no file name can have."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UserError(f"{option} {text!r} is not UTF-8 text: type it again, or rename the file") from None
    if "\0" in text:
        raise UserError(f"{option} {text!r} contains a NUL character: take it out")
    longest = max(re.split(r"[/\\,]", text), key=len)
    if len(longest.encode()) > LONGEST_NAME:
        raise UserError(f"{option} {longest[:40]}...: a name has at most {LONGEST_NAME} bytes: shorten it")


def names_a_key(name: str) -> bool:
    """Whether people give a key under this name."""
    return _NAMES_A_KEY.fullmatch(name) is not None


def refuse_typed_keys(words: Sequence[str]) -> None:
    """UserError for a command line with a key, even if a later option overrides it: all words are written
    to the manifest, and an error repeats an unknown option."""
    for word in words:
        for name in [*_NAMES.findall(word), *([word] if word.startswith("--") else [])]:
            if names_a_key(name):
                raise UserError(f"{name}: {_FROM_THE_ENVIRONMENT}")
    _refuse_values(words)


def refuse_keys_in_yaml(text: str) -> None:
    """The same for a YAML file of options, since an error could repeat a line."""
    lines = text.splitlines()
    _refuse_values(lines)
    refuse_typed_keys([_COMMENT.sub("", line) for line in lines])


def _refuse_keys(options: Mapping[str, Any]) -> None:
    for option, pairs in options.items():
        if isinstance(pairs, Mapping) and any(names_a_key(str(name)) for name in pairs):
            raise UserError(f"{_flag(option)}: {_FROM_THE_ENVIRONMENT}")
    _refuse_values(list(_texts(options)))


def _refuse_values(texts: Sequence[str]) -> None:
    """The message does not repeat what may be a key."""
    if any(_ADDRESS_WITH_A_USER.search(text) for text in texts):
        raise UserError(f"an address contains a user or a password: take it out; {_FROM_THE_ENVIRONMENT}")
    if any(_LOOKS_LIKE_A_KEY.search(text) for text in texts):
        raise UserError(f"an option contains something like a key (hf_..., sk-...): {_FROM_THE_ENVIRONMENT}")
    if _ADDRESS_WITH_A_USER.search(os.environ.get("HF_ENDPOINT", "")):
        # The hub's own library prints the address on each retry.
        raise UserError(f"HF_ENDPOINT contains a user or a password: take it out; {_FROM_THE_ENVIRONMENT}")
    for variable in KEY_VARIABLES:
        key = os.environ.get(variable, "").strip()
        if len(key) >= SHORTEST_KEY and any(key in text for text in texts):
            raise UserError(
                f"an option contains the value of {variable}: take it out; keys are read from the "
                "environment and never written"
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
