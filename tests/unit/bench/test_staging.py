"""The benchmark of staging makes its tree, stages it beside git and rsync, and tells what each took."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import bench
from bench import staging

pytestmark = pytest.mark.component("each of the processes that a bench starts")


def test_a_tree_is_staged_beside_git_and_rsync(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    staging.main(["--files", "60", "--directory", str(tmp_path)])
    told = capsys.readouterr().out
    assert "60 files, 20 changed" in told
    assert [line.split(" | ")[0].strip("| ") for line in told.splitlines() if line.startswith("| ")][1:] == [
        "deploy.stage",
        "git add -A",
        "git status",
        "rsync",
    ]


def test_what_was_changed_is_a_release_and_what_was_not_is_none(tmp_path: Path) -> None:
    names = staging.make_tree(tmp_path / "tree", 60)
    command = [
        sys.executable,
        "-m",
        "bench.staging",
        "--once",
        str(tmp_path / "tree"),
        str(tmp_path / "root"),
    ]

    def is_new() -> bool:
        done = subprocess.run(command, check=True, capture_output=True, cwd=bench.CHECKOUT)
        return bool(json.loads(done.stdout)["new"])

    assert is_new()
    assert not is_new()
    staging.change(tmp_path / "tree", names[:20])
    assert is_new()
