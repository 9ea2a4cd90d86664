"""Salt's own ``git.latest`` on the same minions, over smart http."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from bench.peers.peer import Peer
from bench.rig.fleet import fleet
from bench.rig.web import Web
from bench.rig.web import available as web_available

_SECONDS = "7200"


class GitLatest(Peer):
    """In place."""

    name = "git.latest"
    source = "https://docs.saltproject.io/en/latest/ref/states/all/salt.states.git.html"
    programs = ("git",)
    apart = True

    @classmethod
    def missing(cls) -> str:
        return super().missing() or web_available()

    @contextlib.contextmanager
    def ready(self) -> Iterator[None]:
        self.web = Web(self.rig, self.place.origin.parent)
        with fleet(self.rig, {}) as self.fleet:
            yield

    def install(self, tag: str) -> None:
        self._latest(tag)

    def upgrade(self, tag: str) -> None:
        self._latest(tag)

    def rollback(self, tag: str) -> None:
        self._latest(tag)

    def _latest(self, tag: str) -> None:
        name = f"name={self.web.url}/smart/origin.git"
        options = ["target=/srv/app", f"rev={tag}", "branch=live", "force_reset=True", "force_fetch=True"]
        said = self.fleet.salt(
            "--timeout", _SECONDS, "*", "state.single", "git.latest", name, *options, "--out=json", "--static"
        )
        if said.returncode or said.stdout.count('"result": true') != len(self.rig.targets):
            raise SystemExit(f"git.latest failed:\n{said.stdout[-3000:]}\n{said.stderr}")


PEERS = (GitLatest,)
