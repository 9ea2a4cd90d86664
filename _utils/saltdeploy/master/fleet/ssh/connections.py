"""How OpenSSH's client is started: one connection to each host for as long as a command lasts, and nothing that could ask.

Options stand in front of whatever ``ssh_config`` says, which may still name a jump host. A host whose key is not known is
refused: nobody is there to look at it.
"""

from __future__ import annotations

import contextlib
import shlex
import shutil
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from saltdeploy.config.ssh_hosts import SshHost, SshSettings
from saltdeploy.lib import process
from saltdeploy.lib.text import legible
from saltdeploy.master.fleet.ssh import archives

#: The socket of a connection: ssh adds 18 characters to the name while it makes it, and the kernel takes 107.
_LONGEST_DIRECTORY = 107 - 18 - 41
_LINGERS = 60  # seconds that a connection stays when this process is killed
_CLOSING = 5.0  # seconds
_MOST_SAID = 1000  # bytes of what ssh says when it fails

_REFUSES_KEY = "Host key verification failed"  # OpenSSH's words, behind a page of others
_WRONG_KEY = "the host key that it shows is not the one in known_hosts, so nothing was said to it"

_ALWAYS = {
    "BatchMode": "yes",
    "StrictHostKeyChecking": "yes",
    "UpdateHostKeys": "no",
    "IdentitiesOnly": "yes",
    "IdentityAgent": "none",
    "PasswordAuthentication": "no",
    "KbdInteractiveAuthentication": "no",
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "ClearAllForwardings": "yes",
    "PermitLocalCommand": "no",
    "Tunnel": "no",
    "ServerAliveInterval": "5",
    "ServerAliveCountMax": "3",
    "ControlMaster": "auto",
    "ControlPersist": str(_LINGERS),
}


@dataclass(frozen=True)
class Started:
    """A client that runs.

    Attributes:
        process: with pipes for input and output.
        errors: the file that its errors go to.
    """

    process: subprocess.Popen[bytes]
    errors: IO[bytes]

    def why(self) -> str:
        """The last that ssh or the host's shell has said."""
        self.errors.seek(0)
        lines = self.errors.read()[-_MOST_SAID:].decode(errors="replace").split("\n")
        said = legible(" ".join(line.strip() for line in lines if line.strip()))
        return _WRONG_KEY if _REFUSES_KEY in said else said


class SshConnections:
    """See the module.

    Args:
        near: where sockets are to lie, if its path is short enough.
    """

    def __init__(self, settings: SshSettings, near: Path) -> None:
        self._settings = settings
        fits = len(str(near)) + 13 < _LONGEST_DIRECTORY and near.is_dir()
        self._directory = Path(tempfile.mkdtemp(prefix="ssh-", dir=near if fits else None))
        self._used: dict[str, SshHost] = {}
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()

    def start(self, host: SshHost) -> Started:
        """Start what answers one request on a host; the caller ends it by :meth:`end`.

        Raises:
            OSError: there is no ssh.
        """
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by end()
        with self._lock:
            self._used[host.id] = host
            running = process.start(
                [*self._ssh(host), "--", host.address, self._program(host)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
            self._running.add(running)
        return Started(running, errors)

    def end(self, started: Started) -> None:
        """Let go of what :meth:`start` has started."""
        with self._lock:
            self._running.discard(started.process)
        process.kill(started.process)
        started.process.wait()
        for stream in (started.process.stdin, started.process.stdout, started.errors):
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.close()

    def close(self) -> None:
        """End every connection. What a host has begun goes on there."""
        with self._lock:
            running, used = list(self._running), list(self._used.values())
        for each in running:
            process.kill(each)
        for host in used:
            with contextlib.suppress(OSError, process.Overran):
                process.run([*self._ssh(host), "-O", "exit", "--", host.address], _CLOSING)
        shutil.rmtree(self._directory, ignore_errors=True)

    def _ssh(self, host: SshHost) -> list[str]:
        options = {
            **_ALWAYS,
            "ConnectTimeout": str(max(1, round(self._settings.connect))),
            "ControlPath": f"{self._directory}/%C",
        }
        if self._settings.known_hosts:
            options |= {"UserKnownHostsFile": self._settings.known_hosts, "GlobalKnownHostsFile": "/dev/null"}
        words = ["ssh", "-T", "-x", "-a", "-p", str(host.port), "-l", host.user]
        words += ["-i", host.key] if host.key else []
        return [*words, *(f"-o{key}={value}" for key, value in options.items())]

    def _program(self, host: SshHost) -> str:
        """The one command, as the shell of the host's user reads it."""
        if host.sudo:
            return f"exec sudo -n -- {shlex.quote(self._settings.command)}"
        return f"exec python3 -I -c {shlex.quote(archives.receiver())}"
