"""Processes are told apart by what they do."""

import pytest

from bench.rig import census


@pytest.mark.parametrize(
    ("command", "role"),
    [
        ("python salt-master -c /x MWorker-default-0", "workers"),
        ("python salt-master -c /x EventPublisher", "event bus"),
        ("python salt-master -c /x", "master, other"),
        ("python salt-run -c /x deploy.sync", "salt-run"),
        ("python -m bench.rig.crowd x", "bench"),
        ("git fetch", "other"),
    ],
)
def test_a_process_is_known_by_its_command(command, role):
    assert census.role_of(command) == role
