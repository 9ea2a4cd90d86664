"""A Python with Salt that every user of this machine may run: that of the tests may lie below a directory which is closed to others.

It is made of hard links where it can be, and costs no room.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
import sysconfig
from collections.abc import Collection
from pathlib import Path

#: What Salt runs without.
_LEFT_OUT = {"__pycache__", "test", "tests", "idlelib", "tkinter", "ensurepip", "site-packages"}
_HEAVY = {
    *{
        "numpy",
        "numpy.libs",
        "matplotlib",
        "selenium",
        "babel",
        "fontTools",
        "sphinx",
        "mypy",
        "mypyc",
        "PIL",
    },
    *{"pillow.libs", "hypothesis", "virtualenv", "kiwisolver", "grimp", "pip", "ruff", "sphinxcontrib"},
}


def make(place: Path) -> Path:
    """Make it in a directory that is not there yet; the path of its program."""
    home = Path(sys.base_prefix)
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    library = place / "lib" / name
    (place / "bin").mkdir(parents=True)
    _copy_tree(home / "lib" / name, library, _LEFT_OUT)
    _copy_tree(Path(sysconfig.get_path("purelib")), library / "site-packages", {"__pycache__", *_HEAVY})
    for shared in (home / "lib").glob("libpython*"):
        _copy(shared, place / "lib" / shared.name)
    _copy(Path(sys._base_executable).resolve(), place / "bin" / name)  # type: ignore[attr-defined]
    program = place / "bin" / "python"
    program.write_text(
        f'#!/bin/sh\nexport PYTHONHOME={place} LD_LIBRARY_PATH={place}/lib\nexec {place}/bin/{name} "$@"\n'
    )
    for made in (place, *place.rglob("*")):
        if made.is_dir():
            made.chmod(0o755)
    program.chmod(0o755)
    return program


def as_user(python: Path, user: str, place: Path) -> Path:
    """A program that is the Python, run by a user; root alone may call it."""
    place.write_text(
        f'#!/bin/sh\nexec setpriv --reuid {user} --regid "$(id -g {user})" --clear-groups {python} "$@"\n'
    )
    place.chmod(0o755)
    return place


def _copy_tree(source: Path, to: Path, left_out: Collection[str]) -> None:
    def ignored(directory: str, names: list[str]) -> set[str]:
        return {name for name in names if name in left_out or name.startswith("6ec57f84c680d3a3778b")}

    shutil.copytree(source, to, ignore=ignored, copy_function=_copy, symlinks=True)


def _copy(source: Path | str, to: Path | str) -> None:
    """A hard link; where the place is on another file system, or the file is closed to others, a copy."""
    if os.stat(source).st_mode & 0o004:
        with contextlib.suppress(FileExistsError):
            try:
                os.link(source, to)
                return
            except OSError as error:
                if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK):
                    raise
    shutil.copy2(source, to)
    os.chmod(to, os.stat(to).st_mode | 0o004)
