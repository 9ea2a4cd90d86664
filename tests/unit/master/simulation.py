"""A fleet that exists only in memory, behind the master's `Bus`, with a clock of its own.

Everything that happens is drawn from one seed: how long messages take, which are lost or doubled, which jobs fail,
which minions die in the middle of one and when they are back, who is cut off. A minion keeps its record through
all of it, as a real one does: a stage that was finished is answered from there.
"""

from __future__ import annotations

import dataclasses
import heapq
import itertools
import random
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from saltdeploy.lib.errors import DeployError, Fenced
from saltdeploy.protocol import events
from saltdeploy.protocol.holdings import Holdings
from saltdeploy.protocol.orders import CHECKOUT, FETCH, ROLLBACK, Order
from saltdeploy.protocol.release import Release
from saltdeploy.protocol.result import Result, secret_for

REPO = "mediawiki"
OLD = Release(REPO, "v1", "1" * 40)
NEW = Release(REPO, "v2", "2" * 40)
NOON = 1_795_435_200.0  # 2026-11-23
JOB, RETURN = "a job is lost", "a return is lost"
DEATH = "it dies in the middle of a stage"
#: These three stand with the stage that they befall: ``(FAILS_BEFORE, CHECKOUT)``.
FAILS_BEFORE, FAILS_BEHIND, REFUSES = "fails before anything changes", "fails behind", "refuses the order"
_DAY = 86_400.0
_MASTER_SECRET = b"of the master"


class Killed(BaseException):
    """The master's process was killed: nobody catches this."""


@dataclass(frozen=True)
class Habits:
    """What befalls minions: each a probability, for each message or job.

    Attributes:
        lose, double, lag: a message is lost, comes twice, or comes up to a minute late.
        fail_before, fail_behind: a stage fails before it changed anything, or when everything has changed.
        die: the minion dies in the middle of a stage, and is back some time later.
        slow: seconds that a stage takes, on average.
        gone: the minion is not there at all.
        cut: it is cut off for a while, and goes on working.
        forge: messages of a hostile minion, for each message of an honest one.
    """

    lose: float = 0.0
    double: float = 0.0
    lag: float = 0.0
    fail_before: float = 0.0
    fail_behind: float = 0.0
    die: float = 0.0
    slow: float = 1.0
    gone: float = 0.0
    cut: float = 0.0
    forge: float = 0.0


