"""What a command of the warm door need not make: Salt's loaders for its client and for the pillar, made before the fork.

Both hold code and no connection. What they read (the pillar's files, the master's key for whom it counts) is read when they
are used. Each is used once: a process that needs another one makes it.
"""

from __future__ import annotations

from typing import Any

import salt.client
import salt.pillar
import salt.utils.entrypoints
import salt.utils.network
import salt.utils.user

Opts = dict[str, Any]

_CLIENT, _PILLAR = "client", "pillar"
_made: dict[str, Any] = {}
_LIST = "_Pillar__gather_avail"  # what Salt calls it that lists the files of the pillar


def make(opts: Opts, grains: dict[str, Any]) -> None:
    """Make both, and let what pip has installed and the name of this host count as they are now.

    Salt reads the one anew twice a second, and reckons the other whenever it reads its configuration.

    Args:
        grains: of the master's host.
    """
    known = getattr(salt.utils.entrypoints.iter_entry_points, "__wrapped__", None)
    if hasattr(known, "expiration"):
        known.expiration = float("inf")
    # Salt reckons a name for this host whenever it reads the configuration, and starts two processes for that
    name = salt.utils.network.generate_minion_id()
    salt.utils.network.generate_minion_id = lambda: name
    _made[_CLIENT] = salt.client.get_local_client(mopts={**opts})
    _made[_PILLAR] = salt.pillar.Pillar(opts, grains, opts["id"], "base")


def client(opts: Opts) -> Any:
    """A client of the master. It is its own context manager."""
    found = _made.pop(_CLIENT, None)
    if found is None:
        return salt.client.get_local_client(mopts=opts)
    found.opts.update(opts)
    found.salt_user = salt.utils.user.get_specific_user()
    return found


def pillar(opts: Opts, grains: dict[str, Any]) -> Any:
    """What compiles the pillar of the master's own minion id."""
    found = _made.pop(_PILLAR, None)
    if found is None or not hasattr(found, _LIST):
        return salt.pillar.Pillar(opts, grains, opts["id"], "base")
    found.avail = getattr(found, _LIST)()
    return found
