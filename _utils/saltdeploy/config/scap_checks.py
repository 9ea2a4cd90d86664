"""The checks that a release brings in ``scap/checks.yaml``, with scap's own words for their places.

scap's stages are fetch, config_deploy, promote, handle_service, finalize. Its ``promote`` only switches: what stands after
it runs before the service is restarted, which is the stage ``handle_service`` (once called ``restart_service``). Files
rely on that: they build a virtualenv at promote, and the service starts with it. Where a stage of scap's is none here, its
checks run at the end of the one before it, in scap's order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import yaml

from saltdeploy.config import Repo, check_kinds, checks, values
from saltdeploy.config.rollout import REST, Check
from saltdeploy.config.values import Wrong
from saltdeploy.lib.errors import BadChecks

FILE = "scap/checks.yaml"
MOST = 65_536  # bytes of it
#: Safe, and in C where there is that: it also refuses what is nested too deep, before it takes minutes.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
#: The key ``<<``: what it brings may be said otherwise in the table itself.
_MERGE = "tag:yaml.org,2002:merge"

_KEYS = ("before", "after", "stage")
#: scap's words for stages that it has and we have not, by our words.
_WORDS = {"promote": "checkout", "handle_service": "restart", "restart_service": "restart"}
#: Stages of scap's that are none here: what they follow, whose place is theirs.
_JOINED = {"config_deploy": "fetch", "finalize": "restart"}
_REFUSED = {
    "config_diff": "no check can see what configuration files would become: use after: config_deploy",
    "final": "nothing runs on a target when all groups are done: use after: finalize",
}


@dataclass(frozen=True)
class _Place:
    """Where an entry of the file runs.

    Attributes:
        entry: in our words.
        said: see :class:`ReleaseChecks`.
        rank: of what stands at one place, the lower ones run first.
    """

    entry: Any
    said: str = ""
    rank: int = 0


@dataclass(frozen=True)
class ReleaseChecks:
    """A check of a release.

    Attributes:
        check: stands where it runs.
        said: where the file has it, in the file's words, when that is another place; else "".
    """

    check: Check
    said: str = ""


def read(text: bytes, repo: Repo) -> tuple[ReleaseChecks, ...]:
    """What the file holds; what stands at one place is in the order in which it runs.

    Args:
        text: of the file; empty where the release has none.
        repo: has checks of its own, and may have something to restart.

    Raises:
        BadChecks: it is not valid, cannot be done by a host that reads it out of the release, or stands in the
            way of the pillar's checks.
    """
    try:
        known: dict[str, Any] = {"checks": lambda value: _brought(value or {})}
        found: tuple[ReleaseChecks, ...] = values.table(_parsed(text) or {}, known).get("checks", ())
        _refuse(tuple(each.check for each in found), repo)
    except Wrong as error:
        raise BadChecks(
            str(error),
            path=":".join([FILE, *error.path]),
            next=f"mend {FILE} in the release, or take it out and write the checks into the pillar",
        ) from None
    return found if repo.rollout.groups else tuple(map(_for_all, found))


def entries(text: bytes) -> dict[str, Any]:
    """The checks of a file as they stand there, by name; an entry is None where the file turns a check off.

    Raises:
        BadChecks: it cannot be read at all.
    """
    try:
        said = _parsed(text) or {}
        found = said.get("checks") if isinstance(said, dict) else said
        if found is not None and not isinstance(found, dict):
            raise Wrong("must be a table of checks, each under its name", "checks")
    except Wrong as error:
        path = ":".join([FILE, *error.path])
        raise BadChecks(str(error), path=path, next="mend the file, or take it out") from None
    return {str(name): entry for name, entry in (found or {}).items()}


def in_our_words(name: str, entry: Any) -> Any:
    """An entry as it stands in the pillar.

    Raises:
        Wrong: its place is none that there is here.
    """
    return _translated(name, entry).entry


def _for_all(brought: ReleaseChecks) -> ReleaseChecks:
    """Where scap is told of no groups, all hosts are in the one that it calls ``default``; here they are in none."""
    if brought.check.group != REST:
        return brought
    return replace(brought, check=replace(brought.check, group=""))


def _refuse(found: tuple[Check, ...], repo: Repo) -> None:
    mine = {check.name for check in repo.hooks.checks}
    for check in found:
        if check.master:
            raise Wrong("only the pillar can ask the master for a check", "checks", check.name, "where")
        if check.point == "before fetch":
            raise Wrong("a release is not there before it is fetched", "checks", check.name, "before")
        if check.name in mine:
            raise Wrong("the pillar has a check of this name", "checks", check.name)
    if repo.hooks.restart:
        checks.refuse_in_the_gap(found)


# -- the places -----------------------------------------------------------------------------------------


def _brought(value: Any) -> tuple[ReleaseChecks, ...]:
    if not isinstance(value, dict):
        raise Wrong("must be a table of checks, each under its name")
    places = {name: _translated(name, entry) for name, entry in value.items()}
    found = checks.checks({name: place.entry for name, place in places.items()})
    ordered = sorted(found, key=lambda check: places[check.name].rank)
    return tuple(ReleaseChecks(check, places[check.name].said) for check in ordered)


def _translated(name: Any, entry: Any) -> _Place:
    """The entry with its place in our words."""
    if not isinstance(entry, dict):
        return _Place(entry)
    keys = [key for key in _KEYS if key in entry]
    if keys == ["after", "stage"]:  # as scap does
        keys = ["after"]
        entry = {key: each for key, each in entry.items() if key != "stage"}
    word = entry[keys[0]] if len(keys) == 1 else None
    if not isinstance(word, str):
        return _Place(entry)
    if word in _REFUSED:
        raise Wrong(f"{word}: {_REFUSED[word]}", name, keys[0])
    when = "before" if keys == ["before"] else "after"
    rest = {key: each for key, each in entry.items() if key not in _KEYS}
    if word in _JOINED:
        return _Place({**rest, "after": _JOINED[word]}, f"{when} {word}", 1 if when == "before" else 2)
    if word not in _WORDS:
        return _Place(entry)
    if (when, _WORDS[word]) in checks.GAP and _asks_processes(entry.get("type")):
        # it stood before what is there already: a host is put back into service after it, not before
        return _Place({**rest, "after": "restart"}, f"{when} {word}", -1)
    return _Place({**rest, when: _WORDS[word]})


def _asks_processes(kind: Any) -> bool:
    known = check_kinds.TABLE.find(kind) if isinstance(kind, str) else None
    return known is not None and known.asks_processes


# -- the text -------------------------------------------------------------------------------------------


def _parsed(text: bytes) -> Any:
    try:
        loader = _LOADER(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _refuse_twice(node)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except (yaml.YAMLError, RecursionError) as error:
        raise Wrong(f"cannot be read: {' '.join(str(error).split())[:500]}") from None


def _refuse_twice(root: yaml.Node) -> None:
    """Refuse a key that stands more than once in a table: YAML readers keep the last one without a word."""
    for table, path in _tables(root):
        lines: dict[tuple[str, str], list[int]] = {}
        for key, _ in table.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
                lines.setdefault((key.tag, key.value), []).append(key.start_mark.line + 1)
        for (_, name), found in lines.items():
            if len(found) > 1:
                where = f"{', '.join(map(str, found[:-1]))} and {found[-1]}"
                raise Wrong(f"{name} stands here more than once: on lines {where}", *path, name)


def _tables(root: yaml.Node) -> Iterator[tuple[yaml.MappingNode, tuple[str, ...]]]:
    """The tables of a document, from the top, each once however often it is referred to; with the keys down to it."""
    seen: set[int] = set()
    waiting: list[tuple[yaml.Node, tuple[str, ...]]] = [(root, ())]
    for node, path in waiting:
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            yield node, path
            waiting += [(value, (*path, str(key.value))) for key, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            waiting += [(each, path) for each in node.value]
