"""``saltutil.sync_all`` replaces the package under processes that run, step by step and with jobs meanwhile."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import salt.client

from tests.integration.factories import Factories
from tests.integration.fleet import HERE, Fleet
from tests.integration.pillar import Pillar
from tests.integration.repo import Releases, Repo, converged
from tests.integration.rollouts import detached
from tests.support import sync_by_steps
from tests.support.installed import copy_doors
from tests.support.old_version import NEW, OLD, extract, put

NAME = "catch_up"  # also of the SLS that wants it pinned
#: minion id to ``clean_dynamic_modules``: whether files that are no more are deleted
CLEANS = {"web1": True, "web2": False}
#: in the order of Salt; between two lists jobs are started
ON_THE_MASTER = (
    ("modules", "states", "grains", "output", "runners"),
    ("engines", "pillar"),
    ("utils",),
    ("fileserver",),
)
ON_MINIONS = ("modules", "states", "grains", "output", "utils")


class Site:
    """A fleet that has synced the old version, and a repo for all of its hosts.

    Attributes:
        refused: what jobs said that could not work.
    """

    def __init__(self, repo: Repo, link: Path) -> None:
        self.repo = repo
        self.fleet = repo.fleet
        self.refused: list[str] = []
        self._link = link

    def offer(self, version: str) -> None:
        """Let file_roots hold this version."""
        put(self._link, self._link.parent / version)

    def everywhere(self, function: str, *arguments: Any, **named: Any) -> dict[str, Any]:
        """Each host's answer to a job."""
        with salt.client.LocalClient(mopts=self.fleet.opts) as client:
            said: dict[str, Any] = client.cmd("*", function, arguments, kwarg=named, timeout=60)
        assert set(said) == set(CLEANS), said
        return said

    def hosts_work_or_say_what_to_do(self) -> None:
        for answer in self.everywhere("deploy.status", self.repo.name).values():
            self._look(answer, lambda answer: answer["status"] == 0)
        for answer in self.everywhere("state.apply", NAME).values():
            self._look(answer, lambda answer: all(each["result"] for each in answer.values()))

    def the_master_works_or_says_what_to_do(self) -> None:
        process = self.fleet.begin("deploy.report", repo=self.repo.name)
        said, told = process.communicate(timeout=90)
        if "Next: " in said + told and "Traceback" not in said + told:
            self.refused.append(said + told)
        else:
            assert '"view": "report"' in said, (said, told)

    @contextlib.contextmanager
    def under_load(self) -> Iterator[None]:
        """Jobs come and go; each of them works, or says what to do."""
        done, wrong = threading.Event(), list[BaseException]()

        def work() -> None:
            try:
                while not done.wait(0.5):
                    for answer in self.everywhere("deploy.status", self.repo.name).values():
                        self._look(answer, lambda answer: answer["status"] == 0)
            except BaseException as error:
                wrong.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
        assert wrong == []

    def _look(self, answer: Any, works: Callable[[Any], bool]) -> None:
        text = str(answer)
        if "Next: " in text and "Traceback" not in text:
            self.refused.append(text)
        else:
            assert isinstance(answer, dict), answer
            assert works(answer), answer


@pytest.fixture(params=[True, False], ids=["clean", "stale"])
def site(
    request: pytest.FixtureRequest,
    factories: Factories,
    short_directory: Path,
    checkout: Path,
    releases: Releases,
) -> Iterator[Site]:
    place = short_directory / f"sync-{request.param}"
    place.mkdir()
    pillar = Pillar(place / "pillar", place / "disks", server="")
    pillar.add(NAME, {"fetch_module_calls": {"gate.wait": ["DISK/gate"]}, "timeout": 300})
    extract(checkout, place / OLD)
    copy_doors(checkout, place / NEW)
    link = place / "synced"
    put(link, place / OLD)
    fleet = Fleet(
        Factories.like(factories, root_dir=place),
        place,
        CLEANS,
        master={
            "file_roots": {"base": [str(link), str(HERE / "salt" / "files")]},
            "fileserver_list_cache_time": 0,
            "clean_dynamic_modules": request.param,
            "pillar_roots": {"base": [str(HERE / "salt" / "pillar"), str(pillar.directory)]},
        },
        minion={"module_dirs": [str(HERE / "salt")], "autoload_dynamic_modules": False},
        options={host: {"clean_dynamic_modules": clean} for host, clean in CLEANS.items()},
    )
    with fleet.running():
        site = Site(Repo(NAME, fleet, pillar, releases), link)
        fleet.salt_run("saltutil.sync_all")
        fleet.restart_master()
        fleet.all_connected()
        site.everywhere("saltutil.sync_all")
        site.everywhere("saltutil.refresh_pillar", wait=True)
        assert site.everywhere("grains.get", "saltext_deploy") == dict.fromkeys(CLEANS, OLD)
        yield site


@contextlib.contextmanager
def master_syncing(fleet: Fleet) -> Iterator[Callable[[str], None]]:
    """Do one step of the master's ``saltutil.sync_all`` after the other."""
    command = [sys.executable, str(sync_by_steps.__file__), fleet.opts["conf_file"]]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def step(kind: str) -> None:
            process.stdin.write(f"{kind}\n")
            process.stdin.flush()
            assert process.stdout.readline() == f"done {kind}\n"

        yield step
        process.stdin.close()


def test_a_fleet_is_upgraded_while_it_runs(site: Site) -> None:
    repo, fleet = site.repo, site.fleet
    converged(fleet.salt_run("deploy.sync", repo=repo.name, tag="v0"))
    with repo.held(*CLEANS), site.under_load():
        deploy = detached(repo, "v1")
        repo.wait_until_held(*CLEANS)
        site.offer(NEW)
        with master_syncing(fleet) as sync:
            for kinds in ON_THE_MASTER:
                for kind in kinds:
                    sync(kind)
                site.the_master_works_or_says_what_to_do()
        site.hosts_work_or_say_what_to_do()
        for kind in ON_MINIONS:
            site.everywhere(f"saltutil.sync_{kind}", refresh=False)
            site.hosts_work_or_say_what_to_do()
        site.everywhere("saltutil.sync_all")
    for text in site.refused:
        print("REFUSED", text[:400])
    assert site.refused, "a door that was synced before the package cannot work"
    ended = fleet.salt_run("deploy.watch", id=deploy)
    assert (ended.data["outcome"], repo.on_disk()) == ("CONVERGED", repo.everywhere("v1")), ended
    assert site.everywhere("grains.get", "saltext_deploy") == dict.fromkeys(CLEANS, NEW)
    site.refused.clear()
    for function, named, tag in (("sync", {"tag": "v2"}, "v2"), ("rollback", {}, "v1")):
        done = converged(fleet.salt_run(f"deploy.{function}", repo=repo.name, **named))
        assert "ignored an answer" not in done.told
        assert repo.on_disk() == repo.everywhere(tag)
    site.the_master_works_or_says_what_to_do()
    site.hosts_work_or_say_what_to_do()
    assert site.refused == []
