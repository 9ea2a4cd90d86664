"""Files of older releases stay within reach of old pages, forth and back, with every layout; and go when they are old."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from saltdeploy import layouts
from saltdeploy.lib.errors import ConfigError
from saltdeploy.protocol.orders import CHECKOUT, FETCH, ROLLBACK

from tests.support.repositories import Source, link, repo, tree
from tests.support.targets import Target

LAYOUTS = ["slots", "releases", "inplace", pytest.param("overlay", marks=pytest.mark.images)]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """Five releases, each with a file of its own name, one that all have, and one that is no asset."""
    trees = [
        {
            **tree(index=f"{n}", static__all=f"{n}", other=f"{n}"),
            **tree(**{f"static__deep__app-{n}.js": f"app {n}", f"page-{n}": "no asset"}),
            b"static/link": link(f"deep/app-{n}.js"),
        }
        for n in range(5)
    ]
    trees[3] = {**trees[3], **tree(static__deep="now a file")}
    del trees[3][b"static/deep/app-3.js"]
    return Source(tmp_path_factory.mktemp("assets") / "source", *trees)


@pytest.fixture(params=LAYOUTS)
def host(request: pytest.FixtureRequest, tmp_path: Path, source: Source) -> Target:
    return Target(tmp_path, source, layout=request.param, assets={"paths": ["static"], "keep": 3})


def go(host: Target, number: int, stage: str = CHECKOUT, deploy: int = 0) -> None:
    for each in (FETCH, stage) if stage == CHECKOUT else (stage,):
        result = host.run(host.order(number, each, deploy=deploy or number + 1))
        assert result.ok, result.error


def within_reach(host: Target, path: str) -> str:
    """As a web server looks for it: in the live tree, and then in what is kept."""
    for place in (host.location, host.repo.paths.area / "assets"):
        if (place / path).is_file():
            return (place / path).read_text()
    return ""


def apps(host: Target) -> list[int]:
    return [n for n in range(5) if within_reach(host, f"static/deep/app-{n}.js") == f"app {n}"]


def test_those_of_the_last_releases_are_within_reach_forth_and_back(host: Target) -> None:
    go(host, 0)
    assert apps(host) == [0]
    go(host, 1)
    assert apps(host) == [0, 1]
    assert within_reach(host, "static/all") == "1", "what the live release has comes first"
    assert within_reach(host, "page-0") == ""
    go(host, 2)
    assert apps(host) == [0, 1, 2]
    go(host, 1, ROLLBACK, deploy=3)
    assert apps(host) == [0, 1, 2], "who has the page of what was gone back from still finds its files"
    go(host, 4, deploy=9)
    assert apps(host) == [0, 1, 2, 4], "and it drives out nothing"
    verified = layouts.of(host.repo).verify(full=True)
    assert not (verified.missing or verified.changed or verified.extra), verified


def test_what_is_older_than_the_last_releases_is_gone(host: Target) -> None:
    for number in (0, 1, 2, 4):
        go(host, number)
    assert apps(host) == [1, 2, 4]
    assert not (host.repo.paths.area / "assets/static/deep/app-0.js").exists()


def test_releases_that_never_went_live_drive_out_nothing(host: Target) -> None:
    for number in (0, 1):
        go(host, number)
    for number in (2, 3, 2, 3):
        assert host.run(host.order(number, FETCH)).ok
    go(host, 4)
    assert set(apps(host)) >= {0, 1, 4}


def test_a_directory_that_becomes_a_file_is_in_nobodys_way(host: Target) -> None:
    for number in (2, 3, 4):
        go(host, number)
    assert within_reach(host, "static/deep/app-4.js") == "app 4"
    assert (host.location / "index").read_text() == "4"


def test_what_a_killed_fetch_left_is_deleted_and_a_lost_note_loses_no_file(host: Target) -> None:
    go(host, 0)
    go(host, 1)
    place = host.repo.paths.area
    (place / "assets.json").write_text("{")
    go(host, 2)
    assert apps(host) == [0, 1, 2]
    (place / "assets/static/half").write_text("x")
    go(host, 4)
    assert not (place / "assets/static/half").exists()


def test_a_pillar_without_them_deletes_what_was_kept(tmp_path: Path, source: Source) -> None:
    host = Target(tmp_path, source, assets={"paths": ["static"]})
    go(host, 0)
    go(host, 1)
    assert (host.repo.paths.area / "assets").is_dir()
    host.repo = repo(host.location)
    go(host, 2)
    assert not list(host.repo.paths.area.glob("assets*"))


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ({"paths": ["/static"]}, ":paths:0"),
        ({"paths": ["a", "a/b"]}, ""),
        ({"paths": ["a"], "keep": 1}, ":keep"),
        ({"path": ["a"]}, ":path"),
        (["static"], ""),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, said: Any, path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        repo(tmp_path / "demo", assets=said)
    assert caught.value.path == f"repo_config:demo:assets{path}"
