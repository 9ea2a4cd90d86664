"""Peers that are a shell loop over ssh."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from bench.peers.peer import KEPT, Peer
from bench.rig.ssh import Ssh
from bench.rig.ssh import available as ssh_available
from bench.rig.web import Web
from bench.rig.web import available as web_available


class Shell(Peer):
    """Has ssh to all targets: ``$ssh`` in its scripts."""

    @classmethod
    def missing(cls) -> str:
        return super().missing() or ssh_available()

    @contextlib.contextmanager
    def ready(self) -> Iterator[None]:
        self.ssh = self.rig.one(Ssh)
        yield

    def on_targets(self, script: str) -> None:
        """Run a script on all targets at once, with ``$srv`` set."""
        lines = script.strip().replace("'", "'\\''")
        self.everywhere(f"exec ssh -F {self.ssh.config} $h \"srv=$srv; set -e; \"'{lines}'")


class WebShell(Shell):
    """Has a web server on the hub, too."""

    @classmethod
    def missing(cls) -> str:
        return super().missing() or web_available()

    @contextlib.contextmanager
    def ready(self) -> Iterator[None]:
        with super().ready():
            self.web = Web(self.rig, self.place.origin.parent)
            yield


#: A release's directory is its tag with dashes; the link is switched by one rename, and what is too old goes.
SWITCH = f"""
ln -sfn releases/$to $srv/app.new && mv -T $srv/app.new $srv/app
cd $srv/releases && ls -t | tail -n +{KEPT + 1} | xargs -r rm -rf
"""


def directory_of(tag: str) -> str:
    """The name of a release's directory."""
    return tag.replace("/", "-")
