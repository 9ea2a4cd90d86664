"""What a host has on its disk of a repo, as it tells the master."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from saltdeploy.lib.errors import BadName
from saltdeploy.protocol import fields
from saltdeploy.protocol.fields import Field
from saltdeploy.protocol.merkle import is_root
from saltdeploy.protocol.release import check_commit, check_tag

_MOST_HELD, _MOST_PROGRAMS = 1000, 50
_is_program = fields.matches(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
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
            host was rolled back from it, if it is still whole on disk.
        held: every release that is whole on disk, ``live`` and ``previous`` among them.
        tags: commit to tag, for those in ``held``.
        damaged: what is live was found to be something else than its release; its next fetch rebuilds it.
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
        return cls(**fields.read(data, _HOLDINGS))


def legal(value: object, check: Callable[[str], str]) -> str:
    """``value`` when it passes the check, else ""."""
    try:
        return check(value) if isinstance(value, str) else ""
    except BadName:
        return ""


def _commit(value: object) -> str:
    return legal(value, check_commit)


def _commits(value: object) -> tuple[str, ...]:
    return tuple(filter(None, map(_commit, value[:_MOST_HELD]))) if fields.is_list(value) else ()


def _by_commit(is_legal: Callable[[Any], object]) -> Callable[[object], dict[str, str]]:
    def read(value: object) -> dict[str, str]:
        items = list(value.items())[:_MOST_HELD] if fields.is_table(value) else []
        return {commit: each for commit, each in items if _commit(commit) and is_legal(each)}

    return read


def _is_true(value: object) -> bool:
    return value is True


def _programs(value: object) -> tuple[str, ...]:
    return tuple(filter(_is_program, value[:_MOST_PROGRAMS])) if fields.is_list(value) else ()


def _known(value: object) -> tuple[str, ...]:
    return tuple(kind for kind in YOUNG if fields.is_list(value) and kind in value)


_HOLDINGS = {
    "live": Field(make=_commit),
    "previous": Field(make=_commit),
    "held": Field(make=_commits),
    "tags": Field(make=_by_commit(lambda tag: legal(tag, check_tag))),
    "damaged": Field(make=_is_true),
    "unsettled": Field(make=_is_true),
    "programs": Field(make=_programs),
    "knows": Field(make=_known),
    "roots": Field(make=_by_commit(is_root)),
}
