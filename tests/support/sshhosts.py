"""Hosts without a minion: a real sshd, a user without any right beside their own, and a roster with several ids for them."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.support.remotes import daemon, program
from tests.support.serving import free_port

_USER = "saltdeploy-test"


@dataclass(frozen=True)
class SshHosts:
    """One machine that is several hosts of a roster.

    Attributes:
        place: keys, the roster and sshd's files.
        port: where sshd listens.
        user: whom it lets in.
        home: of that user.
        ids: of the hosts.
    """

    place: Path
    port: int
    user: str
    home: Path
    ids: tuple[str, ...]
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def setting(self) -> dict[str, Any]:
        """What the master's configuration says at ``deploy_ssh_hosts``."""
        return {
            "roster": "flat",
            "roster_file": str(self.place / "roster"),
            "known_hosts": str(self.place / "known_hosts"),
        }

    def entry(self, name: str, **more: Any) -> dict[str, Any]:
        """What the roster says of a host."""
        known = {"host": "127.0.0.1", "port": self.port, "user": self.user, "priv": str(self.place / "key")}
        return {**known, "minion_opts": {"grains": {"kind": "ssh"}}, **self.more, **more}

    def write_roster(self, **changed: Mapping[str, Any]) -> None:
        """The roster, with other values for some of the hosts."""
        entries = {name: self.entry(name, **changed.get(name, {})) for name in self.ids}
        (self.place / "roster").write_text(json.dumps(entries, indent=1))

    def write_known_hosts(self, key: str = "host_key") -> None:
        """What the master knows of the machine's key; ``stranger`` is another one."""
        kind, public, _ = (self.place / f"{key}.pub").read_text().split()
        (self.place / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {kind} {public}\n")

    def own(self, directory: Path) -> Path:
        """A directory that belongs to the hosts' user."""
        directory.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            shutil.chown(directory, self.user)
        return directory

    def state(self, host: str) -> Path:
        """What a host keeps."""
        return self.home / ".saltdeploy" / "hosts" / host

    def connections(self) -> list[psutil.Process]:
        """sshd's processes, one or two for each connection."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            words = " ".join(process.info["cmdline"] or ())
            if words.startswith("sshd") and self.user in words:
                found.append(process)
        return found

    def cut(self) -> int:
        """Kill every connection, as a cable that is pulled; how many processes that were."""
        found = self.connections()
        for process in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        return len(found)


@contextlib.contextmanager
def ssh_hosts(place: Path, ids: Iterable[str], **more: Any) -> Iterator[SshHosts]:
    """Such a machine, as long as the block runs.

    Args:
        more: what the roster says of every host.
    """
    place.mkdir(parents=True)
    place.chmod(0o755)
    for name in ("host_key", "stranger", "key"):
        make = [program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(place / name)]
        subprocess.run(make, check=True)
    with _user(place) as (user, home):
        hosts = SshHosts(place, free_port(), user, home, tuple(ids), more)
        hosts.write_roster()
        hosts.write_known_hosts()
        shutil.copy(place / "key.pub", place / "authorized_keys")
        (place / "sshd_config").write_text(
            f"ListenAddress 127.0.0.1:{hosts.port}\nHostKey {place}/host_key\nPidFile none\n"
            f"AuthorizedKeysFile {place}/authorized_keys\nStrictModes no\nUsePAM no\nAllowUsers {user}\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\nMaxStartups 100\nMaxSessions 100\n"
            f"SetEnv HOME={home}\n"
        )
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # root's sshd takes no other one
        command = [program("sshd"), "-D", "-e", "-f", str(place / "sshd_config")]
        try:
            with daemon(command, hosts.port, place / "sshd.log"):
                yield hosts
        finally:
            hosts.cut()


@contextlib.contextmanager
def _user(place: Path) -> Iterator[tuple[str, Path]]:
    """A user without rights; whoever runs the tests where that is not root."""
    if os.geteuid() != 0:
        yield pwd.getpwuid(os.getuid()).pw_name, Path.home()
        return
    home = place / "home"
    name = f"{_USER}-{os.getpid()}"
    subprocess.run(["useradd", "--create-home", "--home-dir", home, "--shell", "/bin/bash", name], check=True)
    # a password that nobody has: sshd takes an account for locked that has none
    subprocess.run(["usermod", "--password", "*", name], check=True)
    try:
        yield name, home
    finally:
        for process in psutil.process_iter(["uids"]):  # stages outlive connections
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.info["uids"].effective == pwd.getpwnam(name).pw_uid:
                    process.kill()
        subprocess.run(["userdel", "--force", name], check=False, capture_output=True)
