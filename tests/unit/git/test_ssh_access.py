"""git speaks by ssh with the deploy key of a repo, to a real sshd; nothing of the key stays, whoever is killed."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from saltdeploy.config import origin
from saltdeploy.config.origin import DeployKey
from saltdeploy.git import credentials, ssh_access
from saltdeploy.git.repository import Repository
from saltdeploy.git.ssh_access import SshAccess
from saltdeploy.lib.errors import ConfigError, DeployError, NoPermission, Unavailable

from tests.support import remotes
from tests.support.remotes import Sshd
from tests.support.repositories import Source, tree
from tests.support.serving import until

pytestmark = pytest.mark.component("ssh's daemon, asked by git")

SECRET = "b3BlbnNzaC1rZXktdjE"  # what each key of OpenSSH begins with


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with remotes.sshd(tmp_path_factory.mktemp("sshd") / "ssh") as running:
        yield running


@pytest.fixture(autouse=True)
def a_user_with_an_agent_and_a_configuration_that_would_do(
    server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Nothing of which may be used: each test would pass with it whatever the deploy key is."""
    socket = tmp_path / "agent"
    agent = subprocess.Popen(
        [remotes.program("ssh-agent"), "-D", "-a", str(socket)], stdout=subprocess.DEVNULL
    )
    until(socket.exists)
    environment = {**os.environ, "SSH_AUTH_SOCK": str(socket)}
    add = [remotes.program("ssh-add"), "-q", str(server.place / "deploy_key")]
    subprocess.run(add, check=True, env=environment, stderr=subprocess.DEVNULL)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
    monkeypatch.setenv("GIT_SSH_COMMAND", f"{server.client()}/ssh")
    yield
    agent.terminate()
    agent.wait()


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path / "source.git", tree(a="1"), tree(a="2"))


def url(server: Sshd, source: Source) -> str:
    return f"ssh://127.0.0.1:{server.port}{source.git_dir}"


def key(server: Sshd, name: str = "deploy_key", known: str = "known_hosts") -> DeployKey:
    said = {"key": (server.place / name).read_text(), "known_hosts": (server.place / known).read_text()}
    return origin.deploy_key(said)


@pytest.fixture
def store(server: Sshd, tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "store.git")
    made.ensure()
    made.access = SshAccess("wiki", key(server), tmp_path / "cache" / credentials.KEYS_PLACE)
    return made


def left(store: Repository) -> list[Path]:
    assert store.access is not None
    return sorted(store.access.place.rglob("*"))


def test_a_release_comes_by_the_deploy_key_and_nothing_of_it_stays(
    server: Sshd, source: Source, store: Repository
) -> None:
    assert store.fetch(url(server, source), "v1") == source.tag(1).commit
    assert store.tags(url(server, source)) == ["v0", "v1"]
    assert left(store) == []


def test_a_server_is_found_by_the_short_form_of_a_url_as_well(
    server: Sshd, source: Source, store: Repository
) -> None:
    assert store.access is not None
    with store.access.to(f"git@127.0.0.1:{source.git_dir}") as environment:
        assert "GIT_SSH_COMMAND" in environment
    for other in (
        str(source.git_dir),
        f"file://{source.git_dir}",
        "https://git.example.org/wiki",
        "git://h/x",
    ):
        with store.access.to(other) as environment:
            assert environment == {}


def test_a_key_whose_line_feeds_a_pillar_has_lost_is_a_key(
    server: Sshd, source: Source, store: Repository
) -> None:
    said = (server.place / "deploy_key").read_text().rstrip("\n").replace("\n", "\r\n")
    known = (server.place / "known_hosts").read_text().splitlines()
    told = origin.deploy_key({"key": said, "known_hosts": ["# the forge", *known]})
    assert store.access is not None
    store.access = replace(store.access, key=told)
    store.fetch(url(server, source), "v1")


@pytest.mark.parametrize("place", ["with a space", "50%d", 'a "quote"', "$(touch never)'"])
def test_a_directory_may_be_called_anything(
    server: Sshd, source: Source, store: Repository, tmp_path: Path, place: str
) -> None:
    assert store.access is not None
    store.access = replace(store.access, place=tmp_path / place / credentials.KEYS_PLACE)
    store.fetch(url(server, source), "v1")


