"""What a small release costs in numbers, which no busy machine changes: docs/performance.md says how many, at most."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

#: Row of the table to where ``budget.py`` has the number.
ROWS = {
    "modules of this package that the deploying process loads": ("modules", ""),
    "requests to Salt's master (publishes)": ("master", "requests"),
    "git processes of the master": ("master", "git processes"),
    "other processes of the master": ("master", "other processes"),
    "fsyncs of the master": ("master", "fsyncs"),
    "forks of the master, in the middle of a deploy": ("master", "forks"),
    "jobs of a host": ("host", "jobs"),
    "git processes of a host": ("host", "git processes"),
    "other processes of a host": ("host", "other processes"),
    "fsyncs of a host": ("host", "fsyncs"),
    "forks of a host's job": ("host", "forks"),
}


@pytest.fixture(scope="module")
def allowed(checkout: Path) -> dict[str, int]:
    """The table in the docs."""
    text = (checkout / "docs" / "performance.md").read_text()
    found = {name: int(count) for name, count in re.findall(r"^\| ([^|]+?) \| (\d+) \|$", text, re.MULTILINE)}
    return {name: found[name] for name in ROWS}


@pytest.fixture(scope="module")
def counted(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    environment = {**os.environ, "PYTHONPATH": f"{checkout / '_utils'}:{checkout}"}
    program = Path(__file__).with_name("budget.py")
    done = subprocess.run(
        [sys.executable, str(program), str(tmp_path_factory.mktemp("budget"))],
        capture_output=True,
        text=True,
        env=environment,
        cwd=checkout,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("row", ROWS)
def test_a_small_release_takes_no_more_than_is_written_down(
    row: str, allowed: dict[str, int], counted: dict[str, Any]
) -> None:
    side, what = ROWS[row]
    count = counted[side].get(what, 0) if what else counted[side]
    assert count <= allowed[row]
