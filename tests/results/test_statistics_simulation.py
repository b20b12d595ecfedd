"""The short form of the simulation keeps its bounds, and would notice a test that does not keep its level."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from results.analysis import table_functions
from results.statistics.outcomes import TestOutcome


@pytest.fixture(scope="module")
def simulate() -> ModuleType:
    path = Path(__file__).parents[1] / "benchmarks" / "simulate.py"
    spec = importlib.util.spec_from_file_location("simulate", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["simulate"] = module
    spec.loader.exec_module(module)
    return module


def test_short_simulation_keeps_its_bounds(simulate: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate.main(["--short"]) == 0, capsys.readouterr().out


def test_simulation_notices_a_test_that_ignores_clusters(
    simulate: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def careless(differences: np.ndarray) -> TestOutcome:
        # Every row of a cluster counts as an item of its own.
        rows = np.repeat(np.sign(differences), np.abs(differences).astype(int))
        z = abs(rows.sum()) / max(np.sqrt(rows.size), 1)
        return TestOutcome(0.0 if z > 1.96 else 1.0, "careless")

    monkeypatch.setattr(table_functions, "sign_flip", careless)
    check = next(iter(simulate.cell(simulate.SHORT, "templates", 200, 0.2)))
    assert check.what == "false alarms"
    assert not check.kept
