"""Hosts of one deploy may take different transports: each is offered what its own needs, and nothing else."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from saltdeploy.content.payloads import Payloads
from saltdeploy.master.payloads import source as master_source
from saltdeploy.master.payloads.packing import Packing
from saltdeploy.protocol.holdings import Holdings
from saltdeploy.protocol.orders import FETCH, Order
from saltdeploy.protocol.result import Result

from tests.support.repositories import Source, repo, tree

DEPLOY = "20261123120000000000"
NOTHING = Holdings()


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path / "source", tree(a="1" * 5000, b="x"), tree(a="1" * 5000, b="y"))


@pytest.fixture
def offers(tmp_path: Path, source: Source) -> Packing:
    configuration = dataclasses.replace(
        repo(tmp_path / "live"),
        origin=dataclasses.replace(repo(tmp_path / "live").origin, source=str(source.git_dir)),
    )
    order = Order(DEPLOY, 1, FETCH, source.release(1), "bundle")
    there = master_source.Source(configuration, tmp_path / "master")
    payloads = Payloads(tmp_path / "master" / "payloads")
    return Packing(order, source.tag(1), configuration, payloads, lambda: there, {"edge": "tar"})


def kinds(offers: Packing, host: str) -> list[tuple[str, bool]]:
    return sorted((payload.kind, bool(payload.base)) for payload in offers.order_for(host).payloads)


def test_each_host_gets_an_order_with_its_own_transport_and_payloads(offers: Packing, source: Source) -> None:
    old = Holdings(held=(source.tag(0).commit,), live=source.tag(0).commit)
    offers.pack([("web", old), ("edge", NOTHING)])
    assert (offers.order_for("web").transport, kinds(offers, "web")) == ("bundle", [("bundle", True)])
    assert offers.order_for("edge").transport == "tar"
    assert kinds(offers, "edge") == [("tar", False), ("trees", False)]
    assert len(offers.order.payloads) == 3


def test_what_was_packed_for_others_is_no_reason_to_ask_a_host_again(offers: Packing, source: Source) -> None:
    offers.pack([("web", NOTHING)])
    offers.given(["web", "edge"])
    offers.pack([("edge", NOTHING)])
    assert not offers.helps(Result("web", "demo"))
    assert offers.helps(Result("edge", "demo"))


def test_who_is_not_helped_by_what_it_holds_is_offered_the_whole_in_its_own_transport(
    offers: Packing, source: Source
) -> None:
    old = Holdings(held=(source.tag(0).commit,), live=source.tag(0).commit)
    offers.pack([("edge", old), ("web", old)])
    offers.pack([("edge", old)])
    assert kinds(offers, "edge") == [("tar", False), ("trees", False), ("trees", True)]
    assert kinds(offers, "web") == [("bundle", True)]
