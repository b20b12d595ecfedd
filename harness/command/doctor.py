"""What is installed, which engines can run here, and the command that makes a missing one run."""

from __future__ import annotations

from importlib import metadata, util

from harness.engines.vllm.install import install_command, is_installed

PARTS: dict[str, tuple[tuple[str, ...], str]] = {
    "tasks and scoring": (("lm_eval", "datasets"), "pip install s2d-bench"),
    "engine hf": (("torch", "transformers", "peft"), "pip install s2d-bench"),
    "engine openai": (("aiohttp",), "pip install s2d-bench"),
    "distillation": (("trl", "accelerate"), "pip install s2d-bench"),
    "statistics": (("scipy", "numpy"), "pip install s2d-bench"),
}
"""What a part needs, and how to get it."""


def examine() -> tuple[list[str], bool]:
    """Lines for people, and whether everything that a run needs is there. Imports nothing heavy."""
    lines: list[str] = []
    fine = True
    for part, (modules, command) in PARTS.items():
        missing = [module for module in modules if util.find_spec(module) is None]
        if missing:
            fine = False
            lines.append(f"missing  {part}: {', '.join(missing)}; run: {command}")
        else:
            lines.append(f"ok       {part}: " + ", ".join(f"{name} {_version(name)}" for name in modules))
    if is_installed():
        lines.append(f"ok       engine vllm: vllm {_version('vllm')}")
    else:
        lines.append(f"optional engine vllm: not installed; run: {install_command()}")
    lines.append("ok       engine scripted: for tests, no model")
    return lines, fine


def _version(module: str) -> str:
    try:
        return metadata.version(module)
    except metadata.PackageNotFoundError:
        return "of unknown version"
