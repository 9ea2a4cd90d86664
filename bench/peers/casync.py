"""casync: the tree as an index of chunks on the hub, extracted over http beside the live release, which is the seed."""

from __future__ import annotations

from bench.peers.peer import NEW_DIRECTORY
from bench.peers.shells import SWITCH, WebShell, directory_of


class Casync(WebShell):
    """A new directory for each release; chunks that the live one has are not fetched."""

    name = "casync"
    source = "https://manpages.debian.org/bookworm/casync/casync.1.en.html"
    programs = ("casync",)
    way = NEW_DIRECTORY

    def install(self, tag: str) -> None:
        (self.web.root / "casync").mkdir()
        self.on_targets("mkdir -p $srv/releases")
        self._bring(tag, "")

    def upgrade(self, tag: str) -> None:
        self._bring(tag, "--seed=$srv/app/")

    def rollback(self, tag: str) -> None:
        self.on_targets(f"to={directory_of(tag)}; touch $srv/releases/$to; {SWITCH}")

    def _bring(self, tag: str, seed: str) -> None:
        files = self.web.root / "casync"
        to = directory_of(tag)
        # modes and links are what git keeps, too
        make = ["casync", "make", "--without=all", "--with=symlinks", "--with=permissions"]
        self.on_hub(*make, f"--store={files}/store.castr", f"{files}/{to}.caidx", self.place.staging)
        url = f"{self.web.url}/plain/casync"
        extract = f"casync extract {seed} --store={url}/store.castr {url}/{to}.caidx $srv/releases/$to"
        self.on_targets(f"to={to}; test -d $srv/releases/$to || {extract}; touch $srv/releases/$to; {SWITCH}")


PEERS = (Casync,)
