"""Who may ask the warm door for what: :func:`check` is the only place that decides it, by what the kernel says of who asks."""

from __future__ import annotations

import array
import os
import pwd
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from saltdeploy.lib import errors
from saltdeploy.master.door.requests import DoorRequest

_CREDENTIALS = struct.Struct("3i")
_PEERGROUPS = getattr(socket, "SO_PEERGROUPS", 59)  # Linux 4.13; Python does not name it
_MOST_GROUPS = 256  # Python reads no more bytes of an option; who is in more has those of their first one


@dataclass(frozen=True)
class Caller:
    """The process at the other end of the socket, as the kernel knows it."""

    pid: int
    uid: int
    gid: int
    groups: tuple[int, ...] = ()

    @classmethod
    def of(cls, connection: socket.socket) -> Caller:
        """Who has connected."""
        said = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, uid, gid = _CREDENTIALS.unpack(said)
        return cls(pid, uid, gid, _groups(connection))

    @property
    def gids(self) -> tuple[int, ...]:
        """All its groups."""
        return self.gid, *self.groups

    @property
    def name(self) -> str:
        """The user's name; its number where it has none."""
        return _name(self.uid)


def nobody_else(caller: Caller) -> bool:
    """Who is let in besides root where no roles are configured."""
    return False


def check(
    caller: Caller, request: DoorRequest | None = None, admits: Callable[[Caller], bool] = nobody_else
) -> None:
    """Let a caller in, or refuse. What those with a role may do, the runner decides.

    Args:
        caller: who asks.
        request: what for; None where that is not read yet: whether they may ask for anything at all.
        admits: whether a caller has a role.

    Raises:
        NotAllowed: with how one gets the right.
    """
    if caller.uid in (0, os.geteuid()) or admits(caller):
        return
    command = f"deploy.{request.function}" if request else "deploy.*"
    allowed = " and ".join(dict.fromkeys(("root", _name(os.geteuid()))))
    raise errors.NotAllowed(
        f"{caller.name} may not use the deploy command of this master; {allowed} may",
        next=f"sudo saltdeploy ..., which takes a rule for {caller.name} in /etc/sudoers.d; or salt-api, where "
        f"external_auth gives {caller.name} the runner {command} (docs/web.md); or a role (docs/roles.md)",
    )


def operator(caller: Caller, environment: Mapping[str, str]) -> str:
    """The name under which a caller's deploys are recorded, as ``salt-run`` would record it.

    Args:
        caller: who asks.
        environment: theirs; only root is believed to have been called by sudo.
    """
    behind = environment.get("SUDO_USER", "")
    return f"sudo_{behind}" if caller.uid == 0 and behind else caller.name


def _groups(connection: socket.socket) -> tuple[int, ...]:
    """The groups of who has connected besides the first one, as the kernel knows them."""
    number = array.array("I")
    try:
        said = connection.getsockopt(socket.SOL_SOCKET, _PEERGROUPS, _MOST_GROUPS * number.itemsize)
    except OSError:
        return ()
    number.frombytes(said)
    return tuple(number)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
