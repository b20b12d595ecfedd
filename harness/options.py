"""The options of a run: one dataclass that the command line, a YAML file and the manifest share."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from harness.errors import UserError

NOT_COMPARED = frozenset({"output", "fresh", "dry_run", "prices", "margin"})
"""Options that may differ when a run is continued: none of them changes a call."""


@dataclass(frozen=True)
class RunOptions:
    """What the user asked for. Field names are the long options with underscores."""

    models: str = "base,s2,distilled"
    pretrained: str = "smollm2"
    engine: str = "hf"
    engine_args: dict[str, Any] = field(default_factory=dict)
    tasks: tuple[str, ...] = ("last_letter", "coin_flip", "trivia_bias", "judge", "gsm8k")
    include_path: tuple[str, ...] = ()
    data: str = "embedded"
    limit: int | None = None
    seed: int = 0
    seeds: int = 1
    output: str | None = None
    fresh: bool = False
    dry_run: bool = False
    sampling: dict[str, Any] = field(default_factory=dict)
    task_args: dict[str, Any] = field(default_factory=dict)
    dtype: str = "auto"
    revision: str | None = None
    trust_remote_code: bool = False
    distill_inputs: int = 1000
    samples: int | None = None
    train_args: dict[str, Any] = field(default_factory=dict)
    margin: float = 5.0
    prices: str | None = None
    allow_overlap: bool = False

    def check(self) -> None:
        """UserError for values that no run can have."""
        for name, least in (("limit", 1), ("seeds", 1), ("distill_inputs", 1), ("samples", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                option = "--" + name.replace("_", "-")
                raise UserError(f"{option} {value}: it must be at least {least}")
        if not 0 < self.margin < 100:
            raise UserError(f"--margin {self.margin}: it is in points, above 0 and below 100")
        if self.data not in {"embedded", "hub"} and not Path(self.data).is_dir():
            raise UserError(f"--data {self.data}: no such folder; give embedded, hub or a folder")

    def as_dict(self) -> dict[str, Any]:
        """JSON-able, as the manifest keeps it."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()
        }

    def compared(self) -> dict[str, Any]:
        """What must be equal for a run to be continued."""
        return {name: value for name, value in self.as_dict().items() if name not in NOT_COMPARED}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> RunOptions:
        """Options from a YAML file or a manifest. UserError names an unknown one."""
        known = {entry.name for entry in fields(cls)}
        for name in values:
            if name not in known:
                raise UserError(f"option {name!r} is not known; there are {', '.join(sorted(known))}")
        lists = {"tasks", "include_path"}
        typed: dict[str, Any] = {
            name: tuple(value) if name in lists else value for name, value in values.items()
        }
        return cls(**typed)


def key_values(text: str, option: str) -> dict[str, Any]:
    """`a=1,b=x` as a dictionary; numbers, true and false are read as such. UserError for another form."""
    pairs: dict[str, Any] = {}
    for part in text.split(","):
        if not part.strip():
            continue
        name, equals, value = part.partition("=")
        if not equals or not name.strip():
            raise UserError(f"{option} {text}: write name=value, separated by commas")
        pairs[name.strip()] = _value(value.strip())
    return pairs


def _value(text: str) -> Any:
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text
