"""Targets that are broken in one way each, on a fleet that was set up by hand: the doctor names the cause and what mends it."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.factories import Factories
from tests.integration.fleet import wait_for
from tests.integration.setups import RESTART, Setup
from tests.support.repositories import git

NAME, TAG = "site", "v1"
HOST = "web2"  # the one that is broken; the other one stays well

POSSIBLE = {"fileserver_backend": ["roots", "deploy_payloads"], "ext_pillar": [{"deploy_pins": {}}]}


class Site(Setup):
    """A fleet with one repo, which is right until somebody breaks it."""

    def complete(self) -> None:
        """All that a set-up needs."""
        (self.included / "deploy.conf").write_text(json.dumps(POSSIBLE))
        self.sources = self.source(NAME, TAG)
        self.pillar()
        self.top()
        for line in (
            "salt-run saltutil.sync_all",
            RESTART,
            "salt '*' saltutil.sync_all",
            f"salt 'web*' grains.append deployment_target {NAME}",
        ):
            done = self.type(line)
            assert done.status == 0, done.said
        assert self.is_well()

    def disk(self, host: str) -> Path:
        """Where a host has its releases."""
        return self.fleet.hosts[host].disk / "www"

    def pillar(self, more: str = "", **keys: Any) -> None:
        """Each host has its own disk.

        Args:
            more: text of Jinja behind the rest.
        """
        location = f"{self.fleet.hosts['web1'].disk.parent}/{{{{ opts.id }}}}/www/{NAME}"
        said = {"source": str(self.sources), "location": location, **keys}
        text = yaml.safe_dump({"repo_config": {NAME: said}})
        (self.srv / "pillar" / "deploy.sls").write_text(f"{text}\n{more}\n")

    def top(self, *hosts: str) -> None:
        given = dict.fromkeys(hosts or ("*",), ["deploy"])
        (self.srv / "pillar" / "top.sls").write_text(json.dumps({"base": given}))

    def refresh(self) -> None:
        self.fleet.salt(HOST, "saltutil.refresh_pillar", wait=True)


Break = Callable[[Site], AbstractContextManager[object]]


@pytest.fixture(scope="module")
def site(factories: Factories, short_directory: Path, checkout: Path) -> Iterator[Site]:
    directory = short_directory / "site"
    directory.mkdir()
    setup = Site(factories, directory, checkout, ("web1", HOST), is_installed=True)
    with setup.running():
        setup.complete()
        yield setup


# -- what breaks ----------------------------------------------------------------------------------------


@contextmanager
def dead(site: Site) -> Iterator[None]:
    with site.fleet.hosts[HOST].down():
        yield


def git_there(script: str = "") -> Break:
    return lambda site: site.fleet.hosts[HOST].program("git", script)


@contextmanager
def no_modules(site: Site) -> Iterator[None]:
    for kind in ("modules", "utils"):
        shutil.rmtree(site.extmods(HOST, kind))
    site.fleet.salt(HOST, "saltutil.refresh_modules")
    yield
    site.mend(f"salt {HOST} saltutil.sync_all")


@contextmanager
def no_states(site: Site) -> Iterator[None]:
    shutil.rmtree(site.extmods(HOST, "states"))
    site.fleet.salt(HOST, "saltutil.refresh_modules")
    yield
    site.mend(f"salt {HOST} saltutil.sync_all")


@contextmanager
def another_version(site: Site) -> Iterator[None]:
    """What a minion has that was away when all others were synced."""
    for file in site.extmods(HOST, "").rglob("*.py"):
        text = file.read_text()
        if '"0.2.0"' in text:
            file.write_text(text.replace('"0.2.0"', '"0.1.9"'))
    shutil.rmtree(site.extmods(HOST, "utils") / "saltdeploy" / "__pycache__", ignore_errors=True)
    with site.fleet.hosts[HOST].down():
        pass
    yield
    site.mend(f"salt {HOST} saltutil.sync_all")


@contextmanager
def not_in_top(site: Site) -> Iterator[None]:
    site.top("web1", str(site.fleet.opts["id"]))
    site.refresh()
    yield
    site.top()
    site.refresh()


@contextmanager
def stale_pillar(site: Site) -> Iterator[None]:
    """The repo came into the pillar, and the minion was not told."""
    site.top("web1", str(site.fleet.opts["id"]))
    site.refresh()
    site.top()
    yield
    site.refresh()


@contextmanager
def blackout(site: Site) -> Iterator[None]:
    site.pillar(more=f"{{% if opts.id == '{HOST}' %}}\nminion_blackout: True\n{{% endif %}}")
    site.refresh()
    yield
    site.pillar()
    site.refresh()


def keys(**said: Any) -> Break:
    """The repo, with these keys in the pillar of all."""

    @contextmanager
    def change(site: Site) -> Iterator[None]:
        site.pillar(**said)
        yield
        site.pillar()

    return change


def own_pillar(text: str) -> Break:
    """The pillar of one host, with a text of its own behind the rest."""

    @contextmanager
    def change(site: Site) -> Iterator[None]:
        site.pillar(more=f"{{% if opts.id == '{HOST}' %}}\n{text}\n{{% endif %}}")
        yield
        site.pillar()

    return change


@contextmanager
def no_targets(site: Site) -> Iterator[None]:
    site.mend(f"salt 'web*' grains.remove deployment_target {NAME}")
    yield
    site.mend(f"salt 'web*' grains.append deployment_target {NAME}")


@contextmanager
def no_tag(site: Site) -> Iterator[None]:
    git(site.sources, "update-ref", "refs/kept", f"refs/tags/{TAG}")
    git(site.sources, "tag", "-d", TAG)
    yield
    git(site.sources, "update-ref", f"refs/tags/{TAG}", "refs/kept")


@contextmanager
def file_in_the_way(site: Site) -> Iterator[None]:
    site.disk(HOST).write_text("")
    yield
    site.disk(HOST).unlink()


def mounted(*options: str) -> Break:
    """A file system of its own where releases will lie."""

    @contextmanager
    def change(site: Site) -> Iterator[None]:
        place = site.disk(HOST)
        place.mkdir()
        command = ["mount", "-t", "tmpfs", *options, "tmpfs", "--", str(place)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"this machine does not let us mount: {done.stderr}")
        yield
        subprocess.run(["umount", "--lazy", "--", str(place)], check=True)
        place.rmdir()

    return change


@contextmanager
def read_only_master(site: Site) -> Iterator[None]:
    """The master's directory is on a disk that has become read-only."""
    place = str(site.fleet.root)
    subprocess.run(["mount", "--bind", "--", place, place], check=True)
    subprocess.run(["mount", "-o", "remount,ro,bind", "--", place], check=True)
    yield
    subprocess.run(["umount", "--lazy", "--", place], check=True)


