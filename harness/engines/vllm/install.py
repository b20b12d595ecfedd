"""Whether vLLM is installed, and how to install the right build on this machine.

It imports neither vLLM nor torch, so that `doctor` and an error appear at once.
"""

from __future__ import annotations

from importlib import util
from pathlib import Path

from harness.errors import UserError
from harness.installed import is_checkout, pip_command

CPU_COMMAND = "make vllm"
"""The CPU build is another package, without requirements that text does not need; a clone has their list."""


def advice() -> str:
    """What to do on this machine: the command of the GPU build if there is an NVIDIA or AMD GPU, else that of
    the CPU build, which needs a clone of the repository."""
    has_gpu = any(Path(device).exists() for device in ("/dev/nvidiactl", "/dev/kfd"))
    if has_gpu:
        return f"run: {pip_command('vllm')}"
    if is_checkout():
        return f"run: {CPU_COMMAND} (in this clone of the repository)"
    return (
        f"without a GPU it needs a build that only a clone of the repository installs ({CPU_COMMAND} there); "
        "--engine hf needs no vLLM, and --engine openai uses one on another machine"
    )


def is_installed() -> bool:
    return util.find_spec("vllm") is not None


def require() -> None:
    """UserError with the command if vLLM is missing."""
    if not is_installed():
        raise UserError(f"--engine vllm: vLLM is not installed; {advice()}")
