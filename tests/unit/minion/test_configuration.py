"""A pillar that changes in the middle of a deploy, a place that a repo leaves, and a host without a master."""

from __future__ import annotations

import dataclasses
import shlex
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from saltdeploy.config import Repo
from saltdeploy.minion import own_orders, stages
from saltdeploy.minion.configuration import Configurations
from saltdeploy.protocol.orders import CHECKOUT, FETCH, ROLLBACK
from saltdeploy.protocol.result import Result

from tests.support.repositories import repo
from tests.support.targets import Target

A, B, C = 1, 2, 3  # ids of deploys


def do(
    host: Target, number: int, stage: str, deploy: int, now: Repo | None = None, attempt: int = 1
) -> Result:
    """A stage, while the pillar says ``now``."""
    order = dataclasses.replace(host.order(number, stage, deploy=deploy, epoch=deploy), attempt=attempt)
    return stages.run([stages.Task(order, now or host.repo)], host.host)


def deployed(host: Target, number: int, deploy: int, now: Repo | None = None) -> Result:
    assert do(host, number, FETCH, deploy, now).ok
    return do(host, number, CHECKOUT, deploy, now)


def shown(location: Path) -> str:
    return (location / "a").read_text() if location.exists() else ""


def elsewhere(host: Target) -> Path:
    return host.location.with_name("elsewhere")


