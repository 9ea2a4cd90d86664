"""Who is let in at the warm door besides root: who has a role. What they may do there, the runner decides.

Nothing here waits: neither the pillar nor a directory service is asked when somebody knocks.
"""

from __future__ import annotations

import contextlib
import grp
import logging
import os
from pathlib import Path
from typing import Any

from saltdeploy.config.roles import Roles, of_master
from saltdeploy.config.values import Wrong
from saltdeploy.lib import errors
from saltdeploy.master.door.rights import Caller
from saltdeploy.master.roles.remembered import RememberedRoles

log = logging.getLogger(__name__)


class Admission:
    """The names and groups of everybody who has a role, as it is known now.

    Args:
        root: the master's directory for deploys, where roles are remembered.
        setting: what the master's configuration has at ``deploy_roles``.
    """

    def __init__(self, root: Path, setting: Any) -> None:
        self._remembered = RememberedRoles(root)
        self._setting = _valid(setting)
        self._read_as: tuple[int, int, int] | None = (-1, -1, -1)
        self._names: frozenset[str] = frozenset()
        self._gids: frozenset[int] = frozenset()

    def admits(self, caller: Caller) -> bool:
        """Whether a caller has any role."""
        self._read()
        return bool(self._gids & set(caller.gids)) or caller.name in self._names

    def _read(self) -> None:
        now = self._version()
        if now == self._read_as:
            return
        self._read_as = now
        holders = set(self._setting.all())
        try:
            holders |= self._remembered.last().all()
        except (errors.DeployError, OSError) as error:
            log.warning("The warm door lets nobody in for their role: %s", error)
        self._names = frozenset(each for each in holders if ":" not in each and not each.startswith("%"))
        self._gids = frozenset(_gids({each[1:] for each in holders if each.startswith("%")}))

    def _version(self) -> tuple[int, int, int] | None:
        try:
            found = os.stat(self._remembered.path)
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size


def _gids(names: set[str]) -> set[int]:
    found = set()
    for name in names:
        with contextlib.suppress(KeyError):
            found.add(grp.getgrnam(name).gr_gid)
    return found


def _valid(setting: Any) -> Roles:
    try:
        return of_master(setting) if setting else Roles()
    except Wrong as error:
        log.warning("deploy_roles of the master's configuration is not valid: %s", error)
        return Roles()
