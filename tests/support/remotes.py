"""Real servers on the loopback that give repositories and trees: sshd, git's daemon, nginx with git behind it."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.serving import free_port, until

#: Debian puts servers there, and not into everybody's PATH.
_PATH = f"{os.environ['PATH']}:/usr/sbin"


def program(name: str) -> str:
    """The path of a program, which has to be there."""
    found = shutil.which(name, path=_PATH)
    if found is None:
        pytest.fail(f"{name} is not installed. Next: tools/programs --install")
    return found


def git_program(name: str) -> str:
    """The path of a program that comes with git."""
    where = subprocess.run(["git", "--exec-path"], check=True, capture_output=True, text=True)
    return str(Path(where.stdout.strip(), name))


@contextlib.contextmanager
def daemon(command: list[str], port: int, log: Path) -> Iterator[None]:
    """A program that does not leave the foreground, as long as the block runs."""
    with open(log, "ab") as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    try:
        until(lambda: accepts(port) or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        yield
    finally:
        process.terminate()
        process.wait()


def accepts(port: int) -> bool:
    """Whether somebody takes connections there."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
        return True
    return False


@dataclass(frozen=True)
class Sshd:
    """A real sshd that knows one key, and the configuration of a client that has it.

    Attributes:
        place: where all of it lies.
        port: where it listens.
    """

    place: Path
    port: int

    @property
    def name(self) -> str:
        """What the client's configuration calls it."""
        return "deployserver"

    def client(self, *, key: str = "deploy_key", hosts: str = "known_hosts") -> Path:
        """A directory with ``ssh``, which is the real one with a configuration of its own, to stand first in PATH."""
        configuration = self.place / f"config-{key}-{hosts}"
        configuration.write_text(
            f"Host {self.name}\n"
            f"    HostName 127.0.0.1\n    Port {self.port}\n    User {_user()}\n"
            f"    IdentityFile {self.place / key}\n    IdentitiesOnly yes\n    IdentityAgent none\n"
            f"    UserKnownHostsFile {self.place / hosts}\n    GlobalKnownHostsFile /dev/null\n"
            "    PasswordAuthentication no\n    KbdInteractiveAuthentication no\n"
        )
        directory = self.place / f"bin-{key}-{hosts}"
        directory.mkdir(exist_ok=True)
        wrapper = directory / "ssh"
        wrapper.write_text(f'#!/bin/sh\nexec {program("ssh")} -F {configuration} "$@"\n')
        wrapper.chmod(0o755)
        return directory


@contextlib.contextmanager
def sshd(place: Path) -> Iterator[Sshd]:
    """A real sshd for the user who runs the tests."""
    place.mkdir()
    for name in ("host_key", "deploy_key", "strange_key"):
        make = [program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(place / name)]
        subprocess.run(make, check=True)
    server = Sshd(place, free_port())
    shutil.copy(place / "deploy_key.pub", place / "authorized_keys")
    kind, key, _ = (place / "host_key.pub").read_text().split()
    (place / "known_hosts").write_text(f"[127.0.0.1]:{server.port} {kind} {key}\n")
    (place / "known_to_nobody").touch()
    (place / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1:{server.port}\nHostKey {place}/host_key\nPidFile none\n"
        f"AuthorizedKeysFile {place}/authorized_keys\nStrictModes no\nUsePAM no\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # root's sshd takes no other one
    command = [program("sshd"), "-D", "-e", "-f", str(place / "sshd_config")]
    with daemon(command, server.port, place / "sshd.log"):
        yield server


@contextlib.contextmanager
def git_daemon(served: Path) -> Iterator[str]:
    """git's own daemon; the URL of ``served``."""
    port = free_port()
    options = ["--listen=127.0.0.1", f"--port={port}", f"--base-path={served}", "--export-all", "--reuseaddr"]
    command = [git_program("git-daemon"), *options, str(served)]
    with daemon(command, port, served.with_name("git-daemon.log")):
        yield f"git://127.0.0.1:{port}"


@contextlib.contextmanager
def nginx(place: Path, locations: str) -> Iterator[str]:
    """nginx with its files below ``place``; its URL.

    Args:
        locations: what its one server answers, as its configuration says it.
    """
    place.mkdir()
    port = free_port()
    user = "user root;" if os.getuid() == 0 else ""
    (place / "conf").write_text(_NGINX.format(place=place, user=user, port=port, locations=locations))
    command = [program("nginx"), "-p", str(place), "-c", str(place / "conf"), "-e", str(place / "error.log")]
    with daemon(command, port, place / "nginx.log"):
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def nginx_with_git(served: Path, place: Path) -> Iterator[str]:
    """nginx that hands requests to git-http-backend, by fcgiwrap; the URL of ``served``."""
    wrapped = free_port()
    locations = _GIT_BACKEND.format(wrapped=wrapped, backend=git_program("git-http-backend"), served=served)
    fcgiwrap = [program("fcgiwrap"), "-s", f"tcp:127.0.0.1:{wrapped}"]
    with daemon(fcgiwrap, wrapped, served.with_name("fcgiwrap.log")), nginx(place, locations) as url:
        yield url


def _user() -> str:
    return pwd.getpwuid(os.getuid()).pw_name


_NGINX = """
{user}
daemon off;
pid {place}/pid;
worker_processes 1;
events {{}}
http {{
    access_log off;
    client_body_temp_path {place}/body;
    proxy_temp_path {place}/proxy;
    fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi;
    scgi_temp_path {place}/scgi;
    server {{
        listen 127.0.0.1:{port};
        {locations}
    }}
}}
"""

_GIT_BACKEND = """
location / {{
    fastcgi_pass 127.0.0.1:{wrapped};
    fastcgi_param SCRIPT_FILENAME {backend};
    fastcgi_param GIT_PROJECT_ROOT {served};
    fastcgi_param GIT_HTTP_EXPORT_ALL "";
    fastcgi_param GIT_PROTOCOL $http_git_protocol;
    fastcgi_param PATH_INFO $uri;
    fastcgi_param QUERY_STRING $query_string;
    fastcgi_param REQUEST_METHOD $request_method;
    fastcgi_param CONTENT_TYPE $content_type;
    fastcgi_param CONTENT_LENGTH $content_length;
    fastcgi_param HTTP_CONTENT_ENCODING $http_content_encoding;
}}
"""
