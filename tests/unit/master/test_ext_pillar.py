"""What a minion is told of its pins: the release, an order for it, and the group that it is in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from saltdeploy.master.ext_pillar import data_for
from saltdeploy.master.pin import Pin
from saltdeploy.master.pins import Pins
from saltdeploy.protocol.orders import FETCH, Order, Payload
from saltdeploy.protocol.release import Release

CANARY = {"name": "canary", "targets": "web1"}
LAST = {"name": "last", "targets": "web3"}


def told(root: Path, host: str, **section: Any) -> dict[str, Any]:
    """What a host is told whose id is all that a target expression can match."""
    repos = {"demo": {"targets": "*", "source": "/srv/source", **section}}
    matches = {"*": True, host: True}
    return data_for(host, root, {"repo_config": repos}, lambda expression, kind: expression in matches)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    whole = Payload("", "a" * 64, 1)
    order = Order("pin", 1, FETCH, Release("demo", "v1", "1" * 40), payloads=(whole,))
    Pins(tmp_path).put(Pin(order, ("web1", "web2")))
    return tmp_path


@pytest.mark.parametrize(
    ("host", "groups", "group"),
    [
        ("web1", [CANARY, {"name": "rest"}, LAST], "canary"),
        ("web2", [CANARY, {"name": "rest"}, LAST], "rest"),
        ("web3", [CANARY, {"name": "rest"}, LAST], "last"),
        ("web2", [CANARY], "default"),
        ("web2", [], ""),
    ],
)
def test_a_host_that_converges_by_itself_knows_its_group(
    root: Path, host: str, groups: list[Any], group: str
) -> None:
    pin = told(root, host, groups=groups)["pins"]["demo"]
    assert (pin["tag"], pin["order"]["group"]) == ("v1", group)


def test_a_host_that_does_not_take_the_repo_is_told_nothing_of_it(root: Path) -> None:
    assert told(root, "web9", targets="web1")["pins"] == {}


def test_each_host_has_a_secret_of_its_own(root: Path) -> None:
    assert told(root, "web1")["secret"] != told(root, "web2")["secret"]
