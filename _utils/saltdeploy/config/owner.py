"""Whose the files of a release are on a target, and what may be done with them: the key ``owner`` of a repo."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from saltdeploy.config import values
from saltdeploy.config.paths import path_in_tree
from saltdeploy.config.values import Wrong

_NAME = re.compile(r"[A-Za-z_0-9][A-Za-z0-9_.@-]{0,63}\$?")
_OCTAL = re.compile(r"[0-7]{3,4}")
_DIRECTORY, _FILE = 0o755, 0o644
_MARK = 8  # digits
_LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")  # a shape has letters only
_MOST_WRITABLE = 100  # paths


@dataclass(frozen=True)
class Ownership:
    """Owner and modes of a tree.

    Attributes:
        user, group: by name or number; "" for those of the minion.
        dir_mode, file_mode: of a program, ``file_mode`` with ``x`` wherever it has ``r``.
        writable: directories that the group may write to, with the release's directories below them.
    """

    user: str = ""
    group: str = ""
    dir_mode: int = _DIRECTORY
    file_mode: int = _FILE
    writable: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self != NOBODYS

    @property
    def shape(self) -> str:
        """A mark of what is said; "" where nothing is."""
        if not self:
            return ""
        said = repr((self.user, self.group, self.dir_mode, self.file_mode, self.writable)).encode()
        return f"owner{hashlib.sha256(said).hexdigest()[:_MARK].translate(_LETTERS)}"


#: Where nothing is said: the minion's, 755 and 644.
NOBODYS = Ownership()


def owner(value: Any) -> Ownership:
    """Read the section ``owner``.

    Raises:
        Wrong: with the path of what is wrong.
    """
    known: dict[str, Callable[[Any], Any]] = {
        "user": _name,
        "group": _name,
        "umask": _umask,
        "dir_mode": _dir_mode,
        "file_mode": _file_mode,
        "writable": _writable,
    }
    found = values.table(value, known)
    umask = found.pop("umask", None)
    if umask is not None:
        found = {"dir_mode": 0o777 & ~umask, "file_mode": 0o666 & ~umask, **found}
    return Ownership(**found)


def of_trebuchet(found: Ownership, group: str) -> Ownership:
    """The same, with ``deployment_repo_group`` as the group where the section names none. Alone it says nothing."""
    return dataclasses.replace(found, group=group) if found and not found.group else found


def _name(value: Any) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else values.text(value)
    if not _NAME.fullmatch(text):
        raise ValueError("must be the name or the number of a user or a group")
    return text


def _mode(value: Any) -> int:
    if not isinstance(value, str) or not _OCTAL.fullmatch(value):
        raise ValueError("must be three or four octal digits in quotes, such as '0750'")
    return int(value, 8)


def _umask(value: Any) -> int:
    mode = _mode(value)
    if mode & 0o7700:
        raise ValueError("must leave all rights to the owner, such as '0027'")
    return mode


def _dir_mode(value: Any) -> int:
    mode = _mode(value)
    if mode & 0o700 != 0o700 or mode & 0o4000:
        raise ValueError("must let the owner read, write and enter, such as '0750' or '2775'")
    return mode


def _file_mode(value: Any) -> int:
    mode = _mode(value)
    if mode & 0o7111 or not mode & 0o400:
        raise ValueError("must let the owner read and nobody execute: git says which files are programs")
    return mode


def _writable(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > _MOST_WRITABLE:
        raise Wrong(f"must be a list of at most {_MOST_WRITABLE} paths")
    found = []
    for number, each in enumerate(value):
        try:
            found.append(path_in_tree(each))
        except ValueError as error:
            raise Wrong(f"{error}; it is {each!r}"[:200], number) from None
    return tuple(found)
