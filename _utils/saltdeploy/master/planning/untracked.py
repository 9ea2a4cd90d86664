"""What lies in hosts' live trees and is of no release, as a plan tells it; the hosts look."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping

from saltdeploy.config import Repo
from saltdeploy.content.untracked import KnownPaths
from saltdeploy.git.objects import drop_changes, read_changes
from saltdeploy.master.fleet.survey import gather
from saltdeploy.master.planning.resolve import ResolvedRepo
from saltdeploy.protocol.holdings import Holdings

_WAIT = 5.0  # seconds
_MOST_SENT = 320_000  # bytes: digests of some 40,000 paths
_MOST_NAMED = 5  # hosts
_IGNORE, _REFUSE = "ignore", "refuse"


def asked(one: ResolvedRepo, held: Mapping[str, Holdings], silent: set[str]) -> dict[str, str]:
    """Host to what it has; hosts that have nothing of the kind are left out.

    Hosts on which no release of ours is live compare what is there with the release that is to come, of which they have
    nothing yet: they get digests of its paths. Of a big release they do not, and say it in the fetch.

    Args:
        held: what each host holds.
        silent: hosts that did not answer, and are not asked again.
    """
    if one.repo.guards.untracked == _IGNORE:
        return {}
    here = [host for host in held if host not in silent]
    first = [host for host in here if not held[host].live]
    digests = _digests(one) if first else ""
    found = _told(one, [host for host in here if held[host].live], [])
    return {**found, **_told(one, first, [digests])} if digests else found


def remarks(found: Mapping[str, str], repo: Repo) -> Iterator[str]:
    """The same for people: hosts that have the same share a line."""
    alike: dict[str, list[str]] = {}
    for host, text in found.items():
        alike.setdefault(text, []).append(host)
    follows = (
        "the fetch will refuse it"
        if repo.guards.untracked == _REFUSE
        else "it will no longer be at its place"
    )
    for text, hosts in alike.items():
        more = f" and {len(hosts) - _MOST_NAMED} more" if len(hosts) > _MOST_NAMED else ""
        yield f"{', '.join(hosts[:_MOST_NAMED])}{more}: of no release: {text}; {follows}, unless `shared` in the pillar names it"


def _told(one: ResolvedRepo, hosts: list[str], more: list[str]) -> dict[str, str]:
    answers = gather(one.master, hosts, "deploy.untracked", [one.repo.name, *more], _WAIT) if hosts else {}
    said = {host: str(answer.facts.get("untracked", "")) for host, answer in answers.items() if answer.ok}
    return {host: text for host, text in said.items() if text}


def _digests(one: ResolvedRepo) -> str:
    """Of all paths of a release's trees; "" where they are too many to be sent."""
    with tempfile.TemporaryFile() as changes:
        one.open_source().repository.diff("", one.tag.commit, changes)
        drop_changes(changes, one.repo.contents.exclude.holds)
        found = KnownPaths(change.path for change in read_changes(changes)).digests()
    return found if len(found) <= _MOST_SENT else ""
