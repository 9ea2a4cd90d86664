"""A directory for each release, made as a farm of hard links to the one before, then rsync; the switch is one rename."""

from __future__ import annotations

from bench.peers.peer import NEW_DIRECTORY
from bench.peers.shells import SWITCH, Shell, directory_of


class Links(Shell):
    """``cp -al`` of the live release, rsync into the copy, switch."""

    name = "hardlinks"
    source = "https://www.gnu.org/software/coreutils/manual/html_node/cp-invocation.html"
    programs = ("rsync",)
    way = NEW_DIRECTORY

    def install(self, tag: str) -> None:
        self.on_targets("mkdir -p $srv/releases")
        self._bring(tag)

    def upgrade(self, tag: str) -> None:
        to = directory_of(tag)
        self.on_targets(f"cd $srv/releases; test -d {to} || cp -al $srv/app/. {to}")
        self._bring(tag)

    def rollback(self, tag: str) -> None:
        self.on_targets(f"to={directory_of(tag)}; touch $srv/releases/$to; {SWITCH}")

    def _bring(self, tag: str) -> None:
        # rsync writes a changed file aside and renames it, so that the older release keeps its own
        to = directory_of(tag)
        rsync = f'rsync -a --delete -e "ssh -F {self.ssh.config}"'
        self.everywhere(f"exec {rsync} {self.place.staging}/ $h:$srv/releases/{to}/")
        self.on_targets(f"to={to}; touch $srv/releases/$to; {SWITCH}")


PEERS = (Links,)
