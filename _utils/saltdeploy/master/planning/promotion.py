"""What one environment runs, for another one to take: the very commit, and only where it has stood its time."""

from __future__ import annotations

from dataclasses import dataclass

from saltdeploy.config import Repo
from saltdeploy.lib.errors import DeployError, MovedTag, NoSuchTag, NotReady
from saltdeploy.lib.spelling import argument
from saltdeploy.lib.text import utc
from saltdeploy.master.context import Master
from saltdeploy.master.fleet.survey import survey
from saltdeploy.master.fleet.suspended import Suspensions
from saltdeploy.master.locking.locks import is_held
from saltdeploy.master.payloads.source import Source
from saltdeploy.master.records.history import History, history_of
from saltdeploy.master.records.pins import Pins
from saltdeploy.protocol.release import Release

_ANSWER_WITHIN = 5.0  # seconds


@dataclass(frozen=True)
class Promoted:
    """What is to be deployed.

    Attributes:
        tag, commit: one of the two: the tag where the other environment's source has it, else the commit.
        since: when it was deployed in the first environment, in seconds since the epoch.
    """

    tag: str
    commit: str
    since: float


def find(first: Repo, other: Repo, master: Master) -> Promoted:
    """The release that one environment runs, if another one may have it.

    Args:
        first: the environment that runs it.
        other: the one that is to take it; its ``promote_after`` counts.

    Raises:
        NotReady: nothing is pinned there, not every host runs it, it is marked as bad, or not for long enough.
        MovedTag: the other environment's source means another commit by its tag.
    """
    pin = Pins(master.root).get(first.name)
    if pin is None:
        raise _not_ready(
            first, "nothing is pinned there", f"salt-run deploy.sync {argument('repo', first.name)} tag=..."
        )
    release = pin.release
    history = history_of(first.name, master.root, master.store, running=is_held(master.root, first.name))
    since = _since(first, release, history)
    _refuse_bad(first, release, history)
    _refuse_young(first, other, release, since, master.bus.now())
    _refuse_elsewhere(first, release, master)
    return Promoted(*_named(release, other, master), since)


def _not_ready(first: Repo, why: str, following: str) -> NotReady:
    return NotReady(why, repo=first.name, next=following)


def _since(first: Repo, release: Release, history: History) -> float:
    """When the last deploy of it ended well, or began; what came after it was of something else, or no success."""
    for version in history.versions(first.name):
        if version["accepted"]:
            if version["commit"] == release.commit and version["outcome"] == "CONVERGED":
                return float(version["time"])
            break
    raise _not_ready(
        first,
        f"the deploy of {release.tag} there did not converge",
        f"salt-run deploy.sync {argument('repo', first.name)} {argument('tag', release.tag)}",
    )


def _refuse_bad(first: Repo, release: Release, history: History) -> None:
    why = history.is_bad(first.name, release.tag, release.commit)
    if why:
        raise _not_ready(
            first, f"{release.tag} is marked bad there: {why}", "deploy a release that mends it there first"
        )


def _refuse_young(first: Repo, other: Repo, release: Release, since: float, now: float) -> None:
    left = other.guards.promote_after - (now - since)
    if left > 0:
        raise _not_ready(
            first,
            f"{release.tag} runs there since {utc(since)} only, and {other.name} takes what has run for "
            f"{other.guards.promote_after:g} seconds",
            f"wait {left:.0f} seconds; or, if it must be now: salt-run deploy.sync {argument('repo', other.name)} "
            f"{argument('tag', release.tag)}",
        )


def _refuse_elsewhere(first: Repo, release: Release, master: Master) -> None:
    """Each host must say now that it runs the release and is well with it; those that are left out are not asked."""
    apart = Suspensions(master.root).at(master.bus.now(), first.name)
    hosts = [
        host for host in master.targets(first.targets.expression, first.targets.type) if host not in apart
    ]
    answers = survey(master, hosts, first.name, _ANSWER_WITHIN)
    odd = []
    for host in hosts:
        answer = answers.get(host)
        if answer is None or not answer.ok:
            odd.append(f"{host} gives no answer")
        elif answer.holdings.live != release.commit or answer.holdings.unsettled or answer.holdings.damaged:
            odd.append(f"{host} does not run it, or not well")
    if odd:
        more = f" and {len(odd) - 3} more" if len(odd) > 3 else ""
        raise _not_ready(
            first,
            f"{release.tag} is not what all hosts run there: {', '.join(odd[:3])}{more}",
            f"salt-run deploy.report {argument('repo', first.name)}",
        )


def _named(release: Release, other: Repo, master: Master) -> tuple[str, str]:
    """How the release is asked for where it is to go: by its tag, or by its commit, where the tag is the first one's own."""
    try:
        source = Source(other, master.root)
        tag = source.release(source.tag(release.tag))
    except NoSuchTag:
        return "", source.origin_of(release.commit)
    except DeployError as error:
        raise error.at(repo=other.name) from None
    if tag.commit != release.commit:
        raise MovedTag(
            f"tag {release.tag} means commit {release.commit} in the environment that runs it, and {tag.commit} in the "
            "source of this one",
            repo=other.name,
            next="let both have the same source; never move a deployed tag",
        )
    return release.tag, ""
