"""Keeps libraries from showing progress bars, warning about forks and sending telemetry."""

from __future__ import annotations

import os

from harness.telemetry import switch_off_telemetry


def quiet() -> None:
    """Sets environment variables before the libraries are imported; a user's own bars and warnings stay."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TQDM_DISABLE", "1")  # bars of libraries only: ours sets `disable` itself
    switch_off_telemetry()
