"""What the doctor makes of a host's answer; what no test can break on a real host stands here alone, as its clock."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import saltdeploy
from saltdeploy.config import load
from saltdeploy.lib import places
from saltdeploy.master.doctor.examine import OK, UNKNOWN, WRONG, judge
from saltdeploy.master.doctor.seen import Answers, MasterSettings, Seen
from saltdeploy.master.doctor.table import CHECKS
from saltdeploy.minion.doctor import look
from saltdeploy.protocol.result import Result

NOON = 1_795_435_200.0  # seconds since the epoch
PILLAR = {"repo_config": {"demo": {"location": "/srv/www/demo"}}, "deploy": {"secret": "00" * 32}}


def settings(directory: Path, **more: Any) -> MasterSettings:
    right: dict[str, Any] = {
        "id": "vm_master",
        "user": "root",
        "config": directory / "master",
        "include": directory / "master.d",
        "pillar_root": directory / "pillar",
        "root": directory / "cache" / "deploy",
        "file_servers": ("roots", "deploy_payloads"),
        "ext_pillars": ("deploy_pins",),
        "loads": frozenset({"fileserver", "pillar", "output"}),
    }
    return MasterSettings(**{**right, **more})


def answers(directory: Path, **facts: Any) -> Answers:
    """Those of a host on which all is right, but for these facts."""
    told = look("web1", "demo", PILLAR, PILLAR, "", NOON, directory, ())
    result = replace(told, facts={**told.facts, **facts})
    return Answers("web1", "demo", True, {"hsum": "00"}, result.to_wire(), result, "", NOON - 1, NOON + 1)


def found(check: str, directory: Path, given: Answers) -> list[tuple[str, str]]:
    """Cause and commands of one check."""
    (one,) = [each for each in CHECKS if each.name == check]
    seen = Seen(settings(directory), answers=(given,))
    return [(each.cause, each.next) for each in one.find(seen)]


OF_HOSTS = [check.name for check in CHECKS if check.name.startswith("target: ")]


@pytest.mark.parametrize("check", OF_HOSTS)
def test_a_host_on_which_all_is_right_is_told_nothing(check: str, tmp_path: Path) -> None:
    free = {f"{name}_{key}": 10**12 for name in ("place", "record") for key in ("free", "inodes")}
    assert found(check, tmp_path, answers(tmp_path, **free)) == []


@pytest.mark.parametrize(
    ("check", "facts", "cause", "mends"),
    [
        ("target: clock", {"time": NOON - 90}, "its clock is 89 s behind the master's", "timedatectl"),
        ("target: clock", {"time": NOON + 3600}, "its clock is 3599 s ahead of the master's", "timedatectl"),
        ("target: version", {"version": "0.1.9"}, f"0.1.9, the master {saltdeploy.__version__}", "sync_all"),
        ("target: states and grains", {"lacks_doors": "_grains _states"}, "_grains and _states", "sync_all"),
        ("target: git", {"git": "git 2.11 is too old"}, "git 2.11 is too old", "pkg.install git"),
        ("target: programs", {"lacks": "xdelta3 zstd"}, "needs xdelta3 and zstd", '["xdelta3", "zstd"]'),
        ("target: disk", {"place_free": 5_000_000}, "has 5.0 MB left", "deploy.gc"),
        ("target: disk", {"record_free": 10**12, "record_inodes": 3}, "has 3 inodes left", "deploy.gc"),
        ("target: its pillar has the repo", {"gets_repo": False}, "does not have the repo", "refresh_pillar"),
        ("target: its pillar has the repo", {"has_repo": False}, "has not read its pillar", "refresh_pillar"),
        ("target: its pillar has the repo", {"pillar_error": "no"}, "does not render for it", "show_pillar"),
        ("target: it has its secret", {"has_secret": False}, "has not read its pillar", "refresh_pillar"),
        ("target: it has its secret", {"gets_secret": False}, "was not restarted", "restart salt-master"),
        ("target: its pillar is valid", {"config": "no layout x"}, "no layout x", "refresh_pillar"),
    ],
)
def test_what_a_host_tells_is_judged(
    check: str, facts: dict[str, Any], cause: str, mends: str, tmp_path: Path
) -> None:
    free = {f"{name}_{key}": 10**12 for name in ("place", "record") for key in ("free", "inodes")}
    ((said, command),) = found(check, tmp_path, answers(tmp_path, **{**free, **facts}))
    assert cause in said
    assert mends in command


@pytest.mark.parametrize(
    ("said", "check", "cause"),
    [
        ("'deploy.doctor' is not available.", "target: modules", "this project is not there"),
        ("Minion in blackout mode.", "target: no blackout", "refuses everything"),
        (
            "The minion function caused an exception: Traceback (most recent call last):\n  x\nImportError: no",
            "target: modules",
            "does not work there: ImportError: no",
        ),
        (None, "target: it answers", "the minion does not answer"),
    ],
)
def test_a_host_that_gives_no_answer_of_ours_is_told_why(
    said: str | None, check: str, cause: str, tmp_path: Path
) -> None:
    mute = replace(answers(tmp_path), ping=None if said is None else True, doctor=said, result=None)
    ((told, _),) = found(check, tmp_path, mute)
    assert cause in told


def test_what_an_earlier_check_explains_a_later_one_does_not_repeat(tmp_path: Path) -> None:
    seen = Seen(settings(tmp_path, ext_pillars=()))
    states = {each.name: each.state for each in judge(seen)}
    assert (states["ext_pillar is configured"], states["ext_pillar is installed"]) == (WRONG, OK)
    assert states["target: it has its secret"] == UNKNOWN


@pytest.mark.parametrize(
    ("more", "check", "cause", "mends"),
    [
        ({"waiting": ("web9",)}, "keys of minions", "web9 waits", "salt-key -f web9 && salt-key -a web9"),
        ({"denied": ("web9",)}, "keys of minions", "another key", "salt-key -d web9"),
        ({"has_git_python": False}, "GitPython on the master", "not installed", "salt-pip install GitPython"),
    ],
)
def test_what_the_masters_settings_tell_is_judged(
    more: dict[str, Any], check: str, cause: str, mends: str, tmp_path: Path
) -> None:
    (one,) = [each for each in CHECKS if each.name == check]
    (finding,) = one.find(Seen(settings(tmp_path, **more)))
    assert cause in finding.cause
    assert mends in finding.next


def test_a_place_that_is_not_there_yet_is_made_in_the_nearest_directory_that_is(tmp_path: Path) -> None:
    seen = places.look(tmp_path / "a" / "b")
    assert (seen.path, seen.obstacle, seen.is_file) == (tmp_path, "", False)


def test_a_file_in_the_way_of_a_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    seen = places.look(tmp_path / "a" / "b")
    assert (seen.path, seen.obstacle, seen.is_file) == (
        tmp_path / "a",
        f"{tmp_path / 'a'} is no directory",
        True,
    )


def test_the_answer_of_a_host_survives_the_wire(tmp_path: Path) -> None:
    told = look("web1", "demo", PILLAR, PILLAR, "", NOON, tmp_path, ("_grains",))
    assert Result.from_wire(told.to_wire()).facts == told.facts


@pytest.mark.parametrize(
    ("keys", "cause"),
    [
        ({"layout": "overlay", "transport": "squashfs"}, "user salt may not mount"),
        ({"owner": {"user": "www-data"}}, "user salt may not give files to www-data"),
        ({"owner": {"user": "salt"}}, ""),
        ({}, ""),
    ],
)
@pytest.mark.parametrize("who", ["root", "salt"])
def test_what_only_root_may_do_is_named_where_the_minion_is_somebody_else(
    keys: dict[str, Any], cause: str, who: str, tmp_path: Path
) -> None:
    (one,) = [each for each in CHECKS if each.name == "target: what its user may do"]
    repo = load({"repo_config": {"demo": {"location": "/srv/www/demo", **keys}}}, "demo")
    seen = Seen(settings(tmp_path), repos=(repo,), answers=(answers(tmp_path, user=who),))
    told = [each.cause for each in one.find(seen)]
    assert len(told) == bool(cause and who == "salt")
    assert all(each.startswith(cause) for each in told)
