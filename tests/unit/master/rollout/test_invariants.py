"""Any rollout, with any hosts: what the machine says in the end is compared with what the hosts really run.

The hosts here do what real ones do: they switch and say so, fail before the switch or behind it, lose their answers,
answer twice, answer when nobody waits any more, or switch long after they were given up.
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from saltdeploy.master.rollout.model import (
    AFTER_FETCH,
    AFTER_WAVE,
    ASK,
    BEFORE_FETCH,
    BEFORE_WAVE,
    CONTINUE,
    CONVERGED,
    FINAL,
    HELD,
    HOLD,
    MIXED,
    RETRY,
    ROLL_BACK,
    ROLLED_BACK,
    Ask,
    Gate,
    Pause,
    Question,
)
from saltdeploy.master.waves import Wave
from saltdeploy.protocol.orders import CHECKOUT, FETCH, ROLLBACK

from tests.support.rounds import rounds
from tests.unit.master.story import BROKEN, SILENT, Deploy, replay, standing

NEVER = 10_000
WORDS = {CONVERGED, HELD, ROLLED_BACK, MIXED}

#: what a host does with a stage: it works, it fails before anything changed, it fails when all has changed
WORKS, FAILS_BEFORE, FAILS_BEHIND = "works", "fails before", "fails behind"


@dataclass
class Host:
    """A host as it really is.

    Attributes:
        shows: whether its users see the new release.
        settled: whether it also runs it, restarted and checked.
        had: whether it had another release before.
        plain: whether its last answer left no doubt about what it shows.
        owes: the stage that it was asked for and has not done.
        letter: its answer to that stage, on its way.
    """

    shows: bool = False
    settled: bool = True
    had: bool = True
    plain: bool = False
    owes: str = ""
    letter: dict[str, Any] | None = None

    def act(self, how: str) -> None:
        """Do what it was asked for, and write the answer."""
        stage, self.owes = self.owes, ""
        changes = how != FAILS_BEFORE
        if stage == CHECKOUT and changes:
            self.shows, self.settled = True, how == WORKS
        elif stage == ROLLBACK and changes:
            self.shows, self.settled = False, how == WORKS
        error = None if how == WORKS else BROKEN
        self.letter = {
            "error": error,
            "unchanged": self.shows and self.settled,
            "way_back": self.had,
            "switched": self.shows,
            "shows": self.shows,
        }

    def is_plain(self, stage: str, answer: dict[str, Any]) -> bool:
        """Whether this answer leaves no doubt about what the host shows."""
        if answer["error"] is None:
            return not answer["switched"] if stage == ROLLBACK else self.settled
        return stage != ROLLBACK and not answer["switched"]


HOSTS = {
    "old": Host,
    "new": lambda: Host(shows=True),
    "unsettled": lambda: Host(shows=True, settled=False, had=False),
    "empty": lambda: Host(had=False),
}


@st.composite
def fleets(draw: st.DrawFn) -> tuple[Wave, ...]:
    """Waves with few hosts; some share a group, and then its limit."""
    names = iter(string.ascii_lowercase)
    found: list[Wave] = []
    for group in range(draw(st.integers(1, 2))):
        limit = draw(st.sampled_from([0, 0, 0, 1, 2]))
        hold = draw(st.sampled_from(["", "", "5", ASK]))
        for part in range(draw(st.integers(1, 2))):
            hosts = tuple(next(names) for _ in range(draw(st.integers(1, 4))))
            window = draw(st.integers(1, 4))
            back = draw(st.sampled_from([0, 1, 3, 8]))
            found.append(Wave(f"g{group}.{part}", f"g{group}", hosts, window, limit, hold, back))
    return tuple(found)


@st.composite
def policies(draw: st.DrawFn, waves: int) -> dict[str, Any]:
    """Rules of a deploy."""
    points = [Gate(BEFORE_FETCH), Gate(AFTER_FETCH), Gate(FINAL)]
    points += [Gate(point, wave) for wave in range(waves) for point in (BEFORE_WAVE, AFTER_WAVE)]
    return {
        "on_failure": draw(st.sampled_from([ROLL_BACK, ROLL_BACK, HOLD, ASK, CONTINUE])),
        "on_abort": draw(st.sampled_from([ROLL_BACK, HOLD])),
        "fetch_only": draw(st.sampled_from([False] * 7 + [True])),
        "confirm": draw(st.sampled_from([False, False, False, True])),
        "pinned": draw(st.booleans()),
        "fetch_window": draw(st.sampled_from([0, 0, 1, 2])),
        "gates": draw(st.frozensets(st.sampled_from(points), max_size=3)),
    }


class AnyRollout(RuleBasedStateMachine):
    """One deploy to a fleet of :class:`Host`."""

    def __init__(self) -> None:
        super().__init__()
        self.deploy = Deploy()
        self.hosts: dict[str, Host] = {}
        self.at_first: dict[str, bool] = {}
        self.begun: dict[
            tuple[str, str], int
        ] = {}  # how often a host was asked for a stage since the last retry
        self.failed: dict[str, set[str]] = {}  # by group; those that an operator has accepted are left out
        self.aborted = False
        self.stop_after = NEVER
        self.calm = False  # whether every fetch works, so that there is more trouble in what follows
        self.late: list[tuple[str, dict[str, Any]]] = []

    @initialize(data=st.data(), waves=fleets())
    def begin(self, data: st.DataObject, waves: tuple[Wave, ...]) -> None:
        self.deploy = Deploy(*waves, **data.draw(policies(len(waves))))
        kinds = data.draw(st.sampled_from([["old"], ["old", "new"], ["empty"], sorted(HOSTS)]))
        for name in (host for wave in waves for host in wave.hosts):
            self.hosts[name] = HOSTS[data.draw(st.sampled_from(kinds))]()
        self.at_first = {name: host.shows for name, host in self.hosts.items()}
        self.failed = {wave.group: set() for wave in waves}
        self.calm = data.draw(st.sampled_from([True, True, False]))
        self.stop_after = data.draw(st.one_of(st.just(NEVER), st.just(NEVER), st.integers(0, 60)))

    # -- what can happen --------------------------------------------------------------------------------

    @property
    def rollout(self):
        return self.deploy.rollout

    @property
    def goes_on_whoever_fails(self) -> bool:
        return self.deploy.rules.on_failure == CONTINUE

    def due(self, kind: type) -> bool:
        return isinstance(self.rollout.due(), kind)

    @precondition(lambda self: self.due(Ask))
    @rule(whole=st.booleans())
    def ask(self, whole: bool) -> None:
        ask = self.rollout.due(whole=whole)
        if ask is None:
            return
        wave = self.rollout.waves[ask.wave]
        if ask.stage == CHECKOUT:
            assert not self.aborted, "somebody new is asked to switch after an abort"
            assert self.rollout.tally(FETCH, -1).done, "somebody switches before everybody was heard"
            is_within = len(self.failed[wave.group]) <= wave.limit or self.goes_on_whoever_fails
            assert is_within, "somebody new is asked beyond the limit"
        if ask.stage == ROLLBACK:
            assert all(("checkout", host) in self.begun and self.hosts[host].had for host in ask.hosts)
        for host in ask.hosts:
            self.begun[ask.stage, host] = self.begun.get((ask.stage, host), 0) + 1
            self.hosts[host].owes, self.hosts[host].letter = ask.stage, None
            self.hosts[host].plain &= ask.stage == FETCH
        self.deploy.tell("asked", ask)

    @precondition(lambda self: any(host.owes for host in self.hosts.values()))
    @rule(data=st.data(), how=st.sampled_from([WORKS, WORKS, FAILS_BEFORE, FAILS_BEHIND]))
    def a_host_acts(self, data: st.DataObject, how: str) -> None:
        """It may have been given up before; then nobody hears of it."""
        name = data.draw(st.sampled_from([name for name, host in self.hosts.items() if host.owes]))
        self.hosts[name].act(WORKS if self.calm and self.rollout.stage == FETCH else how)

    @precondition(lambda self: self.calm and self.rollout.stage == FETCH and self.rollout.in_flight())
    @rule()
    def everybody_fetches(self) -> None:
        """The usual thing, so that a run comes far enough for the unusual ones."""
        for name in list(self.rollout.in_flight()):
            if self.hosts[name].owes:
                self.hosts[name].act(WORKS)
            if self.hosts[name].letter:
                self.deliver(name)

    @precondition(lambda self: self.letters())
    @rule(data=st.data())
    def an_answer_arrives(self, data: st.DataObject) -> None:
        self.deliver(data.draw(st.sampled_from(self.letters())))

    @precondition(lambda self: self.rollout.in_flight() and not (self.calm and self.rollout.stage == FETCH))
    @rule(data=st.data())
    def a_host_is_given_up(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.rollout.in_flight())))
        self.hosts[name].letter = None
        self.hear(name, {"error": SILENT, "unchanged": False, "way_back": False, "switched": True})

    @precondition(lambda self: self.late)
    @rule(data=st.data())
    def an_answer_arrives_again(self, data: st.DataObject) -> None:
        name, answer = data.draw(st.sampled_from(self.late))
        if name not in self.rollout.in_flight():
            before = standing(self.rollout)
            self.deploy.tell("heard", name, **answer)
            assert standing(self.rollout) == before

    @rule(name=st.sampled_from(["stranger", ""]))
    def a_stranger_answers(self, name: str) -> None:
        before = standing(self.rollout)
        self.deploy.tell("heard", name, error=BROKEN)
        assert standing(self.rollout) == before

    @precondition(lambda self: self.due(Gate))
    @rule(ok=st.sampled_from([True, True, False]))
    def the_checks_of_a_gate_are_done(self, ok: bool) -> None:
        self.deploy.check(ok=ok)

    @precondition(lambda self: self.due(Pause))
    @rule()
    def a_pause_is_over(self) -> None:
        self.deploy.wait()

    @precondition(lambda self: self.due(Question))
    @rule(data=st.data())
    def an_operator_answers(self, data: st.DataObject) -> None:
        choice = data.draw(st.sampled_from(self.deploy.question.choices))
        if choice == RETRY:
            self.begun = {key: 0 for key in self.begun}
        if choice == CONTINUE:
            self.failed = {group: set() for group in self.failed}
        self.deploy.answer(choice)
        if choice == RETRY and self.rollout.outcome is None:
            waiting = self.rollout.tally().waiting
            self.failed = {group: hosts - set(waiting) for group, hosts in self.failed.items()}

    @precondition(lambda self: len(self.deploy.told) >= self.stop_after)
    @rule(breaks=st.booleans())
    def somebody_stops_it(self, breaks: bool) -> None:
        if breaks:
            self.deploy.tell("broke", "the bus is gone")
        else:
            self.aborted = True
            self.deploy.tell("abort", "stopped by an operator")

    # -- how it is told ---------------------------------------------------------------------------------

    def letters(self) -> list[str]:
        return [name for name in self.rollout.in_flight() if self.hosts[name].letter]

    def deliver(self, name: str) -> None:
        host = self.hosts[name]
        assert host.letter is not None
        answer, host.letter = host.letter, None
        self.late.append((name, answer))
        host.plain = host.is_plain(self.rollout.stage, answer)
        self.hear(name, answer)

    def hear(self, name: str, answer: dict[str, Any]) -> None:
        group = next(wave.group for wave in self.rollout.waves if name in wave.hosts)
        if answer["error"] is not None and self.rollout.stage != ROLLBACK:
            self.failed[group].add(name)
        if answer["error"] is SILENT:
            self.hosts[name].plain = False
        self.deploy.tell("heard", name, **answer)

    # -- what is always true ----------------------------------------------------------------------------

    @invariant()
    def never_more_hosts_at_work_than_the_window(self) -> None:
        if self.rollout.outcome is None:
            wave = self.rollout.waves[self.rollout.wave]
            window = {
                FETCH: self.deploy.rules.fetch_window or 1000,
                CHECKOUT: wave.window,
                ROLLBACK: wave.back or wave.window,
            }[self.rollout.stage]
            assert len(self.rollout.in_flight()) <= window

    @invariant()
    def a_roll_back_never_waits_for_anything_but_hosts(self) -> None:
        if self.rollout.stage == ROLLBACK and self.rollout.outcome is None:
            assert isinstance(self.rollout.due(), Ask) or (
                self.rollout.due() is None and self.rollout.in_flight()
            )

    @invariant()
    def failures_exceed_the_limit_by_the_window_at_most(self) -> None:
        if any(stage == CHECKOUT for stage, _ in self.begun) and not self.goes_on_whoever_fails:
            for wave in self.rollout.waves:
                widest = max(w.window for w in self.rollout.waves if w.group == wave.group)
                assert len(self.failed[wave.group]) <= wave.limit + widest

    @invariant()
    def no_host_is_asked_twice_unless_an_operator_said_so(self) -> None:
        assert all(times <= 1 for times in self.begun.values())

    @invariant()
    def there_is_always_something_to_do_or_to_hear(self) -> None:
        if self.hosts and self.rollout.outcome is None:
            assert self.rollout.due() is not None or self.rollout.in_flight()

    @invariant()
    def the_machine_asks_nobody_while_something_else_is_due(self) -> None:
        assert (
            isinstance(self.rollout.due(), Ask) or self.rollout.due() is None or not self.rollout.in_flight()
        )

    # -- the end ----------------------------------------------------------------------------------------

    def teardown(self) -> None:
        """Let it come to its end, and look at the fleet."""
        if self.hosts:
            self.come_to_an_end()
            self.look_at_the_fleet()
            assert standing(replay(self.deploy)) == standing(self.rollout)

    def come_to_an_end(self) -> None:
        for _ in range(40 * len(self.hosts)):
            if self.rollout.outcome is not None:
                return
            due = self.rollout.due()
            if isinstance(due, Ask):
                self.ask(True)
            elif isinstance(due, Gate):
                self.deploy.check(ok=True)
            elif isinstance(due, Pause):
                self.deploy.wait()
            elif isinstance(due, Question):
                self.deploy.answer(due.default)
            else:
                self.a_host_is_heard()
        raise AssertionError("it never ends")

    def a_host_is_heard(self) -> None:
        name = next(iter(self.rollout.in_flight()))
        host = self.hosts[name]
        if host.letter is None and host.owes:
            host.act(WORKS)
        if host.letter is None:
            self.hear(name, {"error": SILENT, "unchanged": False, "way_back": False, "switched": True})
        else:
            self.deliver(name)

    def look_at_the_fleet(self) -> None:
        end, hosts = self.rollout.outcome, self.hosts
        only_fetched = self.deploy.rules.fetch_only
        switched = self.deploy.asked_for(CHECKOUT)
        assert end.word in WORDS
        if end.word == CONVERGED and not only_fetched:
            assert end.accepted
            assert all(host.shows and host.settled for host in hosts.values())
        if end.word == HELD:
            assert not switched
        if end.word == ROLLED_BACK:
            assert switched
            assert all(hosts[name].shows == self.at_first[name] for name in switched)
        if not only_fetched:
            self.look_for_a_mix_that_is_not_told()
            self.look_who_is_astray()

    def look_for_a_mix_that_is_not_told(self) -> None:
        sure = {host.shows for host in self.hosts.values() if host.plain}
        really = {host.shows for host in self.hosts.values()}
        mixed = len(sure) > 1 or (len(really) > 1 and not any(self.at_first.values()))
        assert self.rollout.outcome.word == MIXED or not mixed

    def look_who_is_astray(self) -> None:
        end, hosts = self.rollout.outcome, self.hosts
        wanted = end.accepted or self.deploy.rules.pinned
        wrong = {name for name, host in self.hosts.items() if host.shows != wanted}
        assert wrong <= set(end.astray)
        assert not [name for name in set(end.astray) - wrong if self.hosts[name].plain]
        assert not set(end.unwell) & set(end.astray)
        assert all(hosts[name].shows == wanted and not hosts[name].plain for name in end.unwell)
        if end.word == MIXED:
            assert (end.ok, end.total) == (len(self.hosts) - len(end.astray), len(self.hosts))


TestAnyRollout = AnyRollout.TestCase
TestAnyRollout.settings = settings(max_examples=rounds(200), stateful_step_count=60)