class Simulation:
    """A master's bus, and the minions at its other end.

    Args:
        seed: all that happens follows from it.
        hosts: the minions.
        habits: what befalls them.

    Attributes:
        minions: name to minion.
        published: ``(function, host)`` of every job, in order.
        fired: every event that the master fired.
        ahead: seconds by which the master's clock is ahead of what has passed; somebody may set it.
        kill_after: the master is killed when it has used the bus so often; 0: it is not.
        gone_after: Salt's master goes away when the bus has been used so often.
    """

    def __init__(self, seed: int, hosts: Iterable[str], habits: Habits = Habits()) -> None:  # noqa: B008 - frozen
        self.random = random.Random(seed)
        self.habits = habits
        self.clock = NOON
        self.ahead = 0.0
        self.kill_after = 0
        self.gone_after = float("inf")
        self.minions = {host: Minion(host, self) for host in hosts}
        self.jids: list[str] = []
        self.published: list[tuple[str, str]] = []
        self.fired: list[events.Event] = []
        self._order = itertools.count()
        self._coming: list[tuple[float, int, Callable[[], None]]] = []
        self._inbox: deque[tuple[str, Any]] = deque()

    # -- the bus, as the master sees it -----------------------------------------------------------------

    def new_jid(self) -> str:
        self._count_down()
        self.jids.append(f"{20_261_123_120_000_000_000 + next(self._order)}")
        return self.jids[-1]

    def publish(self, hosts: list[str], function: str, arguments: list[Any], jid: str) -> None:
        for host in hosts:
            self._count_down()
            self.published.append((function, host))
            self.carry(JOB, host, partial(self.minions[host].receive, jid, function, arguments))

    def next(self, wait: float) -> tuple[str, dict[str, Any]] | None:
        self._count_down()
        assert self.clock < NOON + _DAY, "somebody waits for ever"
        end = self.clock + wait
        while not self._inbox and self._happens_by(end):
            pass
        if self._inbox:
            return self._inbox.popleft()
        self.clock = max(self.clock, end)
        return None

    def fire(self, tag: str, data: events.Event) -> None:
        self._count_down()
        self.fired.append(data)

    def now(self) -> float:
        return self.clock + self.ahead

    def elapsed(self) -> float:
        return self.clock

    def _count_down(self) -> None:
        self.kill_after -= 1
        if self.kill_after == 0:
            raise Killed
        self.gone_after -= 1
        if self.gone_after <= 0:
            raise ConnectionError("no master")

    # -- the world --------------------------------------------------------------------------------------

    def secret(self, host: str) -> str:
        return secret_for(host, _MASTER_SECRET)

    def chance(self, probability: float) -> bool:
        return probability > 0 and self.random.random() < probability

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Something will happen."""
        heapq.heappush(self._coming, (self.clock + seconds, next(self._order), act))

    def carry(self, what: str, host: str, deliver: Callable[[], None]) -> None:
        """A message travels between the master and a host."""
        minion = self.minions[host]
        if self.chance(self.habits.lose) or minion.is_cut_off() or minion.befalls(what):
            return
        for _ in range(2 if self.chance(self.habits.double) else 1):
            late = self.random.uniform(0, 60) if self.chance(self.habits.lag) else 0.0
            self.later(self.random.expovariate(20.0) + late, deliver)

    def put(self, tag: str, data: Any) -> None:
        """Something comes out of the master's bus."""
        self._inbox.append((tag, data))

    def returned(self, host: str, jid: str, answer: Any) -> None:
        """A minion's answer comes out of the master's bus; and what a hostile one says meanwhile."""
        self.put(f"salt/job/{jid}/ret/{host}", {"id": host, "return": answer})
        if self.chance(self.habits.forge):
            self._forge(answer)

    def pass_unheard(self, end: float) -> None:
        """Let time pass in which nobody listens; what is said meanwhile stands in the queue."""
        while self._happens_by(end):
            pass
        self.clock = end

    def _happens_by(self, end: float) -> bool:
        """The next thing happens, if it is to by then."""
        if not self._coming or self._coming[0][0] > end:
            return False
        self.clock, _, act = heapq.heappop(self._coming)
        act()
        return True

    def forget_messages(self) -> None:
        """Nobody listened for a while."""
        self._inbox.clear()

    def settle(self) -> None:
        """Let everything happen that is still under way."""
        while self.next(1.0) is not None or self._coming:
            pass

    def _forge(self, genuine: Any) -> None:
        """What one hostile minion can put on the bus: it knows every job id, its own secret, and what others said."""
        victim = self.random.choice(sorted(self.minions))
        lie = Result(
            victim,
            REPO,
            deploy=genuine["deploy"],
            epoch=genuine["epoch"],
            stage=genuine["stage"],
            attempt=genuine["attempt"],
            holdings=Holdings(live=NEW.commit, held=(NEW.commit,), tags={NEW.commit: NEW.tag}),
        )
        evil = self.random.choice(
            [
                lie.to_wire(),
                lie.to_wire(self.secret("evil")),
                {**genuine, "host": victim},
                {**genuine, "status": 1},
                genuine,
                None,
                [],
                "'deploy.fetch' is not available.",
                {"status": "0", "mac": 7},
                {"status": 0, "host": ["a"], "facts": {"known": False}},
                "x" * 100_000,
            ]
        )
        jid = self.random.choice(self.jids)
        progress = {"phase": "write", "unit": "files", "done": -1, "total": "many"}
        self._inbox += [
            (f"salt/job/{jid}/ret/{victim}", {"id": victim, "return": evil}),
            (f"salt/job/{jid}/ret/stranger", {"return": evil}),
            (f"salt/job/{jid}/ret/{victim}", evil),
            (f"deploy/{genuine['deploy']}/host_progress/{victim}", {"data": progress}),
            (f"deploy/{genuine['deploy']}/host_progress/{victim}", evil),
        ]