CHANGES: dict[str, Any] = {
    "the location": lambda host: repo(elsewhere(host)),
    "the layout": lambda host: repo(host.location, layout="releases"),
    "the services": lambda host: repo(host.location, service_name="nginx"),
    "a check": lambda host: repo(host.location, checks={"never": {"type": "command", "command": "false", "stage": "checkout"}}),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_F56_a_deploy_and_its_way_back_go_by_the_pillar_of_its_start(host: Target, change: Any) -> None:
    deployed(host, 0, A)
    assert do(host, 1, FETCH, B).ok
    now = change(host)

    switched = do(host, 1, CHECKOUT, B, now)
    assert (switched.ok, shown(host.location), shown(elsewhere(host))) == (True, "1", ""), switched.error
    back = do(host, 0, ROLLBACK, B, now)

    assert (back.ok, shown(host.location), shown(elsewhere(host))) == (True, "0", "")
    assert back.holdings.live == host.source.tag(0).commit
    assert not any(function.startswith("service.") for function, _ in host.calls)


def test_F56_the_host_tells_what_the_pillar_says_otherwise_with_both_values(host: Target) -> None:
    assert do(host, 0, FETCH, A).ok
    switched = do(host, 0, CHECKOUT, A, repo(elsewhere(host)))
    assert switched.facts["pillar"] == f"location is {elsewhere(host)} now and was {host.location}"


def test_F56_the_next_deploy_goes_by_the_pillar_of_now(host: Target) -> None:
    deployed(host, 0, A)
    assert deployed(host, 1, B, repo(elsewhere(host))).ok
    assert (shown(host.location), shown(elsewhere(host))) == ("0", "1")


def test_F56_what_an_operator_mended_counts_for_another_attempt_but_the_release_stays_where_it_is(
    host: Target,
) -> None:
    broken = repo(host.location, checkout_module_calls={"test.fail": []})
    mended = repo(elsewhere(host))
    host.answers["test.fail"] = RuntimeError("no")
    assert do(host, 0, FETCH, A, broken).ok
    assert not do(host, 0, CHECKOUT, A, mended).ok
    assert do(host, 0, CHECKOUT, A, mended, attempt=2).ok
    assert (shown(host.location), shown(elsewhere(host))) == ("0", "")


def test_F56_a_fetch_that_failed_binds_its_deploy_to_nothing(host: Target) -> None:
    host.answers["test.fail"] = RuntimeError("no")
    assert not do(host, 0, FETCH, A, repo(host.location, fetch_module_calls={"test.fail": []})).ok
    assert do(host, 0, FETCH, A, attempt=2).ok


def test_F56_a_place_that_is_left_is_named_until_it_is_cleaned(host: Target) -> None:
    deployed(host, 0, A)
    moved = repo(elsewhere(host))

    switched = deployed(host, 1, B, moved)

    area = host.location.with_name(".demo.deploy")
    told = f"{host.location} is still there from before, and nothing updates it: rm -rf -- {host.location} {area}"
    assert switched.facts["left_behind"] == told
    assert stages.look(moved, host.host).facts["left_behind"] == told
    subprocess.run(shlex.split(told.partition(": ")[2]), check=True)
    assert "left_behind" not in stages.look(moved, host.host).facts
    assert shown(elsewhere(host)) == "1"


def test_F56_a_place_that_another_repo_of_this_host_has_taken_is_not_left(host: Target) -> None:
    deployed(host, 0, A)
    moved = repo(elsewhere(host))
    assert deployed(host, 1, B, moved).ok
    Configurations(host.cache, "other").note(
        "pin", dataclasses.replace(host.repo, name="other"), switches=True
    )
    other = {**host.repo.pillar.written, "repo_config": {"other": {"location": str(host.location)}}}
    Configurations(host.cache, "other").note(
        "pin",
        dataclasses.replace(
            host.repo, name="other", pillar=dataclasses.replace(host.repo.pillar, written=other)
        ),
        switches=True,
    )
    assert "left_behind" not in stages.look(moved, host.host).facts


def test_F37_what_a_host_needs_to_go_back_is_on_its_disk_and_nobody_else_reads_it(host: Target) -> None:
    deployed(host, 0, A)
    deployed(host, 1, B)
    file = host.cache / "demo" / "configuration.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    known = Configurations(host.cache, "demo").last()

    assert known == host.repo
    assert own_orders.previous(known).tag == "v0"


def test_F37_a_fetch_to_another_place_does_not_hide_what_is_live(host: Target) -> None:
    deployed(host, 0, A)
    assert do(host, 1, FETCH, B, repo(elsewhere(host))).ok
    known = Configurations(host.cache, "demo").last()
    assert known is not None and known.paths.location == host.location


@pytest.mark.parametrize(
    "data", [b"", b"[]", b'{"version": 2}', b'{"last": 7, "deploys": []}', b'{"last": {}}']
)
def test_F37_a_damaged_file_of_it_counts_as_none_and_is_written_again(host: Target, data: bytes) -> None:
    deployed(host, 0, A)
    file = host.cache / "demo" / "configuration.json"
    file.write_bytes(data)
    assert Configurations(host.cache, "demo").last() is None
    assert deployed(host, 1, B).ok
    assert Configurations(host.cache, "demo").last() == host.repo


SECRET = "b3BlbnNzaC1rZXktdjE"


def with_key(location: Path, secret: str) -> Repo:
    private = f"-----BEGIN OPENSSH PRIVATE KEY-----\n{secret}\n-----END OPENSSH PRIVATE KEY-----\n"
    return repo(location, deploy_key={"key": private, "known_hosts": "git.example.org ssh-ed25519 AAAA"})


@pytest.mark.parametrize("attempt", [0, 1])
def test_a_deploy_key_is_kept_on_no_disk_and_that_of_now_is_used(host: Target, attempt: int) -> None:
    before, now = with_key(host.location, SECRET), with_key(elsewhere(host), f"{SECRET}of-now")
    deployed(host, 0, A, before)
    kept = [file for file in host.host.cache.rglob("*") if file.is_file()]
    assert kept
    assert not any(SECRET.encode() in file.read_bytes() for file in kept)

    order = dataclasses.replace(host.order(1, ROLLBACK, deploy=A, epoch=A), attempt=attempt)
    counting = Configurations(host.host.cache, now.name).counting(order, now)

    assert counting.paths.location == host.location
    assert counting.origin.deploy_key == now.origin.deploy_key
