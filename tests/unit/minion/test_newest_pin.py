"""What a host is to run: what its pillar says, or what a deploy has brought since the pillar was made."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from saltdeploy.minion import own_orders, stages
from saltdeploy.minion.context import Task
from saltdeploy.minion.record import Record
from saltdeploy.protocol.orders import CHECKOUT, FETCH, ROLLBACK, Order
from saltdeploy.protocol.result import Result

from tests.support.targets import Target

A, B = 1, 2  # ids of deploys


def do(host: Target, order: Order) -> Result:
    return stages.run([Task(order, host.repo)], host.host)


def deployed(host: Target, number: int, deploy: int, epoch: int) -> None:
    for stage in (FETCH, CHECKOUT):
        assert do(host, host.order(number, stage, deploy=deploy, epoch=epoch)).ok


def told(host: Target, number: int, epoch: int) -> dict[str, Any]:
    """What a pillar says."""
    order = host.order(number, deploy="pin", epoch=epoch)
    return {"tag": order.release.tag, "commit": order.release.commit, "order": order.to_wire()}


def newest(host: Target, pillar: dict[str, Any]) -> str:
    return str(own_orders.newest_pin(pillar, "demo", host.host).get("tag", ""))


def test_F48_what_a_deploy_brought_is_the_pin_whether_or_not_the_pillar_tells_one(host: Target) -> None:
    deployed(host, 1, A, 10)
    assert (newest(host, {}), newest(host, told(host, 0, 5))) == ("v1", "v1")
    order = Order.from_wire(own_orders.newest_pin({}, "demo", host.host)["order"])
    assert (order.deploy, order.epoch, order.stage) == ("pin", 10, FETCH)
    for stage in (FETCH, CHECKOUT):
        assert do(host, dataclasses.replace(order, stage=stage)).ok


@pytest.mark.parametrize("epoch", [10, 11])
def test_F48_a_pillar_that_is_as_new_as_the_deploy_counts(host: Target, epoch: int) -> None:
    deployed(host, 1, A, 10)  # and the fleet was led back without this host
    assert newest(host, told(host, 0, epoch)) == "v0"


def test_F48_what_was_fetched_or_did_not_come_up_is_no_pin(host: Target) -> None:
    deployed(host, 0, A, 10)
    assert do(host, host.order(1, FETCH, deploy=B, epoch=11)).ok
    assert newest(host, {}) == "v0"


def test_F48_a_host_that_is_led_back_does_not_go_forth_again_by_itself(host: Target) -> None:
    deployed(host, 0, A, 10)
    deployed(host, 1, B, 11)
    assert do(host, host.order(0, ROLLBACK, deploy=B, epoch=11)).ok
    assert newest(host, {}) == "v0"


def test_F48_an_operator_who_leads_one_host_back_by_hand_changes_no_pin(host: Target) -> None:
    deployed(host, 0, A, 10)
    deployed(host, 1, B, 11)
    assert do(host, host.order(0, ROLLBACK, deploy=77, epoch=11)).ok
    assert newest(host, {}) == "v1"


def test_a_host_that_no_deploy_has_reached_knows_no_pin_of_its_own(host: Target) -> None:
    assert newest(host, {}) == ""
    assert Record(host.cache, "demo").pinned() == {}
