"""Hosts of a salt-ssh roster as targets of deploys: who they are, whom an expression matches, their pillar, and the bus that asks them.

Loaded only where the master's configuration has the key ``deploy_ssh_hosts``.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import salt.loader
import salt.pillar
import salt.roster
import salt.utils.minions
from saltdeploy.config import ssh_hosts
from saltdeploy.config.ssh_hosts import SshHost, SshSettings
from saltdeploy.config.targets import SSH_HOSTS as SETTING
from saltdeploy.content.payloads import Payloads
from saltdeploy.lib import errors
from saltdeploy.master.context import Bus
from saltdeploy.master.fleet.ssh import lacking
from saltdeploy.master.fleet.ssh.bus import JoinedBus
from saltdeploy.master.fleet.ssh.connections import SshConnections
from saltdeploy.master.fleet.ssh.conversation import Conversation, Shelf

log = logging.getLogger(__name__)

Opts = dict[str, Any]

#: Where the options of a pillar that is compiled for an ssh host say which one; no option of a user leads there.
COMPILED_FOR = "__deploy_ssh_host"
_OURS = ("deployment_config", "repo_config", "deploy")


def settings(opts: Opts) -> SshSettings:
    """What the master's configuration says of hosts without a minion.

    Raises:
        ConfigError: it is not valid.
    """
    return ssh_hosts.settings(opts[SETTING])


def roster(opts: Opts) -> dict[str, SshHost]:
    """All hosts of the roster.

    Raises:
        ConfigError: an entry is not valid, or the roster cannot be read.
    """
    wanted = settings(opts)
    found: dict[str, Any] = {}
    own = {**opts, **({"roster_file": wanted.roster_file} if wanted.roster_file else {})}
    reader = salt.roster.Roster(own, list(wanted.roster))
    for backend in wanted.roster:
        function = f"{backend}.targets"
        if function not in reader.rosters:
            raise errors.ConfigError(
                f"Salt has no roster {backend!r}",
                path=f"{SETTING}:roster",
                next="name backends of Salt's roster there: flat, ansible, cache, sshconfig, ...",
            )
        try:
            said = reader.rosters[function]("*", "glob")
        except (
            Exception
        ) as error:  # Salt's own, of a file that does not render, and whatever a backend raises
            raise errors.ConfigError(
                f"the roster {backend} cannot be read: {error}",
                path=str(wanted.roster_file),
                next="salt-ssh '*' --roster-file=... test.ping tells more",
            ) from error
        found = {**said, **found}
    default = str(opts.get("ssh_priv") or Path(opts["pki_dir"], "ssh", "salt-ssh.rsa"))
    return {name: ssh_hosts.of_roster(str(name), entry, default) for name, entry in found.items()}


class SshRoster:
    """The hosts of the roster that are no minions, as they are when this is made: who is both is asked as a minion, and once.

    Attributes:
        both: who is in the roster and has a minion too, sorted.
        lacking: what of a repo's pillar these hosts cannot do.
    """

    lacking = staticmethod(lacking.lacking)

    def __init__(self, opts: Opts) -> None:
        self._opts = opts
        found = roster(opts)
        minions = set(salt.utils.minions.CkMinions(opts).check_minions("*", "glob")["minions"])
        self.hosts = {name: host for name, host in found.items() if name not in minions}
        self.both = sorted(found.keys() & minions)

    def matching(self, expression: str, kind: str) -> list[str]:
        """The hosts that match, by their ids and by the grains that the roster gives them; sorted."""
        return sorted(
            name
            for name, host in self.hosts.items()
            if is_match(self._opts, name, host.grains, expression, kind)
        )

    @contextlib.contextmanager
    def joined(self, bus: Bus, root: Path, secret: Callable[[str], str]) -> Iterator[Bus]:
        """The bus with these hosts on it.

        Args:
            root: the master's directory for deploys.
            secret: host to the secret that it signs with.
        """
        for name in self.both:
            log.warning("%s is in the roster and is a minion: it is asked as a minion", name)
        wanted = settings(self._opts)
        connections = SshConnections(wanted, Path(self._opts["sock_dir"]))
        shelf = Shelf(Payloads(root / "payloads").path)
        conversation = Conversation(connections, shelf, threading.Semaphore(wanted.at_once), wanted.connect)
        pillars = _Pillars(self._opts)

        def request(host: SshHost, jid: str, function: str, arguments: list[Any]) -> dict[str, Any]:
            return {
                "host": host.id,
                "job": jid,
                "function": function,
                "arguments": arguments,
                "pillar": pillars.of(host),
                "site": str(host.grains.get("site", "")),
                "secret": secret(host.id),
            }

        try:
            yield JoinedBus(bus, self.hosts, conversation, request)
        finally:
            connections.close()


def is_match(opts: Opts, name: str, grains: Any, expression: str, kind: str) -> bool:
    """Whether one host matches, as a minion with these grains would. A pillar matches no ssh host."""
    if kind.startswith("pillar"):
        return False
    own = {**opts, "id": name, "grains": {**dict(grains), "id": name}, "pillar": {}}
    if kind == "nodegroup":
        kind, expression = "compound", f"N@{expression}"
    matcher = salt.loader.matchers(own)[f"{kind}_match.match"]
    return bool(matcher(expression, opts=own, minion_id=name))


class _Pillars:
    """The pillar of each ssh host, compiled once in a command, as a minion has one for all its jobs."""

    def __init__(self, opts: Opts) -> None:
        self._opts = opts
        self._known: dict[str, dict[str, Any]] = {}

    def of(self, host: SshHost) -> dict[str, Any]:
        """What of it is for the host.

        Raises:
            ConfigError: it does not render.
        """
        if host.id not in self._known:
            self._known[host.id] = self._compiled(host)
        return self._known[host.id]

    def _compiled(self, host: SshHost) -> dict[str, Any]:
        grains = {**host.grains, "id": host.id}
        opts = {**self._opts, COMPILED_FOR: {"name": host.id, "grains": dict(host.grains)}}
        compiled = salt.pillar.Pillar(opts, grains, host.id, "base").compile_pillar()
        if compiled.get("_errors"):
            raise errors.ConfigError(
                "its pillar does not render: " + "; ".join(map(str, compiled["_errors"]))[:1000],
                host=host.id,
                next=f"salt-run pillar.show_pillar {host.id}",
            )
        wanted: dict[str, Any] = json.loads(
            json.dumps({key: compiled[key] for key in _OURS if key in compiled}, default=str)
        )
        for secret in ("swarm", "secret"):  # it takes part in no swarm, and the request itself has its secret
            (wanted.get("deploy") or {}).pop(secret, None)
        return wanted
