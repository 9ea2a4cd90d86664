"""S66: master and hosts read a repository by ssh with the deploy key of the repo, and no trace of it stays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import VAULT
from tests.integration.repo import Repo
from tests.support import remotes
from tests.support.remotes import Sshd


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with remotes.sshd(tmp_path_factory.mktemp("sshd") / "ssh") as running:
        yield running


@pytest.fixture
def by_ssh(repo: Repo, server: Sshd, short_directory: Path) -> Repo:
    """The repo, which master and hosts have by ssh alone; the key is in Salt's SDB."""
    vault = short_directory / VAULT
    vault.touch(0o600)
    vault.write_text(json.dumps({"wiki": (server.place / "deploy_key").read_text()}))
    change(repo, server, "sdb://vault/wiki")
    return repo


def change(repo: Repo, server: Sshd, key: str, known: str = "known_hosts", **keys: Any) -> None:
    url = f"ssh://127.0.0.1:{server.port}{repo.git_dir}"
    said = {"key": key, "known_hosts": (server.place / known).read_text()}
    repo.configure(source=url, url=url, deploy_key=said, **keys)
    for host in repo.hosts:
        assert repo.fleet.salt(host, "saltutil.refresh_pillar", wait=True).data is True


def where(text: str, *places: Path) -> list[str]:
    """The files in which it stands."""
    found = (
        path for place in places for path in place.rglob("*") if path.is_file() and not path.is_symlink()
    )
    return [str(path) for path in found if text.encode() in path.read_bytes()]


@pytest.mark.repo(transport="git")
def test_a_release_comes_by_ssh_to_the_master_and_to_hosts_and_nothing_tells_the_key(
    by_ssh: Repo, server: Sshd
) -> None:
    repo, fleet = by_ssh, by_ssh.fleet
    secret = (server.place / "deploy_key").read_text().splitlines()[3]
    with fleet.bus() as bus:
        for tag in ("v0", "v3"):
            repo.has(tag)
        told = bus.until(lambda tag, data: tag.endswith("/finished") and data.get("tag") == "v3")
    shown = repo.call("web1", "get_config").data
    assert shown["deploy_key"] == "(not shown)"
    assert secret not in json.dumps([str(told), shown])
    caches = [fleet.root, *(Path(fleet.minion_opts(host)["cachedir"]) for host in repo.hosts)]
    logs = [Path(fleet.opts["log_file"]), *(Path(fleet.minion_opts(host)["log_file"]) for host in repo.hosts)]
    assert where(secret, *caches, *(log.parent for log in logs)) == []
    assert [key for cache in caches for key in cache.glob("**/.keys/*")] == []
    change(repo, server, "sdb://vault/nothing")
    refused = repo.sync("v1")
    assert refused.data["error"]["kind"] == "config", refused
    assert "sdb://vault/nothing" in refused.data["error"]["cause"]


@pytest.mark.repo(transport="git")
def test_a_key_that_hosts_have_and_the_server_does_not_leaves_everything_as_it_is(
    by_ssh: Repo, server: Sshd
) -> None:
    repo = by_ssh
    repo.has("v0")
    strange = (server.place / "strange_key").read_text()
    change(repo, server, strange)
    repo.configure(source=str(repo.git_dir))
    done = repo.sync("v3")
    assert (done.status, done.data["outcome"]) == (1, "HELD"), done
    for host in done.data["hosts"].values():
        assert "does not let the deploy key in" in host["error"]["cause"]
        assert "ssh-ed25519 AAAA" in host["error"]["next"]
    assert repo.on_disk() == repo.everywhere("v0")
    told = (path.read_bytes() for path in (repo.fleet.root / "journal" / repo.name).iterdir())
    assert strange.splitlines()[3].encode() not in b"".join(told)
