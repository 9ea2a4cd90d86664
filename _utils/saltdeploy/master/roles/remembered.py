"""The roles as they were read last, on the master's disk.

For who comes when the pillar cannot be read: a deploy must be stopped then, too, and by nobody who may not. And for the warm
door, which waits for no pillar before it lets somebody in.
"""

from __future__ import annotations

from pathlib import Path

from saltdeploy.config.roles import Roles, of_master
from saltdeploy.lib import durable
from saltdeploy.lib.errors import DamagedFile


class RememberedRoles:
    """Kept in ``roles.json`` of the master's directory for deploys; there is none where no roles are configured.

    Args:
        root: the master's directory for deploys.
    """

    def __init__(self, root: Path) -> None:
        self.path = root / "roles.json"

    def last(self) -> Roles:
        """As they were read last.

        Raises:
            DamagedFile: the file is damaged.
        """
        return durable.read(self.path, of_master, Roles(), after="the next command reads the pillar again")

    def remember(self, roles: Roles) -> None:
        """Keep what was just read; the file is written where that is something else."""
        if not roles:
            self.path.unlink(missing_ok=True)
        elif not self.path.is_file() or self._differs(roles):
            durable.write(self.path, roles.to_wire())

    def _differs(self, roles: Roles) -> bool:
        try:
            return self.last() != roles
        except DamagedFile:
            return True
