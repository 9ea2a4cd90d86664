"""Whose a tree is, as the pillar says it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from saltdeploy.config.layouts import refuse_contents
from saltdeploy.config.owner import Ownership
from saltdeploy.lib.errors import ConfigError, Unsupported

from tests.support.repositories import repo


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({}, Ownership()),
        ({"user": "deploy", "group": 33}, Ownership("deploy", "33")),
        ({"umask": "0027"}, Ownership(dir_mode=0o750, file_mode=0o640)),
        ({"umask": "027", "dir_mode": "2750"}, Ownership(dir_mode=0o2750, file_mode=0o640)),
        ({"writable": ["var/cache/", "tmp"]}, Ownership(writable=("var/cache", "tmp"))),
    ],
)
def test_what_is_said_is_read(tmp_path: Path, said: dict[str, Any], found: Ownership) -> None:
    assert repo(tmp_path / "demo", owner=said).contents.owner == found


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ({"mode": "0644"}, "owner:mode"),
        ({"user": "no body"}, "owner"),
        ({"user": True}, "owner"),
        ({"file_mode": 420}, "owner"),
        ({"file_mode": "0755"}, "owner"),
        ({"file_mode": "0044"}, "owner"),
        ({"dir_mode": "0644"}, "owner"),
        ({"umask": "0777"}, "owner"),
        ({"umask": "8"}, "owner"),
        ({"writable": ["../etc"]}, "owner:writable:0"),
        ({"writable": "tmp"}, "owner:writable"),
        ([], "owner"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(tmp_path: Path, said: Any, path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        repo(tmp_path / "demo", owner=said)
    assert caught.value.path.startswith(f"repo_config:demo:{path}")


def test_a_change_makes_trees_of_another_shape_and_nothing_said_makes_none(tmp_path: Path) -> None:
    assert repo(tmp_path / "demo").shape == ""
    shapes = {
        repo(tmp_path / "demo", owner=said).shape
        for said in ({"user": "a"}, {"group": "a"}, {"umask": "027"})
    }
    assert len(shapes) == 3
    assert all(shape.startswith("owner") for shape in shapes)


@pytest.mark.parametrize(
    "keys",
    [{"layout": "overlay"}, {"layout": "inplace"}, {"blobs": {"lfs": ["/srv/lfs"]}}],
    ids=["overlay", "inplace", "blobs"],
)
def test_who_cannot_give_files_an_owner_refuses_it_by_name(tmp_path: Path, keys: dict[str, Any]) -> None:
    transport = {"transport": "bundle"}
    with pytest.raises(Unsupported, match="cannot give files an owner") as caught:
        refuse_contents(repo(tmp_path / "demo", owner={"user": "root"}, **transport, **keys))
    assert caught.value.path == "repo_config:demo:owner"
    refuse_contents(repo(tmp_path / "demo", deployment_repo_group="www-data", **transport, **keys))


def test_trebuchets_group_is_that_of_an_owner_without_one(tmp_path: Path) -> None:
    assert repo(tmp_path / "demo", deployment_repo_group="web").contents.owner == Ownership(), (
        "trees stay as they are"
    )
    said = repo(tmp_path / "demo", deployment_repo_group="web", owner={"user": "deploy"}).contents.owner
    assert said == Ownership(user="deploy", group="web")
    said = repo(tmp_path / "demo", deployment_repo_group="web", owner={"group": "other"}).contents.owner
    assert said == Ownership(group="other")
