"""What hosts hold of a repo: as they say now, or as they were last seen to."""

from __future__ import annotations

from saltdeploy.config import Repo
from saltdeploy.holdings import Holdings
from saltdeploy.master.fleet import survey
from saltdeploy.master.pins import Pins
from saltdeploy.master.world import Master

_ANSWER_WITHIN = 5.0  # seconds
_NOTHING = Holdings()


def asked(repo: Repo, hosts: list[str], master: Master) -> tuple[dict[str, Holdings], set[str]]:
    """What each host holds, as it says now or was last seen to; and who gave no answer."""
    pins = Pins(master.root)
    answers = survey(master.bus, hosts, repo.name, master.secret, _ANSWER_WITHIN)
    fine = {host: answer for host, answer in answers.items() if answer.ok}
    pins.note(repo.name, list(fine.values()), master.bus.now())
    seen = pins.holdings(repo.name)
    return {host: seen.get(host, _NOTHING) for host in hosts}, set(hosts) - set(fine)


def known(repo: Repo, hosts: list[str], master: Master) -> dict[str, Holdings]:
    """What each host was last seen to hold; those that were never seen are asked."""
    seen = Pins(master.root).holdings(repo.name)
    strangers = [host for host in hosts if host not in seen]
    fresh = asked(repo, strangers, master)[0] if strangers else {}
    return {host: fresh.get(host) or seen[host] for host in hosts}
