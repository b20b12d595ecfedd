"""`--version`, and the same version number in every file that has it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from test_end_to_end import run_command

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PACKAGES = ("harness", "tasks", "distill", "results")


@pytest.mark.parametrize("before", [[], ["distill"], ["check"], ["--tasks", "gsm8k"]])
def test_version_is_the_installed_one(before: list[str], tmp_path: Path) -> None:
    done = run_command(tmp_path, [*before, "--version"])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"s2d-bench {metadata.version('s2d-bench')}\n"


def test_a_source_tree_that_is_not_installed_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    done = run_command(tmp_path, ["--version"])
    assert (done.returncode, done.stdout) == (0, "s2d-bench of unknown version\n")


def test_version_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from harness.command.cli import main\n"
        "try:\n    main(['--version'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'transformers', 'lm_eval', 'datasets', 'scipy', 'numpy'} & sys.modules.keys()\n"
        "sys.exit(f'loaded: {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_changelog_and_citation_name_the_version_of_the_project() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    assert f"## {PROJECT['version']}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_license_files_and_type_marks_are_there() -> None:
    for name in PROJECT["license-files"]:
        assert (ROOT / name).stat().st_size > 0
    for package in PACKAGES:
        assert (ROOT / package / "py.typed").is_file()
