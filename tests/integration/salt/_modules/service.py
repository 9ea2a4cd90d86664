"""Stands for an init system: Salt's ``service`` module for one real daemon per directory, whose path is its name.

``<name>/location`` is a link to what the daemon reads, ``<name>/pid`` its pid file, and ``<name>/generations`` has a
line for each time that it has read it.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from salt.exceptions import CommandExecutionError

_DAEMON = Path(__file__).resolve().parents[3] / "support" / "daemon.py"


def start(name):
    """
    Start the daemon; an error with what it says when it does not come up.

    CLI Example:

    .. code-block:: bash

        salt web1 service.start /srv/app
    """
    place = Path(name)
    parts = [place / "pid", place / "generations", place / "location", "0"]
    done = subprocess.run([sys.executable, "-S", _DAEMON, *parts], stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise CommandExecutionError(done.stderr.strip())
    return True


def stop(name):
    """
    Stop the daemon.

    CLI Example:

    .. code-block:: bash

        salt web1 service.stop /srv/app
    """
    pid = _pid(name)
    with contextlib.suppress(ProcessLookupError):
        if pid:
            os.kill(pid, signal.SIGKILL)
    while pid and Path("/proc", str(pid)).exists():
        time.sleep(0.01)
    (Path(name) / "pid").unlink(missing_ok=True)
    return True


def restart(name):
    """
    Stop and start the daemon.

    CLI Example:

    .. code-block:: bash

        salt web1 service.restart /srv/app
    """
    return stop(name) and start(name)


def reload(name):
    """
    Let the daemon read its files again.

    CLI Example:

    .. code-block:: bash

        salt web1 service.reload /srv/app
    """
    os.kill(_pid(name), signal.SIGHUP)
    return True


def _pid(name):
    pid = Path(name) / "pid"
    return int(pid.read_text()) if pid.exists() else 0
