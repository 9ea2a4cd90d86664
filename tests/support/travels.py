"""Releases on their way to a real target by any transport: with the master's own choice of payloads, and rsync's daemon."""

from __future__ import annotations

import contextlib
import dataclasses
import getpass
import itertools
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from saltdeploy.config import transports
from saltdeploy.lib.errors import NoBase
from saltdeploy.master.payloads import source as master_source
from saltdeploy.master.payloads.packing import Packing
from saltdeploy.master.payloads.signing import Sealer
from saltdeploy.minion import stages
from saltdeploy.protocol.orders import CHECKOUT, FETCH, ROLLBACK, Order
from saltdeploy.protocol.result import Result
from saltdeploy.protocol.seals import Seal

from tests.support.repositories import EXECUTABLE, FILE, Entry, Source, Tree, link, snapshot
from tests.support.targets import Target

TRANSPORTS = list(transports.TABLE.built_in)
#: Contents and trees come apart from each other.
APART = [name for name in TRANSPORTS if "trees" in transports.row(name).kinds]

_BIG = os.urandom(1 << 20) * 3
_DEEP = b"/".join([b"d" * 200] * 15)

ODD: Tree = {
    b"plain": Entry(FILE, b"1"),
    b"empty": Entry(FILE, b""),
    b"run.sh": Entry(EXECUTABLE, b"#!/bin/sh\n"),
    b"big": Entry(FILE, _BIG),
    b"link": link("plain"),
    b"away": link("/nowhere/at all"),
    b"swap/inner": Entry(FILE, b"of a directory"),
    b"bytes-\xff\xfe": Entry(FILE, b"not UTF-8"),
    b"l" * 255: Entry(FILE, b"the longest name"),
    _DEEP + b"/file": Entry(FILE, b"a path of 3,000 bytes"),
    b"n" * 100: Entry(FILE, b"as long as a header has room for"),
    "été/größe".encode(): Entry(FILE, b"UTF-8"),
    b"-n": Entry(FILE, b"looks like an option"),
    b"#not a comment": Entry(FILE, b"for rsync"),
    b";nor this": Entry(FILE, b"for rsync"),
    b"two\nlines": Entry(FILE, b"newline"),
    b" space ": Entry(FILE, b"spaces"),
    b"star*[a]?": Entry(FILE, b"no pattern"),
    b"back\\slash": Entry(FILE, b"backslash"),
    b"sub-x": Entry(FILE, b"before sub/"),
    b"sub/a": Entry(FILE, b"a"),
    b"sub0": Entry(FILE, b"behind sub/"),
    **{b"many/%03d" % n: Entry(FILE, b"content %d\n" % n * 20) for n in range(60)},
}
CHANGED: Tree = {
    **ODD,
    b"plain": Entry(FILE, b"2"),
    b"empty": Entry(EXECUTABLE, b""),
    b"run.sh": Entry(FILE, b"#!/bin/sh\n"),
    b"big": Entry(FILE, _BIG[: 1 << 20] + b"in the middle" + _BIG[1 << 20 :]),
    b"link": link("big"),
    b"bytes-\xff\xfe": Entry(FILE, b"other bytes"),
    b"l" * 255: Entry(FILE, b"changed"),
    _DEEP + b"/file": link("elsewhere"),
    b"sub/b": Entry(FILE, b"new"),
}
SWAPPED: Tree = {
    **{path: entry for path, entry in CHANGED.items() if not path.startswith((b"swap/", b"many/", b"plain"))},
    b"swap": Entry(FILE, b"a file now"),
    b"plain/inner": Entry(FILE, b"a directory now"),
    b"many": link("sub"),
}
FEW: Tree = {b"plain": Entry(FILE, b"3"), b"link": Entry(FILE, b"no link any more")}
RELEASES = [ODD, CHANGED, SWAPPED, FEW]


class Traveller(Target):
    """A target that is asked as a master asks: with what the master packs for what the host holds.

    Attributes:
        transport: how the next release travels.
        received: the facts of the fetches.
    """

    def __init__(self, place: Path, source: Source, transport: str, **keys: Any) -> None:
        super().__init__(place, source, url=f"file://{source.git_dir}", **keys)
        self._root = place / "master"
        self.transport = transport
        self.received: list[dict[str, Any]] = []
        self._numbers = itertools.count(1)

    def order_for(self, number: int, deploy: str = "") -> Order:
        """What a master asks first."""
        return self._offers(number, deploy).order

    def fetch(self, number: int, deploy: str = "") -> Result:
        """The fetch stage, asked for again with other payloads as long as that helps."""
        offers = self._offers(number, deploy)
        while True:
            asked = offers.order
            result = self.run(asked)
            if isinstance(result.error, NoBase):
                offers.pack([("web1", result.holdings)])
            if offers.order == asked:
                self.received.append(result.facts)
                return result

    def _offers(self, number: int, deploy: str) -> Packing:
        there = self._there()
        seal = self.seal(number)
        order = Order(deploy or self._new(), 1, FETCH, self.source.release(number), self.transport, seal=seal)
        offers = Packing(order, self.source.tag(number), self.repo, self.payloads, lambda: there)
        offers.pack([("web1", stages.status(self.repo, self.host).holdings)])
        return offers

    def seal(self, number: int) -> Seal | None:
        """The master's seal of a release."""
        return Sealer(self.repo, self._root).seal(self.source.release(number), self._there(), self.transport)

    def _there(self) -> master_source.Source:
        return master_source.Source(
            dataclasses.replace(
                self.repo, origin=dataclasses.replace(self.repo.origin, source=str(self.source.git_dir))
            ),
            self._root,
        )

    def travel(self, number: int) -> list[Result]:
        """Fetch and checkout of one deploy."""
        deploy = self._new()
        fetched = self.fetch(number, deploy)
        release, seal = self.source.release(number), self.seal(number)
        return [fetched, self.run(Order(deploy, 1, CHECKOUT, release, seal=seal))]

    def go_back(self, number: int) -> Result:
        return self.run(Order(self._new(), 1, ROLLBACK, self.source.release(number)))

    def shows(self, number: int) -> bool:
        """Whether the live tree is what git would check out, byte for byte, and all that is known of it is true."""
        same = snapshot(self.location) == self.source.checked_out(number)
        return same and stages.verify(self.repo, self.host, full=True).ok

    def _new(self) -> str:
        return f"{next(self._numbers):020d}"


@contextlib.contextmanager
def rsync_daemon(exports: Path) -> Iterator[str]:
    """rsync's daemon on the loopback interface; the URL of its one module, which is ``exports``."""
    assert shutil.which("rsync"), "install rsync: this test runs its daemon"
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
    exports.mkdir(parents=True, exist_ok=True)
    configuration = exports.with_name("rsyncd.conf")
    configuration.write_text(
        f"use chroot = no\nuid = {getpass.getuser()}\n[exports]\npath = {exports}\nread only = yes\n"
    )
    command = ["rsync", "--daemon", "--no-detach", "--address=127.0.0.1", f"--port={port}"]
    daemon = subprocess.Popen([*command, f"--config={configuration}"], stdin=subprocess.DEVNULL)
    try:
        while not _listens(port):
            assert daemon.poll() is None, "rsync's daemon does not start"
            time.sleep(0.01)
        yield f"rsync://127.0.0.1:{port}/exports"
    finally:
        daemon.terminate()
        daemon.wait()


def _listens(port: int) -> bool:
    with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False
