"""Hosts in a table, and what they have to say."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping

from saltdeploy.lib.spelling import argument
from saltdeploy.lib.text import utc
from saltdeploy.watch.console.views.common import View, cell, listed
from saltdeploy.watch.text import ago, clean, hosts, moment, natural, short, some, with_next

_ALL_LISTED = 12  # a fleet of up to so many hosts is listed host by host
_MOST_ODD = 20  # so many hosts that are not as they should be are listed by name
_MOST_HELD = 3
_MOST_ASKED = 5  # so many silent hosts are named in a command
_KEY = 4  # columns: host, state, tag, commit
_OWN_WORDS = {
    "damaged": "deploy.verify found that the live files are not those of the release",
    "unsettled": "the restart or a check after the switch did not pass",
}
_USUAL = ("ok", "unchanged", "pinned", "rolled back")


def rows(shown: dict[str, View], cells: Callable[[View], tuple[str, ...]]) -> list[tuple[str, ...]]:
    """A row for each host, those first that are not as they should be; in a large fleet equal hosts share a row."""
    found = []
    for name in sorted(shown, key=lambda name: (*_rank(shown[name]), natural(name))):
        host = shown[name]
        key = (cell(host.get("state")), cell(host.get("tag")), short(host.get("live")) or "-")
        found.append((name, *key, *cells(host)))
    if len(found) <= _ALL_LISTED:
        return found
    odd = [row for row in found if row[1] not in _USUAL][:_MOST_ODD]
    groups: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for row in found[len(odd) :]:
        groups.setdefault(row[1:_KEY], []).append(row)
    grouped = sorted(groups.values(), key=lambda group: (group[0][1] in _USUAL, len(group)))
    return [*odd, *(_merged(group) for group in grouped)]


def _merged(group: list[tuple[str, ...]]) -> tuple[str, ...]:
    if len(group) == 1:
        return group[0]
    values = [set(column) for column in zip(*group, strict=True)][1:]
    name = hosts(len(group)) if group[0][1] in _USUAL else f"{len(group)} more hosts"
    return (name, *(each.pop() if len(each) == 1 else "various" for each in values))


def _rank(host: View) -> tuple[bool, str]:
    state = cell(host.get("state"))
    return state in _USUAL, state


#: What a host may say besides, field by field, and the sentence for it.
_TOLD_BESIDE = {
    "moved_aside": "what lay there before is now {}",
    "taken_over": "what lay at {} is shared by all releases from now on",
    "untracked": "of no release, and no longer at its place: {}",
    "left_behind": "{}",
    "maintenance": "under maintenance {}",
    "suspended": "{}",
}


def notes(shown: dict[str, View], reason: str = "", next_act: str = "") -> list[str]:
    """What hosts have to say, each thing once: errors, what is not settled, where an old directory went, and which
    place was left.

    Args:
        reason, next_act: what is said of all; an error of which both tell the same is left out.
    """
    said: dict[str, tuple[list[str], str]] = {}
    for name in sorted(shown, key=natural):
        host = shown[name]
        if isinstance(host.get("error"), dict):
            error = host["error"]
            path = clean(error.get("path"))
            text = f"{path}: {clean(error.get('cause'))}" if path else clean(error.get("cause"))
            said.setdefault(text, ([], clean(error.get("next"))))[0].append(name)
        elif host.get("state") == "stale":
            said.setdefault(clean(host.get("stale")), ([], ""))[0].append(name)
        elif host.get("state") in _OWN_WORDS:
            said.setdefault(_OWN_WORDS[host["state"]], ([], ""))[0].append(name)
        for field, sentence in _TOLD_BESIDE.items():
            if told := clean(host.get(field)):
                said.setdefault(sentence.format(told), ([], ""))[0].append(name)
    return [f"{some(names)}: {with_next(text, act)}" for text, (names, act) in said.items()
            if not _is_told(names, text, act, reason, next_act)]  # fmt: skip


def _is_told(names: list[str], text: str, act: str, reason: str, next_act: str) -> bool:
    """Whether the reason names these hosts with just this cause, and the next command is theirs."""
    return bool(reason) and act in ("", next_act) and all(f"{name} ({text})" in reason for name in names)


def seen(host: View, now: float) -> str:
    """When a host answered last."""
    if host.get("reachable") is True:
        return "now"
    last = moment(host.get("seen"))
    if last is None:
        return "never"
    return f"{utc(last)} ({ago(now - last)})" if now else utc(last)


def held(host: View) -> str:
    """The releases on a host's disk, less the one that is live."""
    live = (clean(host.get("tag")), clean(host.get("live")))
    others = [clean(each) for each in listed(host.get("held")) if clean(each) not in live]
    tags = [short(each) if len(each) in (40, 64) else each for each in others]
    return some(tags, _MOST_HELD) or "-"


def ask_the_silent(shown: Mapping[str, View], about: str) -> str:
    """The command that tells of the hosts that gave no answer whether they are there; "" where all gave one.

    Args:
        about: the repo; "" for all of them.
    """
    away = sorted((name for name, host in shown.items() if host.get("state") == "unreachable"), key=natural)
    minions = [name for name in away if shown[name].get("over_ssh") is not True]
    if minions:
        return f"salt -L {shlex.quote(','.join(minions[:_MOST_ASKED]))} test.ping"
    doctor = " ".join(filter(None, ("salt-run deploy.doctor", argument("repo", about) if about else "")))
    return doctor if away else ""
