"""The target's side of scap, as its documentation and its sources describe the steps; the rest of scap is not run.

*fetch*: the host's cache repository gets the new commit, a directory for the revision is cloned with the cache as reference
and checked out. *promote*: links. *finalize*: revisions that are too old go.
"""

from __future__ import annotations

from bench.peers.peer import NEW_DIRECTORY
from bench.peers.shells import SWITCH, WebShell, directory_of


class Scap(WebShell):
    """The steps by a shell loop over ssh; scap itself runs them over ssh as well, in batches of 80 hosts."""

    name = "scap-steps"
    source = "https://doc.wikimedia.org/mw-tools-scap/scap3/deploy_promotion.html"
    programs = ("git",)
    way = NEW_DIRECTORY

    def install(self, tag: str) -> None:
        self.on_targets(f"mkdir -p $srv/releases; git clone --quiet --mirror {self._url} $srv/cache")
        self._promote(tag)

    def upgrade(self, tag: str) -> None:
        self.on_targets(f"git -C $srv/cache fetch --quiet origin refs/tags/{tag}:refs/tags/{tag}")
        self._promote(tag)

    def rollback(self, tag: str) -> None:
        self.on_targets(f"to={directory_of(tag)}; touch $srv/releases/$to; {SWITCH}")

    @property
    def _url(self) -> str:
        return f"{self.web.url}/smart/origin.git"

    def _promote(self, tag: str) -> None:
        rev = f"$srv/releases/{directory_of(tag)}"
        # a revision that is there already is not made again
        clone = f"git clone --quiet --reference $srv/cache --no-checkout $srv/cache {rev}"
        check = f"git -C {rev} -c advice.detachedHead=false checkout --quiet --force {tag}"
        self.on_targets(f"to={directory_of(tag)}; test -d {rev} || {clone}; {check}; touch {rev}; {SWITCH}")


PEERS = (Scap,)
