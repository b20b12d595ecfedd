"""One checkpoint to train, as it is handed to the child process: token ids, model, settings, seed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from harness.types import Settings, stable_hash


@dataclass
class TrainingJob:
    """One checkpoint to make."""

    name: str
    model_folder: str
    dtype: str
    output: str
    """Folder of the checkpoint; it exists once training has succeeded."""
    prompts: list[list[int]]
    targets: list[list[int]]
    """Answer ids, the end-of-sequence id last."""
    seed: int
    trust_remote_code: bool = False
    revision: str | None = None
    settings: Settings = field(default_factory=dict)
    groups: list[str] = field(default_factory=list)
    """Cluster of each example: what is held out for validation is whole clusters. Empty: equal prompts."""

    def hash(self) -> str:
        """Names everything that the weights follow from, and where they go."""
        return stable_hash(asdict(self), 32)
