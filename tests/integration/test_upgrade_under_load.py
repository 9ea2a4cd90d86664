"""A fleet takes the next version by ``saltutil.sync_all`` while it deploys, and nothing is restarted.

Salt copies modules, states and grains before the package, file by file; jobs start meanwhile.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from saltdeploy.lib.errors import DeployError
from saltdeploy.master.fleet.no_answers import is_of_a_sync

from tests.integration.factories import Factories
from tests.integration.fleet import HERE, Fleet
from tests.integration.pillar import Pillar
from tests.integration.repo import TAGS, Releases, Repo, converged
from tests.support.installed import copy_doors
from tests.support.old_version import NEW, OLD, extract, put
from tests.support.repositories import tree

HOSTS = ("web1", "web2")


class Synced:
    """A fleet whose versions come from its master's file server."""

    def __init__(self, fleet: Fleet, pillar: Pillar, releases: Releases, directory: Path) -> None:
        self.fleet = fleet
        self._pillar = pillar
        self._releases = releases
        self._directory = directory

    def offer(self, version: str) -> None:
        """Let the file server have a version."""
        put(self._directory / "offered", self._directory / version)

    def sync_master(self) -> None:
        """``salt-run saltutil.sync_all``"""
        assert self.fleet.salt_run("saltutil.sync_all").status == 0

    def sync(self, form: str = "all") -> None:
        """``salt '*' saltutil.sync_<form>``, on one host after the other."""
        for host in self.fleet.hosts:
            self.fleet.salt(host, f"saltutil.sync_{form}")

    def repo(self, name: str, **keys: Any) -> Repo:
        self._pillar.add(name, keys)
        return Repo(name, self.fleet, self._pillar, self._releases)


@pytest.fixture(scope="module")
def synced(
    factories: Factories, short_directory: Path, checkout: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Synced]:
    place = short_directory / "synced"
    place.mkdir()
    pillar = Pillar(place / "pillar", place / "disks", server="")
    extract(checkout, place / OLD)
    copy_doors(checkout, place / NEW)
    put(place / "offered", place / OLD)
    fleet = Fleet(
        Factories.like(factories, root_dir=place),
        place,
        HOSTS,
        master={
            "file_roots": {"base": [str(place / "offered")]},
            "pillar_roots": {"base": [str(HERE / "salt" / "pillar"), str(pillar.directory)]},
            "fileserver_list_cache_time": 0,  # else who syncs twice within 20 seconds gets the list of the first time
        },
        minion={"module_dirs": [str(HERE / "salt")]},
    )
    trees = [tree(VERSION=tag, **{f"file{number}": "the same" for number in range(20)}) for tag in TAGS]
    synced = Synced(fleet, pillar, Releases(tmp_path_factory.mktemp("synced") / "releases.git", trees), place)
    synced.sync_master()  # of a master that is not up yet: it loads its file server when it starts
    with fleet.running():
        synced.sync()
        yield synced


class Deploys:
    """Deploys one release after the other, until it is told that it is enough; keeps what each ``salt-run`` said."""

    def __init__(self, repo: Repo) -> None:
        self._repo = repo
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._go)
        self.said: list[tuple[str, str, dict[str, str]]] = []

    def __enter__(self) -> Deploys:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._thread.join()

    def _go(self) -> None:
        for tag in itertools.cycle(TAGS[1:3]):
            process = self._repo.fleet.begin("deploy.sync", repo=self._repo.name, tag=tag)
            said, err = process.communicate()
            self.said.append((tag, said + err, self._repo.on_disk()))
            if self._enough.is_set():
                return


def truth(tag: str, said: str, before: dict[str, str], after: dict[str, str]) -> str:
    """The word by which a deploy told what it did; "" where it did not."""
    if "CONVERGED" in said and set(after.values()) == {tag}:
        return "CONVERGED"
    named = is_of_a_sync(DeployError(said.replace("\\n", " ")))
    if named and after == before and ("HELD" in said or "CONVERGED" not in said and "MIXED" not in said):
        return "refused by name"
    return ""


def test_each_deploy_during_a_sync_converges_or_names_the_sync_and_changes_nothing(synced: Synced) -> None:
    repo = synced.repo("loaded")
    synced.sync("modules")
    for host in HOSTS:
        synced.fleet.salt(host, "saltutil.refresh_pillar", wait=True)
    converged(synced.fleet.salt_run("deploy.sync", repo=repo.name, tag="v0"))
    with Deploys(repo) as deploys:
        synced.offer(NEW)
        synced.sync_master()
        synced.sync()
    found, before = [], repo.everywhere("v0")
    for tag, said, after in deploys.said:
        found.append((truth(tag, said, before, after), said))
        before = after
    print(json.dumps(found, indent=1))
    assert [said for word, said in found if not word] == []
    assert found[-1][0] == "CONVERGED"
