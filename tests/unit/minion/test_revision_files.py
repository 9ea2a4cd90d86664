"""REVISION and DEPLOY_HEAD tell what is live, forth and back, with every layout; hooks and checks get the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from saltdeploy.lib.text import utc
from saltdeploy.protocol.orders import CHECKOUT, FETCH, ROLLBACK, Order

from tests.support.repositories import Source
from tests.support.targets import Target

LAYOUTS = ["slots", "releases", "inplace", pytest.param("overlay", marks=pytest.mark.images)]
ENVIRONMENT = (
    "import json, os; print(json.dumps({k: v for k, v in os.environ.items() if k.startswith('DEPLOY_')}))"
)


def told(host: Target) -> tuple[str, dict[str, Any]]:
    area = host.repo.paths.area
    return (area / "REVISION").read_text(), yaml.safe_load((area / "DEPLOY_HEAD").read_text())


def go(host: Target, number: int, stage: str = CHECKOUT, **more: Any) -> None:
    deploy = more.pop("deploy", f"{number:020d}")
    for each in (FETCH, stage) if stage == CHECKOUT else (stage,):
        order = replace(host.order(number, each, deploy=deploy), **more)
        result = host.run(order)
        assert result.ok, result.error


@pytest.fixture(params=LAYOUTS)
def taker(request: pytest.FixtureRequest, tmp_path: Path, source: Source) -> Target:
    return Target(
        tmp_path, source, layout=request.param, upstream="https://alice:secret@git.example.org/demo"
    )


def test_they_tell_what_is_live_forth_and_back(taker: Target, source: Source) -> None:
    old, new = source.release(0), source.release(1)
    go(taker, 0)
    assert told(taker)[0] == f"{old.commit}\n"
    assert "previous_tag" not in told(taker)[1], "nothing was live before"

    taker.now += 60
    go(taker, 1, user="alice", group="canary")
    revision, head = told(taker)
    assert revision == f"{new.commit}\n"
    assert head == {
        "tag": new.tag,
        "commit": new.commit,
        "user": "alice",
        "timestamp": utc(taker.now),
        "original_origin": "https://***@git.example.org/demo",
        "git_repo": "demo",
        "git_submodules": False,
        "previous_tag": old.tag,
        "previous_commit": old.commit,
        "deploy": f"{1:020d}",
        "group": "canary",
        "host": "web1",
    }
    go(taker, 0, ROLLBACK, deploy=f"{1:020d}")
    revision, head = told(taker)
    assert (revision, head["tag"], head["previous_tag"]) == (f"{old.commit}\n", old.tag, new.tag)


def test_what_they_tell_already_is_not_written_again(host: Target) -> None:
    go(host, 0)
    before = written(host)
    host.now += 60
    go(host, 0, deploy=f"{9:020d}")
    assert written(host) == before


def written(host: Target) -> list[tuple[int, int]]:
    """When both files were written; who reads them moves neither."""
    found = [(host.repo.paths.area / name).stat() for name in ("REVISION", "DEPLOY_HEAD")]
    return [(each.st_ino, each.st_ctime_ns) for each in found]


@pytest.mark.parametrize("damage", [b"", b"\xff", b"[", b"tag: v0", b"x" * 100_000])
def test_what_somebody_damaged_is_written_again(host: Target, source: Source, damage: bytes) -> None:
    go(host, 0)
    (host.repo.paths.area / "DEPLOY_HEAD").write_bytes(damage)
    go(host, 0, deploy=f"{9:020d}")
    assert told(host)[1]["commit"] == source.release(0).commit


def test_a_link_in_their_place_is_replaced_and_not_followed(host: Target, tmp_path: Path) -> None:
    go(host, 0)
    (tmp_path / "secret").write_text("mine")
    for name in ("REVISION", "DEPLOY_HEAD"):
        (host.repo.paths.area / name).unlink()
        (host.repo.paths.area / name).symlink_to(tmp_path / "secret")
    go(host, 1)
    assert (tmp_path / "secret").read_text() == "mine"
    assert told(host)[1]["tag"] == "v1"


def test_where_they_cannot_be_written_the_switch_goes_on_and_none_is_wrong(host: Target) -> None:
    go(host, 0)
    (host.repo.paths.area / "REVISION").unlink()
    (host.repo.paths.area / "REVISION").mkdir()  # nobody can rename a file over it
    (host.repo.paths.area / "REVISION/x").touch()
    go(host, 1)
    assert (host.location / "only1").exists()
    assert not (host.repo.paths.area / "DEPLOY_HEAD").exists(), "it told of v0"


def test_none_are_written_where_the_pillar_wants_none(tmp_path: Path, source: Source) -> None:
    host = Target(tmp_path, source, revision_files="none")
    go(host, 0)
    assert not [path for path in host.repo.paths.area.iterdir() if path.name in ("REVISION", "DEPLOY_HEAD")]


@pytest.mark.parametrize("name", ['x"; rm -rf', "a: b", "🙂", "- x\n- y"])
def test_whatever_users_are_called_it_is_yaml(host: Target, name: str) -> None:
    order = Order.from_wire(replace(host.order(0, CHECKOUT, deploy=f"{1:020d}"), user=name).to_wire())
    assert host.run(host.order(0, FETCH, deploy=f"{1:020d}")).ok
    assert host.run(order).ok
    assert told(host)[1]["user"] == name


def test_hooks_and_checks_know_the_release_the_one_before_the_group_and_the_host(
    tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    def command(stage: str) -> list[str]:
        return ["sh", "-c", f'python3 -c "$CODE" > {tmp_path}/{stage}.json']

    def saw(stage: str) -> dict[str, str]:
        found: dict[str, str] = json.loads((tmp_path / f"{stage}.json").read_text())
        return found

    checks = {
        stage: {"type": "command", "command": command(stage), where: what}
        for stage, where, what in (
            ("before", "before", "checkout"),
            ("fetched", "after", "fetch"),
            ("after", "after", "restart"),
        )
    }
    monkeypatch.setenv("CODE", ENVIRONMENT)
    host = Target(tmp_path, source, checks=checks, restart_command=command("restart"))
    go(host, 0)
    go(host, 1, user="alice", group="canary")
    seen = {stage: saw(stage) for stage in (*checks, "restart")}
    go(host, 0, ROLLBACK, deploy=f"{1:020d}", group="canary")
    back = saw("after")
    old, new = source.release(0), source.release(1)
    whole = {
        "DEPLOY_REPO": "demo",
        "DEPLOY_TAG": new.tag,
        "DEPLOY_COMMIT": new.commit,
        "DEPLOY_PREVIOUS_TAG": old.tag,
        "DEPLOY_PREVIOUS_COMMIT": old.commit,
        "DEPLOY_GROUP": "canary",
        "DEPLOY_HOST": "web1",
        "DEPLOY_STAGE": CHECKOUT,
        "DEPLOY_ID": f"{1:020d}",
        "DEPLOY_USER": "alice",
    }
    assert seen == {**dict.fromkeys(seen, whole), "fetched": {**whole, "DEPLOY_STAGE": FETCH}}
    assert (back["DEPLOY_TAG"], back["DEPLOY_PREVIOUS_TAG"], back["DEPLOY_STAGE"]) == (
        old.tag,
        new.tag,
        ROLLBACK,
    )
