"""How much of a hub model is still to be fetched: a dry run must not fetch gigabytes to tell a price."""

from __future__ import annotations

from pathlib import Path
from textwrap import shorten

from harness.errors import UserError, first_line
from harness.models.source import ModelSource

NEEDED = (".safetensors", ".json", ".model", ".txt", ".jinja")
"""Suffixes of what is fetched."""


def bytes_to_fetch(source: ModelSource, option: str) -> int:
    """Bytes that loading `source` would fetch; 0 where the weights are here. UserError, which begins with the
    `option`, for a model that neither this machine nor the hub has."""
    if source.is_local or _is_cached(source):
        return 0
    from huggingface_hub import HfApi

    try:
        files = HfApi().model_info(source.location, revision=source.revision, files_metadata=True).siblings
    except Exception as error:  # of the hub's client, of its transport, of a name that is none
        why = shorten(first_line(error), 120, placeholder="...")
        raise UserError(
            f"{option}: it is not on this machine, and the hub did not tell of it ({type(error).__name__}: "
            f"{why}): check the network, or give a hub id or a folder"
        ) from error
    return sum(entry.size or 0 for entry in files or () if entry.rfilename.endswith(NEEDED))


def _is_cached(source: ModelSource) -> bool:
    from huggingface_hub import snapshot_download

    try:
        folder = snapshot_download(source.location, revision=source.revision, local_files_only=True)
    except Exception:  # nothing, or not all of it; whatever else is wrong the hub says better
        return False
    return any(Path(folder).glob("*.safetensors"))