class Minion:
    """One host.

    Attributes:
        holdings: what it has on disk.
        finished: how often each stage came to an end here, by ``(deploy, stage, attempt)``.
        said: the answer that each of them had.
        unlucky: whether anything befell it that may make it unreachable.
        mishaps: how often each mishap will befall it from now on, whatever the habits are.
    """

    def __init__(self, name: str, world: Simulation) -> None:
        self.name = name
        self.holdings = Holdings(live=OLD.commit, held=(OLD.commit,), tags={OLD.commit: OLD.tag})
        self.finished: Counter[tuple[str, str, int]] = Counter()
        self.said: dict[tuple[str, str, int], Result] = {}
        self.unlucky = False
        self.mishaps: Counter[str | tuple[str, str]] = Counter()
        self._world = world
        self._secret = world.secret(name)
        self._up = True
        self._life = 0  # what a process of an earlier life was about to do does not happen
        self._cut: tuple[float, float] | None = None
        self._epoch = 0
        self._rolled_back = ""
        self._jids: set[str] = set()
        self._jobs: deque[tuple[str, Order]] = deque()
        if world.chance(world.habits.gone):
            self._up, self.unlucky = False, True
        if world.chance(world.habits.cut):
            begin = world.clock + world.random.uniform(0, 40)
            self._cut, self.unlucky = (begin, begin + world.random.expovariate(1 / 20)), True

    def is_cut_off(self) -> bool:
        """Whether no message passes."""
        return self._cut is not None and self._cut[0] <= self._world.clock < self._cut[1]

    def befalls(self, mishap: str | tuple[str, str]) -> bool:
        """Whether a mishap that was arranged for befalls it now."""
        if self.mishaps[mishap] == 0:
            return False
        self.mishaps[mishap] -= 1
        return True

    def receive(self, jid: str, function: str, arguments: list[Any]) -> None:
        """A job arrives; one that was seen before is dropped, as Salt does."""
        if not self._up or jid in self._jids:
            return
        self._jids.add(jid)
        if function == "deploy.result":
            self._return(jid, self._what_became_of(*arguments))
            return
        if function == "deploy.status":
            self._return(jid, Result(self.name, *arguments, holdings=self.holdings))
            return
        order = Order.from_wire(arguments[1]["order"])
        assert function == f"deploy.{order.stage}"
        if self.befalls(
            (REFUSES, order.stage)
        ):  # its pillar is broken, or its version: it says nothing of itself
            refusal = DeployError("it takes no orders")
            self._return(jid, Result(self.name, REPO, status=refusal.status, error=refusal))
            return
        self._jobs.append((jid, order))
        if len(self._jobs) == 1:
            self._begin()

    # -- a stage ----------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Take up the next job; as long as it is there, it holds the lock."""
        world = self._world
        if not self._jobs:
            return
        jid, order = self._jobs[0]
        known = self._recall(order.deploy, order.stage, order.attempt)
        if known is not None:
            self._end(jid, known)
            return
        late = order.stage != ROLLBACK and order.deploy == self._rolled_back
        if order.epoch < self._epoch or late:
            self._end(jid, self._answer(order, error=Fenced("a newer order was here before")))
            return
        self._epoch = order.epoch
        self._rolled_back = order.deploy if order.stage == ROLLBACK else self._rolled_back
        seconds = world.random.expovariate(1 / world.habits.slow)
        happens = [
            (seconds * 0.9, partial(self._change, order)),
            (seconds, partial(self._finish, jid, order)),
        ]
        for after, act in happens:
            world.later(after, partial(self._if_alive, self._life, act))
        if world.chance(world.habits.die) or self.befalls(DEATH):
            world.later(world.random.uniform(0, seconds * 0.9), self.die)

    def _if_alive(self, life: int, act: Callable[[], None]) -> None:
        if life == self._life:
            act()

    def _change(self, order: Order) -> None:
        """Everything that a stage changes, at one moment."""
        held, commit = self.holdings, order.release.commit
        habits, chance = self._world.habits, self._world.chance
        if chance(habits.fail_before) or self.befalls((FAILS_BEFORE, order.stage)):
            self._fails = "it failed before anything changed"
            return
        behind = chance(habits.fail_behind) or self.befalls((FAILS_BEHIND, order.stage))
        self._fails = "it failed when all had changed" if behind else ""
        if order.stage == FETCH:
            tags = {**held.tags, commit: order.release.tag}
            self.holdings = dataclasses.replace(held, held=tuple(tags), tags=tags)
        elif order.stage == CHECKOUT:
            self.holdings = dataclasses.replace(held, live=commit, previous=held.live, unsettled=True)
        else:
            self.holdings = dataclasses.replace(held, live=commit, unsettled=True)

    def _finish(self, jid: str, order: Order) -> None:
        if not self._fails and order.stage in (CHECKOUT, ROLLBACK):
            self.holdings = dataclasses.replace(self.holdings, unsettled=False)
        answer = self._answer(order, error=DeployError(self._fails) if self._fails else None)
        self.finished[_key(order)] += 1
        self.said[_key(order)] = answer
        self._end(jid, answer)

    def _end(self, jid: str, answer: Result) -> None:
        self._jobs.popleft()
        self._return(jid, answer)
        self._begin()

    def die(self) -> None:
        """The minion and all its jobs are killed; it is back some time later."""
        if self._up:
            self._up, self._life, self.unlucky = False, self._life + 1, True
            self._jobs.clear()
            self._world.later(self._world.random.expovariate(1 / 5), self.live)

    def live(self) -> None:
        """The minion is started."""
        self._up = True

    # -- what it says -----------------------------------------------------------------------------------

    def _recall(self, deploy: str, stage: str, attempt: int) -> Result | None:
        """The newest answer to a stage, if it is to this attempt or to a later one."""
        found = [
            answer for key, answer in self.said.items() if key[:2] == (deploy, stage) and key[2] >= attempt
        ]
        return found[-1] if found else None

    def _what_became_of(self, deploy: str, stage: str, repo: str, attempt: int = 1) -> Result:
        known = self._recall(deploy, stage, attempt)
        if known is not None:
            return dataclasses.replace(known, facts={**known.facts, "known": True})
        return Result(
            self.name, repo, holdings=self.holdings, facts={"known": False, "running": bool(self._jobs)}
        )

    def _answer(self, order: Order, *, error: DeployError | None = None) -> Result:
        return Result(
            self.name,
            REPO,
            deploy=order.deploy,
            epoch=order.epoch,
            stage=order.stage,
            attempt=order.attempt,
            tag=order.release.tag,
            commit=order.release.commit,
            status=error.status if error else 0,
            error=error,
            holdings=self.holdings,
        )

    def _return(self, jid: str, answer: Result) -> None:
        wire = dataclasses.replace(answer, job=jid).to_wire(self._secret)
        self._world.carry(RETURN, self.name, partial(self._world.returned, self.name, jid, wire))


def _key(order: Order) -> tuple[str, str, int]:
    return order.deploy, order.stage, order.attempt
