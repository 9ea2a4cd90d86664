"""A fleet in the middle of an upgrade of Salt: minions of 3006, 3007 and 3008 under a master of 3008.

`make matrix` has made the environments and runs this; each of them holds what `make` gives a checkout.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.factories import Factories
from tests.integration.fleet import HERE, Fleet
from tests.integration.pillar import Pillar
from tests.integration.repo import Releases, Repo, converged

#: Minion id to the Salt that it has.
SALTS = {"web1": "3006", "web2": "3006", "web3": "3007", "web4": "3008"}
KEYS = {
    "targets": ",".join(SALTS),
    "groups": [{"name": "canary", "targets": "web1", "targets_type": "list"}, {"name": "rest", "batch": "1"}],
}


def python_of(checkout: Path, salt: str) -> Path:
    """The Python of the environment that has this Salt."""
    found = checkout / f".venv-{salt}" / "bin" / "python"
    if not found.is_file():
        pytest.fail(f"there is no {found}. Next: make matrix")
    return found


@pytest.fixture(scope="module")
def mixed(factories: Factories, short_directory: Path, checkout: Path) -> Iterator[tuple[Fleet, Pillar]]:
    place = short_directory / "mixed"
    place.mkdir()
    pillar = Pillar(place / "pillar", place / "disks", server="")
    for way in WAYS:
        pillar.add(f"by.{way}", {**KEYS, **WAYS[way], **FAILING})
    fleet = Fleet(
        Factories.like(factories, root_dir=place),
        place,
        SALTS,
        master={
            "module_dirs": [str(checkout)],
            "pillar_dirs": [str(checkout / "_pillar")],
            "pillar_roots": {"base": [str(HERE / "salt" / "pillar"), str(pillar.directory)]},
        },
        minion={"module_dirs": [str(checkout), str(HERE / "salt")]},
        pythons={host: python_of(checkout, salt) for host, salt in SALTS.items()},
    )
    with fleet.running():
        yield fleet, pillar


#: The ways in which a release may lie on a disk and come to it, one that each Salt has its part in.
WAYS = {
    "bundle": {},
    "tar": {"transport": "tar", "layout": "releases"},
    "swarm": {"transport": "swarm"},
    "inplace": {"layout": "inplace"},
}
FAILING = {"checkout_module_calls": {"gate.wait": ["DISK/gate"]}}


@pytest.fixture(params=WAYS)
def repo(mixed: tuple[Fleet, Pillar], tmp_path: Path, request: pytest.FixtureRequest) -> Repo:
    fleet, pillar = mixed
    name = f"by.{request.param}"
    shutil.rmtree(pillar.source(name), ignore_errors=True)  # of the test before, with the same commits
    return Repo(name, fleet, pillar, Releases(tmp_path / "releases.git"))


def test_the_minions_have_the_salts_that_they_are_said_to_have(mixed: tuple[Fleet, Pillar]) -> None:
    fleet, _ = mixed
    found = {host: fleet.salt(host, "grains.get", "saltversion").data.split(".")[0] for host in fleet.hosts}
    assert found == SALTS


def test_a_deploy_converges_on_all_of_them_and_goes_back(repo: Repo) -> None:
    for tag in ("v0", "v3", "v1"):
        repo.has(tag)
    converged(repo.run("rollback"))
    assert repo.on_disk() == repo.everywhere("v3")
    report = repo.run("report")
    assert {host: shown["state"] for host, shown in report.data["hosts"].items()} == dict.fromkeys(
        SALTS, "pinned"
    )


@pytest.mark.parametrize("host", ["web1", "web3", "web4"])
def test_where_one_of_them_fails_all_go_back(repo: Repo, host: str) -> None:
    repo.has("v0")
    with repo.refusing(host):
        done = repo.sync("v2", force=True)  # what went back before is bad
    assert (done.status, done.data["outcome"].split()[0]) == (1, "ROLLED"), done
    assert host in {name for name, shown in done.data["hosts"].items() if shown.get("error")}
    assert repo.on_disk() == repo.everywhere("v0")
