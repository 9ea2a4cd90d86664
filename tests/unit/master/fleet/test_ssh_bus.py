"""A bus on which hosts of a roster are beside minions: who is asked by which way, and what comes out of it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from saltdeploy.config.ssh_hosts import SshHost
from saltdeploy.lib.errors import ConfigError, Unavailable
from saltdeploy.master.fleet.ssh.bus import JoinedBus
from saltdeploy.protocol import events

JOB = "20261129101112000000"
Message = tuple[str, dict[str, Any]]


class Minions:
    """The bus of the minions."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.waiting: queue.Queue[Message] = queue.Queue()
        self._time = 0.0

    def new_jid(self) -> str:
        return JOB

    def publish(self, hosts: list[str], function: str, arguments: list[Any], jid: str) -> None:
        self.asked.append(hosts)

    def next(self, wait: float) -> Message | None:
        try:
            return self.waiting.get(timeout=max(wait, 0.001))
        except queue.Empty:
            self._time += wait
            return None

    def fire(self, tag: str, data: dict[str, Any]) -> None:
        self.waiting.put((tag, data))

    def now(self) -> float:
        return 0.0

    def elapsed(self) -> float:
        return self._time


class Hosts:
    """What hosts say over ssh: messages, or an error that ends the connection."""

    def __init__(self, **says: list[Any]) -> None:
        self._says = says
        self.requests: list[Mapping[str, Any]] = []

    def hold(self, host: SshHost, request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        self.requests.append(request)
        for said in self._says[host.id]:
            if isinstance(said, Exception):
                raise said
            yield said


def joined(hosts: Hosts, minions: Minions, names: tuple[str, ...] = ("app1",)) -> JoinedBus:
    roster = {name: SshHost(name, "127.0.0.1") for name in names}

    def request(host: SshHost, jid: str, function: str, arguments: list[Any]) -> dict[str, Any]:
        return {"host": host.id, "job": jid, "function": function, "arguments": arguments}

    return JoinedBus(minions, roster, hosts, request)  # type: ignore[arg-type]


def heard(bus: JoinedBus, number: int) -> list[Message]:
    found = [bus.next(5.0) for _ in range(number)]
    return [each for each in found if each is not None]


def progress(host: str) -> dict[str, Any]:
    event = events.host_progress(
        JOB, "site", 0.0, host=host, stage="fetch", phase="receive", done=1, total=2, unit="bytes"
    )
    return {"event": [events.tag_of(event), event]}


def test_each_host_is_asked_by_its_own_way_and_answers_under_the_tag_of_a_return() -> None:
    minions, hosts = Minions(), Hosts(app1=[{"answer": {"status": 0}}])
    bus = joined(hosts, minions)
    bus.publish(["web1", "app1", "web2"], "deploy.status", ["site"], JOB)
    assert minions.asked == [["web1", "web2"]]
    assert heard(bus, 1) == [(f"salt/job/{JOB}/ret/app1", {"return": {"status": 0}})]
    assert hosts.requests == [
        {"host": "app1", "job": JOB, "function": "deploy.status", "arguments": ["site"]}
    ]


def test_what_minions_say_is_heard_as_before() -> None:
    minions = Minions()
    bus = joined(Hosts(), minions)
    bus.fire("tag", {"a": 1})
    assert (bus.next(5.0), bus.next(0.0)) == (("tag", {"a": 1}), None)


def test_a_connection_that_breaks_is_no_answer_and_its_reason_is_heard() -> None:
    bus = joined(Hosts(app1=[progress("app1"), Unavailable("no answer over ssh from app1: cut")]), Minions())
    bus.publish(["app1"], "deploy.fetch", [], JOB)
    (tag, told), (returned, data) = heard(bus, 2)
    assert tag.endswith("/host_progress/app1") and told["data"]["done"] == 1
    assert (returned, data) == (f"salt/job/{JOB}/ret/app1", {"return": "no answer over ssh from app1: cut"})


@pytest.mark.parametrize(
    "said", [progress("web1"), {"event": ["salt/auth", {}]}, {"event": "x"}, {"event": [1, 2]}, {"other": 1}]
)
def test_what_a_host_tells_of_others_is_dropped(said: dict[str, Any]) -> None:
    bus = joined(Hosts(app1=[said, {"answer": 1}]), Minions())
    bus.publish(["app1"], "deploy.fetch", [], JOB)
    assert heard(bus, 1) == [(f"salt/job/{JOB}/ret/app1", {"return": 1})]


def test_a_host_whose_pillar_does_not_render_says_so_and_others_are_asked() -> None:
    def request(host: SshHost, *_: Any) -> dict[str, Any]:
        if host.id == "app1":
            raise ConfigError("its pillar does not render")
        return {}

    roster = {name: SshHost(name, "127.0.0.1") for name in ("app1", "app2")}
    bus = JoinedBus(Minions(), roster, Hosts(app2=[{"answer": 2}]), request)  # type: ignore[arg-type]
    bus.publish(["app1", "app2"], "deploy.status", [], JOB)
    said = {tag.rsplit("/", 1)[1]: str(data["return"]) for tag, data in heard(bus, 2)}
    assert "its pillar does not render" in said["app1"]
    assert said["app2"] == "2"


def test_a_host_is_waited_for_while_others_are_silent() -> None:
    goes_on = threading.Event()

    class Slow(Hosts):
        def hold(self, host: SshHost, request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
            goes_on.wait()
            yield {"answer": 7}

    bus = joined(Slow(), Minions())
    bus.publish(["app1"], "deploy.fetch", [], JOB)
    assert bus.next(0.0) is None
    goes_on.set()
    assert heard(bus, 1) == [(f"salt/job/{JOB}/ret/app1", {"return": 7})]
