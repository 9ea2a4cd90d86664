"""What hosts say of the past of a repo, beside what this master remembers of it. Decides on what is known; asks nobody.

A master may be restored from an older copy, or may have lost its memory: then hosts have heard of deploys of which it knows
nothing, and what it would call the release before is not that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from saltdeploy.protocol.release import Release

if TYPE_CHECKING:
    from saltdeploy.master.plan_model import Part
    from saltdeploy.master.records.state import DeployState
    from saltdeploy.protocol.result import Result

_MOST_NAMED = 3


@dataclass(frozen=True)
class Word:
    """What one host says.

    Attributes:
        epoch: of the last deploy that it has heard of; 0 where it does not tell.
        live: what it runs.
        previous: what it would go back to by itself.
    """

    epoch: int
    live: Release | None
    previous: Release | None = None

    @classmethod
    def of(cls, answer: Result) -> Word:
        """What an answer to ``deploy.status`` says."""
        held = answer.holdings
        live, previous = (_release(answer.repo, commit, held.tags) for commit in (held.live, held.previous))
        return cls(answer.epoch, live, previous)


@dataclass(frozen=True)
class Testimony:
    """See the module.

    Attributes:
        words: host to what it says.
        versions: the history, as far as this master remembers it.
    """

    words: Mapping[str, Word]
    versions: Sequence[dict[str, Any]]

    @property
    def is_behind(self) -> bool:
        """Whether hosts know of deploys that this master knows nothing of."""
        return self.is_ahead or self.is_strange

    @property
    def is_ahead(self) -> bool:
        """Whether hosts have heard of a newer deploy than this master remembers."""
        return self._epoch() > self._remembered()

    @property
    def is_strange(self) -> bool:
        """Whether they run a release that this master does not remember to have deployed."""
        return self.live is not None and self.live.commit not in {v["commit"] for v in self.versions}

    @property
    def live(self) -> Release | None:
        """What the hosts run that have heard of the newest deploy; None where they run different releases, or nothing."""
        return _same(word.live for word in self._newest().values())

    @property
    def previous(self) -> Release | None:
        """What all of them would go back to, each by itself; None where that is not one release, or not known to be right."""
        found = _same(word.previous for word in self._newest().values()) if self.live else None
        return found if found and not self._is_passed_over(found) else None

    def told(self) -> str:
        """That the master is behind, in one sentence."""
        names = sorted(self._newest())
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        runs = f"they run {self.live.tag}" if self.live else "they do not all run the same"
        back = f", and ran {self.previous.tag} before" if self.previous else ""
        return (
            f"{', '.join(names[:_MOST_NAMED])}{more} took part in deploys of which this master has no record (is it new, or "
            f"restored from an older copy?): {runs}{back}"
        )

    def to_wire(self) -> dict[str, Any]:
        """The same as plain data."""
        live, previous = self.live, self.previous
        return {
            "hosts": sorted(self._newest()),
            "live": live.tag if live else "",
            "previous": previous.tag if previous else "",
            "told": self.told(),
        }

    def _is_passed_over(self, previous: Release) -> bool:
        """Whether some host runs a release between the two: those that answered were away when it was deployed."""
        ends = {release.commit for release in (self.live, previous) if release}
        between = (word for word in self.words.values() if self._remembered() < word.epoch < self._epoch())
        return any(word.live is not None and word.live.commit not in ends for word in between)

    def _remembered(self) -> int:
        return max((version["epoch"] for version in self.versions), default=0)

    def _epoch(self) -> int:
        return max((word.epoch for word in self.words.values()), default=0)

    def _newest(self) -> dict[str, Word]:
        """Those that have heard of the newest deploy: they know best."""
        return {host: word for host, word in self.words.items() if word.epoch == self._epoch()}


def forgotten(course: DeployState, part: Part, versions: Sequence[dict[str, Any]]) -> dict[str, str] | None:
    """What the fleet ran when a deploy began, where this master knew nothing of it.

    Returns:
        ``tag`` and ``commit``; {} where hosts ran different releases; None where the master was not behind.
    """
    began = part.order.epoch
    words = {
        name: Word(heard, _release(part.repo, commit, {commit: tag}))
        for name, host in course.hosts.items()
        for commit, tag in [host.before.get(part.repo, ("", ""))]
        if host.before and (heard := host.heard.get(part.repo, 0)) < began
    }
    found = Testimony(words, [version for version in versions if version["epoch"] < began])
    if not found.is_ahead and (part.partial or not found.is_strange):
        return None
    return {"tag": found.live.tag, "commit": found.live.commit} if found.live else {}


def _same(releases: Iterable[Release | None]) -> Release | None:
    found = list(releases)
    commits = {release.commit if release else "" for release in found}
    return found[0] if len(commits) == 1 else None


def _release(repo: str, commit: str, tags: Mapping[str, str]) -> Release | None:
    return Release(repo, tags.get(commit) or f"commit-{commit[:12]}", commit) if commit else None