def unrestarted(**before: Any) -> Break:
    """The master runs with a configuration of before, and its file says what is right."""

    @contextmanager
    def change(site: Site) -> Iterator[None]:
        file = site.included / "deploy.conf"
        file.write_text(json.dumps(before))
        site.mend(RESTART)
        site.refresh()
        file.write_text(json.dumps(POSSIBLE))
        yield
        site.refresh()

    return change


@contextmanager
def no_master(site: Site) -> Iterator[None]:
    site.fleet.stop_master()
    yield


@dataclass(frozen=True)
class Broken:
    """A fleet in which one thing is wrong.

    Attributes:
        check: which check finds it.
        cause: words that stand in the cause.
        mends: words that stand in what is to be done about it.
        is_pasted: what is printed is run, and the doctor finds nothing then.
    """

    breaks: Break
    check: str
    cause: str
    mends: str
    is_pasted: bool = False


FLEETS = {
    "a minion is dead": Broken(
        dead, "target: it answers", "does not answer", "systemctl restart salt-minion"
    ),
    "no git on a host": Broken(git_there(), "target: git", "git", "pkg.install git"),
    "an old git on a host": Broken(
        git_there("#!/bin/sh\necho git version 2.11.0\n"), "target: git", "2.11", "pkg.install git"
    ),
    "modules not synced": Broken(
        no_modules, "target: modules", "is not there", "saltutil.sync_all", is_pasted=True
    ),
    "states not synced": Broken(
        no_states, "target: states and grains", "_states", f"salt '{HOST}' saltutil.sync_all"
    ),
    "modules of another version": Broken(
        another_version, "target: version", "0.1.9, the master 0.2.0", "saltutil.sync_all", is_pasted=True
    ),
    "F16 a minion is not in the top file": Broken(
        not_in_top, "target: its pillar has the repo", "does not have the repo", "top.sls"
    ),
    "a minion has not read its pillar since": Broken(
        stale_pillar,
        "target: its pillar has the repo",
        "has not read its pillar",
        "saltutil.refresh_pillar",
        is_pasted=True,
    ),
    "F31 blackout": Broken(blackout, "target: no blackout", "blackout", "minion_blackout"),
    "a pillar that renders for all but one": Broken(
        own_pillar("a: [}"), "target: its pillar has the repo", "does not render for it", "pillar.show_pillar"
    ),
    "F15 a dependency that was never deployed": Broken(
        keys(dependencies=["other"]), "repo: keys, dependencies, layout", "other", "other"
    ),
    "F15 rsync without a URL": Broken(
        keys(transport="rsync"), "repo: URLs for targets", "rsync_url", "rsync_url"
    ),
    "no targets": Broken(no_targets, "repo: it has targets", "no minion takes it", "grains.append", True),
    "no tag": Broken(no_tag, "repo: its source has tags", "no tag yet", "tag v1", is_pasted=True),
    "a file where the location's directory should be": Broken(
        file_in_the_way, "target: rights", "is no directory", "correct location"
    ),
    "a read-only disk": Broken(
        mounted("-o", "ro"), "target: rights", "its file system is read-only", "remount,rw", is_pasted=True
    ),
    "a full disk": Broken(mounted("-o", "size=4m"), "target: disk", "has 4.2 MB left", "deploy.gc"),
    "no inodes": Broken(mounted("-o", "nr_inodes=50"), "target: disk", "inodes left", "df -i"),
    "the master's disk is read-only": Broken(
        read_only_master,
        "the master's directory",
        "its file system is read-only",
        "remount,rw",
        is_pasted=True,
    ),
    "file server configured, master not restarted": Broken(
        unrestarted(fileserver_backend=["roots"], ext_pillar=[{"deploy_pins": {}}]),
        "target: it gets payloads",
        "serves no payloads",
        RESTART,
        is_pasted=True,
    ),
    "ext_pillar configured, master not restarted": Broken(
        unrestarted(fileserver_backend=["roots", "deploy_payloads"]),
        "target: it has its secret",
        "was not restarted since",
        RESTART,
        is_pasted=True,
    ),
    "the master is away": Broken(no_master, "the master runs", "does not answer", RESTART, is_pasted=True),
}


