"""Where the warm door of a master is, without a reader of YAML: a wrong guess costs the start of salt-run, no more.

Who answers says which configuration it has read; only the master of the configuration that was asked for counts.
"""

from __future__ import annotations

import os
import socket
import stat
import struct

#: The name of the socket in the master's ``sock_dir``.
NAME = "deploy.sock"
_USUAL = "/var/run/salt/master"
_AROUND = " \t\r\n'\","  # JSON is YAML as well
_CREDENTIALS = struct.Struct("3i")


def sockets(config: str) -> list[str]:
    """Paths where the socket may be, the likeliest one first.

    Args:
        config: directory of the master's configuration.
    """
    chosen = os.environ.get("SALTDEPLOY_SOCKET")
    if chosen:
        return [chosen]
    said = _settings(config)
    directories = [*reversed(said["sock_dir"]), _USUAL]
    roots = ["", *reversed(said["root_dir"])]
    return [os.path.join(_below(root, each), NAME) for each in directories for root in roots]


def _below(root: str, directory: str) -> str:
    return os.path.join(root, directory.lstrip("/")) if root else directory


def is_of_the_master(connection: socket.socket, place: str) -> bool:
    """Whether who listens there is root, or owns the directory of the socket, which nobody else may write to."""
    size = _CREDENTIALS.size
    _, user, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    try:
        directory = os.stat(os.path.dirname(place))
    except OSError:
        return False
    writable = directory.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return user == 0 or (user == directory.st_uid and not (writable and not directory.st_mode & stat.S_ISVTX))


def is_same(first: str, second: str) -> bool:
    """Whether two paths lead to one file, also where it may not be looked at."""
    return os.path.realpath(first) == os.path.realpath(second)


def _settings(config: str) -> dict[str, list[str]]:
    """All that the files of a configuration may mean by ``sock_dir`` and ``root_dir``, in the order of the files."""
    below = os.path.join(config, "master.d")
    try:
        names = sorted(name for name in os.listdir(below) if name.endswith(".conf"))
    except OSError:
        names = []
    found: dict[str, list[str]] = {"sock_dir": [], "root_dir": []}
    for path in [os.path.join(config, "master"), *(os.path.join(below, name) for name in names)]:
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                for line in file:
                    name, colon, value = line.partition(":")
                    name = name.strip(_AROUND)
                    if colon and name in found:
                        found[name].append(value.partition(" #")[0].strip(_AROUND))
        except OSError:
            continue
    return found
