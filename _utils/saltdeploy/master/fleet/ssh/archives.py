"""What a host without Salt needs of the master's Python: this package without the master's side, and libraries that it lacks.

An archive is named by its digest, and made of the same files it is the same bytes. Libraries are sent only where the host has
none of its own. What is compiled is sent only to a host that it was compiled for; any other has to install it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import os
import sys
import sysconfig
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import saltdeploy
from saltdeploy.lib.errors import Unsupported

#: Rooms that no target needs, and doors that lie inside of the package where pip has installed it.
_LEFT_OUT = frozenset(
    "master watch web trebuchet staging remote_host/receiver.py __pycache__ modules runners states pillar fileserver "
    "engines output grains returners formula".split()
)
#: A library, the Debian package that has it, and the names below which its files lie.
_LIBRARIES = {
    "yaml": ("python3-yaml", ("yaml",)),
    "requests": ("python3-requests", ("requests", "urllib3", "certifi", "idna", "charset_normalizer")),
    "psutil": ("python3-psutil", ("psutil",)),
    "cryptography": ("python3-cryptography", ("cryptography", "_cffi_backend", "cffi")),
}
#: Without these nothing works; without the others what needs them says so.
_PURE = frozenset({"yaml", "requests"})
_EPOCH = (1980, 1, 1, 0, 0, 0)  # a zip has no earlier moment
_ABI3 = ".abi3.so"


@dataclass(frozen=True)
class HostArchive:
    """Files for a host, as one.

    Attributes:
        data: a zip.
    """

    data: bytes

    @cached_property
    def sha256(self) -> str:
        """Its name."""
        return hashlib.sha256(self.data).hexdigest()


def of_package() -> HostArchive:
    """The package, without what only the master needs."""
    root = Path(saltdeploy.__file__).parent
    found = {}
    for path in sorted(root.rglob("*")):
        inside = path.relative_to(root)
        left_out = inside.parts[0] in _LEFT_OUT or "__pycache__" in inside.parts or str(inside) in _LEFT_OUT
        if path.is_file() and not left_out and path.suffix == ".py":
            found[f"saltdeploy/{inside}"] = path
    return _packed(found)


def of_libraries(greeting: Mapping[str, Any], host: str) -> HostArchive | None:
    """The libraries that a host lacks; None where it lacks none.

    Args:
        greeting: what the host has said of itself.
        host: its id.

    Raises:
        Unsupported: the master's would not run there.
    """
    lacks = [each for each in _LIBRARIES if each in (greeting.get("lacks") or ())]
    if not lacks:
        return None
    found: dict[str, Path] = {}
    for library in lacks:
        debian, names = _LIBRARIES[library]
        files = {inside: path for name in names for inside, path in _files(name)}
        compiled = [path for path in files.values() if path.suffix == ".so"]
        if library in _PURE:
            files = {inside: path for inside, path in files.items() if path.suffix != ".so"}
        elif not files or not all(_fits(path, greeting) for path in compiled):
            raise Unsupported(
                f"it has no {library}, and what this master has was made for {_here()}",
                host=host,
                next=f"on that host: apt-get install {debian} (or the like)",
            )
        found |= files
    return _packed(found)


def _fits(compiled: Path, greeting: Mapping[str, Any]) -> bool:
    """Whether what was compiled for this Python runs on that host."""
    if greeting.get("machine") != os.uname().machine or not _is_as_new(str(greeting.get("libc") or "")):
        return False
    same = list(greeting.get("python") or ())[:2] == list(sys.version_info[:2])
    return same or compiled.name.endswith(_ABI3)


def _is_as_new(libc: str) -> bool:
    """Whether a C library is of the kind of ours, and not so old that nothing of today fits."""
    ours = (os.confstr("CS_GNU_LIBC_VERSION") or "").split()[:1]
    return bool(ours) and libc.split()[:1] == ours


def _here() -> str:
    return f"Python {sys.version_info.major}.{sys.version_info.minor} on {sysconfig.get_platform()}"


def _files(name: str) -> Iterator[tuple[str, Path]]:
    """The files of a module or a package: the path inside of the archive, and where it lies."""
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        return
    origin = Path(found.origin)
    if not found.submodule_search_locations:
        yield origin.name, origin
        return
    root = origin.parent
    for path in sorted(root.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix in (".py", ".so", ".pem"):
            yield f"{name}/{path.relative_to(root)}", path


def _packed(files: Mapping[str, Path]) -> HostArchive:
    """The same bytes for the same files."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for inside in sorted(files):
            entry = zipfile.ZipInfo(inside, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, files[inside].read_bytes())
    return HostArchive(packed.getvalue())


def receiver() -> str:
    """The program that takes archives, as text."""
    return (Path(saltdeploy.__file__).parent / "remote_host" / "receiver.py").read_text("utf-8")
