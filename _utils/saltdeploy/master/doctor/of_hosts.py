"""Checks of targets, by what they answered."""

from __future__ import annotations

from collections.abc import Iterator

import saltdeploy
from saltdeploy.lib.programs import package_of
from saltdeploy.lib.text import size
from saltdeploy.master.doctor.seen import Answers, Finding, Seen

_LEAST_FREE = 100_000_000  # bytes
_LEAST_INODES = 2_000
_MOST_OFF = (
    30.0  # seconds that a clock may be off: beyond that, logs and journals tell another story than the hosts
)
_RESTART = "systemctl restart salt-master"


def answers(seen: Seen) -> Iterator[Finding]:
    """Whether it is there."""
    for each in seen.answers:
        if each.ping is None and each.doctor is None:
            yield Finding(
                "the minion does not answer",
                f"salt '{each.host}' test.ping; on the host: systemctl status salt-minion",
                each.host,
            )


def blackout(seen: Seen) -> Iterator[Finding]:
    """Whether it may do anything."""
    for each in seen.answers:
        if isinstance(each.doctor, str) and "blackout" in each.doctor.lower():
            yield Finding(
                "the minion is in blackout mode and refuses everything",
                f"set minion_blackout: False in its pillar, then salt '{each.host}' saltutil.refresh_pillar",
                each.host,
            )


def extension(seen: Seen) -> Iterator[Finding]:
    """Whether this project is on it."""
    for each in seen.answers:
        if each.result is not None or each.doctor is None or "blackout" in str(each.doctor).lower():
            continue
        missing = isinstance(each.doctor, str) and "is not available" in each.doctor
        said = "" if missing else f": {_first_line(each.doctor)}"
        yield Finding(
            f"this project is not there, or older than on the master{said}"
            if missing
            else f"the module deploy does not work there{said}",
            f"salt '{each.host}' saltutil.sync_all (installed by pip: install the same version there)",
            each.host,
        )


def version(seen: Seen) -> Iterator[Finding]:
    """Whether it has the version of the master."""
    for each in seen.alive:
        found = str(each.facts.get("version", ""))
        if found != saltdeploy.__version__:
            yield Finding(
                f"it has saltext-deploy {found or 'of an unknown version'}, the master {saltdeploy.__version__}",
                f"salt '{each.host}' saltutil.sync_all (installed by pip: install the same version there)",
                each.host,
            )


def pillar(seen: Seen) -> Iterator[Finding]:
    """Whether the master gives it the repo, and it has taken that."""
    for each in seen.alive:
        if error := each.facts.get("pillar_error"):
            yield Finding(
                f"the pillar does not render for it: {error}",
                f"salt-run pillar.show_pillar {each.host}",
                each.host,
            )
        elif each.facts.get("gets_repo") is False:
            yield Finding(
                "its pillar does not have the repo",
                f"let {seen.settings.pillar_root}/top.sls give it the file with repo_config, then "
                f"salt '{each.host}' saltutil.refresh_pillar",
                each.host,
                each.repo,
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
                f"{_RESTART}; then salt '*' saltutil.refresh_pillar",
            )
        elif each.facts.get("has_secret") is False:
            yield _stale(each, "its secret")


def signature(seen: Seen) -> Iterator[Finding]:
    """Whether its answers count."""
    for each in seen.alive:
        if each.forged and each.facts.get("has_secret"):
            yield Finding(
                f"its answers do not count: {each.forged}",
                f"salt '{each.host}' saltutil.refresh_pillar; if it stays, look for a second master or minion of this id",
                each.host,
            )


def payloads(seen: Seen) -> Iterator[Finding]:
    """Whether the running master serves payloads."""
    silent = [each for each in seen.answers if each.ping is not None and not isinstance(each.served, dict)]
    if silent and len({each.host for each in silent}) == len(
        {each.host for each in seen.answers if each.ping}
    ):
        yield Finding(
            "the running master serves no payloads, though its configuration says so: it was not restarted since",
            _RESTART,
        )
        return
    for each in silent:
        yield Finding(
            "it cannot see a payload that the master serves",
            f"salt '{each.host}' cp.list_master; look at the log of this minion and of the master",
            each.host,
        )


def git(seen: Seen) -> Iterator[Finding]:
    """Whether it can use git."""
    for each in seen.alive:
        if cause := each.facts.get("git"):
            yield Finding(str(cause), f"salt '{each.host}' pkg.install git (2.25 or newer)", each.host)


def programs(seen: Seen) -> Iterator[Finding]:
    """Whether it has what its transport runs."""
    for each in seen.alive:
        if lacking := str(each.facts.get("lacks", "")).split():
            names = " ".join(map(package_of, lacking))
            yield Finding(
                f"its transport needs {', '.join(lacking)}",
                f"salt '{each.host}' cmd.run 'apt-get install -y {names}', or choose another transport",
                each.host,
                each.repo,
            )


def configuration(seen: Seen) -> Iterator[Finding]:
    """Whether what its own pillar says of the repo is valid."""
    for each in seen.alive:
        if cause := each.facts.get("config"):
            yield Finding(
                f"its own pillar is not valid: {cause}",
                f"salt-run pillar.show_pillar {each.host}",
                each.host,
                each.repo,
            )


def rights(seen: Seen) -> Iterator[Finding]:
    """Whether its minion may write where the repo lives."""
    for each in seen.alive:
        if each.facts.get("writable") is False:
            place, user = each.facts.get("place"), each.facts.get("user")
            yield Finding(
                f"{place} is where {each.facts.get('location')} is to be made, and user {user} may not write there",
                f"salt '{each.host}' cmd.run 'ls -ld {place}; findmnt -T {place}'; chown it to {user}, or correct location",
                each.host,
                each.repo,
            )


def disk(seen: Seen) -> Iterator[Finding]:
    """Whether there is room for a release."""
    for each in seen.alive:
        place, free, inodes = (each.facts.get(key) for key in ("place", "free", "inodes"))
        if isinstance(free, int) and free < _LEAST_FREE:
            yield Finding(
                f"{place} has {size(free)} left", f"salt '{each.host}' deploy.gc; df -h {place}", each.host
            )
        if isinstance(inodes, int) and 0 <= inodes < _LEAST_INODES:
            yield Finding(
                f"{place} has {inodes} inodes left", f"salt '{each.host}' deploy.gc; df -i {place}", each.host
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


def _stale(each: Answers, what: str) -> Finding:
    return Finding(
        f"it has not read its pillar since that holds {what}",
        f"salt '{each.host}' saltutil.refresh_pillar",
        each.host,
    )


def _first_line(said: object) -> str:
    lines = [line for line in str(said).splitlines() if line.strip()]
    return (lines[-1] if lines and lines[0].startswith("Traceback") else lines[0] if lines else "")[:300]
