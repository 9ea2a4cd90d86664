"""Unpacks an archive that a CI made into a directory: nothing in it can lead out of that directory."""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
import zipfile
from pathlib import Path

from saltdeploy.lib.errors import BadRelease
from saltdeploy.lib.os_errors import from_os

_MODE_BITS = 16  # where a zip keeps the mode of a file, in its external attributes


def unpack(archive: Path, directory: Path) -> None:
    """Unpack a tar (of any compression that Python reads) or a zip.

    Modes come down to executable or not, and owners to us: that is all that git keeps.

    Args:
        directory: an empty one.

    Raises:
        BadRelease: it is no archive, is damaged, or names what is outside of the directory.
        DiskFull, NoPermission: it cannot be read or unpacked.
    """
    try:
        if tarfile.is_tarfile(archive):
            _untar(archive, directory)
        elif zipfile.is_zipfile(archive):
            _unzip(archive, directory)
        else:
            raise _bad(archive, "it is neither a tar nor a zip")
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, ValueError, RuntimeError) as error:
        raise _bad(archive, str(error)) from error
    except OSError as error:
        raise from_os(error, path=str(archive)) from error


def _untar(archive: Path, directory: Path) -> None:
    with tarfile.open(archive) as opened:
        opened.extractall(directory, filter="data")  # PEP 706: no absolute name, nothing outside, no device


def _unzip(archive: Path, directory: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        for entry in opened.infolist():
            _refuse_outside(archive, entry.filename)
            mode = entry.external_attr >> _MODE_BITS
            place = directory / entry.filename
            if entry.is_dir():
                place.mkdir(parents=True, exist_ok=True)
            elif stat.S_ISLNK(mode):
                raise _bad(
                    archive,
                    f"{entry.filename} is a symbolic link; make a tar, which is checked for where links lead",
                )
            else:
                place.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(entry) as packed, open(place, "xb") as file:
                    shutil.copyfileobj(packed, file)
                os.chmod(place, 0o755 if mode & 0o100 else 0o644)


def _refuse_outside(archive: Path, name: str) -> None:
    if name.startswith("/") or "\\" in name or ".." in name.split("/") or "\0" in name:
        raise _bad(archive, f"it names what is outside: {name[:200]!r}")


def _bad(archive: Path, cause: str) -> BadRelease:
    return BadRelease(
        f"the archive cannot be staged: {cause}", path=str(archive), next=f"file -- {archive}; make it anew"
    )
