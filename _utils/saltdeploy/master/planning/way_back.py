"""Where a roll back leads: to the release before, as this master remembers it, or as hosts do where they know more."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from saltdeploy.config import Repo
from saltdeploy.lib.errors import NothingToRollBackTo
from saltdeploy.master.context import Master
from saltdeploy.master.fleet.survey import survey
from saltdeploy.master.records.history import History
from saltdeploy.master.records.lineage import Lineage, lineage
from saltdeploy.master.records.pins import Pins
from saltdeploy.master.records.testimony import Testimony, Word
from saltdeploy.protocol.release import Release
from saltdeploy.protocol.result import Result

_ANSWER_WITHIN = 5.0  # seconds
_MOST_NAMED = 5
#: Kind of a target expression to the option of ``salt`` for it.
_OPTIONS = {
    "glob": "",
    "pcre": "-E",
    "list": "-L",
    "grain": "-G",
    "grain_pcre": "-P",
    "pillar": "-I",
    "pillar_pcre": "-J",
    "nodegroup": "-N",
    "range": "-R",
    "ipcidr": "-S",
    "compound": "-C",
}


@dataclass(frozen=True)
class WayBack:
    """Where a roll back leads.

    Attributes:
        release: the release.
        left: what the fleet runs now, if that is known.
        warning: that hosts know of deploys that this master knows nothing of; "" where that is not so.
    """

    release: Release
    left: Release | None = None
    warning: str = ""


def find(repo: Repo, to: str, hosts: list[str], history: History, master: Master) -> WayBack:
    """Find the release to go back to. No git is needed; hosts are asked what they run and hold.

    Args:
        to: a tag that was accepted before, or that every host holds where this master has no record of it; "" for the
            release before the present one. Rolling back twice goes two releases back.
        hosts: whom the roll back is for.

    Raises:
        NothingToRollBackTo: there is no such release, or it cannot be known; or every host runs it already.
    """
    answers = survey(master, hosts, repo.name, _ANSWER_WITHIN)
    told = {host: answer for host, answer in answers.items() if answer.ok}
    return _Search(repo, hosts, told, history.versions(repo.name)).find(to, Pins(master.root))


class _Search:
    """What is known here, and what hosts say."""

    def __init__(
        self, repo: Repo, hosts: list[str], told: dict[str, Result], versions: Sequence[dict[str, Any]]
    ) -> None:
        self._repo, self._hosts, self._told, self._versions = repo, hosts, told, versions
        self._line: Lineage = lineage(repo.name, versions)
        self._testimony = Testimony({host: Word.of(answer) for host, answer in told.items()}, versions)
        self._is_behind = self._testimony.is_behind

    def find(self, to: str, pins: Pins) -> WayBack:
        release = self._named(to) if to else self._before()
        self._refuse_where_it_runs(release, to, pins)
        left = self._testimony.live if self._is_behind else self._line.present
        return WayBack(release, left, self._testimony.told() if self._is_behind else "")

    # -- which ------------------------------------------------------------------------------------------

    def _before(self) -> Release:
        if not self._is_behind and not self._line.is_broken:
            return self._line.before or self._refuse("there is no earlier release that is good")
        why = self._testimony.told() if self._is_behind else "this master has no record of the release before"
        found = self._testimony.previous if self._is_behind or self._hosts_run_the_present_one() else None
        return found or self._refuse(f"{why}; the hosts do not agree on one to go back to")

    def _hosts_run_the_present_one(self) -> bool:
        """Else what they would go back to is not what was before it."""
        live, present = self._testimony.live, self._line.present
        return live is not None and present is not None and live.commit == present.commit

    def _named(self, tag: str) -> Release:
        of_this_tag = [version for version in self._versions if version["tag"] == tag]
        accepted = [version for version in of_this_tag if version["accepted"]]
        if accepted:
            return Release(self._repo.name, tag, accepted[0]["commit"])
        if of_this_tag and not self._is_behind:
            self._refuse(f"{tag} was never deployed successfully")
        held = self._held_by_all()
        if tag not in held:
            self._refuse(f"{tag} was never deployed successfully from here, and not every host holds it")
        return Release(self._repo.name, tag, held[tag])

    def _held_by_all(self) -> dict[str, str]:
        """Tag to commit of what every host that answered holds."""
        sets = [
            {(answer.holdings.tags.get(commit, ""), commit) for commit in answer.holdings.held}
            for answer in self._told.values()
        ]
        return {tag: commit for tag, commit in sorted(set.intersection(*sets)) if tag} if sets else {}

    # -- refusing ---------------------------------------------------------------------------------------

    def _refuse_where_it_runs(self, release: Release, to: str, pins: Pins) -> None:
        """A roll back that changes nothing would leave what users see as it is, and say that it is done."""
        held = [answer.holdings for answer in self._told.values()]
        runs = bool(held) and all(each.live == release.commit and not each.unsettled for each in held)
        own = pins.of_hosts(self._repo.name, self._hosts).values()
        is_pinned = all(pin is not None and pin.release.commit == release.commit for pin in own)
        if not runs or (to and not is_pinned):
            return
        which = release.tag if to else f"the release before is {release.tag}, and that"
        self._refuse(
            f"{which} is what every host that answered runs already", "" if is_pinned else release.tag
        )

    def _refuse(self, cause: str, to: str = "") -> NoReturn:
        name = self._repo.name
        tags = [to] if to else self._others()
        ways = [
            f"salt-run deploy.rollback repo={name} {shlex.quote(f'to={tag}')}" for tag in tags[:_MOST_NAMED]
        ]
        if any(answer.holdings.previous for answer in self._told.values()) or not self._told:
            ways.append(f"each host by itself: {_salt(self._repo, 'deploy.rollback', name)}")
        if not self._told:  # a new master makes new secrets, and hosts still sign with the old ones
            ways.insert(0, f"{_salt(self._repo, 'saltutil.refresh_pillar')}, then the same command again")
        raise NothingToRollBackTo(
            cause, repo=name, next="; or ".join([*ways, f"salt-run deploy.versions repo={name}"])
        )

    def _others(self) -> list[str]:
        """Tags of releases that every host holds and not every host runs."""
        live = {answer.holdings.live for answer in self._told.values()}
        return [tag for tag, commit in self._held_by_all().items() if live != {commit}]


def _salt(repo: Repo, *command: str) -> str:
    """A command line of ``salt`` for all targets of the repo."""
    option = _OPTIONS.get(repo.targets.type, "-C")
    return " ".join(filter(None, ["salt", option, shlex.quote(repo.targets.expression), *command]))
