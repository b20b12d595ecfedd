"""The options of a run: one dataclass that the command line, a YAML file and the manifest share."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from harness.engines import KINDS
from harness.errors import UserError
from harness.option_checks import check_texts
from harness.storage import expanded
from harness.types import Settings
from results.schema import MARGIN_POINTS
from tasks import registry

BUNDLED = ("tiny", "smollm2")
"""Models that need no hub. Without --data they use embedded data, which need none either."""

PRESETS = ("paper",)

DTYPES = ("auto", "float32", "bfloat16", "float16")

LARGEST_SEED = 2**31 - 1
"""Seeds of numpy, torch and the engines are 32 bits wide, some of them signed."""

_REPOSITORY = re.compile(r"(?:[\w-][\w.-]{0,95}/)?[\w-][\w.-]{0,60}", re.ASCII)
"""NAME or OWNER/NAME on the hub, short enough to append the name of a task."""

DISTILL_INPUTS = 1000
"""Default number of unlabeled inputs per task."""

LOOKS, MOST_LOOKS = 5, 20
"""Planned looks where nobody names another number, and at most."""
INTERVALS = ("adjusted", "cr2", "obuchowski", "durkalski", "bootstrap-t")
"""Of graded and clustered differences; `results` has them."""
SPENDINGS = ("obrien-fleming", "pocock")

NOT_COMPARED = frozenset(
    {"output", "fresh", "dry_run", "prices", "margin", "interval", "push_to_hub", "base_url"}
)
"""Options that may differ when a run is continued, because none of them changes a call."""


ONLY_HOW = {
    "train_args": frozenset({"gradient_checkpointing", "gradient_accumulation", "launch"}),
    "engine_args": frozenset(
        {"concurrency", "timeout", "gpu_memory_utilization", "max_num_seqs", "max_num_batched_tokens"}
    ),
}
"""Settings within options that say how the work is done, not what is asked or learnt (except for rounding).
They may differ too: where memory ran out or a server was too slow, other values help."""


PATHS = frozenset({"pretrained", "data", "output", "prices", "task_config"})
"""Options that may be paths."""


@dataclass(frozen=True)
class RunOptions:
    """What the user asked for. Field names are the long options with underscores."""

    models: str = "base,s2,distilled"
    pretrained: str = "tiny"
    engine: str = "hf"
    engine_args: Settings = field(default_factory=dict)
    base_url: str | None = None
    tasks: tuple[str, ...] = field(default_factory=registry.families)
    include_path: tuple[str, ...] = ()
    method_path: tuple[str, ...] = ()
    """Python files that register System 2 methods."""
    task_config: str | None = None
    """A file of s2d blocks for tasks that are not ours."""
    data: str = "embedded"
    limit: int | None = None
    seed: int = 0
    seeds: int = 1
    output: str | None = None
    fresh: bool = False
    dry_run: bool = False
    sampling: Settings = field(default_factory=dict)
    task_args: Settings = field(default_factory=dict)
    method_args: Settings = field(default_factory=dict)
    """`METHOD.OPTION` -> value, over the task's options of that method."""
    dtype: str = "auto"
    revision: str | None = None
    trust_remote_code: bool = False
    thought_marks: str | None = None
    """`OPEN,CLOSE`: marks around thoughts, if `tasks.thoughts` does not list them."""
    preset: str | None = None
    distill_inputs: int | None = None
    """None: the preset's number, else the task's on embedded data, else at most DISTILL_INPUTS."""
    samples: int | None = None
    all_samples: bool = False
    """Draw every teacher sample, also where its vote is certain without it."""
    curtail_votes: bool = False
    """Stop sampling METHOD*K at inference where the vote is certain."""
    filter: str | None = None
    """Filter of teacher answers; None is the task's own."""
    train_args: Settings = field(default_factory=dict)
    until_decided: bool = False
    looks: int | None = None
    """Planned looks of `until_decided`; None is LOOKS."""
    spending: str | None = None
    """How the error is shared out over the looks; None is the O'Brien-Fleming type."""
    no_futility: bool = False
    interval: str | None = None
    """Of graded and clustered differences; None is the adjusted one."""
    margin: float = MARGIN_POINTS
    prices: str | None = None
    allow_overlap: bool = False
    noise_floor: bool = False
    push_to_hub: str | None = None

    @property
    def every_seed(self) -> range:
        """The seeds of the run."""
        return range(self.seed, self.seed + self.seeds)

    def check(self) -> None:
        """UserError for values that no run can have."""
        check_texts(self.as_dict())
        for name, least in (("limit", 1), ("seeds", 1), ("distill_inputs", 1), ("samples", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                option = "--" + name.replace("_", "-")
                raise UserError(f"{option} {value}: it must be at least {least}")
        for name, most in (("seed", LARGEST_SEED), ("seeds", 1000)):
            if not 0 <= getattr(self, name) <= most:
                raise UserError(f"--{name} {getattr(self, name)}: it must be from 0 to {most}")
        here = self.pretrained in BUNDLED or self.pretrained.endswith(".gguf")
        if self.revision is not None and (here or Path(self.pretrained).is_dir()):
            raise UserError(
                f"--revision {self.revision}: {self.pretrained} is not on the hub and has none: leave it out"
            )
        if self.dtype not in DTYPES:
            raise UserError(f"--dtype {self.dtype} is not known: choose one of {', '.join(DTYPES)}")
        if self.push_to_hub is not None and not _REPOSITORY.fullmatch(self.push_to_hub):
            raise UserError(f"--push-to-hub {self.push_to_hub}: give NAME or OWNER/NAME on the hub")
        if self.engine not in KINDS:
            raise UserError(f"--engine {self.engine} is not known: choose one of {', '.join(KINDS)}")
        if self.base_url is not None and KINDS[self.engine].weights != "on a server":
            raise UserError(f"--base-url {self.base_url}: only --engine openai uses a server; add it")
        if self.preset not in (None, *PRESETS):
            raise UserError(f"--preset {self.preset} is not known: choose {', '.join(PRESETS)}")
        if self.thought_marks is not None:
            opening, closing = self.mark_pair or ("", "")
            if not opening.strip() or not closing.strip() or opening == closing:
                raise UserError(
                    f"--thought-marks {self.thought_marks}: give the mark that opens a thought and another "
                    "that closes it, as in '<ponder>,</ponder>'"
                )
        self._check_looks()
        if not 0 < self.margin < 100:
            raise UserError(f"--margin {self.margin}: it is in points, above 0 and below 100")
        if self.data not in {"embedded", "hub"} and not Path(self.data).is_dir():
            raise UserError(f"--data {self.data}: no such folder; give embedded, hub or a folder")

    def _check_looks(self) -> None:
        for name in ("looks", "spending", "no_futility"):
            if getattr(self, name) and not self.until_decided:
                option = "--" + name.replace("_", "-")
                raise UserError(f"{option} is about planned looks: add --until-decided, or leave it out")
        if self.interval not in (None, *INTERVALS):
            raise UserError(f"--interval {self.interval} is not known: choose one of {', '.join(INTERVALS)}")
        if self.interval not in (None, INTERVALS[0]) and self.until_decided:
            raise UserError(
                f"--interval {self.interval}: --until-decided has its own intervals: leave one of them out"
            )
        if self.looks is not None and not 2 <= self.looks <= MOST_LOOKS:
            raise UserError(f"--looks {self.looks}: it must be from 2 to {MOST_LOOKS}")
        if self.spending not in (None, *SPENDINGS):
            raise UserError(f"--spending {self.spending} is not known: choose one of {', '.join(SPENDINGS)}")

    @property
    def mark_pair(self) -> tuple[str, str] | None:
        """`thought_marks` as two texts."""
        opening, comma, closing = (self.thought_marks or "").partition(",")
        return (opening, closing) if comma else None

    def as_dict(self) -> Settings:
        """A JSON-able dictionary, for the manifest."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()
        }

    def compared(self) -> Settings:
        """The options that must be equal for a run to be continued."""
        return comparable(self.as_dict())

    @classmethod
    def from_dict(cls, values: Settings) -> RunOptions:
        """Options from a YAML file or a manifest. UserError for an unknown one."""
        known = {entry.name: str(entry.type) for entry in fields(cls)}
        for name in values:
            if name not in known:
                raise UserError(f"option {name!r} is not known; there are {', '.join(sorted(known))}")
        typed = {name: _typed(name, value, known[name]) for name, value in values.items()}
        for name in PATHS & typed.keys():
            if str(typed[name] or "").startswith("~"):  # a shell would expand it on the command line
                typed[name] = str(expanded(typed[name]))
        return cls(**typed)


def comparable(values: Settings) -> Settings:
    """Those of `values` that must be equal for a run to be continued; `values` may be from a manifest."""
    kept = {name: value for name, value in values.items() if name not in NOT_COMPARED}
    for option, only_how in ONLY_HOW.items():
        if isinstance(kept.get(option), dict):
            kept[option] = {name: value for name, value in kept[option].items() if name not in only_how}
    return kept


_PLAIN: dict[str, tuple[type | tuple[type, ...], str]] = {
    "str": (str, "text (in quotes where it looks like a number)"),
    "int": (int, "a whole number"),
    "float": ((int, float), "a number"),
    "bool": (bool, "true or false"),
    "Settings": (dict, "`name: value` lines, or name=value separated by commas"),
}


def _typed(name: str, value: Any, annotation: str) -> Any:
    """`value` with the type of the field: lists and pairs may be written as on the command line. UserError
    for another type."""
    option = "--" + name.replace("_", "-")
    if value is None and annotation.endswith(" | None"):
        return None
    listed = [str(part) for part in value] if isinstance(value, list | tuple) else None
    if annotation == "tuple[str, ...]":
        if listed is None and isinstance(value, str):
            listed = [part.strip() for part in value.split(",") if part.strip()]
        if listed is None:
            raise UserError(f"{option} {value!r}: give a list of names")
        return tuple(listed)
    if name == "models" and listed is not None:
        return ",".join(listed)
    kind, described = _PLAIN[annotation.removesuffix(" | None")]
    if kind is dict and isinstance(value, str):
        return key_values(value, option)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise UserError(f"{option} {value!r}: give {described}")
    return value


def key_values(text: str, option: str) -> Settings:
    """`a=1,b=x` as a dictionary; numbers, true and false are converted. UserError for another form."""
    pairs: Settings = {}
    for part in text.split(","):
        if not part.strip():
            continue
        name, equals, value = part.partition("=")
        if not equals or not name.strip():
            raise UserError(f"{option} {text}: write name=value, separated by commas")
        if name.strip() in pairs:
            raise UserError(f"{option}: {name.strip()} appears twice: take one of them out")
        pairs[name.strip()] = _value(value.strip())
    return pairs


def _value(text: str) -> Any:
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    for number in (int, float):
        try:
            value = number(text)
        except ValueError:
            continue
        # `nan` and `inf` stay text: no setting has these values.
        return value if math.isfinite(value) else text
    return text
