"""How a deploy ends: what is known of its hosts -> one of the four words, and why. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from saltdeploy.lib.spelling import argument
from saltdeploy.master.rollout.hosts import BEFORE, NEW, UNWELL, Whereabouts, hosts, named, some
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
from saltdeploy.protocol.orders import FETCH, ROLLBACK

_UNTOUCHED = "nothing has changed anywhere"
_UNSWITCHED = "no host has switched"


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
    astray, total = where.are_not(NEW, UNWELL), where.total
    unwell = _unwell(where, astray)
    if not astray and not unwell:
        return Outcome(CONVERGED, total, total, remark, accepted=True)
    allowed = remark or ("no failure stops it" if rules.on_failure == CONTINUE else "within the limits")
    causes = {host: failed.get(host, "it does not show the release") for host in astray}
    missing = f"{hosts(len(astray))} failed: {some(causes)}" if astray else "every host shows the release"
    reason = _sentence(missing, _not_well(unwell), allowed)
    return Outcome(
        MIXED, total - len(astray), total, reason, accepted=True, astray=tuple(astray), unwell=tuple(unwell)
    )


def stopped(
    where: Whereabouts, rules: Rules, why: str, ready: int, stuck: dict[str, str], steps: str = ""
) -> Outcome:
    """The end of a deploy that was stopped: what was pinned before stays pinned.

    Args:
        why: what stopped it.
        ready: how many hosts have fetched.
        stuck: hosts that were to switch back and did not, each with the cause.
        steps: what became of the steps that run once; "" where none was begun.
    """
    astray = where.are_not(NEW, UNWELL) if rules.pinned else where.are_not(BEFORE)
    unwell = _unwell(where, astray)
    asked, total = len(where.asked), where.total
    split = where.are_split() and not rules.fetch_only
    ended = partial(Outcome, astray=tuple(astray), unwell=tuple(unwell))
    if not asked and not split:
        return ended(HELD, ready, total, _sentence(why, steps, _UNSWITCHED if steps else _UNTOUCHED))
    if asked and where.are_back() and not split:
        return ended(ROLLED_BACK, asked, asked, _sentence(why, _not_well(unwell, why), steps))
    more = _what_is_not_back(where, stuck)
    return ended(MIXED, total - len(astray), total, _sentence(why, more, _not_well(unwell, why), steps))


def _what_is_not_back(where: Whereabouts, stuck: dict[str, str]) -> str:
    asked, of_all = len(where.asked), hosts(where.total)
    overtaken = where.overtaken()
    if overtaken:
        return f"a newer deploy has overtaken this one, and what these hosts run is its: {some(overtaken)}"
    if stuck:
        return f"could not switch back: {some(stuck)}"
    if not where.are_back():
        done = "have switched" if where.have_switched() else "had been asked to switch"
        return f"{asked} of {of_all} {done}: {named(where.asked)}"
    done = "all that had switched are back" if asked else "nothing was changed"
    return f"{done}; {len(where.are(NEW))} of {of_all} had this release already"


def _unwell(where: Whereabouts, astray: list[str]) -> dict[str, str]:
    """Hosts that are where they should be, and not well there."""
    return {host: cause for host, cause in where.unwell.items() if host not in astray}


def _not_well(unwell: dict[str, str], told: str = "") -> str:
    """How many are not well, and which; not named again where ``told`` ends with the very same, in any order."""
    if not unwell:
        return ""
    said = f"{hosts(len(unwell))} switched as asked, then a restart, a check or another step failed"
    which = f": {some(unwell)}"
    last = told[-len(which) :]
    is_told = last.startswith(": ") and all(some({host: cause}) in last for host, cause in unwell.items())
    return said if is_told else said + which


def _sentence(*parts: str) -> str:
    return "; ".join(filter(None, parts))


# -- what could not be written down ---------------------------------------------------------------------------


def unrecorded(outcome: Outcome, why: str) -> Outcome:
    """An outcome that the master could not write down: nothing is pinned by it, so its word is not CONVERGED.

    Args:
        why: what happened to the master.
    """
    reason = outcome.reason if why in outcome.reason else _sentence(outcome.reason, why)
    word = MIXED if outcome.accepted else outcome.word
    return replace(outcome, word=word, reason=reason, accepted=False)


# -- what to do now -------------------------------------------------------------------------------------------

_SYNC, _RESTART = "sync", "restart"


@dataclass(frozen=True)
class DeployedTags:
    """What a deploy was about, as far as commands name it.

    Attributes:
        action: what the operator did.
        tags: repo to the tag that was deployed; the first repo leads.
        before: repo to the tag that was pinned before; "" where there was none.
        deploy: the deploy's id.
    """

    action: str
    tags: Mapping[str, str]
    before: Mapping[str, str]
    deploy: str

    @property
    def lead(self) -> str:
        """The repo whose name the deploy has, as an argument."""
        return argument("repo", next(iter(self.tags)))

    @property
    def show(self) -> str:
        """The command that tells how it went on each host."""
        return f"salt-run deploy.show id={self.deploy}"

    def forward(self, *, pinned: bool) -> str:
        """The command that brings every host to the release.

        Args:
            pinned: whether it is pinned now; a roll back to what is pinned is refused while only hosts that are away lack it.
        """
        if self.action == _RESTART:
            return f"salt-run deploy.restart {argument('repo', ','.join(self.tags))}"
        as_before = self.action == FETCH or (self.action == ROLLBACK and not pinned)
        return _command(self.action if as_before else _SYNC, self.tags)

    def back(self, *, pinned: bool) -> str:
        """The command that brings every host to what was pinned before; "" where that is nothing else.

        Args:
            pinned: whether the release is pinned now; what a roll back has left is marked as bad then.
        """
        if not all(self.before.values()) or self.before == self.tags or self.action == _RESTART:
            return ""
        if self.action == ROLLBACK:
            return _command(_SYNC, self.before) + (" force=bad_release" if pinned else "")
        return _command(ROLLBACK, self.before)


def _command(action: str, tags: Mapping[str, str]) -> str:
    if len(tags) == 1:
        repo, tag = next(iter(tags.items()))
        name = "to" if action == ROLLBACK else "tag"
        return f"salt-run deploy.{action} {argument('repo', repo)} {argument(name, tag)}"
    action = _SYNC if action == ROLLBACK else action  # a roll back of several repos names no tags
    return f"salt-run deploy.{action} {argument('repo', dict(tags))}"


def next_commands(outcome: Outcome, releases: DeployedTags, away: bool, advice: str) -> str:
    """What an operator can do now, as commands with their real values.

    Args:
        away: whether a host gave no answer.
        advice: what the first host that failed says is to be done; "" for nothing.
    """
    report = f"salt-run deploy.report {releases.lead}"
    if outcome.word == MIXED:
        when = "when the hosts are back" if away else "forward"
        back = releases.back(pinned=outcome.accepted)
        forward = f"{when}: {releases.forward(pinned=outcome.accepted)}"
        return _sentence(report, forward, back and f"back: {back}")
    if outcome.word == ROLLED_BACK and outcome.unwell:
        return _sentence(report, advice)
    if outcome.word == ROLLED_BACK:
        return _after_all_are_back(outcome, releases, advice)
    if outcome.word == HELD and not advice:
        return f"{releases.show} tells what stopped it; then {releases.forward(pinned=False)}"
    return "" if outcome.accepted else advice


def _after_all_are_back(outcome: Outcome, releases: DeployedTags, advice: str) -> str:
    """All hosts are well: what failed is in the journal, and a release that is marked as bad is refused from now on."""
    again = releases.forward(pinned=False)
    first = f"{releases.show} tells what failed"
    if outcome.blameless or releases.action in (ROLLBACK, _RESTART):
        return _sentence(first, f"then {advice}" if advice else "", f"then {again}")
    bad = ", ".join(releases.tags.values())
    mend = advice or "deploy a tag that mends it"
    return _sentence(first, f"then {mend}", f"or, if {bad} was not to blame: {again} force=bad_release")


def when_it_can_be_written(outcome: Outcome, mend: str, releases: DeployedTags) -> str:
    """What an operator can do after :func:`unrecorded`.

    Args:
        mend: what lets the master write again.
    """
    back = releases.back(pinned=False) if outcome.word == MIXED else ""
    return _sentence(mend, f"then salt-run deploy.resume {releases.lead}", back and f"or back: {back}")
