"""OSTree: a commit on the hub, pulled over http, checked out as hard links to the host's own repository; one rename."""

from __future__ import annotations

from pathlib import Path

from bench.peers.peer import NEW_DIRECTORY
from bench.peers.shells import SWITCH, WebShell, directory_of


class OSTree(WebShell):
    """``archive`` on the hub, ``bare-user-only`` on the targets, whose files can be linked."""

    name = "ostree"
    source = "https://ostreedev.github.io/ostree/repo/"
    programs = ("ostree",)
    way = NEW_DIRECTORY

    def install(self, tag: str) -> None:
        self.on_hub("ostree", f"--repo={self._repo}", "init", "--mode=archive")
        init = "ostree --repo=$srv/ostree init --mode=bare-user-only"
        url = f"{self.web.url}/plain/{self._repo.relative_to(self.web.root)}"
        # ostree.repo-config(5): without it curl asks for HTTP/2, which a server does not speak without TLS
        plain = "--no-gpg-verify --set=http2=false"
        add = f"ostree --repo=$srv/ostree remote add {plain} origin {url}"
        self.on_targets(f"mkdir -p $srv/releases $srv/ostree; {init}; {add}")
        self.upgrade(tag)

    def upgrade(self, tag: str) -> None:
        commit = ["commit", "--branch=app", f"--subject={tag}", "--canonical-permissions", "--owner-uid=0"]
        tree = [f"--tree=dir={self.place.staging}", "--owner-gid=0"]
        self.on_hub("ostree", f"--repo={self._repo}", *commit, *tree)
        self.on_hub("ostree", f"--repo={self._repo}", "summary", "--update")
        pull = "ostree --repo=$srv/ostree pull origin app >/dev/null"
        rev = f"$srv/releases/{directory_of(tag)}"
        out = f"test -d {rev} || ostree --repo=$srv/ostree checkout -U -H origin:app {rev}"
        self.on_targets(f"to={directory_of(tag)}; {pull}; {out}; touch {rev}; {SWITCH}")

    def rollback(self, tag: str) -> None:
        self.on_targets(f"to={directory_of(tag)}; touch $srv/releases/$to; {SWITCH}")

    @property
    def _repo(self) -> Path:
        return self.place.origin.parent / "ostree"


PEERS = (OSTree,)
