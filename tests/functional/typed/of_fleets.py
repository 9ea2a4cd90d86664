"""A deploy ended, or hosts are, otherwise than somebody wanted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from saltdeploy.master.running.unfinished import DIED
from saltdeploy.protocol import events

from tests.functional.typed.console import Console
from tests.functional.typed.follower import Printed
from tests.unit.protocol.whole_deploys import REPO

Story = Iterator[Printed]


def held(at: Console) -> Story:
    """A host is away before anybody switches."""
    at.has("v0")
    at.away.add("web2")
    at.instead["test.ping"] = lambda host: True
    yield Printed(lambda: at.deploy("v1"), mend=at.away.clear)
    assert at.live() == at.everywhere("v1")


def rolled_back(at: Console) -> Story:
    at.has("v0")
    at.configure(checks={"new": {"type": "command", "after": "checkout", "command": "grep -q 1 a"}})
    yield Printed(lambda: at.deploy("v2"), mend=lambda: at.configure(checks=None))
    assert at.live() == at.everywhere("v2")


def rolled_back_and_well(at: Console) -> Story:
    at.has("v0")
    at.configure(checks={"new": {"type": "command", "after": "checkout", "command": "grep -q 0 a"}})
    hand = {"deploy a tag that mends it": lambda: None}
    yield Printed(lambda: at.deploy("v2"), hand, mend=lambda: at.configure(checks=None))
    assert at.live() == at.everywhere("v2")


def mixed(at: Console) -> Story:
    """A host is lost after it has fetched, within the limit."""
    at.has("v0")
    at.configure(failure_limit=1)
    at.loses("web2", "deploy.checkout")

    def back() -> None:
        at.patch.undo()
        at.away.clear()

    hand = {"when the hosts are back": back, "deploy.report": back}
    yield Printed(lambda: at.deploy("v1"), hand)
    assert at.live() in (at.everywhere("v0"), at.everywhere("v1"))


def report(at: Console) -> Any:
    return at.run("report", repo=REPO)


def drift(at: Console) -> Story:
    at.has("v0", "v1")
    assert at.on("web1", "deploy.rollback", REPO)["retcode"] == 0
    yield Printed(lambda: report(at), mend=lambda: None)
    assert at.live() == at.everywhere("v1")


def damaged(at: Console) -> Story:
    at.has("v0")
    (at.fleet.minions["web1"].location / "a").write_text("somebody's")
    at.on("web1", "deploy.verify", REPO, full=True)
    yield Printed(lambda: report(at), mend=lambda: None)
    assert at.live() == at.everywhere("v0")


def nothing(at: Console) -> Story:
    """Somebody has removed the live link."""
    at.has("v0")
    at.fleet.minions["web1"].location.unlink()
    yield Printed(lambda: report(at), mend=lambda: None)
    assert at.live() == at.everywhere("v0")


def unreachable(at: Console) -> Story:
    at.has("v0")
    at.away.add("web2")
    at.instead["test.ping"] = lambda host: True
    yield Printed(lambda: report(at), mend=at.away.clear)


def unsettled(at: Console) -> Story:
    """Its restart did not pass, within the limit."""
    at.has("v0")
    there = at.place / "well"
    at.configure(restart_command=["test", "-e", str(there)], failure_limit=2)
    at.deploy("v1")
    there.touch()
    yield Printed(lambda: report(at), mend=lambda: None)
    assert at.live() == at.everywhere("v1")


def stale(at: Console) -> Story:
    """A process is older than the switch, as the host says."""
    at.has("v0")
    at.configure(restart_command=["true"])
    for minion in at.fleet.minions.values():
        at.patch.setattr(minion, "do", at.saying(minion, stale="site.service runs since before the switch"))
    yield Printed(lambda: report(at), {"deploy.restart": at.patch.undo}, mend=lambda: None)


def switched(at: Console) -> Story:
    """The deploying process died when the first host had switched."""
    at.has("v0")
    at.configure(batch=1)
    _dies(at, events.HOST_FINISHED, 3)
    yield Printed(lambda: report(at), mend=lambda: None)
    assert at.live() == at.everywhere("v1")


def died(at: Console) -> Story:
    at.has("v0")
    _dies(at, events.STAGE_STARTED, 1)
    yield Printed(lambda: report(at), mend=lambda: None)
    assert at.live() == at.everywhere("v1")


class _Killed(BaseException):
    """The deploying process was killed."""


def _dies(at: Console, event: str, number: int) -> None:
    """A deploy of v1 whose process is killed at the so manyth event of this kind."""
    seen: list[str] = []

    class Killer:
        def hear(self, heard: events.Event) -> None:
            seen.append(heard["event"])
            if seen.count(event) == number:
                raise _Killed

        def tick(self, now: float) -> None:
            """Nothing."""

    with pytest.raises(_Killed):
        at.deploy_watched("v1", Killer())


#: Word of an outcome, of a host in a report, or of a deploy that has not ended -> situations.
SITUATIONS = {
    "HELD": [held],
    "ROLLED BACK": [rolled_back, rolled_back_and_well],
    "MIXED": [mixed],
    "drift": [drift],
    "damaged": [damaged],
    "nothing": [nothing],
    "unreachable": [unreachable],
    "unsettled": [unsettled],
    "stale": [stale],
    "switched": [switched],
    DIED: [died],
}
CASES = [
    pytest.param(word, each, id=f"{word}: {each.__name__}")
    for word, found in SITUATIONS.items()
    for each in found
]
STATES = {
    "pinned",
    "drift",
    "damaged",
    "nothing",
    "unreachable",
    "unsettled",
    "stale",
    "switched",
    "suspended",
}
