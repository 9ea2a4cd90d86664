"""A fleet goes from the version before to this one, the master first or the minions first, and back.

The tests share a fleet. Each of them says who has which version; they stand in the order that needs the fewest restarts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.factories import Factories
from tests.integration.fleet import HERE, Fleet, Run
from tests.integration.pillar import Pillar
from tests.integration.repo import TAGS, Releases, Repo, converged
from tests.integration.rollouts import CANARY, GATE, REST, detached, journal, kill_deployer, told
from tests.support.installed import copy_doors
from tests.support.old_version import NEW, OLD, extract, put
from tests.support.repositories import Tree, tree

pytestmark = pytest.mark.xdist_group("upgrade")  # all tests use one fleet of their own

HOSTS = ("web1", "web2")
GROUPS = [CANARY, REST]
ASKING = [{**CANARY, "hold": "ask"}, REST]
FILES = 300


class Upgrades:
    """A fleet whose master and minions have one version or the other; the old one at first."""

    def __init__(self, fleet: Fleet, pillar: Pillar, releases: Releases, directory: Path) -> None:
        self.fleet = fleet
        self._pillar = pillar
        self._releases = releases
        self._directory = directory
        self._has: dict[str, str] = {}
        for side in ("master", "minions"):
            self._put(side, OLD)

    def have(self, *, master: str, minions: str) -> None:
        """Let both sides have these versions; whose version changes is restarted."""
        changed = {
            side for side, version in (("master", master), ("minions", minions)) if self._put(side, version)
        }
        if "minions" in changed:
            for host in self.fleet.hosts.values():
                host.kill()
        if "master" in changed:
            self.fleet.restart_master()
        if "minions" in changed:
            for host in self.fleet.hosts.values():
                host.start()
        if changed:
            self.fleet.all_connected()
        for host in self.fleet.hosts:
            assert self.fleet.salt(host, "grains.get", "saltext_deploy").data == minions

    def _put(self, side: str, version: str) -> bool:
        if self._has.get(side) == version:
            return False
        put(self._directory / f"of-{side}", self._directory / version)
        self._has[side] = version
        return True

    def repo(self, name: str, **keys: Any) -> Repo:
        """A repo for all hosts, which none has yet."""
        self._pillar.add(name, keys)
        return Repo(name, self.fleet, self._pillar, self._releases)

    def refresh(self) -> None:
        """Let the hosts know their pillar."""
        for host in self.fleet.hosts:
            self.fleet.salt(host, "saltutil.refresh_pillar", wait=True)


def wide() -> list[Tree]:
    """Releases of many files, of which each changes one."""
    files = {f"dir{number % 7}__file{number}": f"{number}\n" * 20 for number in range(FILES)}
    return [
        tree(**{**files, f"dir0__file{7 * number}": f"new in {tag}\n"}) for number, tag in enumerate(TAGS)
    ]


@pytest.fixture(scope="module")
def upgrades(
    factories: Factories, short_directory: Path, checkout: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Upgrades]:
    place = short_directory / "upgrade"
    place.mkdir()
    pillar = Pillar(place / "pillar", place / "disks", server="")
    extract(checkout, place / OLD)
    copy_doors(checkout, place / NEW)
    fleet = Fleet(
        Factories.like(factories, root_dir=place),
        place,
        HOSTS,
        master={
            "module_dirs": [str(place / "of-master")],
            "pillar_roots": {"base": [str(HERE / "salt" / "pillar"), str(pillar.directory)]},
        },
        minion={"module_dirs": [str(place / "of-minions"), str(HERE / "salt")]},
    )
    releases = Releases(tmp_path_factory.mktemp("upgrade") / "releases.git", wide())
    upgrades = Upgrades(fleet, pillar, releases, place)
    upgrades.repo("some")  # a pillar that renders
    with fleet.running():
        yield upgrades


@dataclass(frozen=True)
class Left:
    """What the old version has left behind.

    Attributes:
        kept: a repo with a history, a pin and a lock by hand.
        restarting: one whose deploy died while the first host restarted.
        asking: one whose deploy died at a question.
    """

    kept: Repo
    restarting: Repo
    asking: Repo


@pytest.fixture(scope="module")
def left(upgrades: Upgrades) -> Left:
    left = Left(
        upgrades.repo("kept"),
        upgrades.repo("restarting", groups=GROUPS, checks={"wait": {**GATE, "after": "restart"}}),
        upgrades.repo("asking"),
    )
    upgrades.refresh()
    upgrades.have(master=OLD, minions=OLD)
    for repo in (left.kept, left.restarting, left.asking):
        brings(repo, "v0")
    brings(left.kept, "v1")
    locked = command(left.kept, "lock", reason="the database moves")
    assert locked.status == 0, locked
    with left.restarting.held("web1"):
        detached(left.restarting, "v1")
        left.restarting.wait_until_held("web1")
        kill_deployer(left.restarting)
    left.asking.configure(groups=ASKING)
    detached(left.asking, "v1")
    told(left.asking, "question")
    kill_deployer(left.asking)
    return left


def command(repo: Repo, function: str, **named: Any) -> Run:
    """What ``salt-run`` of the master's version answers."""
    return repo.fleet.salt_run(f"deploy.{function}", repo=repo.name, **named)


