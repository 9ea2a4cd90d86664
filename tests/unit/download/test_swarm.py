"""Hosts that give each other pieces: real seeders, each in a process of its own, and peers that mean ill."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import libtorrent
import pytest
from saltdeploy.download.failover import DownloadSource, Failover
from saltdeploy.download.swarm import seeder, torrent
from saltdeploy.download.swarm.client import SwarmAccess
from saltdeploy.download.swarm.spool import Listen, Spool
from saltdeploy.git.repository import no_progress
from saltdeploy.lib.errors import Corrupt, DeployError, Unavailable
from saltdeploy.master.payloads.swarm import identity
from saltdeploy.protocol.swarm import Peer, gates

from tests.support.serving import until
from tests.support.swarming import DATA, MASTER, PAYLOAD, PORTS, Host, World, swarm
from tests.unit.conftest import SmallDisk

pytestmark = pytest.mark.component("hosts that swarm with libtorrent in processes of their own")

SHA = PAYLOAD.sha256


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with swarm(tmp_path) as made:
        yield made


def fetch_all(*hosts: Host) -> list[bytes]:
    """All of them at once."""
    with ThreadPoolExecutor(len(hosts)) as pool:
        return list(pool.map(Host.fetch, hosts))


# -- well -----------------------------------------------------------------------------------------------


def test_hosts_give_each_other_what_the_master_has_given_to_one(world: World) -> None:
    world.seed()
    hosts = [world.add(f"web{number}") for number in range(3)]
    assert fetch_all(*hosts) == [DATA] * 3
    from_hosts = [sum(came for name, came in host.sources.items() if name != "master") for host in hosts]
    assert sum(from_hosts) > 0
    assert all(host.told.endswith("% from the master") for host in hosts)


def test_a_host_gives_to_others_when_it_has_all_and_the_master_has_gone(world: World) -> None:
    world.seed()
    first, second = world.add("web1"), world.add("web2")
    assert first.fetch() == DATA
    world.process.kill()
    world.process.wait()
    assert second.fetch() == DATA
    assert set(second.sources) == {"web1"}
    assert second.told == "1 peer, 0 % from the master"


def test_what_came_is_the_same_file_that_is_given_to_others_and_takes_no_room_twice(world: World) -> None:
    world.seed()
    host = world.add("web1")
    host.fetch()
    assert os.path.samefile(host.file, host.den.data / SHA)


def test_a_host_that_is_not_listed_dials_those_who_are(world: World) -> None:
    world.seed()
    world.add("web1")
    assert world.add("late", listed=False).fetch() == DATA


def test_hosts_of_another_site_get_theirs_by_way_of_its_gates(world: World) -> None:
    """Of the others of that site nobody takes anything from elsewhere, nor from the master."""
    world.site = "here"
    world.seed()
    world.add("web1", "here")
    there = [world.add(f"far{number}", "there") for number in range(5)]
    assert fetch_all(*world.hosts) == [DATA] * 6
    through = gates(world.swarm, "there", SHA)
    for host in there:
        if host.name not in through:
            assert set(host.sources) <= {far.name for far in there}, host.name


def test_when_the_gates_of_a_site_are_dead_the_others_fetch_from_elsewhere(world: World) -> None:
    world.site = "here"
    world.seed()
    there = [world.add(f"far{number}", "there") for number in range(3)]
    through = gates(world.swarm, "there", SHA)
    [alive] = [host for host in there if host.name not in through]
    for host in there:
        if host is not alive:
            host.seeder().kill()
    assert alive.fetch() == DATA
    assert set(alive.sources) == {"master"}


# -- ill ------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def liar(world: World, data: bytes) -> Iterator[Peer]:
    """A peer with the fleet's certificate that has other bytes and says that they are right ones."""
    place = world.place / "liar"
    place.mkdir()
    (place / SHA).write_bytes(data)
    settings = seeder._settings(Listen("127.0.9.9", PORTS))
    session = libtorrent.session({**settings, "disable_hash_checks": True})
    added = libtorrent.add_torrent_params()
    added.ti = libtorrent.torrent_info(libtorrent.bdecode(world.described))
    added.save_path = str(place)
    added.flags = libtorrent.torrent_flags.seed_mode | libtorrent.torrent_flags.upload_mode
    handle = session.add_torrent(added)
    handle.set_ssl_certificate(*Spool(place).tls(SHA, world.wish()), "")
    until(lambda: _listens("127.0.9.9", PORTS[0]))
    try:
        yield Peer("liar", "127.0.9.9", PORTS[0])
        world.lied = handle.status().total_payload_upload  # type: ignore[attr-defined]
    finally:
        del handle, session


