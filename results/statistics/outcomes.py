"""What statistical methods return: frozen, small, with the name of the method that made them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A confidence interval; `low` and `high` in the unit of the estimate."""

    low: float
    high: float
    method: str


@dataclass(frozen=True)
class TestOutcome:
    """A p-value, two-sided unless the method's docstring says otherwise."""

    p: float
    method: str

    __test__ = False  # pytest would collect a class of this name


def content_seed(*arrays: Floats) -> int:
    """A seed computed from the data: equal data give equal random draws, on every machine."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
        digest.update(b"|")
    return int.from_bytes(digest.digest()[:8], "big")


def normal_quantile(probability: float) -> float:
    """The point below which a standard normal variable falls with `probability`."""
    from scipy.special import ndtri

    return float(ndtri(probability))


def normal_tail(z: float) -> float:
    """The probability that a standard normal variable exceeds `z`."""
    from scipy.special import ndtr

    return float(ndtr(-z))
