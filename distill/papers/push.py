"""Upload a checkpoint with its papers to the Hugging Face hub, by the hub's own client.

The key is the client's own affair: HF_TOKEN, or what `hf auth login` left. It is never read here, and never
written. Only the files that a checkpoint is made of go up, without the paths of this machine.
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
"""What goes up: weights, settings, cards, tokenizer, examples; no pickle and no state of an optimizer."""
SETTINGS = ("adapter_config.json", "config.json", "s2d.json", "training.json")
"""Files that may name folders of this machine."""
BASE_KEY = "base_model_name_or_path"
LOCAL_PATH = re.compile(r"(?<![\w/:.])(?:/(?:[\w.@+-]+/)+|[A-Za-z]:\\(?:[^\\\s]+\\)+)([\w.@+-]+)")
TOKEN = re.compile(r"hf_\w{4,}")


def push(folder: Path, repo_id: str, private: bool = True) -> str:
    """Upload `folder` to the model repository `repo_id`, made if it does not exist; its address.

    An existing repository keeps its visibility. UserError where there are no weights or the hub refuses;
    the folder stays as it is either way.
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
    # The client's errors have no base in common: its own, its HTTP library's, ValueError, OSError.
    except Exception as error:
        raise UserError(_refused(folder, repo_id, error)) from error
    return str(address)


def _stage(path: Path, place: Path, base: str | None) -> None:
    """`path` as it goes up: weights by a link, settings without the paths of this machine."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if path.name not in SETTINGS:
        place.symlink_to(path.resolve())
        return
    settings = json.loads(path.read_text(encoding="utf-8"))
    if base is not None and BASE_KEY in settings:
        settings[BASE_KEY] = base
    place.write_text(json.dumps(_without_paths(settings), indent=2), encoding="utf-8")


def _without_paths(value: Any) -> Any:
    """`value` with absolute paths cut to their last part, in any text of it."""
    if isinstance(value, dict):
        return {name: _without_paths(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_without_paths(each) for each in value]
    return LOCAL_PATH.sub(r"\1", value) if isinstance(value, str) else value


def _refused(folder: Path, repo_id: str, error: Exception) -> str:
    """One line: what the hub said, and what to do about it."""
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