@pytest.mark.parametrize("name", FLEETS)
def test_the_one_thing_that_is_wrong_is_named_with_what_mends_it(name: str, site: Site) -> None:
    broken = FLEETS[name]
    with broken.breaks(site):
        view = site.doctor(NAME)
        assert {each["check"] for each in view["findings"]} == {broken.check}, view["findings"]
        found = view["findings"][0]
        assert broken.cause in found["cause"]
        assert broken.mends in f"{found['by_hand']} {found['next']}"
        assert found["on_master"] or found["host"] == HOST
        if broken.is_pasted:
            site.mend(found["next"])
            assert site.is_well()
    assert site.is_well()


def test_a_minion_that_nobody_has_accepted_is_named_and_the_printed_command_accepts_it(
    factories: Factories, short_directory: Path, checkout: Path
) -> None:
    directory = short_directory / "keys"
    directory.mkdir()
    setup = Site(factories, directory, checkout, (HOST,), is_installed=True, open_mode=False, **POSSIBLE)
    begins = threading.Thread(target=setup.fleet.hosts[HOST].start)
    with setup.fleet.master_running():
        assert setup.type("salt-run saltutil.sync_all").status == 0
        begins.start()
        pending = setup.config.parent / "pki" / "minions_pre" / HOST
        wait_for(pending.exists)
        found = [each for each in setup.doctor()["findings"] if each["check"] == "keys of minions"]
        assert [each["cause"] for each in found] == [f"minion {HOST} waits for its key to be accepted"]
        setup.mend(found[0]["next"])
        begins.join()
        setup.fleet.hosts[HOST].kill()
        assert "keys of minions" not in {each["check"] for each in setup.doctor()["findings"]}
