"""Which processes of Salt end with what they were started for, and which live on."""

from __future__ import annotations

from collections.abc import Mapping

_COMMANDS = ("salt-run", "salt-call")


def is_daemon(opts: Mapping[str, object]) -> bool:
    """Whether this process may live on when the package is replaced: any that is not a command.

    Args:
        opts: the configuration that Salt gives a door.
    """
    return not any(command in str(opts.get("__cli")).replace("_", "-") for command in _COMMANDS)