def test_while_git_runs_the_key_is_a_file_of_this_user_alone_and_no_argument(
    server: Sshd, source: Source, store: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = tmp_path / "seen"
    spy = tmp_path / "bin"
    spy.mkdir()
    (spy / "ssh").write_text(
        f'#!/bin/sh\n{{ stat -c "%a %u %n" {tmp_path}/cache/.keys {tmp_path}/cache/.keys/* '
        f"{tmp_path}/cache/.keys/*/* > {tmp_path}/modes; ps axww -o args; env; }} > {seen}\n"
        f'exec {remotes.program("ssh")} "$@"\n'
    )
    (spy / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{spy}:{os.environ['PATH']}")
    old = os.umask(0)
    try:
        store.fetch(url(server, source), "v1")
    finally:
        os.umask(old)
    said = seen.read_text()
    kept = [line.split() for line in (tmp_path / "modes").read_text().splitlines()]
    modes = {Path(name).name: (mode, int(owner)) for mode, owner, name in kept}
    assert modes["key"] == modes["known_hosts"] == ("600", os.geteuid())
    assert modes[".keys"] == ("700", os.geteuid())
    assert SECRET not in said
    assert "SSH_AUTH_SOCK=\n" in said


DEAD_ENDS = {
    "a key that the server does not know": ("strange_key", "known_hosts", "does not let the deploy key in", "ssh-ed25519 "),
    "a server that known_hosts does not name": ("deploy_key", "known_to_nobody", "has another key than known_hosts", "ssh-keyscan"),
    "a server with another key than its own": ("deploy_key", "known_wrongly", "has another key than known_hosts", "ssh-keyscan"),
    "a key with a passphrase": ("closed_key", "known_hosts", "has a passphrase", "ssh-keygen"),
    "half a key": ("half_key", "known_hosts", "is damaged", "ssh-keygen -y"),
}  # fmt: skip


@pytest.fixture(scope="module")
def odd_keys(server: Sshd) -> None:
    make = [remotes.program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "a phrase", "-C", "closed"]
    subprocess.run([*make, "-f", str(server.place / "closed_key")], check=True)
    with open(server.place / "authorized_keys", "a") as authorized:
        authorized.write((server.place / "closed_key.pub").read_text())
    lines = (server.place / "deploy_key").read_text().splitlines(keepends=True)
    (server.place / "half_key").write_text("".join([*lines[:2], *lines[-1:]]))
    kind, strange, *_ = (server.place / "strange_key.pub").read_text().split()
    (server.place / "known_wrongly").write_text(f"[127.0.0.1]:{server.port} {kind} {strange}\n")
    (server.place / "known_to_nobody").write_text(f"git.example.org {kind} {strange}\n")


@pytest.mark.parametrize("which", DEAD_ENDS)
@pytest.mark.usefixtures("odd_keys")
def test_what_does_not_fit_is_named_with_what_to_do_and_the_agent_is_not_asked(
    server: Sshd, source: Source, store: Repository, which: str
) -> None:
    name, known, why, act = DEAD_ENDS[which]
    assert store.access is not None
    store.access = replace(store.access, key=key(server, name, known))
    with pytest.raises(Unavailable) as caught:
        store.fetch(url(server, source), "v1", source.tag(1).commit)
    assert why in caught.value.cause
    assert act in caught.value.next
    assert SECRET not in str(caught.value)
    assert left(store) == []
    assert store.kept() == []


# -- whoever dies -------------------------------------------------------------------------------------------

_FETCH = """
import sys
from pathlib import Path
from saltdeploy.config.origin import DeployKey
from saltdeploy.git.repository import Repository
from saltdeploy.git.ssh_access import SshAccess
place, url, key, known = sys.argv[1:]
store = Repository(Path(place, "killed.git"))
store.ensure()
said = DeployKey(Path(key).read_text(), Path(known).read_text())
store.access = SshAccess("wiki", said, Path(place, "cache", ".keys"))
store.fetch(url, "v1")
"""


def test_what_a_killed_process_left_goes_at_the_next_start_and_what_another_uses_stays(
    server: Sshd, source: Source, store: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spy = tmp_path / "bin"
    spy.mkdir()
    (spy / "ssh").write_text("#!/bin/sh\nexec sleep 600\n")
    (spy / "ssh").chmod(0o755)
    path = f"{spy}:{os.environ['PATH']}"
    arguments = [str(tmp_path), url(server, source), str(server.place / "deploy_key")]
    command = [sys.executable, "-c", _FETCH, *arguments, str(server.place / "known_hosts")]
    environment = {**os.environ, "PATH": path, "PYTHONPATH": os.pathsep.join(sys.path)}
    place = tmp_path / "cache" / credentials.KEYS_PLACE
    running = subprocess.Popen(command, env=environment)
    until(lambda: len(list(place.glob("*/known_hosts"))) == 1)
    until(lambda: len(psutil.Process(running.pid).children(recursive=True)) > 0)
    children = psutil.Process(running.pid).children(recursive=True)
    credentials.sweep(tmp_path / "cache")
    assert len(list(place.glob("*/key"))) == 1, "it is still used"
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert len(list(place.glob("*/key"))) == 1
    assert stat.S_IMODE(next(place.glob("*/key")).stat().st_mode) == 0o600
    credentials.sweep(tmp_path / "cache")
    assert list(place.iterdir()) == []
    for child in children:
        child.kill()


def test_where_no_key_was_ever_used_nothing_is_swept_or_made(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    credentials.sweep(cache)
    assert list(cache.iterdir()) == []


def test_a_place_that_others_may_read_is_closed_and_one_that_is_no_directory_is_refused(
    tmp_path: Path,
) -> None:
    place = tmp_path / "open"
    place.mkdir(mode=0o755)
    place.chmod(0o755)
    with ssh_access._room(place) as room:
        assert stat.S_IMODE(place.stat().st_mode) == stat.S_IMODE(room.stat().st_mode) == 0o700
    link = tmp_path / "link"
    link.symlink_to(place)
    with pytest.raises(NoPermission), ssh_access._room(link):
        pass


# -- an address of Salt's SDB -------------------------------------------------------------------------------


@pytest.fixture
def stored(server: Sshd) -> Iterator[DeployKey]:
    yield origin.deploy_key(
        {"key": "sdb://vault/wiki", "known_hosts": (server.place / "known_hosts").read_text()}
    )
    origin.opens(lambda address: None)


def test_a_key_that_the_pillar_names_by_an_address_is_looked_up_when_it_is_used(
    server: Sshd, source: Source, store: Repository, stored: DeployKey
) -> None:
    asked = []

    def look_up(address: str) -> str:
        asked.append(address)
        return (server.place / "deploy_key").read_text()

    origin.opens(look_up)
    assert store.access is not None
    store.access = replace(store.access, key=stored)
    store.tags(str(source.git_dir))
    assert asked == []
    store.tags(url(server, source))
    assert asked == ["sdb://vault/wiki"]


def _raises(address: str) -> str:
    raise RuntimeError(f"{SECRET} at {address}")


@pytest.mark.parametrize(
    "look_up",
    [lambda address: None, lambda address: address, _raises, lambda address: f"{SECRET}, which is no key"],
    ids=["nothing there", "no such profile", "a driver that raises", "no key there"],
)
def test_an_address_at_which_no_key_is_names_itself_and_not_what_is_there(
    server: Sshd, source: Source, store: Repository, stored: DeployKey, look_up: object
) -> None:
    origin.opens(look_up)  # type: ignore[arg-type]
    assert store.access is not None
    store.access = replace(store.access, key=stored)
    with pytest.raises(ConfigError) as caught:
        store.tags(url(server, source))
    shown = DeployError.__str__(caught.value)
    assert "sdb://vault/wiki" in shown
    assert "repo_config:wiki:deploy_key:key" in shown
    assert SECRET not in shown
