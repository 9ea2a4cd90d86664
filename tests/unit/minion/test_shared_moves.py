"""What releases share comes along when a repo's location moves, or nobody goes on without it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from saltdeploy.lib.errors import ConfigError

from tests.support.repositories import Source
from tests.support.targets import Target, repo

SHARED = {"dirs": ["uploads"]}


def test_a_location_that_moved_away_from_it_is_refused_with_the_command_that_mends_it(
    tmp_path: Path, source: Source
) -> None:
    host = Target(tmp_path, source, shared=SHARED)
    assert all(result.ok for result in host.deploy(0))
    old = host.location
    (old / "uploads/cat").write_text("theirs")
    host.location = tmp_path / "srv/elsewhere/demo"
    host.repo = repo(host.location, shared=SHARED)
    fetched = host.deploy(1)[0]
    assert isinstance(fetched.error, ConfigError)
    assert "what releases share is still beside the place" in fetched.error.cause
    assert not host.location.exists()

    command = fetched.error.next.removeprefix("on the host: ").partition(";")[0]
    subprocess.run(["sh", "-c", command], check=True)  # as an operator does
    assert (old / "uploads/cat").read_text() == "theirs", "what runs at the old place goes on"
    assert all(result.ok for result in host.deploy(1))
    assert (host.location / "uploads/cat").read_text() == "theirs"


def test_nobody_is_told_to_delete_it_with_the_place_that_was_left(tmp_path: Path, source: Source) -> None:
    host = Target(tmp_path, source, shared=SHARED)
    host.deploy(0)
    old = host.repo.paths.area / "shared"
    host.location = tmp_path / "srv/elsewhere/demo"
    host.repo = repo(host.location, shared=SHARED)
    shutil.copytree(old, host.repo.paths.area / "shared")  # somebody has copied it
    _, switched = host.deploy(1)
    assert switched.ok
    assert str(old) in switched.facts["left_behind"]
    assert "rm -rf" not in switched.facts["left_behind"]
