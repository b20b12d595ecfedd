"""One checkpoint to train, in the form for the child process: token ids, model, settings, seed."""

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
    """Cluster of each example: whole clusters are held out for validation. Empty: equal prompts."""
    stages: list[int] = field(default_factory=list)
    """Stage of each example, if they are trained on in stages (`stages.py`); else empty."""

    def hash(self) -> str:
        """Hash of everything that decides the weights, and of the folder."""
        described = asdict(self)
        if not self.stages:
            del described["stages"]  # a job without stages keeps its hash
        return stable_hash(described, 32)
