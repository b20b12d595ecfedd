"""Training on several devices or machines: the `accelerate launch` command for a configuration file.

The files beside it (`accelerate/ddp.yaml`, `accelerate/fsdp.yaml`) are for any machine with any number of
GPUs; a user's own file may add machines, ports, DeepSpeed.
"""

from __future__ import annotations

import os
import site
import sys
from pathlib import Path

from harness.errors import UserError
from results.schema import JsonObject

SHIPPED = Path(__file__).parent / "accelerate"

SAFE_PATH = "PYTHONSAFEPATH"
"""Environment variable of Python 3.11: do not import from the working folder."""


def launch_file(launch: str) -> Path:
    """The configuration that `launch` names: a shipped one or a file. UserError if it is neither."""
    shipped = SHIPPED / f"{launch}.yaml"
    path = shipped if shipped.is_file() else Path(launch)
    if not path.is_file():
        names = ", ".join(sorted(file.stem for file in SHIPPED.glob("*.yaml")))
        raise UserError(
            f"--train-args launch={launch}: no such file; give {names} or a file of accelerate config"
        )
    return path


def machines(launch: str) -> int:
    """The number of machines in the configuration."""
    return _number(launch_file(launch), "num_machines", 1)


def launch_command(launch: str, listing: Path, devices: int) -> list[str]:
    """The command that trains the jobs of `listing` in several processes: as many as the configuration
    sets, or one per device if it leaves that open (`num_processes: -1`)."""
    path = launch_file(launch)
    count = _number(path, "num_processes", -1)
    processes = ["--num_processes", str(max(1, devices))] if count < 1 else []
    return [
        *(sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(path)),
        *processes,
        *("-m", "distill.training.parent", str(listing)),
    ]


def child_environment() -> dict[str, str]:
    """The environment of a child that must import the same packages as this process.

    `python -m` looks into the working folder first, where a user's file may be called `harness.py` or
    `tasks.py`: a safe path leaves that folder out. If our packages are not installed (the root of a
    checkout), their folder is added to the path instead.
    """
    root = str(Path(__file__).resolve().parents[2])
    given = os.environ.get("PYTHONPATH", "")
    installed = root in site.getsitepackages()
    paths = [*([] if installed else [root]), *(path for path in given.split(os.pathsep) if path)]
    return {**os.environ, SAFE_PATH: "1", "PYTHONPATH": os.pathsep.join(paths)}


def other_machines(launch: str, listing: Path) -> str:
    """The command that a person must start on each other machine, which must see the same folders."""
    return (
        f"waiting for {machines(launch) - 1} more machines: on each run `{SAFE_PATH}=1 accelerate launch "
        f"--config_file {launch_file(launch)} --machine_rank N -m distill.training.parent {listing}`, "
        "N from 1"
    )


def _number(path: Path, name: str, default: int) -> int:
    value = _read(path).get(name)
    if value is not None and (not isinstance(value, int) or not -1 <= value <= 1_000_000):
        raise UserError(f"--train-args launch={path}: {name} is {value!r}: give a whole number")
    return value or default


def _read(path: Path) -> JsonObject:
    import yaml

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    # A value that contradicts its tag raises whatever the conversion raises: KeyError, AttributeError, ...
    except Exception as error:
        raise UserError(f"--train-args launch={path}: not YAML ({' '.join(str(error).split())})") from error
    if not isinstance(values, dict):
        raise UserError(f"--train-args launch={path}: give a configuration file of accelerate")
    return values
