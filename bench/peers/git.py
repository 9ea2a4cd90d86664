"""``git fetch`` of the new tag and ``git checkout`` in the live tree, by a shell loop over ssh; over smart and dumb http."""

from __future__ import annotations

from bench.peers.shells import WebShell


class Git(WebShell):
    """Smart http: nginx and git's own http-backend. In place, as Trebuchet did it."""

    name = "git-smart"
    source = "https://git-scm.com/docs/git-http-backend"
    programs = ("git",)
    kind = "smart"

    def install(self, tag: str) -> None:
        url = f"{self.web.url}/{self.kind}/origin.git"
        self.on_targets(f"git clone --quiet --branch {tag} -c advice.detachedHead=false {url} $srv/app")

    def upgrade(self, tag: str) -> None:
        fetch = f"git fetch --quiet --no-tags origin refs/tags/{tag}:refs/tags/{tag}"
        self.on_targets(f"cd $srv/app; {fetch}; git checkout --quiet --force {tag}")

    def rollback(self, tag: str) -> None:
        self.on_targets(f"cd $srv/app; git checkout --quiet --force {tag}")


class DumbGit(Git):
    """Dumb http: the same repository as plain files, after ``git update-server-info``."""

    name = "git-dumb"
    source = "https://git-scm.com/docs/git-update-server-info"
    kind = "plain"


PEERS = (Git, DumbGit)
