"""A minion reads its files part by part, through the real door, whatever its layout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.functional.test_target_steps import Minion, deploy, minion
from tests.support.repositories import Source, tree

__all__ = ["minion"]  # a fixture
PARTS = 5


@pytest.fixture
def source(tmp_path: Path) -> Source:
    files = {f"d{number % 3}__f{number}": f"{number}\n" for number in range(20)}
    return Source(tmp_path / "demo.git", tree(VERSION="v0", **files), tree(VERSION="v1", **files))


@pytest.mark.parametrize("layout", ["slots", "releases", "inplace"])
def test_together_the_parts_find_what_a_full_look_finds(
    layout: str, minion: Minion, source: Source, tmp_path: Path
) -> None:
    host, live = minion(layout=layout), tmp_path / "srv" / "demo"
    assert deploy(host, source, 0)["status"] == 0
    parts = [f"{number}/{PARTS}" for number in range(1, PARTS + 1)]
    for part in parts:
        fine = host.cmd("deploy.verify", "demo", part=part)
        assert (fine["status"], fine["facts"]["part"]) == (0, part), fine
    for name in ("d0/f0", "d1/f7"):
        seen = (live / name).stat()
        (live / name).write_text("?" * seen.st_size)
        os.utime(live / name, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    found = {
        name for part in parts for name in host.cmd("deploy.verify", "demo", part=part)["facts"]["changed"]
    }
    full = host.cmd("deploy.verify", "demo", full=True)
    assert found == set(full["facts"]["changed"]) == {"d0/f0", "d1/f7"}


def test_what_is_no_part_is_refused(minion: Minion, source: Source) -> None:
    host = minion()
    assert deploy(host, source, 0)["status"] == 0
    answer = host.cmd("deploy.verify", "demo", part="8/7")
    assert (answer["status"] != 0, answer["error"]["kind"]) == (True, "bad-arguments")
    assert "part=1/7" in answer["error"]["next"]
