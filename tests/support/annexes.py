"""A real git-annex repository, the master that packs its releases, and a host that gets them."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any

from saltdeploy.blobs import annex_urls
from saltdeploy.content.payloads import Payloads
from saltdeploy.master.payloads import source as master_source
from saltdeploy.master.payloads.packing import Packing
from saltdeploy.minion import stages
from saltdeploy.protocol.holdings import Holdings
from saltdeploy.protocol.orders import CHECKOUT, FETCH, Order
from saltdeploy.protocol.release import Release
from saltdeploy.protocol.result import Result

from tests.support.blobstores import Server, key, work_tree
from tests.support.repositories import Source, repo, tree
from tests.support.targets import Target

CONTENT = b"\0 some content \xff" * 1000
NOTHING = Holdings()
_DEPLOYS = itertools.count(1)


class Annex:
    """A work tree with git-annex, whose contents are at a web server only.

    Args:
        tuned: what ``annex.tune`` says from the begin.

    Attributes:
        place: the work tree.
        git: runs git in it.
    """

    def __init__(self, place: Path, server: Server, *, tuned: str = "") -> None:
        self.place = place
        self.server = server
        self.git = work_tree(place)
        self.git(*(["-c", f"annex.tune.{tuned}=true"] if tuned else []), "annex", "init", "test")

    def add(self, name: str, content: bytes, tag: str, *, url: str = "") -> str:
        """Commit a file and tag that; the content goes to the web server, and not with the release."""
        (self.place / name).write_bytes(content)
        self.git("annex", "add", "--quiet", name)
        self.git("commit", "--quiet", "-m", name)
        self.git("tag", tag)
        (self.server.root / name).write_bytes(content)
        self.note(content, url or f"{self.server.files}/{name}")
        return key(content)

    def include(self, other: Annex, tag: str) -> None:
        """Commit what another one has committed last, as a submodule named like its directory, and tag that."""
        name, commit = other.place.name, other.git("rev-parse", "HEAD").decode().strip()
        self.git("config", "-f", ".gitmodules", f"submodule.{name}.path", name)
        self.git("config", "-f", ".gitmodules", f"submodule.{name}.url", f"../{name}")
        self.git("add", ".gitmodules")
        self.git("update-index", "--add", "--cacheinfo", f"160000,{commit},{name}")
        self.git("commit", "--quiet", "-m", name)
        self.git("tag", tag)

    def let_go(self) -> None:
        """Let whoever cleans up delete it."""
        for path in (self.place / ".git/annex").rglob("*"):
            if path.is_dir():
                path.chmod(0o755)

    def note(self, content: bytes, url: str) -> None:
        self.git("annex", "registerurl", "--quiet", key(content), url)

    def forget(self, name: str, url: str) -> None:
        self.git("annex", "rmurl", "--quiet", name, url)


class Master:
    """The master's side of orders for one host.

    Attributes:
        root: its directory.
        offers: those of the last order.
    """

    def __init__(self, place: Path, source: str) -> None:
        self.root = place / "master"
        self.payloads = Payloads(self.root / "payloads")
        self.keys: dict[str, Any] = {"source": source, "blobs": {"annex": []}}

    def order(self, tag: str, holdings: Holdings = NOTHING, transport: str = "bundle") -> Order:
        configuration = repo(self.root / "live", **self.keys)
        source = master_source.Source(configuration, self.root)
        found = source.tag(tag)
        release = Release("demo", tag, found.commit)
        order = Order(f"{next(_DEPLOYS):020d}", 1, FETCH, release, transport)
        self.offers = Packing(order, found, configuration, self.payloads, lambda: source)
        self.offers.pack([("web1", holdings)])
        return self.offers.order_for("web1")

    def lists(self, order: Order) -> list[str]:
        return [payload.sha256 for payload in order.payloads if payload.kind == annex_urls.KIND]

    def listed(self, order: Order) -> dict[str, set[str]]:
        """Base of each list to its keys."""
        lists = [payload for payload in order.payloads if payload.kind == annex_urls.KIND]
        found = {}
        for payload in lists:
            path = self.payloads.path(payload.sha256)
            assert path is not None
            found[payload.base] = {
                annex_urls._entry(line, path)[0] for line in path.read_bytes().splitlines()
            }
        return found


class Host(Target):
    """A host that takes its orders from the master."""

    def __init__(self, place: Path, master: Master, blobs: Any = None, **keys: Any) -> None:
        super().__init__(
            place, Source(place / "unused.git", tree(a="0")), blobs=blobs or {"annex": []}, **keys
        )
        self.carrier._payloads = master.payloads
        self.master = master

    def take(self, tag: str, transport: str = "bundle") -> Result:
        """Fetch and switch; the answer to the fetch."""
        order = self.master.order(tag, stages.status(self.repo, self.host).holdings, transport)
        fetched = self.run(order)
        if fetched.ok:
            assert self.run(dataclasses.replace(order, stage=CHECKOUT)).ok
        return fetched

    def got_lists(self) -> int:
        """How many lists came."""
        kinds = {each.sha256: each.kind for each in self.master.offers.order.payloads}
        return [kinds.get(name) for name in self.carrier.fetched].count(annex_urls.KIND)


def is_served(host: Host, name: str, content: bytes = CONTENT) -> None:
    assert (host.location / name).read_bytes() == content
    assert stages.verify(host.repo, host.host, full=True).ok
