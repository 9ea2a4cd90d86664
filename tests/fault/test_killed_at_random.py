"""Whoever is killed, whenever: ``location`` shows one release, and the next deploy puts everything right."""

from __future__ import annotations

import itertools
import os
import random
import time
from pathlib import Path

import pytest

from tests.fault.conftest import Start, kill_group
from tests.fault.hosts import RELEASES, Host, releases
from tests.support.repositories import Source

ROUNDS = int(os.environ.get("SALTDEPLOY_ROUNDS", "24"))
SEED = int(os.environ.get("SALTDEPLOY_SEED", "0")) or random.SystemRandom().getrandbits(32)


@pytest.mark.parametrize(
    ("transport", "layout"), [("bundle", "slots"), ("git", "slots"), ("bundle", "releases")]
)
def test_a_target_that_is_killed_again_and_again(
    transport: str, layout: str, tmp_path: Path, start: Start
) -> None:
    print(f"SALTDEPLOY_SEED={SEED}")
    chance = random.Random(SEED)
    source = Source(tmp_path / "source", *releases(chance))
    host = Host(tmp_path, source, transport=transport, layout=layout, url=str(source.git_dir))
    host.pack_all()
    began = time.monotonic()
    host.take(0)
    usual = time.monotonic() - began
    shown = 0
    for _ in range(ROUNDS // 2):
        first = chance.randrange(RELEASES)

        def work(first: int = first) -> None:
            for number in itertools.count(first):
                host.take(number % RELEASES)

        process = start(work)
        time.sleep(chance.uniform(0, 3 * usual))
        if chance.random() < 0.5:
            kill_group(process)
        else:  # its git lives on, as an orphan
            process.kill()
            process.join()
        assert process.exitcode == -9, "a deploy failed before it was killed"
        assert len(host.shows()) == 1
        if chance.random() < 0.5:
            shown = chance.randrange(RELEASES)
            host.take(shown)
            assert host.shows() == {shown}
    shown = (shown + 1) % RELEASES
    host.take(shown)
    assert host.shows() == {shown}
    assert host.leftovers() == set()
