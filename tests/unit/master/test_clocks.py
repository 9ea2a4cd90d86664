"""A deploy while somebody sets the master's clock, or the machine keeps its process from running."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from saltdeploy.checks import CheckContext
from saltdeploy.lib.errors import Fenced, Locked, Unreachable
from saltdeploy.master.context import Master
from saltdeploy.master.fleet.authenticity import Authenticator
from saltdeploy.master.fleet.minions import Fleet
from saltdeploy.master.fleet.survey import survey
from saltdeploy.master.locking.lease import LEASE
from saltdeploy.master.locking.locks import Locks
from saltdeploy.master.records.state import DeployState
from saltdeploy.master.rollout.model import ASK, Rules
from saltdeploy.master.waves import Wave
from saltdeploy.protocol import events
from saltdeploy.protocol.orders import CHECKOUT, FETCH, Order

from tests.support.stores import Directory, store
from tests.unit.master.masters import Clock, person
from tests.unit.master.simulated_deploys import DEPLOY, SimulatedDeploy
from tests.unit.master.simulation import FAILS_BEFORE, JOB, NEW, NOON, REPO, Habits, Simulation

__all__ = ["store"]

HOSTS = ("web0", "web1", "web2")
HOLD = 30.0
WAVES = (Wave("canary", "canary", ("web0",), 1, 0, f"{HOLD:g}"), Wave("rest", "rest", ("web1", "web2"), 1, 0))
HOUR_BACK, TEN_MINUTES_AHEAD = -3600.0, 600.0


class Reset(Simulation):
    """A fleet whose master's clock is set once: a while after the first event of one kind."""

    def __init__(self, event: str, seconds: float) -> None:
        super().__init__(1, HOSTS, Habits(slow=20.0))
        self._event, self._seconds = event, seconds
        self.minions["web1"].mishaps[FAILS_BEFORE, CHECKOUT] = 1

    def fire(self, tag: str, data: events.Event) -> None:
        super().fire(tag, data)
        if data["event"] == self._event:
            self._event = ""
            self.later(2.0, self._set)

    def _set(self) -> None:
        self.ahead = self._seconds


def course(root: Path, event: str, seconds: float) -> tuple[list[dict[str, Any]], float]:
    """What a deploy with a hold and a question tells, but for the times; and how long it takes."""
    world = Reset(event, seconds)
    SimulatedDeploy(root, world, WAVES, Rules(on_failure=ASK)).run()
    told = [{key: each[key] for key in each.keys() - {"time", "until"}} for each in world.fired]
    return told, world.clock - NOON


@pytest.mark.parametrize("seconds", [HOUR_BACK, TEN_MINUTES_AHEAD])
@pytest.mark.parametrize("event", [events.STAGE_STARTED, events.PAUSED, events.QUESTION])
def test_F55_a_clock_that_is_set_in_the_middle_of_a_deploy_changes_nothing(
    event: str, seconds: float, tmp_path: Path
) -> None:
    told, lasts = course(tmp_path / "undisturbed", event, 0.0)
    assert event in [each["event"] for each in told]
    assert course(tmp_path / "disturbed", event, seconds) == (told, lasts)


@pytest.mark.parametrize("seconds", [0.0, HOUR_BACK, TEN_MINUTES_AHEAD])
def test_F55_a_deploy_that_is_resumed_at_a_hold_waits_for_what_was_left(
    seconds: float, tmp_path: Path
) -> None:
    world = Simulation(1, HOSTS)
    deploy = SimulatedDeploy(tmp_path, world, WAVES, Rules())
    fire = world.fire

    def fire_and_die_soon(tag: str, data: events.Event) -> None:
        fire(tag, data)
        if data["event"] == events.PAUSED:
            world.kill_after = 10  # dealings with the bus
            world.ahead = seconds

    world.fire = fire_and_die_soon  # type: ignore[method-assign]
    assert str(deploy.run(kills=[10_000])) == "CONVERGED 3/3"
    assert deploy.lives == 2
    begin, end = (
        next(event["time"] for event in world.fired if event["event"] == kind)
        for kind in (events.PAUSED, events.PAUSE_OVER)
    )
    assert HOLD <= end - seconds - begin <= HOLD + 10 * 0.25 + 1


def test_F55_what_is_left_of_a_hold_follows_from_the_journal(tmp_path: Path) -> None:
    deploy = SimulatedDeploy(tmp_path, Simulation(1, HOSTS), WAVES, Rules())
    state = deploy.course()

    def take(*many: events.Event) -> float:
        for event in many:
            state.take(event)
        return DeployState.replayed([*planned, *many]).left["pause 1"]

    planned = [events.planned(DEPLOY, REPO, NOON, script=state.script.to_wire())]
    paused = events.paused(DEPLOY, REPO, NOON, wave=1, group="canary", until=NOON + HOLD)
    later = events.warned(DEPLOY, REPO, NOON + 10, text="a host is odd")
    resumed = events.resumed(DEPLOY, REPO, NOON + 9000, user="amir", epoch=2)
    earlier = events.warned(DEPLOY, REPO, NOON, text="the clock was put back")
    assert take(paused) == HOLD
    assert take(paused, later) == HOLD - 10
    assert take(paused, later, resumed) == HOLD - 10, "nobody waited meanwhile"
    assert take(paused, later, resumed, earlier) == HOLD - 10, "never more than there was"


