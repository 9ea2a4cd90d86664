"""The master's disk fills during a deploy: it ends in one of the four words, names the hosts, and can be resumed."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
from saltdeploy.master import deploy
from saltdeploy.master.records import journal
from saltdeploy.master.records.journal import Journals
from saltdeploy.master.records.pins import Pins
from saltdeploy.master.reports.results import of_deploy
from saltdeploy.protocol import events
from saltdeploy.protocol.journal import is_whole

from tests.support.repositories import Source, tree
from tests.unit.protocol.whole_deploys import REPO, Fleet

GROUPS = [{"name": "canary", "targets": "web1", "targets_type": "list"}, {"name": "rest"}]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    trees = [tree(a=str(n)) for n in range(3)]
    return Source(tmp_path_factory.mktemp("disk") / "source.git", *trees)


@pytest.fixture
def fleet(tmp_path: Path, source: Source) -> Fleet:
    """Two hosts, one of them the canary, on v0."""
    made = Fleet(tmp_path, source, groups=GROUPS)
    made.master.__dict__["targets"] = lambda expression, kind: (
        ["web1"] if expression == "web1" else ["web1", "web2"]
    )
    assert str(made.sync("v0").outcome) == "CONVERGED 2/2"
    return made


class Disk:
    """The disk of the master. Once it is full, the journal gets half of a record onto it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fleet: Fleet) -> None:
        self.is_full = False
        self._fleet, self._monkeypatch = fleet, monkeypatch
        self._write = journal._write
        monkeypatch.setattr(journal, "_write", self._write_some)

    def _write_some(self, file: IO[bytes], data: bytes) -> None:
        if self.is_full:
            self._write(file, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        self._write(file, data)

    def fills_when(self, function: str, host: str) -> None:
        """It fills when the host has been asked."""
        publish = self._fleet.publish

        def publish_and_fill(hosts: list[str], called: str, arguments: list, jid: str) -> None:
            publish(hosts, called, arguments, jid)
            if called == function and host in hosts:
                self.is_full = True
                self._monkeypatch.setattr(self._fleet, "publish", publish)

        self._monkeypatch.setattr(self._fleet, "publish", publish_and_fill)

    @contextmanager
    def full_for_pins(self) -> Iterator[None]:
        def put(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device", str(self._fleet.root / "pins"))

        with self._monkeypatch.context() as patch:
            patch.setattr(Pins, "put", put)
            yield


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch, fleet: Fleet) -> Disk:
    return Disk(monkeypatch, fleet)


def shown(fleet: Fleet) -> dict[str, str]:
    """What users of each host see."""
    return {name: f"v{(host.location / 'a').read_text()}" for name, host in fleet.minions.items()}


def resumes_to(fleet: Fleet, disk: Disk, report: deploy.Report, word: str) -> None:
    disk.is_full = False
    assert str(deploy.resume(report.course.script.deploy, fleet.pillar, "", fleet.master).outcome) == word


def test_F34_the_disk_fills_when_the_first_group_was_asked_to_check_out(fleet: Fleet, disk: Disk) -> None:
    disk.fills_when("deploy.checkout", "web1")
    report = fleet.sync("v1")
    assert shown(fleet) == {"web1": "v1", "web2": "v0"}
    view = of_deploy(report)
    assert (view["outcome"], view["ok"], view["total"], view["retcode"]) == ("MIXED", 1, 2, 1)
    assert view["astray"] == ["web1"]
    assert view["hosts"]["web1"]["tag"] == "v1"
    path = Journals(fleet.root).path(REPO, report.course.script.deploy)
    assert f"the master cannot write down what happens in {path}: no space left" in view["reason"]
    assert view["reason"].endswith("1 of 2 hosts have switched: web1")
    assert f"free space on the master (df -h {path}; df -i {path})" in view["next"]
    assert f"then salt-run deploy.resume repo={REPO}" in view["next"]
    assert f"or back: salt-run deploy.rollback repo={REPO} to=v0" in view["next"]
    assert is_whole(path), "half a record was taken off again"
    resumes_to(fleet, disk, report, "CONVERGED 2/2")
    assert shown(fleet) == {"web1": "v1", "web2": "v1"}


def test_F34_the_way_back_that_was_named_leads_back(fleet: Fleet, disk: Disk) -> None:
    disk.fills_when("deploy.checkout", "web1")
    fleet.sync("v1")
    disk.is_full = False
    assert fleet.roll_back(to="v0").outcome.word == "CONVERGED"
    assert shown(fleet) == {"web1": "v0", "web2": "v0"}


def test_F34_the_disk_fills_while_hosts_fetch(fleet: Fleet, disk: Disk) -> None:
    disk.fills_when("deploy.fetch", "web1")
    report = fleet.sync("v1")
    assert report.outcome.word == "HELD"
    assert "nothing has changed anywhere" in report.outcome.reason
    assert "back" not in report.next
    assert shown(fleet) == {"web1": "v0", "web2": "v0"}
    resumes_to(fleet, disk, report, "CONVERGED 2/2")


def test_F34_the_disk_fills_when_the_last_host_was_asked(fleet: Fleet, disk: Disk) -> None:
    disk.fills_when("deploy.checkout", "web2")
    report = fleet.sync("v1")
    assert shown(fleet) == {"web1": "v1", "web2": "v1"}
    assert report.outcome.word == "MIXED", "nothing is pinned: it is not CONVERGED"
    assert fleet.pins.get(REPO).release.tag == "v0"
    resumes_to(fleet, disk, report, "CONVERGED 2/2")
    assert fleet.pins.get(REPO).release.tag == "v1"


def test_F34_the_disk_has_no_room_for_the_pin(fleet: Fleet, disk: Disk) -> None:
    with disk.full_for_pins():
        report = fleet.sync("v1")
    assert report.outcome.word == "MIXED"
    assert not report.outcome.accepted
    assert "no space left" in report.outcome.reason
    told = [
        event["event"]
        for event in journal.replay(Journals(fleet.root).path(REPO, report.course.script.deploy))
    ]
    assert events.FINISHED not in told, "else nobody could resume it"
    resumes_to(fleet, disk, report, "CONVERGED 2/2")
    assert fleet.pins.get(REPO).release.tag == "v1"


def test_F34_a_disk_that_is_full_before_anybody_is_asked_is_an_error(fleet: Fleet, disk: Disk) -> None:
    disk.is_full = True
    with pytest.raises(OSError, match="No space left"):
        fleet.sync("v1")
    assert shown(fleet) == {"web1": "v0", "web2": "v0"}
