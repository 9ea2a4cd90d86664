"""Who runs what, and who takes a repo at all."""

from __future__ import annotations

import shlex

from saltdeploy.lib.spelling import argument
from saltdeploy.watch.console.views.common import (
    View,
    before,
    called,
    cell,
    digest,
    mapping,
    next_of_unfinished,
    part,
    release,
    repo,
    time_of,
    unfinished,
    views,
    word,
)
from saltdeploy.watch.console.views.hosts import ask_the_silent, held, notes, rows, seen
from saltdeploy.watch.text import clean, count, hosts, natural, short, some, table

_SHORT_ROOT = 16
_LONGEST_TOLD = 1000
_TO_SYNC = ("damaged", "drift", "nothing", "unsettled")


def report(view: View, now: float, colour: bool) -> list[str]:
    """The view ``report``."""
    shown, partial = mapping(view.get("hosts")), views(view.get("partly_pinned"))
    pinned = view["pinned"] if isinstance(view.get("pinned"), dict) else None
    nothing = "nothing is pinned for all" if partial else "nothing is pinned"
    lines = [*_unrecorded(view), *unfinished(view)]
    purpose = f" ({cell(view.get('purpose'))})" if view.get("purpose") else ""
    lines.append(f"{repo(view)}{purpose}: {f'{release(pinned)} is pinned' if pinned else nothing}")
    lines += [f"{release(one)} is pinned for {some(called(one.get('hosts')))} only" for one in partial]
    if not shown:
        return [*lines, "no minion takes this repo"]
    lines += _roots(pinned, shown)

    def cells(host: View) -> tuple[str, ...]:
        return seen(host, now), held(host)

    heading = ("HOST", "STATE", "TAG", "COMMIT", "LAST ANSWER", "ALSO ON DISK")
    lines += ["", *table([heading, *rows(shown, cells)]), ""]
    if remarks := notes(shown):
        lines += [*remarks, ""]
    if pinned or partial:
        fine = sum(1 for host in shown.values() if host.get("state") == "pinned")
        apart = sum(1 for host in shown.values() if host.get("state") == "suspended")
        lines.append(
            f"{fine}/{len(shown) - apart} hosts run what is pinned"
            + (f"; {apart} suspended" if apart else "")
        )
    if not part(view, "unfinished"):
        lines += before(view)
    next_act = next_of_fleet(view, shown, pinned, partial)
    return [*lines, f"Next: {next_act}"] if next_act else lines


def _unrecorded(view: View) -> list[str]:
    """That hosts know of deploys that the master knows nothing of: then its pin is not what should be running."""
    told = clean(part(view, "unrecorded").get("told"), _LONGEST_TOLD)
    return [f"{repo(view)}: {told}", ""] if told else []


def _roots(pinned: View | None, shown: dict[str, View]) -> list[str]:
    """The one root of the fleet, and whose is another."""
    root = digest(pinned.get("root")) if pinned else ""
    if not pinned or not root:
        return []
    those = {name: host for name, host in shown.items() if host.get("live") == pinned.get("commit")}
    told = {name: digest(those[name].get("root")) for name in sorted(those, key=natural)}
    same = sum(1 for found in told.values() if found == root)
    line = f"tree {root[:_SHORT_ROOT]} on {same}/{len(shown)} hosts"
    if other := [name for name, found in told.items() if found not in ("", root)]:
        line += f"; another tree on {some(other)}"
    if silent := [name for name, found in told.items() if not found]:
        line += f"; not told by {some(silent)}"
    return [line]


def targets(view: View, now: float, colour: bool) -> list[str]:
    """The view ``targets``."""
    found = sorted(called(view.get("hosts")), key=natural)
    by = f"{cell(view.get('expression'))} ({cell(view.get('type'))})"
    if not found:
        return [f"{repo(view)}: no minion matches {by}"]
    return [f"{repo(view)}: {hosts(len(found))} by {by}", *found]


def next_of_fleet(view: View, shown: dict[str, View], pinned: View | None, partial: list[View]) -> str:
    """The command that leads on: for a deploy that has not ended, else for the first host that is not as it should be."""
    if unrecorded := part(
        view, "unrecorded"
    ):  # the master's memory is older than the fleet: so is its unfinished deploy
        return _as_hosts_say(repo(view), unrecorded)
    if under_way := next_of_unfinished(view):
        return under_way
    if not pinned and not partial:
        return f"salt-run deploy.sync repo={repo(view)} tag=..."
    odd = [name for name in sorted(shown, key=natural) if shown[name].get("state") in _TO_SYNC]
    if odd:
        return _sync(repo(view), odd[0], pinned, partial)
    if any(host.get("state") == "stale" for host in shown.values()):
        return f"salt-run deploy.restart repo={repo(view)}"
    return ask_the_silent(shown, repo(view))


