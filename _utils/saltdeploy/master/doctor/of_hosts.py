"""Checks of targets, by what they answered."""

from __future__ import annotations

import json
from collections.abc import Iterator

import saltdeploy
from saltdeploy.config import Repo
from saltdeploy.lib.programs import package_of
from saltdeploy.master.doctor.seen import Answers, Finding, Seen

#: Seconds that a clock may be off: beyond that, journals tell another story than the logs of hosts.
_MOST_OFF = 30.0
_NOT_SYNCED = (
    "where it is installed by pip or module_dirs: put the master's version there, and restart the minion"
)
_RESTART = "systemctl restart salt-master"


def answers(seen: Seen) -> Iterator[Finding]:
    """Whether it is there."""
    for each in seen.answers:
        if each.ping is None and each.doctor is None and not _is_over_ssh(each, seen):
            yield Finding(
                "the minion does not answer",
                f"salt '{each.host}' test.ping",
                each.host,
                by_hand="on that host: systemctl restart salt-minion (it is gone for good: salt-key -d "
                f"{each.host})",
            )


def over_ssh(seen: Seen) -> Iterator[Finding]:
    """Whether a host without a minion can be asked, and nobody is both."""
    for each in seen.answers:
        if _is_over_ssh(each, seen) and each.result is None:
            yield Finding(
                "it gives no answer over ssh" if each.doctor is None else _first_line(each.doctor),
                "",
                each.host,
                by_hand="correct its entry in the roster, its line in known_hosts, or what the host says; docs/ssh-hosts.md "
                "has what the master does, to be tried by hand",
            )
    for host in seen.master.twice if seen.master else ():
        yield Finding(
            "it stands in the roster and is a minion too: it is asked as a minion",
            "",
            host,
            by_hand=f"take it out of the roster, or delete its key: salt-key -d {host}",
        )


def blackout(seen: Seen) -> Iterator[Finding]:
    """Whether it may do anything."""
    for each in seen.answers:
        if _is_dark(each):
            yield Finding(
                "the minion is in blackout mode and refuses everything",
                f"salt '{each.host}' saltutil.refresh_pillar",
                each.host,
                by_hand="take minion_blackout out of its pillar",
            )


def extension(seen: Seen) -> Iterator[Finding]:
    """Whether this project is on it."""
    for each in seen.answers:
        if each.result is not None or each.doctor is None or _is_dark(each) or _is_over_ssh(each, seen):
            continue
        said = _first_line(each.doctor)
        missing = "is not available" in said or "not found" in said
        yield Finding(
            "this project is not there, or an older one than the master's"
            if missing
            else f"the module deploy does not work there: {said}",
            _sync(each.host),
            each.host,
            by_hand=_NOT_SYNCED,
        )


def version(seen: Seen) -> Iterator[Finding]:
    """Whether it has the version of the master."""
    for each in seen.alive:
        found = str(each.facts.get("version", ""))
        if found != saltdeploy.__version__:
            yield Finding(
                f"it has saltext-deploy {found or 'of an unknown version'}, the master {saltdeploy.__version__}",
                _sync(each.host),
                each.host,
                by_hand=_NOT_SYNCED,
            )


def doors(seen: Seen) -> Iterator[Finding]:
    """Whether the states and the grains of this project are there too: without them it works, and does not converge."""
    for each in seen.alive:
        if lacking := str(each.facts.get("lacks_doors", "")).split():
            places = " and ".join(lacking)
            yield Finding(
                f"Salt does not find {places} of this project there",
                f"ls -d /srv/salt/{' /srv/salt/'.join(lacking)} && {_sync(each.host)}",
                each.host,
                by_hand=f"copy {places} of the checkout into file_roots of the master",
            )


def pillar(seen: Seen) -> Iterator[Finding]:
    """Whether the master gives it the repo, and it has taken that."""
    for each in seen.alive:
        if error := each.facts.get("pillar_error"):
            yield Finding(
                f"the pillar does not render for it: {error}",
                f"salt-run pillar.show_pillar {each.host} && salt '{each.host}' saltutil.refresh_pillar",
                each.host,
                by_hand="correct the file that it names",
            )
        elif each.facts.get("gets_repo") is False:
            yield Finding(
                "its pillar does not have the repo",
                f"salt '{each.host}' saltutil.refresh_pillar",
                each.host,
                each.repo,
                by_hand=f"let {seen.settings.pillar_root}/top.sls give it the file with repo_config",
            )
        elif each.facts.get("has_repo") is False:
            yield _stale(each, "the repo")


def secret(seen: Seen) -> Iterator[Finding]:
    """Whether the master gives it the secret that it signs its answers with."""
    for each in seen.alive:
        if each.facts.get("gets_secret") is False and not each.facts.get("pillar_error"):
            yield Finding(
                "the running master gives minions no secret and no pins, though its configuration has ext_pillar: it "
                "was not restarted since",
                f"{_RESTART} && sleep 10 && salt '*' saltutil.refresh_pillar",
            )
        elif each.facts.get("has_secret") is False:
            yield _stale(each, "its secret")


