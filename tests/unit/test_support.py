"""What tests lean on does what they believe."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.without_rights import without_rights


def test_without_rights_a_mode_counts_for_this_process_and_for_its_programs(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    file.chmod(0)

    def look() -> None:
        with pytest.raises(PermissionError):
            file.read_text()
        assert subprocess.run(["cat", str(file)], capture_output=True).returncode != 0

    without_rights(look)


def test_without_rights_what_is_raised_is_told() -> None:
    def fail() -> None:
        raise ValueError("it is bent")

    with pytest.raises(AssertionError, match="it is bent"):
        without_rights(fail)
