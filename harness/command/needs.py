"""What a model would need on this machine, from its files' headers alone: nothing is loaded, nothing fetched.

Everything but the file sizes is arithmetic: 2 bytes a parameter in bfloat16; keys and values of a token take
2 x layers x key-value heads x head size x 2 bytes; full training keeps weights, gradients and two moments of
AdamW in float32, 16 bytes a parameter. Activations and the engine's own buffers come on top.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.command.cache import size
from harness.errors import UserError, one_line
from harness.models.gguf import is_converted
from harness.models.source import SMOLLM2_PACKAGE, TINY, cache_folder, check_folder
from results.files import parse_json
from results.schema import JsonObject

HALF, FULL_TRAINING = 2, 16
"""Bytes a parameter: weights in bfloat16, and all that full training keeps."""
SMOLLM2_PARAMETERS, SMOLLM2_BYTES, SMOLLM2_CACHE = 134_515_008, 98_000_000, 23_040
"""SmolLM2: its header cannot be read before the package is fetched."""


@dataclass(frozen=True)
class Needs:
    """What is known of a model before it is loaded."""

    name: str
    parameters: int | None
    bytes: int
    """Size of its weight files."""
    to_fetch: int
    """Bytes that are not on this machine yet."""
    cache_per_token: int | None
    """Bytes of keys and values of one token in bfloat16."""

    @property
    def weights(self) -> int:
        """Bytes of the weights in memory, in bfloat16."""
        return self.bytes if self.parameters is None else HALF * self.parameters

    def lines(self, memory: int, what: str, disk: int) -> list[str]:
        """Sentences for people; `memory` and `disk` are the bytes that are free, `what` names the memory."""
        told = "" if self.parameters is None else f"{self.parameters / 1e6:,.0f} million parameters, "
        fetched = f"{size(self.to_fetch)} to fetch" if self.to_fetch else "all of it on this machine"
        lines = [f"{self.name}: {told}{size(self.bytes)} of weights, {fetched}"]
        if self.to_fetch > disk:
            lines.append(f"  disk: {size(disk)} are free, which is too little")
        fits = "fits" if self.weights < memory else "DOES NOT FIT"
        lines.append(
            f"  to sample in bfloat16: {size(self.weights)} and the cache; {fits} in {size(memory)} {what}"
        )
        if self.cache_per_token:
            room = max(0, memory - self.weights) // self.cache_per_token
            lines.append(
                f"  cache: {size(self.cache_per_token)} a token, so at most {room:,} tokens over all rows"
            )
        if self.parameters is not None:
            full = FULL_TRAINING * self.parameters
            lines.append(
                f"  to train: LoRA a little more than sampling; all weights {size(full)} "
                f"({'fits' if full < memory else 'does not fit'}); activations on top "
                "(arithmetic, not measured)"
            )
        return lines

    def facts(self) -> JsonObject:
        """The same for scripts."""
        return {
            "name": self.name,
            "parameters": self.parameters,
            "bytes": self.bytes,
            "to_fetch": self.to_fetch,
            "weights_bytes": self.weights,
            "cache_bytes_per_token": self.cache_per_token,
            "full_training_bytes": None if self.parameters is None else FULL_TRAINING * self.parameters,
        }


def needs(name: str, revision: str | None = None) -> Needs:
    """Returns what `--pretrained name` needs. UserError if the model is missing or the hub does not say."""
    if name == "smollm2":
        fetch = 0 if is_converted(cache_folder() / "models" / name) else SMOLLM2_BYTES
        return Needs(f"{name} ({SMOLLM2_PACKAGE})", SMOLLM2_PARAMETERS, SMOLLM2_BYTES, fetch, SMOLLM2_CACHE)
    path = TINY if name == "tiny" else Path(name).expanduser()
    if name.lower().endswith(".gguf"):
        return _of_gguf(path, name)
    if path.is_dir():
        check_folder(path, f"--pretrained {name}")
        files = sorted(path.glob("*.safetensors"))
        config = parse_json((path / "config.json").read_bytes())
        return Needs(name, sum(map(parameters_in, files)), _bytes(files), 0, _cache(config))
    if name.startswith((".", "/", "~")):
        raise UserError(f"--pretrained {name}: no such folder; give a model folder or a hub id")
    return _of_hub(name, revision)


def parameters_in(file: Path) -> int:
    """Parameters in a safetensors file, from its header."""
    with file.open("rb") as opened:
        (length,) = struct.unpack("<Q", opened.read(8))
        header = json.loads(opened.read(length))
    return sum(math.prod(tensor["shape"]) for key, tensor in header.items() if key != "__metadata__")


def _of_gguf(path: Path, name: str) -> Needs:
    if not path.is_file():
        raise UserError(f"--pretrained {name}: no such file; give the path of a GGUF file")
    from gguf import GGUFReader

    try:
        count = sum(int(tensor.n_elements) for tensor in GGUFReader(path).tensors)
    except ValueError as error:
        raise UserError(f"--pretrained {name} is not a GGUF file: {one_line(error)}") from error
    return Needs(name, count, path.stat().st_size, 0, None)


def _of_hub(name: str, revision: str | None) -> Needs:
    from huggingface_hub import HfApi, try_to_load_from_cache

    try:
        found = HfApi().model_info(name, revision=revision, files_metadata=True, timeout=10)
    except Exception as error:  # the client, and the network under it, raise many kinds
        raise UserError(
            f"--pretrained {name}: the hub has no information on it ({one_line(error)[:200]}): check the "
            "name, the network, HF_TOKEN and HF_HUB_OFFLINE"
        ) from error
    files = [each for each in found.siblings or [] if each.rfilename.endswith(".safetensors")]
    if not files:
        raise UserError(f"--pretrained {name}: the hub has no safetensors files for it: choose another model")
    missing = [
        each
        for each in files
        if not isinstance(try_to_load_from_cache(name, each.rfilename, revision=revision), str)
    ]
    total, fetch = (sum(each.size or 0 for each in some) for some in (files, missing))
    count = found.safetensors.total if found.safetensors else None
    return Needs(name, count, total, fetch, _cache(found.config or {}))


def _cache(config: Mapping[str, Any]) -> int | None:
    """Returns bytes of keys and values per token; None if the configuration does not say."""
    text = config.get("text_config") or config
    layers, heads, wide = (
        text.get(key) for key in ("num_hidden_layers", "num_attention_heads", "hidden_size")
    )
    if not layers or not heads or not wide:
        return None
    groups = text.get("num_key_value_heads") or heads
    return int(2 * layers * groups * (text.get("head_dim") or wide // heads) * HALF)


def _bytes(files: list[Path]) -> int:
    return sum(file.stat().st_size for file in files)
