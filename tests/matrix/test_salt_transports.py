"""Masters and minions whose traffic is not ZeroMQ's, and whose minions have odd names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import salt.version

from tests.integration.factories import Factories
from tests.integration.fleet import HERE, Fleet
from tests.integration.pillar import Pillar
from tests.integration.repo import Releases, Repo, converged

#: What Salt and a file system allow in an id, but for the signs of Salt's own patterns: salt-factories looks for it by one.
ODD = "w\u00e9b-2.example_org+x@{2}!#%&=~^"
HOSTS = ("web1", ODD)
SETTINGS = {
    "tcp": {"transport": "tcp", "ipc_mode": "tcp"},
    "ws": {"transport": "ws"},
}


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=pytest.mark.door("salt-run", name)) for name in SETTINGS]
)
def repo(
    factories: Factories,
    short_directory: Path,
    checkout: Path,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[Repo]:
    name = request.param
    if name == "ws" and salt.version.__version_info__[0] < 3007:
        pytest.skip("Salt has the transport ws since 3007")
    place = short_directory / name
    place.mkdir()
    pillar = Pillar(place / "pillar", place / "disks", server="")
    pillar.add(
        "demo",
        {"targets": "*", "targets_type": "glob", "checkout_module_calls": {"gate.wait": ["DISK/gate"]}},
    )
    fleet = Fleet(
        Factories.like(factories, root_dir=place),
        place,
        HOSTS,
        master={
            **SETTINGS[name],
            "module_dirs": [str(checkout)],
            "pillar_dirs": [str(checkout / "_pillar")],
            "pillar_roots": {"base": [str(HERE / "salt" / "pillar"), str(pillar.directory)]},
        },
        minion={**SETTINGS[name], "module_dirs": [str(checkout), str(HERE / "salt")]},
    )
    with fleet.running():
        yield Everybodys("demo", fleet, pillar, Releases(tmp_path_factory.mktemp(name) / "releases.git"))


class Everybodys(Repo):
    """A repo that every minion takes, whatever its id."""

    @property
    def hosts(self) -> list[str]:
        return list(self.fleet.hosts)


def test_a_release_goes_out_back_and_where_one_host_fails_it_goes_nowhere(repo: Repo) -> None:
    for tag in ("v0", "v3"):
        repo.has(tag)
    converged(repo.run("rollback"))
    assert repo.on_disk() == repo.everywhere("v0")
    with repo.refusing(ODD):
        failed = repo.sync("v1")
    assert failed.data["outcome"] == "ROLLED BACK", failed
    assert failed.data["hosts"][ODD]["error"]["host"] == ODD
    assert repo.on_disk() == repo.everywhere("v0")
    done = repo.fleet.salt_run("deploy.sync", repo=repo.name, tag="v1", force=True)
    converged(done)
    assert repo.call(ODD, "status").data["status"] == 0