def _listens(address: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((address, port), 1):
        return True
    return False


def test_a_peer_that_gives_wrong_bytes_is_found_out_piece_by_piece(world: World) -> None:
    world.seed()
    wrong = bytes(byte ^ 1 for byte in DATA)
    with liar(world, wrong) as peer:
        world.peers.append(peer)
        host = world.add("web1")
        assert host.fetch() == DATA
    assert world.lied > 0  # type: ignore[attr-defined]


def test_with_nobody_but_a_liar_nothing_is_taken(world: World) -> None:
    with liar(world, bytes(len(DATA))) as peer:
        world.peers.append(peer)
        host = world.add("web1")
        with pytest.raises(Unavailable):
            host.fetch(silence=3.0)
    assert not host.file.exists()


def test_who_has_another_certificate_neither_gets_nor_gives(world: World) -> None:
    world.seed()
    stranger = world.add("stranger", known=identity(world.place / "elsewhere"))
    with pytest.raises(Unavailable, match="certificate"):
        stranger.fetch()
    known = stranger.member.place.identity
    assert known is not None
    stranger.den.wish(SHA, world.wish(certificate=known.certificate, key=known.key,
                                      first=((MASTER, world.peers[0].port),)))  # fmt: skip
    until(lambda: stranger.den.state(SHA).peers or stranger.seeder().is_running())
    time.sleep(2)  # it tries meanwhile
    assert (stranger.den.state(SHA).done, stranger.den.state(SHA).sources) == (0, {})


@pytest.mark.parametrize("tls", [False, True], ids=["without TLS", "without a certificate"])
def test_who_shows_no_certificate_is_not_talked_to(world: World, tls: bool) -> None:
    world.seed()
    described = libtorrent.torrent_info(libtorrent.bdecode(world.described))
    name = described.info_hashes().v2.to_bytes()[:20]
    with socket.create_connection((MASTER, world.peers[0].port), 10) as plain:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        said = b""
        with contextlib.suppress(OSError):
            spoken = context.wrap_socket(plain, server_hostname=name.hex()) if tls else plain
            spoken.sendall(b"\x13BitTorrent protocol" + bytes(8) + name + b"-XX0000-123456789012")
            while piece := spoken.recv(4096):
                said += piece
    assert b"BitTorrent" not in said


def test_the_torrent_of_another_payload_is_refused(world: World) -> None:
    """A torrent names files, and could lead out of the directory."""
    host = world.add("web1")
    host.den.wish("e" * 64, world.wish())
    until(lambda: host.den.state("e" * 64).error)
    assert "not that of payload" in host.den.state("e" * 64).error
    assert not any(host.den.data.iterdir())


def test_a_torrent_that_was_changed_on_its_way_is_not_used(world: World) -> None:
    world.seed()
    host = world.add("web1")
    (world.store / world.torrent.sha256).write_bytes(world.described + b" ")
    with pytest.raises(Corrupt):
        host.fetch()


# -- death ----------------------------------------------------------------------------------------------


def test_a_seeder_that_is_killed_in_the_middle_begins_again_with_what_it_had(tmp_path: Path) -> None:
    with swarm(tmp_path, upload=2_000_000) as world:
        world.seed()
        host = world.add("web1")
        killed: list[int] = []

        def kill_once(phase: str, done: int, total: int, unit: str) -> None:
            if done > 2_000_000 and not killed:
                killed.append(done)
                host.seeder().kill()

        assert host.fetch(kill_once) == DATA
        assert killed
        assert sum(host.sources.values()) < len(
            DATA
        )  # what the second one got; the first one's was not fetched again


def test_what_came_when_a_job_was_killed_is_there_for_the_next(tmp_path: Path) -> None:
    """The seeder goes on without it."""
    with swarm(tmp_path) as world:
        world.seed()
        host = world.add("web1")
        host.den.wish(SHA, world.wish(first=((MASTER, world.peers[0].port),)))
        until(lambda: host.den.state(SHA).whole)
        world.process.kill()
        assert host.fetch() == DATA


def test_the_masters_seeder_ends_with_whoever_started_it(tmp_path: Path) -> None:
    """However that one ends."""
    with swarm(tmp_path):
        script = (
            "import sys, time; from pathlib import Path; from saltdeploy.download.swarm.spool import Listen, Spool\n"
            f"den, listen = Spool(Path({str(tmp_path / 'owned')!r})), Listen({MASTER!r}, {PORTS!r})\n"
            "process = den.start(listen, owned=True); den.port(listen, process); print('up', flush=True); time.sleep(600)"
        )
        owner = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE,
                                 env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})  # fmt: skip
        assert owner.stdout is not None and owner.stdout.readline() == b"up\n"
        den = Spool(tmp_path / "owned")
        assert not den.is_free()
        owner.kill()
        owner.wait()
        until(den.is_free)


def test_a_wish_that_is_over_leaves_nothing_behind(world: World) -> None:
    world.seed()
    host = world.add("web1")
    host.fetch()
    host.den.wish(SHA, world.wish(until=time.time()))
    until(lambda: not any(host.den.data.iterdir()))
    assert host.den.wishes() == {}
    assert not list(host.den.directory.glob("*.key"))
    assert host.file.read_bytes() == DATA


