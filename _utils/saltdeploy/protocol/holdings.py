"""What a host has on its disk of a repo, as it tells the master."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from saltdeploy.lib.errors import BadName
from saltdeploy.protocol.merkle import is_root
from saltdeploy.protocol.release import check_commit, check_tag

_MOST_HELD, _MOST_PROGRAMS = 1000, 50
_PROGRAM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
#: A kind of payloads.
SQUEEZED = "squeezed"
#: Kinds of payloads that hosts of older versions do not know; a host tells which of them it knows.
YOUNG = (SQUEEZED,)


@dataclass(frozen=True)
class Holdings:
    """What a host has on disk of a repo; every entry is a commit id or "".

    Attributes:
        live: what ``location`` shows.
        previous: what a host that goes back by itself would show: what ``location`` showed before, or before that where the
            host was led back from it, if it is still whole on disk.
        held: every release that is whole on disk, ``live`` and ``previous`` among them.
        tags: commit to tag, for those in ``held``.
        damaged: what is live was found to be something else than its release; its next fetch makes it anew.
        unsettled: a switch has begun here and its restart and checks have not all passed: what runs may not be
            what ``live`` says.
        programs: what transports run on a host (``zstd``), of which this host has it.
        knows: those of :data:`YOUNG` that the host knows; one of an older version says nothing of them.
        roots: commit to the root of its tree as this host has it (:mod:`saltdeploy.protocol.merkle`), as far as it is known.
    """

    live: str = ""
    previous: str = ""
    held: tuple[str, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)
    damaged: bool = False
    unsettled: bool = False
    programs: tuple[str, ...] = ()
    knows: tuple[str, ...] = ()
    roots: dict[str, str] = field(default_factory=dict)

    def to_wire(self) -> dict[str, Any]:
        """The holdings as plain data."""
        return {
            "damaged": self.damaged,
            "unsettled": self.unsettled,
            "live": self.live,
            "previous": self.previous,
            "held": list(self.held),
            "tags": dict(self.tags),
            "programs": list(self.programs),
            "knows": list(self.knows),
            "roots": dict(self.roots),
        }

    @classmethod
    def from_wire(cls, data: object) -> Holdings:
        """Rebuild holdings; parts of the wrong form are left out, since a report must always work."""
        if not isinstance(data, dict):
            return cls()
        held = data.get("held")
        named, rooted = _items(data.get("tags")), _items(data.get("roots"))
        return cls(
            live=legal(data.get("live"), check_commit),
            previous=legal(data.get("previous"), check_commit),
            held=tuple(filter(None, (legal(each, check_commit) for each in held[:_MOST_HELD])))
            if isinstance(held, (list, tuple))
            else (),
            tags={c: t for c, t in named if legal(c, check_commit) and legal(t, check_tag)},
            damaged=data.get("damaged") is True,
            unsettled=data.get("unsettled") is True,
            programs=_programs(data.get("programs")),
            knows=_among(YOUNG, data.get("knows")),
            roots={c: root for c, root in rooted if legal(c, check_commit) and is_root(root)},
        )


def _among(known: tuple[str, ...], value: object) -> tuple[str, ...]:
    return tuple(each for each in known if isinstance(value, (list, tuple)) and each in value)


def _programs(value: object) -> tuple[str, ...]:
    named = value[:_MOST_PROGRAMS] if isinstance(value, (list, tuple)) else ()
    return tuple(each for each in named if isinstance(each, str) and _PROGRAM.fullmatch(each))


def _items(value: object) -> list[tuple[Any, Any]]:
    return list(value.items())[:_MOST_HELD] if isinstance(value, dict) else []


def legal(value: object, check: Callable[[str], str]) -> str:
    """``value`` when it passes the check, else ""."""
    try:
        return check(value) if isinstance(value, str) else ""
    except BadName:
        return ""
