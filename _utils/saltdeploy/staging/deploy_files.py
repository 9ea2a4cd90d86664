"""The two files below ``.git/deploy`` that Trigger wrote, and that Ricochet and hosts of Trebuchet read.

Their keys and the form of their times are Trigger's: local time, ``%Y%m%d-%H%M%S``. What is ours stands under more keys.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from saltdeploy.lib import disk

_TIME = "%Y%m%d-%H%M%S"
_MODE = 0o666  # the umask decides, as it did: a group may share the repository
_LARGEST = 1 << 16  # bytes


@dataclass(frozen=True)
class StagingLock:
    """Who has started a deployment.

    Attributes:
        user: as git knows them; "" where the file tells nobody.
        time: local time, in Trigger's form; "" where it tells none.
    """

    user: str = ""
    time: str = ""


@dataclass(frozen=True)
class DeployFile:
    """What was synced last.

    Attributes:
        tag, user, time: as Trigger wrote them.
        commit: what the tag leads to; "" in a file of Trigger's.
        deploys: stage to the id of the deploy that did it last.
    """

    tag: str
    user: str = ""
    time: str = ""
    commit: str = ""
    deploys: Mapping[str, str] = field(default_factory=dict)


class DeployDirectory:
    """``.git/deploy`` of one repository.

    Args:
        git_dir: the repository's.
    """

    def __init__(self, git_dir: Path) -> None:
        self.lock_path = git_dir / "deploy" / "lock"
        self.deploy_path = git_dir / "deploy" / "deploy"

    def lock(self) -> StagingLock | None:
        """Who holds it; None when nobody does. A file that cannot be read is held by nobody that is known.

        Raises:
            OSError: it is there and may not be read.
        """
        try:
            said = _read(self.lock_path)
        except FileNotFoundError:
            return None
        return StagingLock(_text(said, "user"), _text(said, "time"))

    def take_lock(self, user: str, now: datetime) -> None:
        """Hold it, unless somebody does.

        Raises:
            FileExistsError: somebody does.
            OSError: it cannot be written.
        """
        self._make_directory()
        aside = disk.aside_of(self.lock_path)
        disk.write_atomically(aside, _bytes({"time": now.strftime(_TIME), "user": user, **_utc(now)}), _MODE)
        try:
            os.link(aside, self.lock_path)  # of two who start at once, one is refused
        finally:
            aside.unlink()
        disk.fsync_dir(self.lock_path.parent)

    def give_lock_to(self, user: str, now: datetime) -> None:
        """Let somebody else hold what is held already.

        Raises:
            OSError: it cannot be written.
        """
        disk.write_atomically(
            self.lock_path, _bytes({"time": now.strftime(_TIME), "user": user, **_utc(now)}), _MODE
        )

    def free_lock(self) -> None:
        """Hold it no more.

        Raises:
            OSError: it cannot be removed.
        """
        self.lock_path.unlink()
        disk.fsync_dir(self.lock_path.parent)

    def deployed(self) -> DeployFile | None:
        """What was synced last; None where nothing was.

        Raises:
            ValueError: the file cannot be read as what was written there.
            KeyError: it names no tag.
            OSError: it may not be read.
        """
        try:
            said = _read(self.deploy_path)
        except FileNotFoundError:
            return None
        if said is None:
            raise ValueError("it is no map in JSON")
        if not _text(said, "tag"):
            raise KeyError("tag")
        deploys = said.get("deploys")
        ids = {str(key): str(value) for key, value in deploys.items()} if isinstance(deploys, dict) else {}
        tag, user, time, commit = (_text(said, key) for key in ("tag", "user", "time", "commit"))
        return DeployFile(tag, user, time, commit, ids)

    def write_deployed(self, tag: str, commit: str, user: str, now: datetime) -> None:
        """Say what hosts are to run from now on.

        Raises:
            OSError: it cannot be written.
        """
        time = now.strftime(_TIME)
        said = {"tag": tag, "sync-time": time, "time": time, "user": user, "commit": commit, **_utc(now)}
        self._make_directory()
        disk.write_atomically(self.deploy_path, _bytes(said), _MODE)

    def note_deploy(self, stage: str, deploy: str) -> None:
        """Add which deploy of the fleet did a stage, for who asks later; where that cannot be, nothing is lost but its times."""
        with contextlib.suppress(OSError):
            said = _read(self.deploy_path)
            if said is not None:
                ids = said.get("deploys")
                said["deploys"] = {**(ids if isinstance(ids, dict) else {}), stage: deploy}
                disk.write_atomically(self.deploy_path, _bytes(said), _MODE)

    def _make_directory(self) -> None:
        """Make the directory of both files; its mode is for the umask to say."""
        place = self.lock_path.parent
        if not place.is_dir():
            try:
                place.mkdir()
            except FileExistsError:  # a file, or somebody who is as fast
                if not place.is_dir():
                    raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(place)) from None


def _read(path: Path) -> dict[str, Any] | None:
    """The map in a file; None where it holds something else."""
    with path.open("rb") as file:
        data = file.read(_LARGEST)
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _text(said: Mapping[str, Any] | None, key: str) -> str:
    value = said.get(key) if said else None
    return value if isinstance(value, str) else ""


def _utc(now: datetime) -> dict[str, str]:
    """Local time comes twice when clocks go back, so the moment stands there as well."""
    return {"utc": now.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")}


def _bytes(value: object) -> bytes:
    return json.dumps(value).encode()
