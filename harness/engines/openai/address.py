"""Where a server is, and with which key it is asked: both checked before anything is sent.

A key comes from the environment and goes into one header; it never stands in an address, so the address
may be written to a manifest. Nothing here opens a connection.
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
    """`address` without its last slash. UserError for what is not an address, or holds a secret."""
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
            f"--base-url {address}: no http address; give the part before /chat/completions, {EXAMPLE}"
        )
    if not is_loopback(address) and not proxy_bypass(parts.hostname):
        _check_proxy(parts.scheme)
    return address.strip().rstrip("/")


def _check_proxy(scheme: str) -> None:
    """UserError where the environment names a proxy by what is not an address. It may hold a password."""
    try:
        proxy = urlsplit(getproxies().get(scheme, ""))
        _ = proxy.port
    except ValueError:
        raise UserError(f"{scheme}_proxy in the environment is not an address: correct or unset it") from None


def server_root(base_url: str) -> str:
    """The address of what servers keep beside the OpenAI interface (`/tokenize`, `/version`)."""
    return base_url.removesuffix("/v1")


def is_loopback(base_url: str) -> bool:
    """Whether the server is this machine: then no proxy of the environment may stand between."""
    host = urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def api_key(environment: Mapping[str, str]) -> str | None:
    """The key to ask with; None where no variable is set. UserError for one that no header can hold."""
    for variable in KEY_VARIABLES:
        key = environment.get(variable, "").strip()
        if key:
            if not (key.isascii() and key.isprintable()):
                raise UserError(f"{variable} holds characters that no key has: set it again")
            return key
    return None


def without_key(text: str, key: str | None) -> str:
    """One line of `text`, at most 300 characters, in which the key is not to be read."""
    line = " ".join(text.split())
    if key:
        line = line.replace(key, "[key]")
    return line if len(line) <= 300 else line[:297] + "..."
