"""The state machine of one deploy: who is asked for what, when it stops, and how it ends. No I/O, no clock.

It is fed with answers (:meth:`Rollout.heard`) and says whom to ask next (:meth:`Rollout.due`). A host that gave
no answer counts as failed: silence is never a success.

    FETCH     everybody at once; more failures than the limit: HELD, and nothing has changed anywhere
    CHECKOUT  a sliding window of hosts; more failures than the limit: nobody new is asked, then
    ROLLBACK  every host that was asked to switch, not only those known to have switched
"""

from __future__ import annotations

from dataclasses import dataclass

from saltdeploy.errors import DeployError
from saltdeploy.orders import CHECKOUT, FETCH, ROLLBACK

CONVERGED = "CONVERGED"
HELD = "HELD"
ROLLED_BACK = "ROLLED BACK"
MIXED = "MIXED"


@dataclass(frozen=True)
class Ask:
    """Instruction to ask hosts for a stage."""

    stage: str
    hosts: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """How a deploy ended.

    Attributes:
        word: one of the four.
        ok, total: hosts that are where the word says they are, of how many.
        reason: one sentence.
        accepted: whether the new release is what the fleet should be running from now on.
    """

    word: str
    ok: int
    total: int
    reason: str
    accepted: bool

    def __str__(self) -> str:
        return f"{self.word} {self.ok}/{self.total}"