def _as_hosts_say(name: str, unrecorded: View) -> str:
    live, previous = clean(unrecorded.get("live")), clean(unrecorded.get("previous"))
    ways = [f"salt-run deploy.sync repo={name} {shlex.quote(f'tag={live}')}"] if live else []
    ways += [f"salt-run deploy.rollback repo={name}"] if previous else []
    return "; or ".join(ways) or f"salt '*' deploy.status {name}"


def _sync(name: str, host: str, pinned: View | None, partial: list[View]) -> str:
    """Bring a host to its pin: one for some hosts goes to those alone, so that the others keep theirs."""
    for pin in partial:
        members = called(pin.get("hosts"))
        if host in members:
            limit = shlex.quote(f"limit=L@{','.join(members)}")
            return f"salt-run deploy.sync repo={name} {_tag(pin)} {limit}"
    return f"salt-run deploy.sync repo={name} {_tag(pinned) if pinned else 'tag=...'}"


def _tag(pin: View) -> str:
    return argument("tag", clean(pin.get("tag")))


_LONGEST_REASON = 40
_MOST_CAUSES = 5


def versions(view: View, now: float, colour: bool) -> list[str]:
    """The view ``versions``."""
    found = views(view.get("versions"))
    if not found:
        return [*unfinished(view), f"{repo(view)}: never deployed"]
    heading = ("TIME", "ACTION", "TAG", "COMMIT", "WHO", "OUTCOME", "DEPLOY", "HOSTS", "BAD", "REASON")
    under_way = part(view, "unfinished")
    rows = [_row(version, under_way) for version in found]
    lines = [*unfinished(view), f"{repo(view)}: its deploys, the newest first", ""]
    known = bool(count(view.get("of_hosts")))
    lines += table(
        _without_empty_ends([heading, *rows] if known else [_unknown(r) for r in [heading, *rows]])
    )
    remarks = [*_now_on(view, known), *_causes(found), *_bad(found), *([] if under_way else before(view))]
    remarks += [f"Next: {next_of_unfinished(view)}"] if next_of_unfinished(view) else []
    return [*lines, "", *remarks] if remarks else lines


def _now_on(view: View, known: bool) -> list[str]:
    said = f"HOSTS: how many of {hosts(count(view.get('of_hosts')))} run it now, as they answered last"
    return [f"{said}; salt-run deploy.status repo={repo(view)} asks them"] if known else []


def _row(version: View, under_way: View) -> tuple[str, ...]:
    return (
        time_of(version.get("time")),
        cell(version.get("action")) + (", limited" if count(version.get("left_out")) else ""),
        cell(version.get("tag")),
        short(version.get("commit")) or "-",
        cell(version.get("user")),
        word(version) or _not_ended(version, under_way),
        cell(version.get("deploy")),
        str(count(version.get("hosts")) or "-"),
        "bad" if clean(version.get("bad")) else "-",
        _reason(version) or "-",
    )


_HOSTS = 7  # the column of how many hosts run it


def _unknown(row: tuple[str, ...]) -> tuple[str, ...]:
    """Less that column."""
    return (*row[:_HOSTS], *row[_HOSTS + 1 :])


def _reason(version: View) -> str:
    """Why, as the operator said; and what was said for this deploy alone."""
    once = [f"{clean(key)}={clean(value)}" for key, value in part(version, "once").items()]
    why = clean(version.get("reason"), _LONGEST_REASON)
    return "; ".join(filter(None, [why, ", ".join(once)]))


def _not_ended(version: View, under_way: View) -> str:
    """What is known of a deploy without an outcome; of an older one, that it never had one."""
    return cell(under_way.get("state")) if under_way.get("deploy") == version.get("deploy") else "not ended"


def _without_empty_ends(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Less the last columns in which there is nothing."""
    while len(rows[0]) > 1 and all(row[-1] == "-" for row in rows[1:]):
        rows = [row[:-1] for row in rows]
    return rows


def _causes(found: list[View]) -> list[str]:
    """Why the latest deploys ended as they did, where there is something to say."""
    return [
        f"deploy {cell(version.get('deploy'))}: {word(version)}: {clean(version.get('cause'))}"
        for version in _with_causes(found)
    ]


def _with_causes(found: list[View]) -> list[View]:
    return [version for version in found if clean(version.get("cause"))][:_MOST_CAUSES]


def _bad(found: list[View]) -> list[str]:
    """Each bad release once, with the reason; the cause of a deploy that is told already is left out of it."""
    told = [clean(version.get("cause")) for version in _with_causes(found)]
    bad = {}
    for version in found:
        why, cause = clean(version.get("bad")), clean(version.get("cause"))
        if why:
            bad[release(version)] = why.removesuffix(f": {cause}") if cause in told else why
    lines = [f"bad: {name}: {why}" for name, why in bad.items()]
    return [*lines, "a bad release is refused unless force=bad_release"] if lines else lines
