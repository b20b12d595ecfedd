"""What is installed and what this machine has: versions, GPU, memory, disk, cache, hub; and what a model
needs.

Nothing heavy is imported, and no model is loaded. One request tests the hub, unless HF_HUB_OFFLINE forbids
it.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from importlib import metadata, util
from pathlib import Path

from harness.command import cache
from harness.command.needs import Needs, needs
from harness.engines.vllm.install import advice, is_installed
from harness.installed import pip_command
from harness.models.source import cache_folder
from results.schema import JsonObject

PARTS: dict[str, tuple[str, ...]] = {
    "tasks and scoring": ("lm_eval", "datasets"),
    "engine hf": ("torch", "transformers", "peft"),
    "engine openai": ("aiohttp",),
    "distillation": ("trl", "accelerate"),
    "statistics": ("scipy", "numpy"),
    "tables and page": ("matplotlib", "jinja2", "pandas"),
}
"""Part -> the modules that it needs; their packages have the same names."""
PATIENCE = 3.0
"""Seconds to wait for the hub."""


def examine(pretrained: str | None = None, revision: str | None = None) -> tuple[list[str], JsonObject]:
    """Returns lines for people and facts for scripts; `status` is `ok` if all that a run needs is installed.
    UserError if nothing can be found out about `pretrained`."""
    lines = [f"s2d-bench {_version('s2d-bench')}, Python {platform.python_version()}, {platform.platform()}"]
    fine = True
    for part, modules in PARTS.items():
        missing = [module for module in modules if util.find_spec(module) is None]
        if missing:
            fine = False
            lines.append(f"missing  {part}: {', '.join(missing)}; run: {pip_command(*missing)}")
        else:
            lines.append(f"ok       {part}: " + ", ".join(f"{name} {_version(name)}" for name in modules))
    if is_installed():
        lines.append(f"ok       engine vllm: vllm {_version('vllm')}")
    else:
        lines.append(f"optional engine vllm: not installed; {advice()}")
    lines.append("ok       engine scripted: for tests, no model")
    found, gpus = _gpus()
    lines += found
    memory, disk = _free_memory(), _free_disk(cache_folder())
    lines.append(
        f"memory   {cache.size(_total_memory())}, {cache.size(memory)} free, {os.cpu_count()} processor cores"
    )
    lines.append(f"disk     {cache.size(disk)} free for the cache, {cache.size(_free_disk(Path.cwd()))} here")
    entries = cache.kept()
    kept = sum(entry.bytes for entry in entries)
    lines.append(f"cache    {cache_folder()}: {len(entries)} kept, {cache.size(kept)} (s2d-bench cache ls)")
    hub = _hub()
    lines.append(f"hub      {hub}")
    facts: JsonObject = {
        "status": "ok" if fine else "incomplete",
        "version": _version("s2d-bench"),
        "gpus": gpus,
        "memory_free": memory,
        "disk_free": disk,
        "cache": {"folder": str(cache_folder()), "entries": len(entries), "bytes": kept},
        "hub": hub,
    }
    if pretrained is not None:
        wanted: Needs = needs(pretrained, revision)
        free = max((gpu["memory_free"] for gpu in gpus), default=memory)
        lines += ["", *wanted.lines(free, "of free GPU memory" if gpus else "of free memory", disk)]
        facts["model"] = wanted.facts()
    return lines, facts


def _gpus() -> tuple[list[str], list[JsonObject]]:
    """Returns a line and facts per GPU from nvidia-smi, and what torch was built for."""
    built = _torch_build()
    if shutil.which("nvidia-smi") is None:
        return [f"gpu      none found (no nvidia-smi); torch is built for {built}"], []
    asked = "--query-gpu=name,memory.total,memory.free,driver_version"
    try:
        done = subprocess.run(
            ["nvidia-smi", asked, "--format=csv,noheader,nounits"],
            capture_output=True, text=True, check=True, timeout=20,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return [f"gpu      nvidia-smi exists but does not answer; torch is built for {built}"], []
    lines, gpus = [], []
    for line in done.stdout.splitlines():
        name, total, free, driver = (part.strip() for part in line.split(","))
        # nvidia-smi reports mebibytes, and for some boards no memory.
        told = {"total": _mebibytes(total), "free": _mebibytes(free)}
        lines.append(
            f"gpu      {name}, {cache.size(told['total'])}, {cache.size(told['free'])} free, "
            f"driver {driver}, torch is built for {built}"
        )
        gpus.append({"name": name, "memory": told["total"], "memory_free": told["free"], "driver": driver})
    return lines or [f"gpu      none; torch is built for {built}"], gpus


def _mebibytes(text: str) -> int:
    return int(float(text) * 2**20) if re.fullmatch(r"[\d.]+", text) else 0


def _torch_build() -> str:
    """Returns `CUDA 12.8`, `ROCm 6.3` or `CPU only`, read from torch's file: importing it takes seconds."""
    spec = util.find_spec("torch")
    if spec is None or spec.origin is None:
        return "nothing (not installed)"
    text = (Path(spec.origin).parent / "version.py").read_text(encoding="utf-8")
    for name, key in (("CUDA", "cuda"), ("ROCm", "hip")):
        if found := re.search(rf"^{key}\b[^=\n]*= *['\"]([\d.]+)", text, re.MULTILINE):
            return f"{name} {found[1]}"
    return "CPU only"


def _hub() -> str:
    """Whether the hub answers, and from where."""
    address = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "TRUE", "YES", "ON"):
        return f"not asked: HF_HUB_OFFLINE is set, so only what is on this machine is used ({address})"
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(f"{address}/api/models?limit=1", timeout=PATIENCE):
            return f"{address} answers"
    except urllib.error.HTTPError as error:
        return f"{address} answers, with status {error.code}"
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return (
            f"{address} does not answer ({reason}); embedded data, folders and what is on this machine work"
        )


def _total_memory() -> int:
    import psutil

    return int(psutil.virtual_memory().total)


def _free_memory() -> int:
    import psutil

    return int(psutil.virtual_memory().available)


def _free_disk(folder: Path) -> int:
    """Bytes free where `folder` is or will be."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return shutil.disk_usage(there).free


def _version(module: str) -> str:
    try:
        return metadata.version(module)
    except metadata.PackageNotFoundError:
        return "of unknown version"
