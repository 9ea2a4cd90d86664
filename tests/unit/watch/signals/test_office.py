"""The processes that tell others, as the engine holds them."""

from __future__ import annotations

import functools
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from saltdeploy.master.records.journal import Journals
from saltdeploy.master.records.journal_list import JournalList
from saltdeploy.master.records.told_positions import ToldPositions
from saltdeploy.watch.signals.office import Office, World
from saltdeploy.watch.signals.signal import KINDS
from saltdeploy.watch.signals.sink import SinkSettings

from tests.support.told import FIRST, Told

pytestmark = pytest.mark.component("processes of sinks")
PATIENCE = 60.0  # seconds; only a broken test waits for so long


@pytest.fixture
def wanted() -> list[SinkSettings]:
    """What the pillar says."""
    return []


@pytest.fixture
def office(tmp_path: Path, wanted: list[SinkSettings]) -> Iterator[Office]:
    world = World(
        journals=lambda: JournalList(Journals(tmp_path)),
        positions=functools.partial(ToldPositions, tmp_path),
        execute=lambda *arguments: None,
        standing=list,
    )
    found = Office(world, lambda: wanted)
    yield found
    wanted.clear()
    found._read_at = 0.0
    found.look()


def written(file: Path) -> str:
    end = time.monotonic() + PATIENCE
    while not file.exists() or not file.read_text():
        assert time.monotonic() < end, "nothing was told"
        time.sleep(0.05)
    return file.read_text()


def test_who_tells_others_of_a_deploy_yields_to_it(
    tmp_path: Path, wanted: list[SinkSettings], office: Office
) -> None:
    file = tmp_path / "nice"
    program = f"import os; open({str(file)!r}, 'w').write(str(os.nice(0)))"
    options = {"command": (sys.executable, "-c", program), "timeout": 30.0}
    wanted.append(SinkSettings("hook", "command", (), KINDS, 1e12, options))
    office.look()
    written(tmp_path / "signals" / "hook.json")  # a new entry begins now: so it has begun
    Told(tmp_path, FIRST, "v1", time.time(), "web1").whole()
    assert int(written(file)) == min(19, os.nice(0) + 10)
