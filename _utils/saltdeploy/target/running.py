"""Whether what runs is what is live: the processes of a repo's services against the moment of the last switch.

A process that a restart should have ended, and that is older than the switch, runs the release from before. Where only
a reload or a signal makes a service take up a release, its process stays by design, and nothing is concluded.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil

from saltdeploy import bounded
from saltdeploy.policy import Restart
from saltdeploy.target import services
from saltdeploy.wording import utc

_RELOADS = ("reload",)
_WITHIN = 10.0  # seconds for systemd to answer


def stale(restart: Restart, location: Path) -> str:
    """Why something else may run than what is live; "" where nothing speaks for it.

    Args:
        restart: what the repo restarts.
        location: the live path. Only a link tells when it was switched.
    """
    replaced = [service.name for service in restart.services if service.action not in _RELOADS]
    if not location.is_symlink() or not (replaced or restart.command):
        return ""
    switched = os.lstat(location).st_mtime
    for what, pid in (*_main_pids(replaced), *_listeners(restart.ports)):
        with contextlib.suppress(psutil.Error):  # it has ended in this moment, or is not ours to look into
            process = psutil.Process(pid)
            since = process.create_time()
            if since + services.SLACK < switched:
                name, began, then = process.name(), utc(since), utc(switched)
                return f"{what}: pid {pid} ({name}) has run since {began}, and the switch was at {then}"
    return ""


def _main_pids(names: list[str]) -> Iterator[tuple[str, int]]:
    """The main process of each service that systemd knows."""
    if not names or shutil.which("systemctl") is None:
        return
    for name in names:
        with contextlib.suppress(OSError, bounded.Overran):
            pid, _ = services.main_pid(name, _WITHIN)
            if pid:
                yield f"service {name}", pid


def _listeners(ports: tuple[int, ...]) -> Iterator[tuple[str, int]]:
    """Who listens on each port, as far as this user may know."""
    if not ports:
        return
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            is_ours = connection.status == psutil.CONN_LISTEN and connection.laddr.port in ports
            if is_ours and connection.pid:
                yield f"port {connection.laddr.port}", connection.pid
