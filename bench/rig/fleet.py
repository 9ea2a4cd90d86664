"""A Salt master on the hub, or on another host, and a minion on each target."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from bench import CHECKOUT
from bench.rig.host import Host
from bench.rig.rig import Rig
from demo.fleet import Fleet


@contextlib.contextmanager
def fleet(
    rig: Rig,
    repos: dict[str, Any],
    deployment: dict[str, Any] | None = None,
    *,
    hub: Host | None = None,
    minions: Collection[Host] | None = None,
    **settings: dict[str, Any],
) -> Iterator[Fleet]:
    """Start Salt on the rig.

    Args:
        rig: where.
        repos: ``repo_config`` of the pillar; ``{{ srv }}`` in it is the target's ``/srv``.
        deployment: ``deployment_config`` of the pillar.
        hub: the host of the master, if it is not the rig's; for several masters on one rig.
        minions: the targets that get a minion, if not all do.
        settings: more for the configuration of ``master`` and ``minion``.
    """
    hub = hub or rig.hub
    names = {"master": hub, **{host.name: host for host in rig.targets}}
    # the pillar is rendered with the master's options; on hosts apart /srv is the same path on each
    own = {"disks": "" if rig.isolated else str(rig.directory / "disks")}
    master = {"interface": hub.address, "timeout": 60, "bench": own, **settings.get("master", {})}
    values = {"repo_config": repos, "deployment_config": deployment or {}}
    salt = Fleet(
        rig.directory / f"salt-{hub.name}",
        CHECKOUT,
        [host.name for host in (rig.targets if minions is None else minions)],
        pillar=_pillar(rig.directory / f"pillar-{hub.name}", values),
        master=master,
        minion={"master": hub.address, **settings.get("minion", {})},
        enter=lambda name: names[name].enter,
    )
    with salt:
        daemons = {hub.name: salt.master_pid, **salt.minion_pids}
        for name, pid in daemons.items():
            rig.host(name).roots.append(pid)
        yield salt


def _pillar(place: Path, values: dict[str, Any]) -> Path:
    """The directory of a pillar with these values, for all minions."""
    place.mkdir()
    (place / "top.sls").write_text("base: {'*': [repos]}\n")
    head = "{% set disks = opts.get('bench', {}).get('disks', '') %}\n"
    head += "{% set srv = disks ~ '/' ~ opts.id if disks else '/srv' %}\n"
    (place / "repos.sls").write_text(head + json.dumps(values, indent=1))
    return place
