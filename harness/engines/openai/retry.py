"""How long to wait before a server is asked again, and how often.

Doubling waits with jitter, so that many clients do not come back together. A server that says when to come
back (`Retry-After`) is believed.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

FIRST_WAIT = 0.5
"""Seconds before the first repetition; each further one waits about twice as long."""

LONGEST_WAIT = 60.0
"""Seconds; doubling stops here."""

LONGEST_RETRY_AFTER = 600.0
"""Seconds. A server that asks for more has an exhausted quota: the run ends and can be continued."""

REPEATS_OF_BROKEN = 2
"""Repetitions after a time-out or a reply that cannot be read, however many `max_retries` allows: after
three failures the request itself is probably the cause, and a time-out costs minutes."""

RETRIED_STATUS = frozenset({408, 409, 425, 429})
"""Retried beside every 5xx: the request was correct, but the server was not ready."""

NOT_THERE = frozenset({501, 505})
"""Statuses among the 5xx that no retry changes: the server does not support the request."""


def backoff(repetition: int) -> float:
    """Seconds to wait before repetition 1, 2, ...: half of it fixed, half of it random."""
    whole = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (repetition - 1))
    return whole * random.uniform(0.5, 1.0)


def pause(repetition: int, asked: float) -> float:
    """Seconds to wait before repetition 1, 2, ... if the server asks for `asked`: a little more, since it
    tells all waiting clients the same."""
    return max(asked * random.uniform(1.0, 1.1), backoff(repetition))


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds that the server asks to wait: a number or a date (RFC 9110), or OpenAI's milliseconds. None
    if it is missing or cannot be read."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = headers.get(name, "").strip()
        if not text:
            continue
        try:
            seconds = float(text) * unit
        except ValueError:
            try:
                until = parsedate_to_datetime(text)
                until = until if until.tzinfo else until.replace(tzinfo=UTC)
                seconds = (until - (now or datetime.now(UTC))).total_seconds()
            except (ValueError, OverflowError):  # not a date, or one outside the calendar
                continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    return None
