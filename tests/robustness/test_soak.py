"""The short form of `make soak`: some seconds of runs with faults at one call in a hundred."""

from __future__ import annotations

import json

import pytest
from soak import report, soak_for

pytestmark = pytest.mark.slow


def test_runs_with_faults_lose_no_item_and_leak_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("S2D_CACHE", "S2D_TEST_CRASHES"):
        monkeypatch.setenv(name, "set by each round")
    soak = soak_for(15, limit=20)
    assert soak.crashes > 0 and soak.faults.keys() >= {"error", "empty", "endless"}
    growth = json.loads(json.dumps(report(soak)))["growth"]
    assert max(growth["files"], growth["children"], growth["threads"]) <= 0
    assert growth["memory_mb"] < 30
