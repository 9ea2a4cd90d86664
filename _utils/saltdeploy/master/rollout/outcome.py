"""How a deploy ends: what is known of its hosts -> one of the four words, and why. No I/O, no clock."""

from __future__ import annotations

from saltdeploy.master.rollout.hosts import BEFORE, NEW, Whereabouts, hosts, some
from saltdeploy.master.rollout.model import (
    CONTINUE,
    CONVERGED,
    HELD,
    MIXED,
    ROLLED_BACK,
    Outcome,
    Rules,
    Tally,
)

_UNTOUCHED = "nothing has changed anywhere"


def fetched(tally: Tally) -> Outcome:
    """The end of a deploy that was only to fetch; its word speaks of the fetch."""
    if tally.failed:
        reason = f"{hosts(len(tally.failed))} failed: {some(tally.failed)}; {_UNTOUCHED}"
        return Outcome(HELD, len(tally.ok), tally.total, reason)
    return Outcome(CONVERGED, len(tally.ok), tally.total, "fetched and verified; nothing is switched yet")


def switched(where: Whereabouts, rules: Rules, failed: dict[str, str], remark: str) -> Outcome:
    """The end of a deploy that is through with its last wave: the release is what the fleet should be running.

    Args:
        failed: host to why it failed; within the limits, or accepted by an operator.
        remark: what else there is to say.
    """
    astray = tuple(where.are_not(NEW))
    if not astray:
        return Outcome(CONVERGED, where.total, where.total, remark, accepted=True)
    causes = {host: failed.get(host, "it does not show the release") for host in astray}
    allowed = "no failure stops it" if rules.on_failure == CONTINUE else "within the limits"
    reason = f"{hosts(len(astray))} failed: {some(causes)}; {remark or allowed}"
    return Outcome(MIXED, where.total - len(astray), where.total, reason, accepted=True, astray=astray)


def stopped(where: Whereabouts, rules: Rules, why: str, ready: int, stuck: dict[str, str]) -> Outcome:
    """The end of a deploy that was stopped: what was pinned before stays pinned.

    Args:
        why: what stopped it.
        ready: how many hosts have fetched.
        stuck: hosts that were to switch back and did not, each with the cause.
    """
    astray = tuple(where.are_not(NEW if rules.pinned else BEFORE))
    asked = len(where.asked)
    split = where.are_split() and not rules.fetch_only
    if not asked and not split:
        return Outcome(HELD, ready, where.total, f"{why}; {_UNTOUCHED}", astray=astray)
    if asked and where.are_back() and not split:
        return Outcome(ROLLED_BACK, asked, asked, why, astray=astray)
    if stuck:
        more = f"could not switch back: {some(stuck)}"
    elif not where.are_back():
        more = f"{asked} of {hosts(where.total)} had been asked to switch"
    else:
        done = "all that had switched are back" if asked else "nothing was changed"
        more = f"{done}; {len(where.are(NEW))} of {hosts(where.total)} ran the release before"
    return Outcome(MIXED, where.total - len(astray), where.total, f"{why}; {more}", astray=astray)
