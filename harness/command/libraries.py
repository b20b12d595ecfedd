"""What the libraries underneath may not do in a run: show bars, warn of forks, send telemetry."""

from __future__ import annotations

import os

from harness.telemetry import switch_off_telemetry


def quiet() -> None:
    """Say so in the environment, before they are imported; what the user has set stays."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TQDM_DISABLE", "1")  # bars of the libraries; ours says for itself when it shows
    switch_off_telemetry()
