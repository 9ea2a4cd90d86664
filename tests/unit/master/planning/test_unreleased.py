"""What is staged and not deployed, on a master that is the deployment server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from saltdeploy import config
from saltdeploy.lib.errors import BadArguments, DamagedFile
from saltdeploy.master.planning.unreleased import Unreleased, newest
from saltdeploy.master.records.history import History
from saltdeploy.master.records.pin import Pin
from saltdeploy.master.records.pins import Pins
from saltdeploy.master.staging.stage import StageRequest, stage
from saltdeploy.protocol import events
from saltdeploy.protocol.orders import FETCH, Order
from saltdeploy.protocol.release import Release

from tests.support.repositories import git
from tests.support.stores import Directory
from tests.unit.master.staging.test_stage import NOW, TODAY, repository


class Server:
    """A deployment server: a staging repository of one repo, and what the master remembers."""

    def __init__(self, root: Path, **section: Any) -> None:
        self.place = root / "staging"
        self.root = root / "master"
        self.root.mkdir()
        keys = {"source": str(self.place), "location": "/srv/site", **section}
        self.repo = config.load({"repo_config": {"site": keys}}, "site")
        self.store = Directory(root / "store")
        self.history = History(self.store)

    def commit(self, text: str) -> str:
        return repository(self.place, index=text)

    def writes_down(self, tag: str) -> None:
        """What ``git deploy sync`` leaves in the repository."""
        file = self.place / ".git" / "deploy" / "deploy"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps({"tag": tag, "user": "alice", "time": "20261123-120000"}))

    def accepted(self, tag: str, commit: str) -> None:
        about = {"tag": tag, "commit": commit, "user": "alice", "hosts": 1, "action": "sync", "groups": []}
        self.history.started(events.started("2" * 20, "site", NOW, left_out=0, reason="", **about))
        self.history.accepted(events.pinned("2" * 20, "site", NOW, tag=tag, commit=commit))

    @property
    def found(self) -> Unreleased:
        return newest(self.repo, self.root, self.history, "sync")


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


def test_what_is_checked_out_is_what_is_staged(server: Server) -> None:
    commit = server.commit("one")
    assert server.found == Unreleased("site", commit, "")
    assert server.found.named == {"commit": commit}


def test_a_commit_that_has_a_tag_keeps_it(server: Server) -> None:
    commit = server.commit("one")
    for name in ("v1.9", "v1.10", "site-start-20261123-120000"):
        git(server.place / ".git", "tag", name)
    assert server.found.named == {"tag": "v1.10"}
    assert server.found.commit == commit


def test_the_tag_that_was_written_down_comes_before_what_is_checked_out(server: Server) -> None:
    first = server.commit("one")
    git(server.place / ".git", "tag", "site-sync-20261123-120000")
    server.writes_down("site-sync-20261123-120000")
    second = server.commit("two")
    assert server.found == Unreleased("site", first, "site-sync-20261123-120000")
    server.accepted("site-sync-20261123-120000", first)
    assert server.found == Unreleased("site", second, ""), "what was accepted long ago is not taken back to"


def test_what_is_pinned_is_deployed_and_nothing_is_left(server: Server) -> None:
    commit = server.commit("one")
    order = Order("2" * 20, 1, FETCH, Release("site", "v1", commit), "bundle", ())
    Pins(server.root).put(Pin(order, ("web1",)))
    assert server.found == Unreleased("site", commit, "v1", is_deployed=True)
    assert server.found.view["view"] == "nothing"
    server.commit("two")
    assert not server.found.is_deployed


def test_what_was_staged_last_is_what_is_staged(tmp_path: Path) -> None:
    server = Server(tmp_path, stage={})
    server.place.mkdir()
    (server.place / "index").write_text("one")
    staged = stage(server.repo, StageRequest(user="alice"), server.root, server.store, lambda: NOW)
    assert (server.found.tag, server.found.commit) == (f"{TODAY}/1", staged["commit"])


def test_where_nothing_was_staged_or_the_source_is_elsewhere_a_tag_is_asked_for(tmp_path: Path) -> None:
    elsewhere = Server(tmp_path, source="https://git.example.org/site.git")
    with pytest.raises(BadArguments) as refused:
        _ = elsewhere.found
    assert str(refused.value) == (
        "missing a required argument: 'tag'. Next: salt-run deploy.sync repo=site tag=...; or what a branch has: "
        "salt-run deploy.sync repo=site branch=main"
    )


def test_a_damaged_deploy_file_is_named(server: Server) -> None:
    server.commit("one")
    server.writes_down("v1")
    (server.place / ".git" / "deploy" / "deploy").write_text("{")
    with pytest.raises(DamagedFile):
        _ = server.found
