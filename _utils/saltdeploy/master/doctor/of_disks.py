"""Checks of directories and disks: the master's own, and those of targets, by what they answered."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from saltdeploy.lib import places
from saltdeploy.lib.text import size
from saltdeploy.master.doctor.seen import Answers, Finding, Seen

_LEAST_FREE = 100_000_000  # bytes
_LEAST_PACKING = 200_000_000  # bytes; the master packs releases
_LEAST_INODES = 2_000
#: What a target says about: where a release will lie, and where it keeps what it did.
_PLACES = ("place", "record")


def of_the_master(seen: Seen) -> Iterator[Finding]:
    """Whether this user may write where the master keeps deploys, and whether there is room."""
    root = seen.settings.root
    found = places.look(root)
    if found.obstacle:
        yield Finding(
            f"{root}, where the master keeps deploys, cannot be written by user {seen.settings.user}: {found.obstacle}",
            _mend(found.facts(), seen.settings.user),
            by_hand=_by_hand(found.facts()),
        )
    elif found.free < _LEAST_PACKING:
        yield Finding(
            f"{found.path} has {size(found.free)} left, and releases are packed there",
            f"salt-run deploy.gc; df -h {shlex.quote(str(found.path))}",
            by_hand="make room",
        )
    elif 0 <= found.inodes < _LEAST_INODES:
        yield Finding(
            f"{found.path} has {found.inodes} inodes left, and releases are packed there",
            f"salt-run deploy.gc; df -i {shlex.quote(str(found.path))}",
            by_hand="make room",
        )


def rights(seen: Seen) -> Iterator[Finding]:
    """Whether its minion may write where the repo lives, and where it keeps what it did."""
    for each in seen.alive:
        for place in _places(each):
            if obstacle := str(place.get("obstacle") or ""):
                user = str(each.facts.get("user"))
                yield Finding(
                    f"{place.get('for')} cannot be made or written by user {user}: {obstacle}",
                    f"salt '{each.host}' cmd.run {shlex.quote(_mend(place, user))}",
                    each.host,
                    each.repo,
                    by_hand=_by_hand(place),
                )


def room(seen: Seen) -> Iterator[Finding]:
    """Whether there is room for a release."""
    for each in seen.alive:
        for place in _places(each):
            path, free, inodes = (place.get(key) for key in ("path", "free", "inodes"))
            quoted = shlex.quote(str(path))
            if place.get("obstacle"):
                continue
            if isinstance(free, int) and free < _LEAST_FREE:
                look = shlex.quote(f"df -h {quoted}")
                yield Finding(
                    f"{path} has {size(free)} left",
                    f"salt '{each.host}' deploy.gc; salt '{each.host}' cmd.run {look}",
                    each.host,
                    by_hand="make room",
                )
            elif isinstance(inodes, int) and 0 <= inodes < _LEAST_INODES:
                look = shlex.quote(f"df -i {quoted}")
                yield Finding(
                    f"{path} has {inodes} inodes left",
                    f"salt '{each.host}' deploy.gc; salt '{each.host}' cmd.run {look}",
                    each.host,
                    by_hand="make room",
                )


def _places(answers: Answers) -> Iterator[Mapping[str, Any]]:
    for name in _PLACES:
        start = f"{name}_"
        place = {
            key.removeprefix(start): value for key, value in answers.facts.items() if key.startswith(start)
        }
        if place:
            yield place


def _mend(place: Mapping[str, Any], user: str) -> str:
    path = shlex.quote(str(place.get("path")))
    if place.get("read_only"):
        return f"mount -o remount,rw {shlex.quote(str(place.get('mount')))}"
    if place.get("is_file"):
        return f"ls -ld {path}"
    return f"chattr -i {path} 2>/dev/null; chown {shlex.quote(user)} {path}; chmod u+rwx {path}"


def _by_hand(place: Mapping[str, Any]) -> str:
    if place.get("is_file"):
        return "correct location in the pillar, or move that file away"
    return "find out in the kernel's log why it is read-only" if place.get("read_only") else ""
