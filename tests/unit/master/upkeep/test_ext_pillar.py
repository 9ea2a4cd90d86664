"""What a minion is told of its pins: the release, an order for it, and the group that it is in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from saltdeploy.content.payloads import Payloads
from saltdeploy.master.locking.locks import Locks
from saltdeploy.master.locking.model import Holder
from saltdeploy.master.records.pin import Pin
from saltdeploy.master.records.pins import Pins
from saltdeploy.master.upkeep.ext_pillar import data_for
from saltdeploy.protocol.holdings import Holdings
from saltdeploy.protocol.orders import FETCH, Order, Payload
from saltdeploy.protocol.release import Release
from saltdeploy.protocol.result import Result
from saltdeploy.transports.bundle import Bundle

from tests.support.repositories import Source, tree
from tests.support.stores import Directory

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


@pytest.mark.parametrize(("targets", "taken"), [("*", {"demo", "other"}), ("web9", {"demo"})])
def test_F23_a_host_that_asks_hears_its_word_and_how_far_the_deploys_of_its_repos_are(
    root: Path, targets: str, taken: set[str]
) -> None:
    sections = {"demo": {"targets": "*"}, "other": {"targets": targets}}
    pillar = {"repo_config": {name: {"source": "/srv/source", **keys} for name, keys in sections.items()}}

    def said(word: str = "") -> dict[str, Any]:
        return data_for("web1", root, pillar, lambda expression, kind: expression == "*", word=word)

    quiet = {"epoch": 0, "runs": False}
    assert (said("a1")["asked"], said("a1")["taken"]) == ("a1", dict.fromkeys(taken, quiet))
    assert set(said("a1")) - set(said()) == {"asked", "taken"}
    locks = Locks(root, Directory(root / "store"))
    with locks.hold("demo", (), Holder.here("root", deploy="1")) as lease:
        assert said("a1")["taken"]["demo"] == {"epoch": lease.epoch, "runs": True}
    assert said("a1")["taken"]["demo"] == {"epoch": lease.epoch, "runs": False}


def test_each_host_has_a_secret_of_its_own(root: Path) -> None:
    assert told(root, "web1")["secret"] != told(root, "web2")["secret"]


# -- a way from nothing ---------------------------------------------------------------------------------


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path / "source", tree(a="0"), tree(a="1"))


@pytest.fixture
def updated(tmp_path: Path, source: Source) -> Path:
    """A master that has brought v1 to web1, which had v0: what was packed starts from v0."""
    root, old = tmp_path / "root", source.tag(0).commit
    step, *_ = Bundle().pack(Payloads(root / "payloads"), source.repository, "demo", source.tag(1), old)
    order = Order("pin", 1, FETCH, source.release(1), payloads=(step,))
    Pins(root).put(Pin(order, ("web1",)))
    Pins(root).note("demo", [Result("web1", "demo", holdings=Holdings(live=old, held=(old,)))], 0.0)
    return root


def bases(root: Path, source: Source, **more: Any) -> set[str]:
    """What the payloads that web1 is offered start from."""
    repos = {"demo": {"targets": "*", "source": str(source.git_dir), "location": "/srv/demo"}}
    said = data_for("web1", root, {"repo_config": repos}, lambda expression, kind: True, **more)
    return {payload["base"] for payload in said["pins"]["demo"]["order"]["payloads"]}


def test_F54_a_host_that_holds_what_it_was_seen_with_is_offered_no_more(
    updated: Path, source: Source
) -> None:
    assert bases(updated, source) == {source.tag(0).commit}


def test_F54_a_host_that_says_that_nothing_fits_is_offered_a_payload_from_nothing(
    updated: Path, source: Source
) -> None:
    assert bases(updated, source, lost=["demo"]) == {"", source.tag(0).commit}
    assert bases(updated, source, lost=["another"]) == {"", source.tag(0).commit}, "it is packed once"


def test_F54_a_host_that_was_seen_empty_is_offered_a_payload_from_nothing(
    updated: Path, source: Source
) -> None:
    Pins(updated).note("demo", [Result("web1", "demo")], 1.0)
    assert "" in bases(updated, source)
