#!/usr/bin/python3 -I
"""Takes the package from the master, unless it is here, and lets it answer one request. Run by the host's own Python.

This file stands alone. The master sends its text as the program of ``python3 -c``; on a host where sudo comes in between, an
operator has put it where sudo may start it. It is the only part that a host can have of another version than the master, and
it must be readable to a Python that is too old, so that such a host says what it has.
"""

import hashlib
import importlib.util
import io
import json
import os
import secrets
import shutil
import sys
import time
import zipfile

VERSION = 1
_OLDEST = (3, 10)
_MOST_LINE = 1 << 16  # bytes
_MOST_ARCHIVE = 64 << 20  # bytes
_PIECE = 1 << 16  # bytes
_KEPT = 7 * 86400  # seconds that an archive stays which nobody uses
_HEX = set("0123456789abcdef")
_STREAM = io.FileIO(0, closefd=False)  # unbuffered: what follows is read by somebody else
_LIBRARIES = ("yaml", "requests", "psutil", "cryptography")


def tell(message: dict) -> None:
    """Say one thing to the master."""
    sys.stdout.buffer.write(json.dumps(message).encode("ascii") + b"\n")
    sys.stdout.buffer.flush()


def hear() -> dict:
    """The next line of the master."""
    line = _STREAM.readline(_MOST_LINE)
    if not line.endswith(b"\n"):
        raise SystemExit(0)  # the connection is gone
    said = json.loads(line.decode("ascii"))
    if not isinstance(said, dict):
        raise ValueError("not a message")
    return said


def base() -> str:
    """The directory of this user for all of this; nobody else may enter it."""
    place = (
        "/var/lib/saltdeploy" if os.geteuid() == 0 else os.path.join(os.path.expanduser("~"), ".saltdeploy")
    )
    os.makedirs(place, 0o700, exist_ok=True)
    found = os.lstat(place)
    if os.path.islink(place) or found.st_uid != os.geteuid():
        raise ValueError(f"{place} is not a directory of user id {os.geteuid()}")
    os.chmod(place, 0o700)
    return place


def main() -> None:
    """See the module."""
    if sys.version_info < _OLDEST:
        version = ".".join(map(str, sys.version_info[:3]))
        tell({"refused": f"its python3 is {version}, and 3.10 is the oldest that does"})
        return
    try:
        packages = os.path.join(base(), "packages")
        os.makedirs(packages, 0o700, exist_ok=True)
        tell(_greeting())
        paths = _paths(packages, hear())
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        tell({"refused": f"{type(error).__name__}: {error}"})
        return
    sys.path[:0] = paths[:1]
    sys.path[len(sys.path) :] = paths[
        1:
    ]  # what the host has itself counts before what is compiled for the master
    try:
        from saltdeploy.remote_host import serve
    except ImportError as error:
        tell({"refused": f"{type(error).__name__}: {error}"})
        return
    serve.main(base())


def _greeting() -> dict:
    return {
        "hello": VERSION,
        "python": list(sys.version_info[:3]),
        "machine": os.uname().machine,
        "libc": _libc(),
        "lacks": [each for each in _LIBRARIES if importlib.util.find_spec(each) is None],
    }


def _libc() -> str:
    """The C library with its version, as ``glibc 2.36``; "" where it does not say."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):
        return ""


def _paths(packages: str, wanted: dict) -> list:
    """Where the archives lie that the master names; those that are not here it is asked for."""
    _forget_old(packages)
    names = wanted["archives"]
    if not all(isinstance(name, str) and len(name) == 64 and set(name) <= _HEX for name in names):
        raise ValueError("an archive of no name")
    places = [os.path.join(packages, name) for name in names]
    missing = [name for name, place in zip(names, places) if not os.path.isdir(place)]  # noqa: B905 - not in old Pythons
    tell({"missing": missing})
    for name in missing:
        _unpack(_received(name, hear()["size"]), packages, name)
    for place in places:
        os.utime(place)
    return places


def _received(name: str, size: int) -> bytes:
    if not 0 < size <= _MOST_ARCHIVE:
        raise ValueError(f"an archive of {size!r} bytes")
    parts = []
    while size:
        part = _STREAM.read(min(size, _PIECE))
        if not part:
            raise SystemExit(0)  # the connection is gone
        parts.append(part)
        size -= len(part)
    data = b"".join(parts)
    found = hashlib.sha256(data).hexdigest()
    if found != name:
        raise ValueError(f"an archive has sha256 {found}, not {name}")
    return data


def _unpack(data: bytes, packages: str, name: str) -> None:
    """Put an archive at its place, whole: whoever finds the place finds all of it."""
    aside = os.path.join(packages, f".new-{secrets.token_hex(8)}")
    try:
        os.mkdir(aside, 0o700)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            archive.extractall(aside)
        os.sync()  # else a power cut could leave the name, and files without contents
        os.rename(aside, os.path.join(packages, name))
    except OSError:
        if not os.path.isdir(os.path.join(packages, name)):  # two have brought it at once
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _forget_old(packages: str) -> None:
    for name in os.listdir(packages):
        place = os.path.join(packages, name)
        try:
            if os.lstat(place).st_mtime < time.time() - _KEPT:
                shutil.rmtree(place, ignore_errors=True)
        except OSError:
            continue


if __name__ == "__main__":
    main()
