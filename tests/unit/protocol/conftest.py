"""A repository of four releases, and a fleet that has taken them by whole deploys."""

from __future__ import annotations

from pathlib import Path

import pytest
from saltdeploy.master.running.operator import OperatorSignals

from tests.support.repositories import EXECUTABLE, FILE, Entry, Source, link, tree
from tests.unit.protocol.whole_deploys import REPO, Fleet, locked_by_hand

MANY = range(80, 100)  # of these names f91 ends a page of the tree digest


@pytest.fixture(scope="session")
def page(checkout: Path) -> str:
    return (checkout / "docs" / "formats.md").read_text()


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    extra = {b"bin/run": Entry(EXECUTABLE, b"#!/bin/sh\n"), b"latest": link("bin/run")}
    trees = [
        {**tree(a=str(n), lib__same="same" * 4000, **{f"only{n}": f"{n}" * 9000}), **extra} for n in range(4)
    ]
    many = {b"many/f%d" % n: Entry(FILE, b"%d" % n) for n in MANY}
    trees = [{**each, **many, b"many/f7": Entry(FILE, b"%d" % n)} for n, each in enumerate(trees)]
    return Source(tmp_path_factory.mktemp("formats") / "source.git", *trees)


def life(fleet: Fleet) -> None:
    """What a repo sees in its life: releases, one brought ahead, a plan, a lock by hand, a wish to stop, a way back."""
    assert fleet.preseed("v0")["retcode"] == 0
    assert fleet.plan("v0")["retcode"] == 0
    for number in range(3):
        assert fleet.sync(f"v{number}").outcome.word == "CONVERGED"
    with locked_by_hand(fleet):
        assert fleet.sync("v3", force=True).outcome.word == "CONVERGED"
        fleet.look()
    assert fleet.roll_back().outcome.word == "CONVERGED"
    signals = OperatorSignals(fleet.root, REPO, fleet.new_jid())
    signals.abort("bob", "the canary burns")
    signals.answer("q1", "bob", "yes")
    fleet.look()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, source: Source) -> Fleet:
    """After its life, with layout ``slots`` and bundles; a check looks while hosts are being switched."""
    check = {"seen": {"type": "http", "url": "http://127.0.0.1/", "after": "checkout"}}
    made = Fleet(tmp_path_factory.mktemp("fleet"), source, checks=check)
    life(made)
    return made
