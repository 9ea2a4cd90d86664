"""Frees what nobody needs any more: on the master, then on targets and fanouts, each by its own judgement.

It takes no lock of a deploy: what a running deploy needs is kept here, and a host leaves alone what a stage works on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from saltdeploy.config import Repo
from saltdeploy.content.payloads import alias
from saltdeploy.lib import flock
from saltdeploy.lib.cleanup import Cleanup, left_out
from saltdeploy.lib.errors import BadName, DamagedFile, DeployError
from saltdeploy.master.context import Master
from saltdeploy.master.fleet import fanouts
from saltdeploy.master.fleet.survey import gather
from saltdeploy.master.locking.locks import is_held
from saltdeploy.master.records.journal import Journals
from saltdeploy.master.records.pins import Pins
from saltdeploy.master.records.state import DeployState
from saltdeploy.master.upkeep import own_tags, retention
from saltdeploy.protocol.release import repo_of
from saltdeploy.protocol.result import Result

_JUST_USED = 86_400.0  # seconds
_AWAKE_WITHIN = 5.0  # seconds
_EVERYTHING_READ: Mapping[str, str] = {}
_NOBODY_READS = retention.Readers()


def collect(
    repos: Sequence[Repo],
    master: Master,
    *,
    whole: bool,
    test: bool,
    unreadable: Mapping[str, str] = _EVERYTHING_READ,
    readers: retention.Readers = _NOBODY_READS,
) -> dict[str, Any]:
    """The view ``gc``: free what can be freed; the return code is 0 when every host has answered and nothing was unreadable.

    Args:
        repos: whose hosts are asked.
        whole: these are all repos that there are: the payloads of master and fanouts are looked at as well.
        test: change nothing; only say what would be freed.
        unreadable: repos of the pillar that cannot be read, and why; those whose pins cannot be read are found here. What belongs to no repo stays then: it may be theirs.
        readers: who reads journals beside deploys.
    """
    sweep = Cleanup(test=test)
    unreadable = {**unreadable, **_damaged([repo.name for repo in repos], master)} if whole else unreadable
    known = whole and not unreadable
    wanted = _collect_here(repos, master, sweep) if known else []
    journals = retention.collect(repos, master, sweep, readers, whole=known)
    tags = own_tags.collect(repos, master, test=test)
    options = {"__kwarg__": True, "test": test, **({"wanted": wanted} if known else {})}
    arguments = [options] if whole else [repos[0].name, options]
    hosts, nobodys = _hosts(repos, master, whole=whole)
    unreadable = {**unreadable, **nobodys}
    awake = _awake(hosts, master)
    timeout = float(max((repo.rollout.timeout for repo in repos), default=0))
    answers = gather(master, awake, "deploy.gc", arguments, timeout) if awake else {}
    return {
        "view": "gc",
        "retcode": 0 if not unreadable and all(host in answers and answers[host].ok for host in hosts) else 1,
        "repo": "" if whole else repos[0].name,
        "test": test,
        "master": sweep.freed(),
        **({"journals": journals} if journals else {}),
        **({"tags": tags} if tags else {}),
        **({"skipped": left_out(unreadable)} if unreadable else {}),
        "hosts": {host: _of_host(answers.get(host), host in master.over_ssh) for host in hosts},
    }


def _collect_here(repos: Sequence[Repo], master: Master, sweep: Cleanup) -> list[str]:
    """Free payloads, exports and mirrors; return aliases of the payloads that stay: every minion can read them."""
    names = [repo.name for repo in repos]
    older_than = master.bus.now() - _JUST_USED
    wanted = Pins(master.root).payload_names(names) | _of_running_deploys(names, master)
    master.payloads.collect(wanted, older_than, sweep)
    master.payloads.exports.collect(older_than, sweep, [repo.packed_as for repo in repos])
    _collect_mirrors(names, master, sweep)
    return sorted(map(alias, wanted | master.payloads.names()))


def _damaged(names: list[str], master: Master) -> dict[str, str]:
    """Repos of which it cannot be told which payloads they need, and why."""
    found = Pins(master.root).damaged(names)
    for name in names:
        try:
            _of_running_deploys([name], master)
        except DamagedFile as error:
            found[name] = str(error)
    return found


def _of_running_deploys(names: list[str], master: Master) -> set[str]:
    """The payloads that they offer; one may wait for an answer for longer than payloads stay."""
    journals = Journals(master.root)
    running = (journals.path(name, journals.latest(name)) for name in names if is_held(master.root, name))
    parts = (part for path in running if path.is_file() for part in DeployState.read(path).script.parts)
    return {payload.sha256 for part in parts for payload in part.order.payloads}


def _collect_mirrors(names: list[str], master: Master, sweep: Cleanup) -> None:
    """Drop mirrors of repos that are not in the pillar any more."""
    for mirror in sorted((master.root / "mirrors").glob("*.git")):
        try:
            name = mirror.name.removesuffix(".git").removesuffix(".submodules").removesuffix("+commits")
            known = repo_of(name) in names
        except BadName:  # nobody of ours has made it
            continue
        if not known:
            with flock.taken(mirror.with_suffix(".lock")) as free:
                if free:
                    sweep.drop("mirrors", mirror)


def _hosts(repos: Sequence[Repo], master: Master, *, whole: bool) -> tuple[list[str], dict[str, str]]:
    """Whom these repos are for; and the repos of which that cannot be told, and why."""
    found: set[str] = set()
    failed = {}
    for repo in repos:
        try:
            found |= set(master.targets(repo.targets.expression, repo.targets.type))
            if whole:
                found |= set(fanouts.minions(fanouts.sources(repo, master.targets)))
        except DeployError as error:
            if not whole:
                raise error.at(repo=repo.name) from None
            failed[repo.name] = str(error.at(repo=repo.name))
    return sorted(found), failed


def _awake(hosts: list[str], master: Master) -> list[str]:
    """Those that answer anything at all; nobody waits long for the others."""
    bus, jid, heard = master.bus, master.bus.new_jid(), set[str]()
    if hosts:
        bus.publish(hosts, "test.ping", [], jid)
    end = bus.elapsed() + _AWAKE_WITHIN
    while len(heard) < len(hosts) and (left := end - bus.elapsed()) > 0:
        message = bus.next(left)
        if message is not None and message[0].startswith(f"salt/job/{jid}/ret/"):
            heard |= {message[0].rsplit("/", 1)[1]} & set(hosts)
    return sorted(heard)


def _of_host(answer: Result | None, over_ssh: bool) -> dict[str, Any]:
    if answer is None:
        return {"state": "unreachable", **({"over_ssh": True} if over_ssh else {})}
    if answer.error is not None:
        return {"state": "failed", "error": answer.error.to_wire()}
    return {"state": "collected", **answer.facts}