def brings(repo: Repo, tag: str, function: str = "sync", **named: Any) -> None:
    """A deploy converges, and every answer of a host counts at once."""
    done = command(repo, function, **({"tag": tag} if function == "sync" else {}), **named)
    converged(done)
    assert "ignored an answer" not in done.told
    assert repo.on_disk() == repo.everywhere(tag)


def goes_forth_and_back(repo: Repo) -> None:
    """Deploys converge, the way back works, and every command tells the truth about it."""
    brings(repo, "v0")
    brings(repo, "v1")
    brings(repo, "v0", "rollback")
    report = command(repo, "report")
    assert (report.status, report.data["pinned"]["tag"]) == (0, "v0"), report
    assert {host["state"] for host in report.data["hosts"].values()} == {"pinned"}
    history = command(repo, "versions").data["versions"]
    assert [(each["tag"], each["outcome"]) for each in history] == [
        ("v0", "CONVERGED"),
        ("v1", "CONVERGED"),
        ("v0", "CONVERGED"),
    ]
    for host in repo.hosts:
        status = repo.call(host, "status")
        assert (status.status, status.data["tag"]) == (0, "v0"), status
        verified = repo.call(host, "verify", full=True)
        assert verified.status == 0, verified


def files_written(repo: Repo) -> set[int]:
    """How many files each host has written in its last fetch."""
    return {
        each["files"]
        for each in journal(repo)
        if each["event"] == "host_finished" and each["stage"] == "fetch"
    }


def test_the_master_goes_first(upgrades: Upgrades, left: Left) -> None:
    upgrades.have(master=NEW, minions=OLD)
    converged(command(left.restarting, "resume"))
    assert left.restarting.on_disk() == left.restarting.everywhere("v1")
    repo = upgrades.repo("master-first")
    upgrades.refresh()
    goes_forth_and_back(repo)


def test_what_the_old_version_left_is_read_on(upgrades: Upgrades, left: Left) -> None:
    upgrades.have(master=NEW, minions=NEW)
    history = command(left.kept, "versions").data["versions"]
    assert [(each["tag"], each["outcome"]) for each in history] == [("v1", "CONVERGED"), ("v0", "CONVERGED")]
    report = command(left.kept, "report")
    assert (report.status, report.data["pinned"]["tag"]) == (0, "v1"), report
    refused = command(left.kept, "sync", tag="v2")
    assert refused.data["error"]["kind"] == "locked"
    assert "the database moves" in str(refused.data["error"])
    assert command(left.kept, "unlock").status == 0
    brings(left.kept, "v2")
    assert files_written(left.kept) == {2}, "of 300: what changed since v0, which the spare tree held"
    brings(left.kept, "v1", "rollback")
    brings(left.kept, "v0", "rollback")


def test_a_deploy_that_the_old_version_began_is_resumed_at_its_question(
    upgrades: Upgrades, left: Left
) -> None:
    upgrades.have(master=NEW, minions=NEW)
    assert command(left.asking, "answer", choice="yes").data["counted"]
    converged(command(left.asking, "resume"))
    assert left.asking.on_disk() == left.asking.everywhere("v1")


@pytest.fixture(scope="module")
def ahead(upgrades: Upgrades, left: Left) -> Repo:
    """A repo whose deploy the new version has begun."""
    upgrades.have(master=NEW, minions=NEW)
    repo = upgrades.repo("ahead")
    upgrades.refresh()
    brings(repo, "v0")
    repo.configure(groups=ASKING)
    detached(repo, "v1")
    told(repo, "question")
    kill_deployer(repo)
    return repo


def test_the_minions_go_first(upgrades: Upgrades, ahead: Repo) -> None:
    upgrades.have(master=OLD, minions=NEW)
    repo = upgrades.repo("minions-first")
    upgrades.refresh()
    goes_forth_and_back(repo)


def test_the_old_version_refuses_to_resume_a_newer_deploy_and_loses_nothing(
    upgrades: Upgrades, ahead: Repo
) -> None:
    upgrades.have(master=OLD, minions=NEW)
    written, here = journal(ahead), ahead.on_disk()
    refused = command(ahead, "resume")
    assert refused.status == 1
    assert "unexpected keyword argument" in refused.data["error"]["cause"]
    assert (journal(ahead), ahead.on_disk()) == (written, here)
    assert ahead.fleet.salt_run("deploy.locks").data["running"] == []
    upgrades.have(master=NEW, minions=NEW)
    assert command(ahead, "answer", choice="yes").data["counted"]
    converged(command(ahead, "resume"))
    assert ahead.on_disk() == ahead.everywhere("v1")