def test_what_a_killed_seeder_leaves_goes_when_its_repo_switches(world: World) -> None:
    world.seed()
    host = world.add("web1")
    host.fetch()
    host.seeder().kill()
    until(host.den.is_free)
    host.den.withdraw_of("another")
    assert any(host.den.data.iterdir())
    host.den.withdraw_of("demo")
    assert not any(host.den.data.iterdir())


def test_a_host_has_one_seeder_however_many_jobs_want_one(world: World) -> None:
    den = Spool(world.place / "many")
    listen = Listen("127.0.8.8", PORTS)
    with ThreadPoolExecutor(4) as pool:
        ports = set(pool.map(lambda _: den.port(listen), range(4)))
    assert len(ports) == 1


# -- otherwise ------------------------------------------------------------------------------------------


class ByMaster:
    """Salt's channel."""

    def fetch(self, payload: object, destination: Path, progress: object) -> None:
        destination.write_bytes(DATA)


def fetched_anyhow(host: Host, **keys: float) -> Failover:
    """As a stage fetches: by swarm, or else from the master."""
    by_swarm = host.carrier(**keys)  # type: ignore[arg-type]
    suppliers = [
        DownloadSource("swarm", "", by_swarm, by_swarm.told),
        DownloadSource("master", "the last resort", ByMaster()),
    ]
    fanout = Failover(lambda payload: suppliers, host.place / "partial")
    fanout.fetch(PAYLOAD, host.file, no_progress)
    assert host.file.read_bytes() == DATA
    return fanout


def test_the_facts_tell_from_how_many_it_came(world: World) -> None:
    world.seed()
    facts = fetched_anyhow(world.add("web1")).facts()
    assert facts == {"bytes": len(DATA), "source": "swarm", "why": "1 peer, 100 % from the master"}


def test_a_swarm_in_which_nothing_moves_is_left_for_the_master(world: World) -> None:
    host = world.add("web1")
    world.add("web2")  # has nothing either
    facts = fetched_anyhow(host, silence=1.0).facts()
    assert facts["source"] == "master"
    assert facts["left"].startswith("swarm: nothing moves for 1 seconds: 0 of 6000000 bytes from 0 peers")
    assert host.den.wishes() == {}


def test_a_swarm_that_would_not_be_done_in_time_is_left_as_well(tmp_path: Path) -> None:
    with swarm(tmp_path, upload=200_000) as world:
        world.seed()
        facts = fetched_anyhow(world.add("web1"), timeout=6.0).facts()
    assert (facts["source"], "is too slow" in facts["left"]) == ("master", True)


def test_a_host_without_libtorrent_says_so_and_goes_another_way(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = world.add("web1")
    monkeypatch.setitem(sys.modules, "libtorrent", None)
    facts = fetched_anyhow(host).facts()
    assert (facts["source"], facts["left"]) == ("master", "swarm: libtorrent is not installed")


@pytest.mark.parametrize(
    ("place", "why"),
    [
        (SwarmAccess(None, MASTER), "certificate"),
        (SwarmAccess(identity(Path("/nowhere")) if False else None), "certificate"),
    ],
)
def test_a_host_that_has_not_what_it_needs_says_what(place: SwarmAccess, why: str) -> None:
    assert why in place.why_not()


def test_when_no_port_is_free_that_is_said(world: World) -> None:
    with socket.create_server(("127.0.7.7", 17200)):
        with pytest.raises(Unavailable, match=r"no port of 127\.0\.7\.7:17200-17200 is free"):
            Spool(world.place / "none").port(Listen("127.0.7.7", (17200, 17200)))


@pytest.mark.small_disk
def test_a_full_disk_ends_it_and_is_not_left_full(tmp_path: Path, disk: SmallDisk) -> None:
    disk.change("size=3m")
    with swarm(tmp_path) as world:
        world.seed()
        host = world.add("web1")
        shutil.rmtree(host.den.data)
        (disk.path / "data").mkdir()
        host.den.data.symlink_to(disk.path / "data")
        with pytest.raises(OSError, match="No space left"):
            host.fetch()
        until(lambda: shutil.disk_usage(disk.path).free > 2_900_000)


def test_a_torrent_is_the_same_each_time_and_small(world: World, tmp_path: Path) -> None:
    again = torrent.make(world.path, world.known.certificate)
    assert hashlib.sha256(again).hexdigest() == world.torrent.sha256
    big = tmp_path / "big"
    with open(big, "wb") as file:
        file.truncate(300_000_000)
    assert len(torrent.make(big, world.known.certificate)) < 20_000


def test_what_cannot_be_read_has_no_torrent(tmp_path: Path) -> None:
    with pytest.raises((OSError, DeployError)):
        torrent.make(tmp_path / "none", "")
