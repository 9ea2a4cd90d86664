"""The process that gives and takes pieces of payloads: libtorrent, and what a host wishes (:mod:`saltdeploy.download.swarm.spool`).

Every connection is TLS, and both ends must show a certificate that the torrent's own one has signed: whoever is no minion of
this master neither gets a piece nor gives one. There is no tracker, no DHT, no local discovery, no exchange of
peers and no port mapping: it dials whom a wish names, and is dialled.

``python -m saltdeploy.download.swarm.seeder DIRECTORY ADDRESS FIRST-PORT LAST-PORT [owned]`` ends when nobody has wished anything for a
while; with ``owned``, when its standard input ends.
"""

from __future__ import annotations

import errno
import select
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import libtorrent

from saltdeploy.download.swarm.spool import IDLE, Address, Listen, SeedRequest, SeedState, Spool
from saltdeploy.lib import disk

_TICK = 0.2  # seconds
_START = 5.0  # seconds to become the only one, and to listen
_STARVED = 8.0  # seconds without a byte, after which the peers are dialled that come later
_DIAL_EVERY = 3.0  # seconds
_FULL = (errno.ENOSPC, errno.EDQUOT)
_ALL = libtorrent.torrent_flags
_NEVER = _ALL.auto_managed | _ALL.paused
_ALWAYS = _ALL.disable_dht | _ALL.disable_lsd | _ALL.disable_pex
_SEEDS = _ALL.seed_mode | _ALL.upload_mode  # what is there is not written to, whatever befalls it
_WRITE_THROUGH = 3  # each piece, when it is right: what is not written is lost when we are killed
_LONGEST = 300  # characters


@dataclass
class _Torrent:
    """A payload at work.

    Attributes:
        flushing: it is whole, and on its way to the disk.
        grown: when bytes came last; ``dialled``: when peers were dialled last.
        seen: endpoint to the bytes that the present connection has brought.
    """

    wish: SeedRequest
    handle: libtorrent.torrent_handle
    grown: float
    dialled: float = 0.0
    done: int = 0
    flushing: bool = False
    whole: bool = False
    error: str = ""
    full: bool = False
    peers: int = 0
    seen: dict[Address, int] = field(default_factory=dict)
    sources: Counter[str] = field(default_factory=Counter)

    def state(self) -> SeedState:
        return SeedState(self.done, self.whole, self.error, self.full, self.peers, dict(self.sources))


class Seeder:
    """One session.

    Raises:
        OSError: no port of the range is free.
    """

    def __init__(self, den: Spool, listen: Listen) -> None:
        self._den = den
        self._torrents: dict[str, _Torrent] = {}
        self._refused: dict[str, SeedState] = {}
        self._session = libtorrent.session(_settings(listen))
        self._session.set_peer_class_filter(_limit_everybody())
        self._idle_since = time.monotonic()
        self.port = self._listening(listen)

    def tick(self) -> None:
        """Look at the wishes, do what they say, and tell how far all is."""
        wishes = self._den.wishes()
        for name in [name for name in self._torrents if name not in wishes]:
            self._drop(name)
        self._refused = {name: state for name, state in self._refused.items() if name in wishes}
        for name, wish in wishes.items():
            if name in self._torrents:
                self._torrents[name].wish = wish
            elif name not in self._refused:
                self._try(name, wish)
        if wishes:
            self._idle_since = time.monotonic()
            self._cap(wishes)
        self._hear()
        for torrent in self._torrents.values():
            self._look_after(torrent)
        states = {name: torrent.state() for name, torrent in self._torrents.items()}
        self._den.tell(self.port, {**states, **self._refused})

    def is_idle(self) -> bool:
        """Whether nobody has wished anything for a while."""
        return time.monotonic() - self._idle_since > IDLE

    # -- wishes -----------------------------------------------------------------------------------------

    def _try(self, name: str, wish: SeedRequest) -> None:
        """What is not valid is nobody's trouble but his who wishes it."""
        try:
            self._add(name, wish)
        except (RuntimeError, ValueError) as error:
            self._refused[name] = SeedState(error=str(error)[:_LONGEST])

    def _add(self, name: str, wish: SeedRequest) -> None:
        described = libtorrent.bdecode(bytes.fromhex(wish.torrent))
        if not _is_of(described, name, wish.size):
            raise ValueError(f"the torrent is not that of payload {name}")
        added = libtorrent.add_torrent_params()
        added.ti = libtorrent.torrent_info(described)
        added.save_path = wish.seeds or str(self._den.data)
        added.flags = (_ALL.default_flags | _ALWAYS | (_SEEDS if wish.seeds else 0)) & ~_NEVER
        handle = self._session.add_torrent(added)
        handle.set_ssl_certificate(*self._den.tls(name, wish), "")  # libtorrent 2.0 takes no texts
        self._torrents[name] = _Torrent(wish, handle, grown=time.monotonic())

    def _drop(self, name: str) -> None:
        self._session.remove_torrent(self._torrents.pop(name).handle)
        disk.remove_tree(self._den.data / name)
        self._den.forget_tls(name)

    def _cap(self, wishes: dict[str, SeedRequest]) -> None:
        """The least that somebody wishes holds for all: it is the host's line that is spared."""
        caps = {
            "upload_rate_limit": min((w.upload for w in wishes.values() if w.upload), default=0),
            "download_rate_limit": min((w.download for w in wishes.values() if w.download), default=0),
        }
        now = self._session.get_settings()
        if any(now[name] != cap for name, cap in caps.items()):
            self._session.apply_settings(caps)

    # -- torrents ---------------------------------------------------------------------------------------

    def _look_after(self, torrent: _Torrent) -> None:
        status = torrent.handle.status()
        now = time.monotonic()
        if status.total_wanted_done > torrent.done:
            torrent.grown = now
        torrent.done, torrent.peers = status.total_wanted_done, status.num_peers
        self._count(torrent)
        if torrent.wish.seeds:
            torrent.whole = status.is_seeding
            return
        if status.is_finished and not torrent.flushing:
            torrent.flushing = True
            torrent.handle.flush_cache()  # what is right need not be in the file yet
        if not status.is_finished and now - torrent.dialled > _DIAL_EVERY:
            torrent.dialled = now
            starved = now - torrent.grown > _STARVED
            for peer in (*torrent.wish.first, *(torrent.wish.later if starved else ())):
                torrent.handle.connect_peer(peer)

    def _count(self, torrent: _Torrent) -> None:
        """Who gave how much. A connection that has gone was seen at most one tick ago."""
        present = {peer.ip: peer.total_download for peer in torrent.handle.get_peer_info()}
        for endpoint, came in present.items():
            grown = came - torrent.seen.get(endpoint, 0)
            if grown > 0:
                torrent.sources[endpoint[0]] += grown
        torrent.seen = present

    def _hear(self) -> None:
        for alert in self._session.pop_alerts():
            if isinstance(alert, libtorrent.cache_flushed_alert):
                for torrent in self._torrents.values():
                    if torrent.handle == alert.handle and torrent.flushing:
                        torrent.whole = True
            elif isinstance(alert, libtorrent.file_error_alert):
                for torrent in self._torrents.values():
                    if torrent.handle == alert.handle:
                        torrent.error = alert.message()[:_LONGEST]
                        torrent.full = alert.error.value() in _FULL

    def _listening(self, listen: Listen) -> int:
        end = time.monotonic() + _START
        while time.monotonic() < end:
            self._session.wait_for_alert(int(_TICK * 1000))
            for alert in self._session.pop_alerts():
                if isinstance(alert, libtorrent.listen_succeeded_alert):
                    return int(alert.port)
        raise OSError(f"no port of {listen.address}:{listen.ports[0]}-{listen.ports[1]} is free")