class Rollout:
    """One deploy.

    Args:
        hosts: the targets, in the order in which they shall switch.
        window: how many may be switching at once.
        failure_limit: how many may fail before the deploy is stopped.
        fetch_only: end at the barrier.
    """

    def __init__(
        self, hosts: list[str], *, window: int, failure_limit: int, fetch_only: bool = False
    ) -> None:
        self._hosts = list(hosts)
        self._window = window
        self._limit = failure_limit
        self._fetch_only = fetch_only
        self.stage = FETCH
        self._waiting = list(hosts)
        self._in_flight: set[str] = set()
        self._fine: dict[str, list[str]] = {FETCH: [], CHECKOUT: [], ROLLBACK: []}
        self._failed: dict[str, dict[str, str]] = {FETCH: {}, CHECKOUT: {}, ROLLBACK: {}}
        self._unchanged: list[str] = []
        self._asked_to_switch: list[str] = []
        self._no_way_back: list[str] = []
        self._stopped = ""
        self.outcome: Outcome | None = None

    # -- inputs -----------------------------------------------------------------------------------------

    def heard(
        self, host: str, *, error: DeployError | None = None, unchanged: bool = False, way_back: bool = True
    ) -> None:
        """Take in a host's answer to the present stage; anything nobody waits for changes nothing.

        Args:
            error: why it failed; None when it worked.
            unchanged: (fetch) the release is live there already: it need not switch.
            way_back: (fetch) something else is live there that it could switch back to.
        """
        if host not in self._in_flight:
            return
        self._in_flight.remove(host)
        if error is not None:
            self._failed[self.stage][host] = error.cause
        else:
            self._fine[self.stage].append(host)
        if self.stage == FETCH and unchanged and error is None:
            self._unchanged.append(host)
        if self.stage == FETCH and not way_back:
            self._no_way_back.append(host)
        self._advance()

    def abort(self, reason: str) -> None:
        """Ask nobody new; what is under way ends, then what was switched goes back."""
        if self.stage != ROLLBACK and not self._stopped and self.outcome is None:
            self._stopped = reason
            self._waiting = []
            self._advance()

    def broke(self, reason: str) -> None:
        """The master's side cannot go on; whoever was asked to switch may have done so."""
        switched = self._asked_to_switch
        if not switched:
            self._end(HELD, 0, len(self._hosts), f"{reason}; nothing has changed anywhere")
        else:
            ok = len(self._fine[CHECKOUT])
            self._end(
                MIXED, ok, len(self._hosts), f"{reason}; {len(switched)} hosts had been asked to switch"
            )

    # -- outputs ----------------------------------------------------------------------------------------

    def due(self) -> Ask | None:
        """Whom to ask now; each host comes once per stage."""
        room = len(self._waiting)
        if self.stage == CHECKOUT:
            room = max(0, self._window - len(self._in_flight))
        hosts, self._waiting = self._waiting[:room], self._waiting[room:]
        if not hosts:
            return None
        self._in_flight.update(hosts)
        if self.stage == CHECKOUT:
            self._asked_to_switch += hosts
        return Ask(self.stage, tuple(hosts))

    def counts(self, stage: str) -> tuple[int, int, int]:
        """``(ok, failed, in flight)`` of a stage."""
        in_flight = len(self._in_flight) if stage == self.stage else 0
        return len(self._fine[stage]), len(self._failed[stage]), in_flight

    def total(self, stage: str) -> int:
        """How many hosts the stage is for, as far as is known now."""
        if stage == FETCH:
            return len(self._hosts)
        ok, failed, in_flight = self.counts(stage)
        return ok + failed + in_flight + (len(self._waiting) if stage == self.stage else 0)

    # -- the machine ------------------------------------------------------------------------------------

    def _advance(self) -> None:
        self._stop_if_too_many_failed()
        if self._in_flight or self._waiting or self.outcome is not None:
            return
        {FETCH: self._after_fetch, CHECKOUT: self._after_checkout, ROLLBACK: self._after_rollback}[
            self.stage
        ]()

    def _stop_if_too_many_failed(self) -> None:
        failed = {**self._failed[FETCH], **self._failed[CHECKOUT]}
        if self.stage == CHECKOUT and not self._stopped and len(failed) > self._limit:
            self._stopped = f"{len(failed)} hosts failed, the limit is {self._limit}: {_some(failed)}"
            self._waiting = []

    def _after_fetch(self) -> None:
        failed = self._failed[FETCH]
        total = len(self._hosts)
        ready = len(self._fine[FETCH])
        if self._stopped:
            self._end(HELD, ready, total, f"{self._stopped}; nothing has changed anywhere")
        elif len(failed) > self._limit:
            self._end(HELD, ready, total, f"{_failures(failed)}; nothing has changed anywhere")
        elif self._fetch_only:
            word = MIXED if failed else CONVERGED
            self._end(
                word, ready, total, _failures(failed) or "fetched and verified; nothing is switched yet"
            )
        else:
            self.stage = CHECKOUT
            self._waiting = [h for h in self._hosts if h in set(self._fine[FETCH]) - set(self._unchanged)]
            if not self._waiting:
                self._after_checkout()

    def _after_checkout(self) -> None:
        if self._stopped:
            self.stage = ROLLBACK
            self._waiting = [h for h in reversed(self._asked_to_switch) if h not in self._no_way_back]
            if not self._waiting:
                self._after_rollback()
            return
        failed = {**self._failed[FETCH], **self._failed[CHECKOUT]}
        ok = len(self._fine[CHECKOUT]) + len(self._unchanged)
        if failed:
            reason = f"{_failures(failed)}; within the limit of {self._limit}"
            self._end(MIXED, ok, len(self._hosts), reason, accepted=True)
        elif len(self._unchanged) == len(self._hosts):
            self._end(
                CONVERGED, ok, len(self._hosts), "every host runs it already: nothing to do", accepted=True
            )
        else:
            self._end(CONVERGED, ok, len(self._hosts), "", accepted=True)

    def _after_rollback(self) -> None:
        back = self._fine[ROLLBACK]
        stuck = {
            host: "it had no release to go back to" for host in self._no_way_back if self._was_asked(host)
        }
        failed = {**self._failed[ROLLBACK], **stuck}
        total = len(self._asked_to_switch)
        if failed:
            self._end(MIXED, len(back), total, f"{self._stopped}; could not switch back: {_some(failed)}")
        elif not total:
            self._end(HELD, 0, len(self._hosts), f"{self._stopped}; nothing has changed anywhere")
        else:
            self._end(ROLLED_BACK, len(back), total, self._stopped)

    def _was_asked(self, host: str) -> bool:
        return host in self._asked_to_switch

    def _end(self, word: str, ok: int, total: int, reason: str, *, accepted: bool = False) -> None:
        self.outcome = Outcome(word, ok, total, reason, accepted)


def share_of(setting: str, total: int, *, up: bool) -> int:
    """A setting such as ``3`` or ``25%`` as a number of hosts.

    Args:
        up: round shares up, and to at least 1 (windows); else down (limits).
    """
    if not setting.endswith("%"):
        return int(setting)
    exact = int(setting[:-1]) * total
    return max(1, -(-exact // 100)) if up else exact // 100


def _failures(failed: dict[str, str]) -> str:
    return f"{len(failed)} hosts failed: {_some(failed)}" if failed else ""


def _some(failed: dict[str, str]) -> str:
    named = [f"{host} ({cause})" for host, cause in list(failed.items())[:3]]
    return "; ".join(named) + (f"; and {len(failed) - 3} more" if len(failed) > 3 else "")
