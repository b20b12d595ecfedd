"""The notebook: its code is short and whole, and it runs from the first cell to the last."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from document_parts import ROOT

NOTEBOOK = ROOT / "examples" / "first_run.ipynb"


def code_cells() -> list[str]:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def test_it_is_kept_without_outputs_and_its_code_is_python() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert all(not cell.get("outputs") for cell in cells)
    for text in code_cells():
        ast.parse(text)


@pytest.mark.slow
def test_it_runs_and_shows_card_frames_and_plot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("S2D_CACHE", str(tmp_path / "cache"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=900, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    shown: list[dict[str, Any]] = [
        output.get("data", {})
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
    ]
    html = " ".join(data.get("text/html", "") for data in shown)
    assert "Distillation was" in html or "the data cannot tell" in html, "the card"
    assert html.count("dataframe") >= 3
    assert any("<svg" in data.get("image/svg+xml", "") for data in shown)
    assert (tmp_path / "runs/first/leaderboard.html").is_file()
