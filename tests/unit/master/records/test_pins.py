"""What hosts should be running: one release for all, and others for those whom a limit named."""

from __future__ import annotations

from pathlib import Path

import pytest
from saltdeploy.master.records.pin import Pin, pin_order
from saltdeploy.master.records.pins import Pins
from saltdeploy.master.records.secret import master_secret
from saltdeploy.protocol.holdings import Holdings
from saltdeploy.protocol.orders import FETCH, Order, Payload
from saltdeploy.protocol.release import Release
from saltdeploy.protocol.result import Result

ALL = ("web1", "web2", "web3")


def order(number: int, epoch: int = 1, sha: str = "") -> Order:
    release = Release("demo", f"v{number}", str(number) * 40)
    payloads = (Payload("", sha * 64, 10),) if sha else ()
    return Order("20261123101112000000", epoch, FETCH, release, "bundle", payloads)


@pytest.fixture
def pins(tmp_path: Path) -> Pins:
    return Pins(tmp_path)


def pinned(pins: Pins) -> dict[str, str]:
    found = {host: pins.of_host("demo", host) for host in (*ALL, "new")}
    return {host: pin.release.tag for host, pin in found.items() if pin}


def test_nothing_is_pinned_before_the_first_deploy(pins: Pins) -> None:
    assert pins.get("demo") is None
    assert pinned(pins) == {}
    assert pins.repos() == []


def test_a_pin_is_for_all_also_for_hosts_that_come_later(pins: Pins) -> None:
    pins.put(Pin(order(1), ALL))
    assert pinned(pins) == {"web1": "v1", "web2": "v1", "web3": "v1", "new": "v1"}
    assert pins.repos() == ["demo"]


def test_a_limit_moves_the_pin_of_its_hosts_only(pins: Pins) -> None:
    pins.put(Pin(order(1), ALL))
    pins.put(Pin(order(2), ("web1",), partial=True))
    assert pinned(pins) == {"web1": "v2", "web2": "v1", "web3": "v1", "new": "v1"}
    assert [pin.release.tag for pin in pins.all("demo")] == ["v2", "v1"]
    whole = pins.get("demo")
    assert whole is not None
    assert whole.release.tag == "v1"


def test_a_host_has_one_partial_pin_the_newest(pins: Pins) -> None:
    pins.put(Pin(order(1), ALL))
    pins.put(Pin(order(2), ("web1", "web2"), partial=True))
    pins.put(Pin(order(3), ("web1",), partial=True))
    assert pinned(pins) == {"web1": "v3", "web2": "v2", "web3": "v1", "new": "v1"}
    pins.put(Pin(order(4), ("web2",), partial=True))
    assert [pin.release.tag for pin in pins.all("demo")] == ["v4", "v3", "v1"]


def test_a_deploy_to_all_ends_what_limits_had_pinned(pins: Pins) -> None:
    pins.put(Pin(order(1), ALL))
    pins.put(Pin(order(2), ("web1",), partial=True))
    pins.put(Pin(order(3), ALL))
    assert set(pinned(pins).values()) == {"v3"}
    assert len(pins.all("demo")) == 1


def test_with_a_limit_alone_the_others_have_no_pin(pins: Pins) -> None:
    pins.put(Pin(order(1), ("web1",), partial=True))
    assert pinned(pins) == {"web1": "v1"}
    assert pins.get("demo") is None


def test_a_limit_that_brings_hosts_to_what_all_run_leaves_no_pin_of_its_own(pins: Pins) -> None:
    pins.put(Pin(order(1), ALL))
    pins.put(Pin(order(2), ("web1", "web2"), partial=True))
    pins.put(Pin(order(1), ("web1",), partial=True))
    assert pinned(pins) == {"web1": "v1", "web2": "v2", "web3": "v1", "new": "v1"}
    assert [pin.release.tag for pin in pins.all("demo")] == ["v2", "v1"]


def test_after_a_deploy_every_pin_has_its_epoch(pins: Pins) -> None:
    pins.put(Pin(order(1), ALL))
    pins.put(Pin(order(2), ("web1",), partial=True))
    pins.raise_epoch("demo", 7)
    assert [pin.order.epoch for pin in pins.all("demo")] == [7, 7]


def test_a_host_may_get_another_order_for_the_release_that_it_is_pinned_to(pins: Pins) -> None:
    pins.put(Pin(order(1), ALL))
    pins.put(Pin(order(2), ("web1",), partial=True))
    pins.replace_order("demo", "web2", order(1, sha="a"))
    assert [bool(pin.order.payloads) for pin in pins.all("demo")] == [False, True]


def test_payloads_of_all_pins_are_named(pins: Pins) -> None:
    pins.put(Pin(order(1, sha="a"), ALL))
    pins.put(Pin(order(2, sha="b"), ("web1",), partial=True))
    assert pins.payload_names() == {"a" * 64, "b" * 64}


def test_a_pin_is_an_order_to_fetch_under_the_id_pin() -> None:
    made = pin_order(order(1, sha="a"), 9)
    assert (made.deploy, made.epoch, made.stage, made.payloads) == (
        "pin",
        9,
        FETCH,
        order(1, sha="a").payloads,
    )


def test_what_hosts_were_seen_to_hold_is_remembered_for_each(pins: Pins) -> None:
    first = Result("web1", "demo", holdings=Holdings(live="1" * 40, held=("1" * 40,)))
    second = Result("web2", "demo", holdings=Holdings(live="2" * 40, held=("2" * 40,)))
    pins.note("demo", [first], 100.0)
    pins.note("demo", [second], 200.0)
    assert {host: held.live for host, held in pins.holdings("demo").items()} == {
        "web1": "1" * 40,
        "web2": "2" * 40,
    }
    assert pins.seen("demo")["web1"]["time"] == 100.0


def test_the_masters_secret_is_made_once_and_is_for_its_owner_only(tmp_path: Path) -> None:
    first = master_secret(tmp_path / "root")
    assert len(first) == 32
    assert master_secret(tmp_path / "root") == first
    assert (tmp_path / "root" / "secret").stat().st_mode & 0o077 == 0
