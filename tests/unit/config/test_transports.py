"""The names of transports: what an operator may write, and what of it travels by swarm."""

from __future__ import annotations

import pytest
from saltdeploy.config import transports
from saltdeploy.config.values import Wrong


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("swarm", ("bundle", True)),
        ("bundle", ("bundle", False)),
        ("tar+swarm", ("tar", True)),
        ("git+swarm", ("git+swarm", False)),  # which is no transport
        ("tar+", ("tar+", False)),
        ("", ("", False)),
    ],
)
def test_a_transport_says_whether_its_payloads_travel_by_swarm(written: str, meant: tuple[str, bool]) -> None:
    assert transports.split(written) == meant


def test_all_that_can_be_written_is_a_swarm() -> None:
    assert all(transports.split(name)[1] for name in transports.choices() if transports.SWARM in name)


def test_a_group_names_a_transport_and_no_swarm() -> None:
    assert transports.of_group("auto") == "auto"
    with pytest.raises(Wrong) as wrong:
        transports.of_group("tar+swarm")
    assert "swarm" not in str(wrong.value)


@pytest.mark.parametrize("value", ["pigeon", "Tar", "", "git+swarm", 7, None, True, ["tar"]])
def test_what_is_no_transport_is_told_all_that_can_be_written(value: object) -> None:
    with pytest.raises(Wrong, match="must be one of bundle, git, tar, .*auto, swarm, bundle.swarm"):
        transports.of_repo(value)
