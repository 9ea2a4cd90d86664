"""Carriers in a row: whoever is dead, slow or corrupt is left for the next, and it is told who served and why."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from saltdeploy.content.payloads import Payloads
from saltdeploy.download.failover import DownloadSource, Failover
from saltdeploy.download.http import Http
from saltdeploy.download.local import LocalPayloads
from saltdeploy.download.salt import SaltFiles
from saltdeploy.git.repository import no_progress
from saltdeploy.lib.errors import Corrupt, DeployError, Unavailable
from saltdeploy.lib.rate_limit import Limits
from saltdeploy.protocol.fanout import FanoutServer

from tests.support.payloadserver import DATA, PAYLOAD, PayloadServer
from tests.unit.conftest import SmallDisk

IMPATIENT = Limits(connect=5, answer=0.3, silence=0.3, least=1e6, window=0.3)


class Master:
    """Salt's channel, whose bytes a test may change."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.data: bytes | None = DATA
        self.asked = 0

    def get_file(self, url: str, path: str) -> str:
        self.asked += 1
        if self.data is None:
            return ""
        assert not Path(path).exists()  # Salt would compare it with what it has
        Path(path).write_bytes(self.data)
        return path

    @property
    def supplier(self) -> DownloadSource:
        return DownloadSource("master", "the last resort", SaltFiles(self.get_file))


class Host:
    """A host that fetches from servers, in this order, and then from the master."""

    def __init__(self, place: Path, master: Master, *servers: PayloadServer) -> None:
        self.place = place
        self.partial = place / "partial" / PAYLOAD.sha256
        self.file = place / "file"
        self.shelf = Payloads(place / "shelf")
        near = [DownloadSource(one.url, "near", Http(FanoutServer(one.url), IMPATIENT)) for one in servers]
        self.suppliers = [*near, master.supplier]
        self.carrier = self.stage()

    def stage(self) -> Failover:
        """The carrier of a new stage: what one stage has learned of sources is not believed by the next."""
        self.carrier = Failover(lambda payload: self.suppliers, self.place / "partial")
        return self.carrier

    def fetch(self) -> bytes:
        self.carrier.fetch(PAYLOAD, self.file, no_progress)
        assert not self.partial.exists()
        return self.file.read_bytes()


@pytest.fixture
def master(tmp_path: Path) -> Master:
    return Master(tmp_path)


@pytest.fixture
def host(tmp_path: Path, master: Master, server: PayloadServer, other: PayloadServer) -> Host:
    return Host(tmp_path, master, server, other)


def test_the_first_that_serves_is_the_only_one_that_is_asked(
    host: Host, server: PayloadServer, other: PayloadServer, master: Master
) -> None:
    assert host.fetch() == DATA
    assert (other.asked, master.asked) == ([], 0)
    assert host.carrier.facts() == {"bytes": len(DATA), "source": server.url, "why": "near"}


@pytest.mark.parametrize("way", ["is_silent", "falls_silent", "breaks_off", "trickles", "trickles_headers"])
def test_a_server_that_fails_is_left_for_the_next(
    host: Host, server: PayloadServer, other: PayloadServer, way: str
) -> None:
    server.answer = getattr(server, way)
    assert host.fetch() == DATA
    facts = host.carrier.facts()
    assert (facts["source"], facts["left"].startswith(server.url)) == (other.url, True)


def test_the_next_goes_on_where_the_one_before_broke_off(
    host: Host, server: PayloadServer, other: PayloadServer
) -> None:
    server.answer = server.breaks_off
    assert host.fetch() == DATA
    assert [begin for _, begin in other.asked] == ["bytes=1000000-"]
    assert host.carrier.facts()["bytes"] == len(DATA)


def test_a_server_that_flips_a_bit_is_noted_and_not_asked_again(
    host: Host, server: PayloadServer, other: PayloadServer
) -> None:
    server.answer = server.flips_a_bit
    assert host.fetch() == DATA
    facts = host.carrier.facts()
    assert facts["source"] == other.url
    assert facts["left"].startswith(f"{server.url}: corrupt")
    assert facts["bytes"] == 2 * len(DATA)
    assert host.fetch() == DATA
    assert len(server.asked) == 1


