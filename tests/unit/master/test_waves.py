"""Groups of the pillar and hosts of the fleet -> waves."""

from __future__ import annotations

import fnmatch
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltdeploy import config
from saltdeploy.master.waves import Wave, share_of, waves

HOSTS = [f"web{number}" for number in range(1, 8)]


def waves_of(hosts: list[str] = HOSTS, **section: Any) -> tuple[Wave, ...]:
    """The waves of a repo with this section in the pillar; targets of groups are patterns."""
    pillar = {
        "deployment_config": {"parent_dir": "/srv/deployment"},
        "repo_config": {"wiki": {"upstream": "https://git.example.org/wiki", **section}},
    }
    repo = config.load(pillar, "wiki")
    # Salt answers in any order, and with minions that the repo is not for
    everybody = [*reversed(hosts), "db1", *hosts]
    return waves(
        repo, hosts, lambda group: [host for host in everybody if fnmatch.fnmatch(host, group.targets)]
    )


def test_without_groups_the_fleet_is_one_wave():
    assert waves_of(batch="25%", failure_limit="20%") == (
        Wave("", "", tuple(HOSTS), window=2, limit=1, back=7),
    )


def test_a_host_is_in_the_first_group_that_matches_it_and_the_rest_in_the_last():
    found = waves_of(
        groups=[{"name": "canary", "targets": "web[13]"}, {"name": "odd", "targets": "web[1357]"}]
    )
    assert [(wave.name, wave.hosts) for wave in found] == [
        ("canary", ("web1", "web3")),
        ("odd", ("web5", "web7")),
        ("default", ("web2", "web4", "web6")),
    ]


def test_the_group_for_the_rest_stands_where_the_pillar_puts_it():
    found = waves_of(groups=[{"name": "rest"}, {"name": "last", "targets": "web7"}])
    assert [wave.name for wave in found] == ["rest", "last"]
    assert found[1].hosts == ("web7",)


def test_a_group_that_matches_no_target_makes_no_wave():
    assert [
        wave.name for wave in waves_of(groups=[{"name": "canary", "targets": "db*"}, {"name": "rest"}])
    ] == ["rest"]


def test_a_split_group_shares_its_limit_and_has_a_window_for_each_part():
    found = waves_of(
        groups=[{"name": "all", "group_size": 3, "batch": "50%", "failure_limit": "30%", "hold": "ask"}]
    )
    assert [(wave.name, len(wave.hosts), wave.window) for wave in found] == [
        ("all1", 3, 2),
        ("all2", 3, 2),
        ("all3", 1, 1),
    ]
    assert {(wave.group, wave.limit, wave.hold) for wave in found} == {("all", 2, "ask")}


@pytest.mark.parametrize(
    ("setting", "total", "window", "limit"),
    [
        ("3", 100, 3, 3),
        ("0%", 100, 1, 0),
        ("1%", 3, 1, 0),
        ("25%", 10, 3, 2),
        ("50%", 3, 2, 1),
        ("100%", 7, 7, 7),
        ("100%", 0, 1, 0),
        ("100%", 4000, 500, 4000),
        ("3000", 4000, 3000, 3000),
    ],
)
def test_windows_round_up_to_at_least_one_and_most_of_a_fleet_and_limits_round_down(
    setting, total, window, limit
):
    assert share_of(setting, total, up=True) == window
    assert share_of(setting, total, up=False) == limit


def test_a_wave_survives_the_journal():
    for wave in waves_of(groups=[{"name": "canary", "targets": "web1", "hold": 30}, {"name": "rest"}]):
        assert Wave.from_wire(wave.to_wire()) == wave


@given(
    hosts=st.sets(st.sampled_from([f"web{number}" for number in range(30)])).map(sorted),
    targets=st.lists(st.sampled_from(["web1*", "web2*", "web?", "*5", "nobody", "*"]), max_size=4),
    size=st.integers(1, 9),
)
def test_every_host_is_in_exactly_one_wave(hosts, targets, size):
    groups = [{"name": f"g{at}", "targets": each, "group_size": size} for at, each in enumerate(targets)]
    found = waves_of(hosts, groups=groups)
    assert sorted(host for wave in found for host in wave.hosts) == hosts
    assert all(len(wave.hosts) <= size for wave in found if wave.group.startswith("g"))
    assert all(wave.hosts and wave.window >= 1 and wave.limit >= 0 for wave in found)
