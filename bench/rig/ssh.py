"""A real sshd on each target, and an ``ssh`` on the hub that knows the way and keeps its connections."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from bench.rig.host import Host
from bench.rig.rig import Rig

PORT = 2222
_PATIENCE = 30.0


class Ssh:
    """Starts the daemons.

    Attributes:
        config: for ``ssh -F``; connections are shared and kept, as the manuals of rsync's and git's users advise.
        key: the operator's private key.
    """

    def __init__(self, rig: Rig) -> None:
        self.config, self.key = rig.hub.state / "ssh", rig.hub.state / "key"
        _keygen(self.key)
        self.config.write_text(self._client(rig))
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # sshd refuses to start without
        for host in rig.targets:
            _keygen(host.state / "key")
            (host.state / "sshd").write_text(_daemon(host, self.key.with_suffix(".pub")))
            host.launch("/usr/sbin/sshd", "-D", "-f", host.state / "sshd")
        for host in rig.targets:
            self._await(rig, host)

    def _client(self, rig: Rig) -> str:
        lines = [f"Host {host.name}\n HostName {host.address}" for host in rig.targets]
        lines += [
            f"Host *\n Port {PORT}\n IdentityFile {self.key}\n IdentitiesOnly yes",
            " StrictHostKeyChecking no\n UserKnownHostsFile /dev/null\n LogLevel ERROR",
            f" ControlMaster auto\n ControlPersist 900\n ControlPath {rig.hub.state}/c-%n",
        ]
        return "\n".join(lines) + "\n"

    def _await(self, rig: Rig, host: Host) -> None:
        deadline = time.monotonic() + _PATIENCE
        while True:
            said = rig.hub.run("ssh", "-F", self.config, host.name, "true", check=False)
            if said.returncode == 0:
                return
            if time.monotonic() > deadline:
                raise SystemExit(f"sshd of {host.name}: {(host.state / 'out').read_text()}")
            time.sleep(0.1)


def available() -> str:
    """Why there is no ssh here; empty if there is."""
    missing = [each for each in ("/usr/sbin/sshd", "/usr/bin/ssh") if not Path(each).exists()]
    return f"no {missing[0]}" if missing else ""


def _keygen(file: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file], check=True)


def _daemon(host: Host, authorized: Path) -> str:
    return f"""ListenAddress {host.address}:{PORT}
HostKey {host.state}/key
AuthorizedKeysFile {authorized}
PidFile none
PermitRootLogin yes
StrictModes no
UsePAM no
UseDNS no
MaxStartups 200
MaxSessions 200
Subsystem sftp internal-sftp
"""
