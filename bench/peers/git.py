"""``git fetch`` of the new tag and ``git checkout`` in the live tree, by a shell loop over ssh; over smart and dumb http.

At its best: protocol 2, no history (over smart http; dumb http has no way to leave it out), and as many processes that
write files as there are processors (``checkout.workers`` in git-config(1)).
"""

from __future__ import annotations

from bench.peers.shells import WebShell

#: For the clone, and what it writes into the configuration of the repository that it makes.
_BEST = "-c checkout.workers=0 -c protocol.version=2"
_KEPT = "-c advice.detachedHead=false -c checkout.workers=0 -c protocol.version=2"


class Git(WebShell):
    """Smart http: nginx and git's own http-backend. In place, as Trebuchet did it."""

    name = "git-smart"
    source = "https://git-scm.com/docs/git-http-backend"
    programs = ("git",)
    kind, depth = "smart", "--depth=1"

    def install(self, tag: str) -> None:
        url = f"{self.web.url}/{self.kind}/origin.git"
        self.on_targets(f"git {_BEST} clone --quiet {self.depth} --branch {tag} {_KEPT} {url} $srv/app")

    def upgrade(self, tag: str) -> None:
        fetch = f"git fetch --quiet --no-tags {self.depth} origin refs/tags/{tag}:refs/tags/{tag}"
        self.on_targets(f"cd $srv/app; {fetch}; git checkout --quiet --force {tag}")

    def rollback(self, tag: str) -> None:
        self.on_targets(f"cd $srv/app; git checkout --quiet --force {tag}")


class DumbGit(Git):
    """Dumb http: the same repository as plain files, after ``git update-server-info``."""

    name = "git-dumb"
    source = "https://git-scm.com/docs/git-update-server-info"
    kind, depth = "plain", ""


PEERS = (Git, DumbGit)
