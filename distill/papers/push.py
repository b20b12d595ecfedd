"""Uploads a checkpoint with its cards to the Hugging Face hub, with the hub's own client.

The client finds the key itself: HF_TOKEN, or the one that `hf auth login` stored. It is never read or written
here. Only the files that belong to a checkpoint are uploaded, without the paths of this machine.
"""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any

from harness.errors import UserError, first_line

FILES = (
    "*.safetensors",
    "*.json",
    "*.md",
    "*.jinja",
    "tokenizer.model",
    "vocab.txt",
    "merges.txt",
    "examples/*.parquet",
    "examples/*.md",
)
"""Files to upload: weights, settings, cards, tokenizer, examples; no pickle and no optimizer state."""
SETTINGS = ("adapter_config.json", "config.json", "s2d.json", "training.json")
"""Files that may contain paths of this machine."""
BASE_KEY = "base_model_name_or_path"
LOCAL_PATH = re.compile(r"(?<![\w/:.])(?:/(?:[\w.@+-]+/)+|[A-Za-z]:\\(?:[^\\\s]+\\)+)([\w.@+-]+)")
TOKEN = re.compile(r"hf_\w{4,}")


def push(folder: Path, repo_id: str, private: bool = True) -> str:
    """Uploads `folder` to the model repository `repo_id`, which is created if necessary; returns its address.

    An existing repository keeps its visibility. UserError if there are no weights or the hub refuses; the
    folder does not change.
    """
    from huggingface_hub import HfApi, ModelCard

    files = sorted({path for pattern in FILES for path in folder.glob(pattern) if path.is_file()})
    if not any(path.suffix == ".safetensors" for path in files):
        raise UserError(f"{folder}: it holds no safetensors to upload; make the checkpoint first")
    try:
        with tempfile.TemporaryDirectory() as scratch:
            staged = Path(scratch)
            card = folder / "README.md"
            base = ModelCard.load(card).data.get("base_model") if card in files else None
            for path in files:
                _stage(path, staged / path.relative_to(folder), base)
            api = HfApi()
            address = api.create_repo(repo_id, private=private, exist_ok=True)
            api.upload_folder(
                repo_id=repo_id, folder_path=staged, commit_message="Checkpoint distilled by s2d-bench"
            )
    # The client's errors have no common base class: its own, its HTTP library's, ValueError, OSError.
    except Exception as error:
        raise UserError(_refused(folder, repo_id, error)) from error
    return str(address)


def _stage(path: Path, place: Path, base: str | None) -> None:
    """Prepares `path` for upload: weights as a link, settings without the paths of this machine."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if path.name not in SETTINGS:
        place.symlink_to(path.resolve())
        return
    settings = json.loads(path.read_text(encoding="utf-8"))
    if base is not None and BASE_KEY in settings:
        settings[BASE_KEY] = base
    place.write_text(json.dumps(_without_paths(settings), indent=2), encoding="utf-8")


def _without_paths(value: Any) -> Any:
    """`value` with absolute paths cut to their last part, in all of its texts."""
    if isinstance(value, dict):
        return {name: _without_paths(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_without_paths(each) for each in value]
    return LOCAL_PATH.sub(r"\1", value) if isinstance(value, str) else value


def _refused(folder: Path, repo_id: str, error: Exception) -> str:
    """One line: the hub's error, and what to do about it."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    said = first_line(error)
    if status in (401, 403) or type(error).__name__ == "LocalTokenNotFoundError":
        advice = "log in with `hf auth login` or set HF_TOKEN to a key that may write there"
    elif type(error).__name__ == "HFValidationError":
        advice = "give it as NAME or OWNER/NAME"
    else:
        advice = "check the name and the network, and repeat the command"
    # Some servers repeat the key that they refused.
    said = TOKEN.sub("hf_...", said)
    return (
        f"--push-to-hub {repo_id}: {said} ({type(error).__name__}); {advice}. The checkpoint is in {folder}"
    )
