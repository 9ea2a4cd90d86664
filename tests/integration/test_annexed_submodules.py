"""A release of a repository and of a submodule, both with files whose contents git-annex has put elsewhere."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from saltdeploy.master.records.pins import Pins

from tests.integration.repo import Repo, converged
from tests.support.annexes import Annex
from tests.support.blobstores import Server

SITE, LIB, NEW = (name * 500 for name in (b"of the site \xff", b"of the library \xff", b"new there \xff"))


@pytest.fixture
def annexes(tmp_path: Path) -> Iterator[tuple[Annex, Annex]]:
    """Two, of one web server."""
    server = Server(tmp_path / "web")
    site, lib = (Annex(tmp_path / name, server) for name in ("site", "lib"))
    yield site, lib
    server.stop()
    for annex in (site, lib):
        annex.let_go()


def add_texts(annex: Annex) -> None:
    """Files that have much in common, of which git makes a large bundle and zstd a small one."""
    chance = random.Random(1)
    words = [b"%x" % chance.getrandbits(16) for _ in range(400)]
    for number in range(100):
        (annex.place / f"text{number}").write_bytes(b" ".join(chance.choices(words, k=300)))
    annex.git("add", ".")


def shows(repo: Repo, files: dict[str, bytes]) -> None:
    """Every host has these files, and all that its record says."""
    for host in repo.hosts:
        found = {name: (repo.place(host) / name).read_bytes() for name in files}
        assert found == files, host
        assert repo.call(host, "verify", full=True).status == 0, host


@pytest.mark.repo(blobs={"annex": []}, checkout_submodules=True)
def test_contents_come_from_the_web_and_an_upgrade_travels_squeezed(
    repo: Repo, annexes: tuple[Annex, Annex]
) -> None:
    site, lib = annexes
    site.add("site.bin", SITE, "own")
    lib.add("lib.bin", LIB, "own")
    site.include(lib, "v0")
    repo.configure(source=f"file://{site.place}")
    converged(repo.sync("v0"))
    shows(repo, {"site.bin": SITE, "lib/lib.bin": LIB})
    assert {path.rpartition("/")[2] for path in site.server.given} == {"site.bin", "lib.bin"}

    add_texts(lib)
    lib.add("new.bin", NEW, "more")
    site.include(lib, "v1")
    site.server.given.clear()
    done = converged(repo.sync("v1"))
    shows(repo, {"site.bin": SITE, "lib/lib.bin": LIB, "lib/new.bin": NEW})
    assert site.server.given == ["/files/new.bin"] * len(repo.hosts)
    pin = Pins(repo.fleet.root).get(repo.name)
    assert pin is not None
    offered = {payload.kind: payload.size for payload in pin.order.payloads if payload.base}
    assert offered.keys() == {"squeezed", "urls"}
    assert {host["bytes"] for host in done.data["hosts"].values()} == {sum(offered.values()) + len(NEW)}