def _settings(listen: Listen) -> dict[str, Any]:
    address = f"[{listen.address}]" if ":" in listen.address else listen.address
    everywhere = listen.address in ("0.0.0.0", "::")
    return {
        "listen_interfaces": f"{address}:{listen.ports[0]}s",  # s: TLS, and nothing else
        "outgoing_interfaces": "" if everywhere else listen.address,
        "max_retry_port_bind": listen.ports[1] - listen.ports[0],
        "listen_system_port_fallback": False,
        "enable_dht": False,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "enable_ip_notifier": False,
        "enable_incoming_utp": False,
        "enable_outgoing_utp": False,
        "rate_limit_ip_overhead": False,  # a cap counts what other carriers count: what comes, without its packets' heads
        "dht_bootstrap_nodes": "",
        "user_agent": "",
        "allow_multiple_connections_per_ip": True,  # minions behind one address
        "close_redundant_connections": False,  # or what came through them would not be counted any more
        "min_reconnect_time": 2,
        "disk_io_write_mode": _WRITE_THROUGH,
        "unchoke_interval": 3,
        "peer_connect_timeout": 5,
        "alert_mask": libtorrent.alert_category.error
        | libtorrent.alert_category.status
        | libtorrent.alert_category.storage,
    }


def _is_of(described: Any, name: str, size: int) -> bool:
    """Whether a torrent is about one file of this name and size, and so about no other path."""
    try:
        info = described[b"info"]
        files = info[b"file tree"]
        same = list(files) == [name.encode()] and files[name.encode()][b""][b"length"] == size
        return bool(same and info[b"name"] == name.encode())
    except (KeyError, TypeError):
        return False


def _limit_everybody() -> libtorrent.ip_filter:
    """libtorrent lets peers of private networks off the limits, and that is what ours are."""
    everybody = libtorrent.ip_filter()
    for first, last in (("0.0.0.0", "255.255.255.255"), ("::", "ffff:" * 7 + "ffff")):
        everybody.add_rule(first, last, 1 << libtorrent.session.global_peer_class_id)
    return everybody


def main(arguments: list[str]) -> int:
    """Be the seeder of a directory until nobody needs it; return the exit status."""
    den = Spool(Path(arguments[0]))
    listen = Listen(arguments[1], (int(arguments[2]), int(arguments[3])))
    owned = arguments[4:] == ["owned"]
    end = time.monotonic() + _START
    while time.monotonic() < end:
        with den.alone() as free:
            if free:
                return _seed(den, listen, owned=owned)
        time.sleep(_TICK / 2)
    return 0  # there is one already


def _seed(den: Spool, listen: Listen, *, owned: bool) -> int:
    den.forget_others(den.wishes())
    try:
        seeder = Seeder(den, listen)
        while not (_has_ended(sys.stdin.fileno()) if owned else seeder.is_idle()):
            seeder.tick()
            time.sleep(_TICK)
    except (OSError, ValueError, RuntimeError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    den.forget_others({})
    return 0


def _has_ended(pipe: int) -> bool:
    return bool(select.select([pipe], [], [], 0)[0])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
