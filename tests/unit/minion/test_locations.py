"""Where a repo may lie: by what is on the disk, not by what is written."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from saltdeploy import config
from saltdeploy.config import Repo
from saltdeploy.lib.errors import BadName, ConfigError
from saltdeploy.lib.os_errors import from_os
from saltdeploy.minion import own_orders, stages
from saltdeploy.minion.configuration import Configurations
from saltdeploy.protocol.orders import CHECKOUT, FETCH
from saltdeploy.protocol.result import Result

from tests.support.repositories import repo
from tests.support.targets import Target

THE_HOSTS_OWN = [
    "/etc",
    "/usr",
    "/usr/lib",
    "/dev",
    "/dev/shm",
    "/var/lib",
    "/home",
    "/proc/self",
    "/sys/fs/cgroup",
    "//etc/",
]
LONGEST = 235


def fetched(host: Target, location: Path) -> Result:
    host.repo = repo(location)
    return host.run(host.order(0, FETCH))


@pytest.mark.parametrize("location", THE_HOSTS_OWN)
def test_F30_a_directory_of_the_hosts_own_is_refused_with_path_and_reason(location: str) -> None:
    with pytest.raises(ConfigError) as caught:
        repo(Path(location))
    assert caught.value.path == "repo_config:demo:location"
    assert f"{Path('/' + location.strip('/'))} is the system's own directory" in caught.value.cause


def test_F30_so_is_one_that_comes_from_the_name_of_the_repo() -> None:
    pillar = {"deployment_config": {"parent_dir": "/usr"}, "repo_config": {"lib": {}}}
    with pytest.raises(ConfigError, match="/usr/lib is the system's own"):
        config.load(pillar, "lib")


@pytest.mark.parametrize(
    "location", ["/srv/etc", "/opt/app", "/usr/local/app", "/dev/shm/app", "/var/www", "/app"]
)
def test_other_places_are_the_operators_to_choose(location: str) -> None:
    assert repo(Path(location)).paths.location == Path(location)


def test_F30_a_link_that_leads_to_the_hosts_own_is_refused_before_anything_is_fetched(host: Target) -> None:
    link = host.location.parent / "root"
    link.parent.mkdir(parents=True)
    link.symlink_to("/")
    told = fetched(host, link / "etc")
    assert isinstance(told.error, ConfigError)
    assert f"{link}/etc, which is /etc on the disk, is the system's own directory" in told.error.cause
    assert host.carrier.fetched == []


@pytest.mark.parametrize("below", ["", "/inside"], ids=["the same place", "a place in it"])
def test_F30_two_repos_of_which_a_link_makes_one_place_are_refused(host: Target, below: str) -> None:
    other: Repo = config.load({"repo_config": {"other": {"location": str(host.location)}}}, "other")
    Configurations(host.cache, "other").note("pin", other, switches=True)
    host.location.parent.mkdir(parents=True)
    link = host.location.parent / "link"
    link.symlink_to(host.location.parent)
    told = fetched(host, Path(f"{link}/{host.location.name}{below}"))
    assert isinstance(told.error, ConfigError)
    assert f"{host.location} (repo other) lie in each other on this host's disk" in told.error.cause
    assert host.carrier.fetched == []


def test_F30_a_location_through_a_link_is_deployed_to_and_led_back(host: Target) -> None:
    host.location.parent.mkdir(parents=True)
    link = host.location.parent / "link"
    link.symlink_to(host.location.parent)
    host.repo = repo(link / "demo")
    for number in (0, 1):
        assert all(result.ok for result in host.deploy(number))
    assert (host.location / "a").read_text() == "1"
    assert own_orders.previous(host.repo).tag == "v0"


def test_F30_the_same_place_by_another_path_is_no_place_that_was_left(host: Target) -> None:
    assert all(result.ok for result in host.deploy(0))
    link = host.location.parent / "link"
    link.symlink_to(host.location.parent)
    host.repo = repo(link / "demo")
    fetched_and_switched = host.deploy(1)
    assert all(result.ok for result in fetched_and_switched)
    assert "left_behind" not in stages.look(host.repo, host.host).facts
    assert (host.location / "a").read_text() == "1"


def test_F30_a_name_that_leaves_no_room_for_what_lies_beside_it_is_refused() -> None:
    with pytest.raises(ConfigError, match="235 leave room"):
        repo(Path("/srv", "n" * (LONGEST + 1)))
    with pytest.raises(ConfigError, match="2048 leave room"):
        repo(Path("/srv", *["directory"] * 300))


@pytest.mark.parametrize("layout", ["slots", "releases", "inplace"])
@pytest.mark.parametrize("name", ["n" * LONGEST, "é" * (LONGEST // 2)], ids=["ascii", "two bytes each"])
def test_F30_the_longest_name_that_is_taken_works_with_all_that_lies_beside_it(
    host: Target, layout: str, name: str
) -> None:
    location = host.location.parent / name
    location.mkdir(parents=True)
    (location / "theirs").write_text("theirs")
    host.repo = repo(location, layout=layout)
    for number in (0, 1, 2):
        results = host.deploy(number)
        assert all(result.ok for result in results), results[-1].error
    assert (location / "a").read_text() == "2"
    assert [path for path in location.parent.glob("*.*Z") if (path / "theirs").exists()]
    assert stages.run([stages.Task(host.order(1, CHECKOUT), host.repo)], host.host).ok


def test_F30_a_name_that_is_too_long_for_the_disk_is_told_with_its_path(tmp_path: Path) -> None:
    place = tmp_path / ("n" * 256)
    with pytest.raises(OSError) as caught:
        place.mkdir()
    assert caught.value.errno == errno.ENAMETOOLONG
    told = from_os(caught.value)
    assert isinstance(told, BadName)
    assert told.path == str(place)
    assert "255 bytes" in told.cause