def signature(seen: Seen) -> Iterator[Finding]:
    """Whether its answers count."""
    for each in seen.alive:
        if each.forged and each.facts.get("has_secret"):
            yield Finding(
                f"its answers do not count: {each.forged}",
                f"salt '{each.host}' saltutil.refresh_pillar",
                each.host,
                by_hand="look for a second master, or a second minion of this id",
            )


def payloads(seen: Seen) -> Iterator[Finding]:
    """Whether the running master serves payloads."""
    asked = [each for each in seen.answers if each.ping is not None and not _is_dark(each)]
    silent = [each for each in asked if not isinstance(each.served, dict)]
    if silent and len(silent) == len(asked):
        yield Finding(
            "the running master serves no payloads, though its configuration says so: it was not restarted since",
            _RESTART,
        )
        return
    for each in silent:
        yield Finding(
            "it cannot see a payload that the master serves",
            f"salt '{each.host}' cp.list_master",
            each.host,
            by_hand="look at the logs of this minion and of the master",
        )


def git(seen: Seen) -> Iterator[Finding]:
    """Whether it can use git."""
    for each in seen.alive:
        if cause := each.facts.get("git"):
            yield Finding(str(cause), f"salt '{each.host}' pkg.install git", each.host)


def programs(seen: Seen) -> Iterator[Finding]:
    """Whether it has what its transport runs."""
    for each in seen.alive:
        if lacking := str(each.facts.get("lacks", "")).split():
            yield Finding(
                f"its transport needs {' and '.join(lacking)}",
                f"salt '{each.host}' pkg.install pkgs='{json.dumps(sorted({package_of(name) for name in lacking}))}'",
                each.host,
                each.repo,
            )


def configuration(seen: Seen) -> Iterator[Finding]:
    """Whether what its own pillar says of the repo is valid."""
    for each in seen.alive:
        if cause := each.facts.get("config"):
            yield Finding(
                f"its own pillar is not valid: {cause}",
                f"salt '{each.host}' saltutil.refresh_pillar",
                each.host,
                each.repo,
                by_hand=f"correct it; salt-run pillar.show_pillar {each.host} shows it",
            )


def clock(seen: Seen) -> Iterator[Finding]:
    """Whether it knows what time it is."""
    for each in seen.alive:
        found = each.facts.get("time")
        if not isinstance(found, (int, float)):
            continue
        off = max(each.asked - found, found - each.heard)
        if off > _MOST_OFF:
            way = "behind" if found < each.asked else "ahead of"
            yield Finding(
                f"its clock is {off:.0f} s {way} the master's",
                f"salt '{each.host}' cmd.run 'timedatectl set-ntp true; timedatectl'",
                each.host,
            )


def _is_dark(answers: Answers) -> bool:
    return isinstance(answers.doctor, str) and "blackout" in answers.doctor.lower()


def _is_over_ssh(answers: Answers, seen: Seen) -> bool:
    return seen.master is not None and answers.host in seen.master.over_ssh


def _sync(host: str) -> str:
    return f"salt '{host}' saltutil.sync_all"


def _stale(each: Answers, what: str) -> Finding:
    return Finding(
        f"it has not read its pillar since that holds {what}",
        f"salt '{each.host}' saltutil.refresh_pillar",
        each.host,
    )


def _first_line(said: object) -> str:
    """What an error says: of a traceback its end."""
    lines = [line for line in str(said).splitlines() if line.strip()] or [""]
    return lines[-1 if "Traceback" in lines[0] else 0][:300]


def user(seen: Seen) -> Iterator[Finding]:
    """What the pillar asks of a host whose minion is not root, and only root may do."""
    for each in seen.alive:
        who = str(each.facts.get("user") or "root")
        repo = next((repo for repo in seen.repos if repo.name == each.repo), None)
        if who == "root" or repo is None:
            continue
        for cause, by_hand in _only_root(repo, who):
            yield Finding(
                cause, f"salt-run deploy.doctor repo={each.repo}", each.host, each.repo, by_hand=by_hand
            )


def _only_root(repo: Repo, who: str) -> Iterator[tuple[str, str]]:
    where = f"repo_config:{repo.name}"
    if repo.layout.name == "overlay":
        yield (
            f"user {who} may not mount, and layout overlay is made of mounts",
            f"let the minion run as root there, or set {where}:layout to slots",
        )
    if repo.contents.owner.user not in ("", who):
        yield (
            f"user {who} may not give files to {repo.contents.owner.user}, as {where}:owner wants",
            f"let the minion run as root there, or as {repo.contents.owner.user}; or take user out of owner",
        )