# -- a process that does not get to run -----------------------------------------------------------------


@pytest.fixture
def world() -> Simulation:
    return Simulation(1, HOSTS)


def _nothing(*_: Any) -> Any:
    raise AssertionError("nobody asks for this")


def surveyed(root: Path, world: Simulation) -> set[str]:
    """Who answers what they hold."""
    place = CheckContext(_nothing, _nothing)
    master = Master(root, world, None, _nothing, _nothing, world.secret, "amir", place)  # type: ignore[arg-type]
    return set(survey(master, list(HOSTS), REPO, 5.0))


def starve(world: Simulation, seconds: float = 1000.0, chatter: int = 0) -> None:
    """The process stands still when it listens next; meanwhile much is said that is none of its business."""
    listen = world.next

    def stand_still(wait: float) -> Any:
        world.next = listen  # type: ignore[method-assign]
        world.pass_unheard(world.clock + seconds)
        return listen(wait)

    for number in range(chatter):
        world.put(f"salt/job/{number}/ret/web9", {"return": True})
    world.next = stand_still  # type: ignore[method-assign]


def test_F36_a_process_that_stood_still_hears_the_answers_that_wait_behind_a_thousand_others(
    world: Simulation,
) -> None:
    fleet = Fleet(world, DEPLOY, Authenticator(world.secret), 60.0, _nothing)
    fleet.ask(list(HOSTS), (Order(DEPLOY, 1, FETCH, NEW),))
    starve(world, chatter=3000)
    answers = [answer for _ in range(20) for answer in fleet.hear(0.25).answers]
    assert {answer.host for answer in answers if answer.ok} == set(HOSTS)


def test_F36_a_process_that_stood_still_while_it_asked_what_hosts_hold_calls_nobody_silent(
    world: Simulation, tmp_path: Path
) -> None:
    starve(world, chatter=3000)
    assert surveyed(tmp_path, world) == set(HOSTS)


@pytest.mark.parametrize("lost", [1, 2])
def test_F36_whoever_asks_what_hosts_hold_asks_the_silent_again(
    lost: int, world: Simulation, tmp_path: Path
) -> None:
    world.minions["web1"].mishaps[JOB] = lost
    assert surveyed(tmp_path, world) == set(HOSTS)
    assert Counter(host for _, host in world.published) == {"web0": 1, "web1": 1 + lost, "web2": 1}


def test_F36_a_host_is_silent_after_as_many_questions_whoever_asks(world: Simulation, tmp_path: Path) -> None:
    world.minions["web1"].mishaps[JOB] = 1000
    assert surveyed(tmp_path, world) == {"web0", "web2"}
    asked_by_a_report = len([host for _, host in world.published if host == "web1"])
    assert world.clock - NOON <= 2 * 5.0 + 1, "nobody waits long for the dead"
    world.published.clear()
    fleet = Fleet(world, DEPLOY, Authenticator(world.secret), 60.0, _nothing)
    fleet.ask(["web1"], (Order(DEPLOY, 1, FETCH, NEW),))
    (answer,) = [answer for _ in range(100) for answer in fleet.hear(0.25).answers]
    assert isinstance(answer.error, Unreachable)
    assert len(world.published) == asked_by_a_report == 3


# -- the lease of a deploy ------------------------------------------------------------------------------


class Unset(Clock):
    """A clock that a test sets, and one that nobody sets."""

    passed: float = 0.0

    def elapsed(self) -> float:
        return self.passed


@pytest.mark.parametrize("seconds", [HOUR_BACK, TEN_MINUTES_AHEAD])
def test_F55_a_clock_that_is_set_while_the_store_is_away_ends_no_lease(
    seconds: float, tmp_path: Path, store: Directory
) -> None:
    clock = Unset()
    locks = Locks(tmp_path / "root", store, clock, clock.pause, clock.elapsed)
    with locks.hold(REPO, (), person("alice")) as lease:
        store.broken = True
        clock.now += seconds
        clock.passed = LEASE - 1
        lease.beat(clock.now)
        clock.passed = LEASE
        with pytest.raises(Fenced, match="ran out"):
            lease.beat(clock.now + 1)


def test_a_machine_that_slept_looks_first_whether_another_master_has_taken_over(
    tmp_path: Path, store: Directory
) -> None:
    clock = Unset()  # the one that nobody sets stands still while a machine sleeps
    locks = Locks(tmp_path / "east", store, clock, clock.pause, clock.elapsed)
    with locks.hold(REPO, (), person("alice")) as lease:
        clock.now += LEASE
        west = Locks(tmp_path / "west", store, clock, clock.pause, clock.elapsed)
        with west.hold(REPO, (), person("bob")), pytest.raises(Fenced, match="bob"):
            lease.beat(clock.now)


def test_F55_who_waits_for_a_lock_waits_as_long_when_the_clock_is_put_back(
    tmp_path: Path, store: Directory
) -> None:
    clock = Unset()

    def pause(seconds: float) -> None:
        clock.passed += seconds
        clock.now = NOON + HOUR_BACK
        assert clock.passed < 10, "it waits for an hour"

    ours = Locks(tmp_path / "root", store, clock, pause, clock.elapsed)
    with ours.hold(REPO, (), person("alice")), pytest.raises(Locked, match="waited 5 seconds"):
        ours.hold(REPO, (), person("bob"), wait=5.0).__enter__()
    assert 5 <= clock.passed < 5.5
