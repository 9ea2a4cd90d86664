"""Who asks the runner for something, as far as that was verified; and by which door they came."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from saltdeploy.config.roles import MINION, SALT

PERSON, OF_MINION, OF_SALT = "person", "minion", "salt"

#: What Salt calls who asks where nobody does: a call inside of the master.
NOBODY = ("", "None", "UNKNOWN")


@dataclass(frozen=True)
class Asker:
    """Somebody, or something.

    Attributes:
        kind: ``person``, ``minion`` or ``salt`` (what the master calls by itself).
        name: the user's, the minion's id, or ``reactor`` or ``master``.
        door: by which they came: ``salt-run``, ``saltdeploy``, ``salt-api``, ``salt``, ``peer_run``, ``reactor`` or ``master``.
        groups: Unix groups of a person whom the kernel knows; an account elsewhere has none here.
        is_root: whether the kernel says that it is root, or the user that the master runs as: they can do everything anyway.
        behind_sudo: whether sudo says who is behind root.
    """

    kind: str
    name: str
    door: str
    groups: frozenset[str] = frozenset()
    is_root: bool = False
    behind_sudo: bool = False

    @property
    def shown(self) -> str:
        """What refusals and the master's configuration call it."""
        return (
            self.name if self.kind == PERSON else f"{MINION if self.kind == OF_MINION else SALT}{self.name}"
        )

    @property
    def recorded(self) -> str:
        """The name under which the history has what they do."""
        return f"sudo_{self.name}" if self.behind_sudo else self.shown

    def is_among(self, holders: Iterable[str]) -> bool:
        """Whether one of those who are configured is this one.

        A user of salt-api may have any name; none can be taken for a minion or for a group.
        """
        if self.kind != PERSON:
            return self.shown in holders
        return any(
            each[1:] in self.groups if each.startswith("%") else ":" not in each and each == self.name
            for each in holders
        )

    def to_wire(self) -> dict[str, Any]:
        """It as plain data."""
        return {"kind": self.kind, "name": self.name, "door": self.door}


def of_kernel(uid: int, behind: str, *, own: str, door: str, gids: Iterable[int] | None = None) -> Asker:
    """A person as the kernel knows the process that asks.

    Args:
        uid: of that process.
        behind: what sudo says of who is behind it. Root is believed it, and the user that the master runs as, who is as good as
            root here; nobody else.
        own: the user that the master runs as.
        door: by which they came.
        gids: all groups of the process, where the kernel has told them; without it those of the user.
    """
    name = user_name(uid)
    is_root = uid == 0 or name == own
    if is_root and behind and behind not in ("root", own):
        return Asker(PERSON, behind, door, groups_of(behind), behind_sudo=True)
    if is_root:
        return Asker(PERSON, name, door, is_root=True)
    return Asker(PERSON, name, door, groups_of(name) if gids is None else group_names(gids))


def user_name(uid: int) -> str:
    """The user's name; its number where it has none, which is nobody's name."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def groups_of(name: str) -> frozenset[str]:
    """The groups of a user of this host; none of who is no user here."""
    try:
        user = pwd.getpwnam(name)
        return group_names(os.getgrouplist(name, user.pw_gid))
    except (KeyError, OSError):
        return frozenset()


def group_names(gids: Iterable[int]) -> frozenset[str]:
    """The names of groups; those that have none are left out."""
    found = set()
    for gid in gids:
        with contextlib.suppress(KeyError):
            found.add(grp.getgrgid(gid).gr_name)
    return frozenset(found)
