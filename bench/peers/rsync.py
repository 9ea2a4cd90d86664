"""``rsync -a --delete`` into the live tree of each target, all targets at once; over ssh, and to a daemon of rsync's."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from bench.peers.shells import Shell
from bench.rig.host import Host

_PORT = 8730
_AWAIT = f"""
for try in $(seq 300); do rsync rsync://$a:{_PORT}/ >/dev/null 2>&1 && exit; sleep 0.1; done
echo "no rsync daemon answers on $h"; exit 1
"""


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
        self.everywhere(f"exec rsync -a --delete {self._where}")

    @property
    def _where(self) -> str:
        return f'-e "ssh -F {self.ssh.config}" {self.place.staging}/ $h:$srv/app/'


class RsyncDaemon(Rsync):
    """Without ssh: nothing is encrypted, and anybody in the network could write."""

    name = "rsync-daemon"
    source = "https://download.samba.org/pub/rsync/rsyncd.conf.5"

    @contextlib.contextmanager
    def ready(self) -> Iterator[None]:
        with super().ready():
            for host in self.rig.targets:
                configuration = host.state / "rsyncd.conf"
                configuration.write_text(self._configuration(host))
                words = ["--daemon", "--no-detach", f"--config={configuration}", f"--port={_PORT}"]
                host.launch("rsync", *words)
            self.everywhere(_AWAIT)
            yield

    def _configuration(self, host: Host) -> str:
        own = f"address = {host.address}\nuse chroot = no\nuid = 0\ngid = 0\nlog file = {host.state}/rsyncd.log\n"
        return f"{own}[srv]\npath = {self.srv(host)}\nread only = no\n"

    @property
    def _where(self) -> str:
        return f"{self.place.staging}/ rsync://$a:{_PORT}/srv/app/"


PEERS = (Rsync, RsyncDaemon)
