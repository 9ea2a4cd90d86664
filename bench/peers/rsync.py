"""``rsync -a --delete`` over ssh into the live tree of each target, all targets at once."""

from __future__ import annotations

from bench.peers.shells import Shell


class Rsync(Shell):
    """In place: visitors see the tree half-way."""

    name = "rsync"
    source = "https://download.samba.org/pub/rsync/rsync.1"
    programs = ("rsync",)

    def install(self, tag: str) -> None:
        self._push()

    def upgrade(self, tag: str) -> None:
        self._push()

    def rollback(self, tag: str) -> None:
        # that staging holds the older release again is not measured
        self._push()

    def _push(self) -> None:
        self.everywhere(
            f'exec rsync -a --delete -e "ssh -F {self.ssh.config}" {self.place.staging}/ $h:$srv/app/'
        )


PEERS = (Rsync,)
