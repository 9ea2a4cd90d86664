"""Who may ask the warm door for what: :func:`check` is the only place that decides it, by what the kernel says of who asks."""

from __future__ import annotations

import os
import pwd
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from saltdeploy.lib import errors
from saltdeploy.master.door.requests import DoorRequest

_CREDENTIALS = struct.Struct("3i")


@dataclass(frozen=True)
class Caller:
    """The process at the other end of the socket, as the kernel knows it."""

    pid: int
    uid: int
    gid: int

    @classmethod
    def of(cls, connection: socket.socket) -> Caller:
        """Who has connected."""
        said = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        return cls(*_CREDENTIALS.unpack(said))

    @property
    def name(self) -> str:
        """The user's name; its number where it has none."""
        return _name(self.uid)


def check(caller: Caller, request: DoorRequest | None = None) -> None:
    """Let a caller in, or refuse.

    Args:
        caller: who asks.
        request: what for; None where that is not read yet: whether they may ask for anything at all.

    Raises:
        NotAllowed: with how one gets the right.
    """
    if caller.uid in (0, os.geteuid()):
        return
    command = f"deploy.{request.function}" if request else "deploy.*"
    allowed = " and ".join(dict.fromkeys(("root", _name(os.geteuid()))))
    raise errors.NotAllowed(
        f"{caller.name} may not use the deploy command of this master; {allowed} may",
        next=f"sudo saltdeploy ..., which takes a rule for {caller.name} in /etc/sudoers.d; or salt-api, where "
        f"external_auth gives {caller.name} the runner {command} (docs/web.md)",
    )


def operator(caller: Caller, environment: Mapping[str, str]) -> str:
    """The name under which a caller's deploys are recorded, as ``salt-run`` would record it.

    Args:
        caller: who asks.
        environment: theirs; only root is believed to have been called by sudo.
    """
    behind = environment.get("SUDO_USER", "")
    return f"sudo_{behind}" if caller.uid == 0 and behind else caller.name


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
