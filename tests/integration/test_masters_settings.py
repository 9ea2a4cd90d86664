"""F23: whatever settings a master has, a host that was away converges to what is pinned now, or says that it cannot."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.factories import Factories
from tests.integration.fleet import HERE, Fleet, Run
from tests.integration.pillar import Pillar
from tests.integration.repo import Releases, Repo, converged
from tests.integration.rollouts import CANARY, REST, detached, ended, kill_deployer, told

pytestmark = pytest.mark.xdist_group("caching")  # all tests use one fleet of their own

HOSTS = ("web1", "web2")
#: Each is somebody's production setting, and all of them together are one master's.
SETTINGS = {"pillar_cache": True, "pillar_cache_ttl": 36000, "minion_data_cache": False}


@pytest.fixture(scope="module")
def caching(
    factories: Factories, short_directory: Path, checkout: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Repo]:
    """A repo, which both hosts take, of a master that answers out of its cache."""
    place = short_directory / "caching"
    place.mkdir()
    pillar = Pillar(place / "pillar", place / "disks", server="")
    for name in ("demo", "never.deployed"):
        pillar.add(name, {"failure_limit": 1})
    fleet = Fleet(
        Factories.like(factories, root_dir=place),
        place,
        HOSTS,
        master={
            **SETTINGS,
            "module_dirs": [str(checkout)],
            "pillar_dirs": [str(checkout / "_pillar")],
            "pillar_roots": {"base": [str(HERE / "salt" / "pillar"), str(pillar.directory)]},
        },
        minion={"module_dirs": [str(checkout), str(HERE / "salt")]},
    )
    with fleet.running():
        yield Repo("demo", fleet, pillar, Releases(tmp_path_factory.mktemp("caching") / "releases.git"))


def sync_all(repo: Repo) -> Run:
    return repo.fleet.salt("web1", "deploy.sync_all")


def tells(repo: Repo, run: Run) -> str:
    """The tag of the one repo of which ``sync_all`` says that it is where it should be."""
    assert (run.status, run.data["status"], list(run.data["stats"])) == (0, 0, [repo.name]), run
    return str(run.data["stats"][repo.name]["deploy.checkout"]["tag"])


def cached(repo: Repo) -> str:
    """The tag that the master has in its cache for a host, and repeats until somebody clears it."""
    repo.fleet.salt("web1", "pillar.items")
    found = repo.fleet.run_here("cache.fetch", bank="pillar", key="web1").data
    return str(found["deploy"]["pins"][repo.name]["tag"])


def test_F23_with_a_pillar_cache_a_host_that_was_away_comes_to_what_is_pinned_now(caching: Repo) -> None:
    repo = caching
    converged(repo.sync("v0"))
    assert tells(repo, sync_all(repo)) == "v0"
    with repo.fleet.hosts["web1"].down():
        assert repo.sync("v1").data["outcome"] == "MIXED"
    assert cached(repo) == "v0"
    assert tells(repo, sync_all(repo)) == "v1"
    assert repo.on_disk() == repo.everywhere("v1")


def test_F23_with_a_pillar_cache_a_host_is_not_told_what_was_rolled_back_while_it_was_away(
    caching: Repo,
) -> None:
    repo = caching
    converged(repo.sync("v1"))
    converged(repo.sync("v2"))
    assert tells(repo, sync_all(repo)) == "v2"
    with repo.fleet.hosts["web1"].down():
        repo.run("rollback")
    assert cached(repo) == "v2"
    [done] = repo.fleet.salt("web1", "state.single", "deploy.pinned", repo.name).data.values()
    assert (done["result"], done["changes"]) == (True, {repo.name: {"old": "v2", "new": "v1"}})
    assert repo.on_disk() == repo.everywhere("v1")


def test_F23_what_was_never_deployed_is_no_failure_and_is_named(caching: Repo) -> None:
    converged(caching.sync("v1"))
    done = sync_all(caching)
    assert tells(caching, done) == "v1"
    assert set(done.data["left"]) == {"never.deployed"}


@contextlib.contextmanager
def without(repo: Repo, *files: str) -> Iterator[None]:
    """The master's directory lacks these, as one that came back from an older copy does."""
    found = [path for name in files if (path := repo.fleet.root / name).exists()]
    assert len(found) == len(files)
    for path in found:
        path.rename(f"{path}.lost")
    try:
        yield
    finally:
        for path in found:
            Path(f"{path}.lost").replace(path)


@pytest.mark.parametrize("older", [False, True], ids=["a master that has lost its memory", "an older copy"])
def test_F23_a_host_that_has_seen_more_than_the_master_tells_is_not_content(
    older: bool, caching: Repo
) -> None:
    repo = caching
    converged(repo.sync("v1"))
    pins = repo.fleet.root / "pins" / "demo.json"
    was = json.loads(pins.read_text())
    converged(repo.sync("v3"))
    with without(repo, "pins/demo.json", "lock/.epochs/demo.json"):
        if older:
            pins.write_text(json.dumps(was))
        done = sync_all(repo)
    answer = done.data["stats"][repo.name]["deploy.fetch"]
    assert (done.status, done.data["status"], answer["status"]) == (1, 1, 142 if older else 10)
    assert repo.on_disk() == repo.everywhere("v3")


def asking_at_v1(repo: Repo) -> None:
    """Both hosts run v1; from now on a deploy asks when the canary is done."""
    repo.configure(groups=[])
    converged(repo.sync("v1"))
    repo.configure(groups=[{**CANARY, "hold": "ask"}, REST])


def test_F23_a_host_that_a_deploy_is_bringing_somewhere_leaves_that_to_the_deploy(caching: Repo) -> None:
    repo = caching
    asking_at_v1(repo)
    deploy = detached(repo, "v3")
    told(repo, "question")
    half = {"web1": "v3", "web2": "v1"}
    assert repo.on_disk() == half
    for host, tag in half.items():
        done = repo.fleet.salt(host, "deploy.sync_all")
        assert (done.status, done.data["status"], done.data["stats"]) == (0, 0, {}), done
        assert "under way" in done.data["left"][repo.name]
        [state] = repo.fleet.salt(host, "state.single", "deploy.pinned", repo.name).data.values()
        assert (state["result"], state["changes"]) == (True, {}), state
        assert tag in state["comment"]
    assert repo.on_disk() == half
    assert repo.run("answer", choice="yes").data["counted"]
    converged(ended(repo, deploy))
    assert tells(repo, sync_all(repo)) == "v3"


def test_F23_of_a_deploy_that_has_died_a_host_says_what_to_do(caching: Repo) -> None:
    repo = caching
    asking_at_v1(repo)
    detached(repo, "v4")
    told(repo, "question")
    kill_deployer(repo)
    done = sync_all(repo)
    error = done.data["stats"][repo.name]["deploy.fetch"]["error"]
    assert (done.status, error["kind"]) == (1, "fenced")
    assert error["next"] == f"salt-run deploy.report repo={repo.name}"
    assert f"salt-run deploy.resume repo={repo.name}" in repo.shown("report")
    assert repo.run("answer", choice="yes").data["counted"]
    converged(repo.run("resume"))
    assert tells(repo, sync_all(repo)) == "v4"