def test_who_finishes_what_a_corrupt_server_began_is_not_blamed(
    host: Host, server: PayloadServer, other: PayloadServer
) -> None:
    """The begin came from the first, which then died; the second serves well."""

    def spoiled(request: object) -> None:
        request.send(200, b"x" * 1_000_000, Content_Length=len(DATA))  # type: ignore[attr-defined]

    server.answer = spoiled
    assert host.fetch() == DATA
    assert host.carrier.facts()["source"] == other.url
    assert [begin for _, begin in other.asked] == ["bytes=1000000-", ""]


def test_the_master_is_the_last_resort(
    host: Host, server: PayloadServer, other: PayloadServer, master: Master
) -> None:
    server.answer, other.answer = server.flips_a_bit, other.breaks_off
    assert host.fetch() == DATA
    assert host.carrier.facts()["source"] == "master"
    assert all(url in host.carrier.facts()["left"] for url in (server.url, other.url))


@pytest.mark.parametrize(
    ("data", "error"), [(None, Unavailable), (DATA[1:], Corrupt)], ids=["nothing", "something else"]
)
def test_when_nobody_is_left_each_one_is_named_with_what_was_wrong(
    host: Host,
    server: PayloadServer,
    other: PayloadServer,
    master: Master,
    data: bytes | None,
    error: type[DeployError],
) -> None:
    server.answer, other.answer, master.data = server.flips_a_bit, other.breaks_off, data
    with pytest.raises(error) as caught:
        host.fetch()
    for name in (server.url, other.url, "master"):
        assert name in caught.value.cause
    assert not host.file.exists()


def test_what_came_before_we_were_killed_is_not_fetched_again(host: Host, server: PayloadServer) -> None:
    host.partial.parent.mkdir()
    host.partial.write_bytes(DATA[:2_000_000])
    assert host.fetch() == DATA
    assert [begin for _, begin in server.asked] == ["bytes=2000000-"]
    assert host.carrier.facts()["bytes"] == len(DATA) - 2_000_000


def test_what_is_left_of_a_payload_that_nobody_wants_any_more_is_cleared(host: Host) -> None:
    stale = host.place / "partial" / ("e" * 64)
    stale.parent.mkdir()
    stale.write_bytes(b"half")
    host.fetch()
    assert not stale.exists()


def test_what_is_left_of_another_payload_of_the_same_order_is_kept(host: Host) -> None:
    other = host.place / "partial" / ("e" * 64)
    other.parent.mkdir()
    other.write_bytes(b"half")
    host.carrier.wanted = frozenset({other.name, PAYLOAD.sha256})
    host.fetch()
    assert other.read_bytes() == b"half"


def test_what_is_on_the_shelf_does_not_travel(host: Host, server: PayloadServer) -> None:
    host.suppliers.insert(0, DownloadSource("here", "preseeded", LocalPayloads(host.shelf)))
    host.shelf.add(PAYLOAD, a_copy(host))
    assert host.fetch() == DATA
    assert server.asked == []
    assert host.carrier.facts() == {"bytes": 0, "source": "here", "why": "preseeded"}


def test_what_has_rotted_on_the_shelf_is_thrown_away_and_fetched(host: Host, server: PayloadServer) -> None:
    host.suppliers.insert(0, DownloadSource("here", "preseeded", LocalPayloads(host.shelf)))
    host.shelf.add(PAYLOAD, a_copy(host))
    kept = host.shelf.path(PAYLOAD.sha256)
    assert kept is not None
    kept.write_bytes(DATA[:-1] + b"?")
    assert host.fetch() == DATA
    assert host.carrier.facts()["source"] == server.url
    assert host.shelf.path(PAYLOAD.sha256) is None


def a_copy(host: Host) -> Path:
    path = host.place / "aside"
    path.write_bytes(DATA)
    return path


@pytest.mark.small_disk
def test_a_full_disk_ends_it_and_is_not_left_full(
    tmp_path: Path, master: Master, server: PayloadServer, disk: SmallDisk
) -> None:
    disk.change("size=1m")
    host = Host(disk.path, master, server)
    with pytest.raises(OSError, match="No space left"):
        host.fetch()
    assert shutil.disk_usage(disk.path).free > 900_000
    assert master.asked == 0


def test_a_stage_that_fetched_nothing_has_nothing_to_tell(host: Host) -> None:
    assert host.carrier.facts() == {}
