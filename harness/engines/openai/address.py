"""The address of a server and the key for it: both checked before anything is sent.

A key comes from the environment and goes into one header. It is never part of an address, so the address may
be written to a manifest. Nothing here opens a connection.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from harness.errors import UserError

KEY_VARIABLES = ("S2D_API_KEY", "OPENAI_API_KEY")
"""The first that is set is used."""

EXAMPLE = "for example --base-url http://127.0.0.1:8000/v1"


def check_base_url(address: str) -> str:
    """`address` without its last slash. UserError if it is not an address, or contains a secret."""
    try:
        parts = urlsplit(address.strip())
        port = parts.port
    except ValueError:
        raise UserError(f"--base-url is not an address ({EXAMPLE})") from None
    # What may be a password is not repeated in the message.
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise UserError(
            f"--base-url holds a user, a password or a query: take it out and set {KEY_VARIABLES[0]} "
            "in the environment instead"
        )
    if not address.strip():
        raise UserError(f"--engine openai needs the address of a server, {EXAMPLE}")
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise UserError(
            f"--base-url {address} is not an http address: give the part before /chat/completions, {EXAMPLE}"
        )
    if not is_loopback(address) and not proxy_bypass(parts.hostname):
        _check_proxy(parts.scheme)
    return address.strip().rstrip("/")


def _check_proxy(scheme: str) -> None:
    """UserError if a proxy variable of the environment is not an address. The value may contain a
    password, so it is not shown."""
    try:
        proxy = urlsplit(getproxies().get(scheme, ""))
        _ = proxy.port
    except ValueError:
        raise UserError(f"{scheme}_proxy in the environment is not an address: correct or unset it") from None


def server_root(base_url: str) -> str:
    """The address above the OpenAI interface, where servers have `/tokenize` and `/version`."""
    return base_url.removesuffix("/v1")


def is_loopback(base_url: str) -> bool:
    """Whether the server is on this machine: then no proxy of the environment may be used."""
    host = urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def api_key(environment: Mapping[str, str]) -> str | None:
    """The key; None if no variable is set. UserError for a key that does not fit into a header."""
    for variable in KEY_VARIABLES:
        key = environment.get(variable, "").strip()
        if key:
            if not (key.isascii() and key.isprintable()):
                raise UserError(f"{variable} contains characters that no key has: set it again")
            return key
    return None


def without_key(text: str, key: str | None) -> str:
    """`text` as one line of at most 300 characters, with the key removed."""
    line = " ".join(text.split())
    if key:
        line = line.replace(key, "[key]")
    return line if len(line) <= 300 else line[:297] + "..."
