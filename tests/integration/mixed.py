"""A fleet of minions and of hosts without one: the tests' own master, told of a roster in a configuration of its own."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from saltdeploy.config.targets import SSH_HOSTS as SETTING

from tests.integration.fleet import Fleet, Run, wait_for
from tests.support.sshhosts import SshHosts

#: Of a pillar: waits as long as a file is there, and says that it does.
HOLD = ["sh", "-c", "touch DISK/reached; while [ -e DISK/shut ]; do sleep 0.05; done"]
#: The same where it is run for the second time.
HOLD_LATER = ["sh", "-c", f"[ -e DISK/once ] || {{ touch DISK/once; exit 0; }}; {HOLD[2]}"]


class MixedFleet(Fleet):
    """The fleet with hosts of a roster: commands of this one know of them, all others of the same master do not.

    Args:
        fleet: runs.
        machine: is the hosts of the roster.
    """

    def __init__(self, fleet: Fleet, machine: SshHosts) -> None:
        self.__dict__.update(copy.copy(fleet).__dict__)
        self.machine = machine
        self.opts = {**fleet.opts, SETTING: machine.setting}
        self._directory = machine.place / "config"
        self._directory.mkdir(exist_ok=True)
        text = Path(fleet.opts["conf_file"]).read_text()
        setting = json.dumps({SETTING: machine.setting})[1:-1]
        (self._directory / "master").write_text(f"{text}\n{setting}\n")
        self._usual = str(Path(fleet.opts["conf_file"]).parent)

    def command(self, *arguments: str, **named: Any) -> list[str]:
        """The command line of ``salt-run``, with that configuration."""
        words = super().command(*arguments, **named)
        return [word.replace(self._usual, str(self._directory)) for word in words]

    def disk(self, host: str) -> Path:
        """A host's own disk."""
        return self.machine.place.parent / "disks" / host

    @contextlib.contextmanager
    def held(self, *hosts: str) -> Iterator[None]:
        """In the block what is begun waits at :data:`HOLD` on these hosts."""
        for host in hosts:
            (self.disk(host) / "reached").unlink(missing_ok=True)
            (self.disk(host) / "shut").touch()
        try:
            yield
        finally:
            for host in hosts:
                (self.disk(host) / "shut").unlink()

    def wait_until_held(self, *hosts: str) -> None:
        """Until they have come there."""
        for host in hosts:
            wait_for((self.disk(host) / "reached").exists)

    @contextlib.contextmanager
    def cut_while_held(self, *hosts: str) -> Iterator[None]:
        """What is begun in the block waits; then the connections of these hosts are cut, and they go on."""
        with self.held(*hosts):
            yield
            self.wait_until_held(*hosts)
            assert self.machine.cut()

    def ended(self, run: Run) -> tuple[int, str]:
        """How a deploy ended: exit status, and the word."""
        return run.status, run.data.get("outcome", str(run.data))
