"""The one reader of plain data that was written down for later: what is not as it was written is one known error.

A disk that fails, a power cut, a full file system or a careless hand leaves a file empty, cut off, with other bytes, with
data of another form, or a directory in its place. Whoever reads it here gets what was meant, or
:class:`saltdeploy.lib.errors.DamagedFile` with the path and what to do.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from saltdeploy.lib import disk
from saltdeploy.lib.errors import DamagedFile, DeployError

#: What Python raises for data of another form than was expected.
WRONG_FORM = (TypeError, ValueError, LookupError, AttributeError, OverflowError, RecursionError)

T = TypeVar("T")
log = logging.getLogger(__name__)


def read(path: Path, parse: Callable[[Any], T], default: T, *, repo: str = "", after: str = "") -> T:
    """What ``parse`` makes of the JSON at ``path``.

    Args:
        path: the file.
        parse: checks the form as well; whatever it raises says that the file is damaged.
        default: where there is no file.
        repo: whose it is.
        after: what to do once the file is out of the way; the same command again where nothing is said.

    Raises:
        DamagedFile: it is there and cannot be read.
        PermissionError: this user may not read it.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return default
    except PermissionError:
        raise
    except OSError as error:  # a directory, a loop of links, a sector that is gone
        raise DamagedFile.of_file(path, str(error.strerror or error), repo=repo, after=after) from error
    if not data.strip():
        raise DamagedFile.of_file(path, "it is empty", repo=repo, after=after)
    try:
        return parse(json.loads(data))
    except (DeployError, *WRONG_FORM) as error:
        raise DamagedFile.of_file(path, _told(error), repo=repo, after=after) from error


def parsed(value: Any, parse: Callable[[Any], object], where: str, following: str) -> None:
    """See to it that ``parse`` takes a value that did not come from a file of ours.

    Raises:
        DamagedFile: it does not.
    """
    try:
        parse(value)
    except (DeployError, *WRONG_FORM) as error:
        raise DamagedFile(f"the record is damaged: {_told(error)}", path=where, next=following) from error


def write(path: Path, value: Any, mode: int = 0o600) -> None:
    """:func:`saltdeploy.lib.disk.write_json`, also where something that is no file has the name."""
    if path.is_dir() and not path.is_symlink():
        set_aside(path)
    disk.write_json(path, value, mode)


def set_aside(path: Path) -> None:
    """Keep a damaged file beside its place, under a name with the time in it, and say so in the log."""
    _keep(path, os.rename)


def mend(path: Path, value: Any) -> None:
    """Write what a damaged file should say; the file is kept as by :func:`set_aside`.

    Nobody finds nothing there in between, also after a power cut: that would mean that nothing was ever written.
    """
    _keep(path, os.link if path.is_file() else os.rename)
    disk.write_json(path, value, 0o600)


def private_directory(path: Path) -> Path:
    """The directory ``path``, made if need be, which nobody but its owner can look into."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = path.stat()
    if found.st_mode & 0o077 and found.st_uid == os.geteuid():
        path.chmod(0o700)
    return path


def _keep(path: Path, move: Callable[[Path, Path], None]) -> None:
    kept = disk.free_name(path)
    with contextlib.suppress(FileNotFoundError):  # another process has just done the same
        move(path, kept)
        disk.fsync_dir(path.parent)
        log.warning("%s is damaged; it is kept as %s.", path, kept)


def whole_number(value: object) -> int:
    """``value`` when it counts something."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{type(value).__name__} stands there, and not a whole number")
    return value


def mapping(value: object) -> dict[str, Any]:
    """``value`` when it is a map with texts as keys."""
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ValueError(f"{type(value).__name__} stands there, and not a map of names")
    return value


def texts(value: object) -> list[str]:
    """``value`` when it is a list of texts."""
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError(f"{type(value).__name__} stands there, and not a list of names")
    return value


def fields(**kinds: type | tuple[type, ...]) -> Callable[[Any], dict[str, Any]]:
    """What checks that a map has these fields, of these types; others may stand beside them."""

    def check(value: Any) -> dict[str, Any]:
        found = mapping(value)
        for name, kind in kinds.items():
            if not isinstance(found.get(name), kind):
                raise ValueError(f"its field {name} is missing or has another form")
        return found

    return check


def _told(error: Exception) -> str:
    text = error.cause if isinstance(error, DeployError) else str(error)
    return f"it cannot be read as what was written there ({text[:300]})"
