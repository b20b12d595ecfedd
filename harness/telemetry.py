"""Switches off telemetry of libraries: data go only to the engine and the hub that were named.

They read these variables when they are imported, so every process of ours sets them first. Trackers (wandb,
MLflow and the like) are switched off where training is configured.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

SILENCE: Mapping[str, str] = {
    # huggingface_hub, and through it TRL, which reports every trainer.
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_NO_USAGE_STATS": "1",
    # datasets asks a counter of the hub once for each data set that is loaded from it.
    "HF_UPDATE_DOWNLOAD_COUNTS": "0",
}
"""Environment variables and the values that keep the libraries silent."""


def switch_off_telemetry() -> None:
    """Set `SILENCE` for this process and its children, whatever was set before."""
    os.environ.update(SILENCE)
