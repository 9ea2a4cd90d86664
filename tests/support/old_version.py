"""Versions to upgrade from and to: the one before the package had rooms, from the repository's own history, and one to come."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

from tests.support.installed import DOORS, copy_doors

#: The last commit of version 0.1.0, whose modules lay flat at the package's root.
COMMIT = "edca60f174212191b733a4a64010a225e0f945c2"
OLD, NEW, NEXT = "0.1.0", "0.2.0", "0.2.1"
#: What Salt could not sync of it yet.
DOORS_SINCE = ("_returners",)


def extract(checkout: Path, directory: Path) -> Path:
    """The directories of the old version that Salt can sync.

    Raises:
        AssertionError: the checkout has no such history.
    """
    doors = [door for door in DOORS if door not in DOORS_SINCE]
    command = ["git", "-C", str(checkout), "archive", COMMIT, "--", "_utils", *doors]
    done = subprocess.run(command, capture_output=True)
    assert done.returncode == 0, (
        f"an upgrade is tested from version {OLD}, commit {COMMIT}, and git cannot read it here: "
        f"{done.stderr.decode().strip()}. Next: git fetch --unshallow, or clone with the whole history"
    )
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(directory, filter="data")
    return directory


def make_next(checkout: Path, directory: Path) -> Path:
    """This version with the number of the next one: what a sync brings to a fleet that has this one."""
    copy_doors(checkout, directory)
    for path in directory.rglob("*.py"):
        text = path.read_text()
        if f'"{NEW}"' in text:
            path.write_text(text.replace(f'"{NEW}"', f'"{NEXT}"'))
    return directory


def put(link: Path, version: Path) -> None:
    """Let a link lead to a version, by one rename."""
    aside = link.with_name(f"{link.name}.new")
    aside.symlink_to(version)
    aside.replace(link)
