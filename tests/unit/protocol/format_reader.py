"""Reads what docs/formats.md describes, by that page alone: it imports nothing of the package."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import msgpack

_DIGESTS = {16: "md5", 20: "sha1", 28: "sha224", 32: "sha256", 48: "sha384", 64: "sha512"}


class File(NamedTuple):
    """A row of a manifest."""

    mode: str
    oid: str
    size: int
    digest: bytes


def journal(path: Path) -> list[dict[str, Any]]:
    """The events of a journal, up to its torn tail."""
    found = []
    with path.open("rb") as file:
        try:
            for event in msgpack.Unpacker(file):
                if not isinstance(event, dict) or not {"event", "time"} <= event.keys():
                    break
                found.append(event)
        except ValueError:  # bytes that are no msgpack
            pass
    return found


def record(path: Path) -> Any:
    """A JSON file; a record of Salt's cache is msgpack."""
    data = path.read_bytes()
    return msgpack.unpackb(data) if path.suffix == ".p" else json.loads(data)


def manifest(path: Path) -> tuple[str, dict[bytes, File]]:
    """The commit that a manifest is about, and its files."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        (commit,) = db.execute("SELECT oid FROM root").fetchone()
        rows = db.execute("SELECT path, mode, oid, size, digest FROM files").fetchall()
    finally:
        db.close()
    return commit, {path: File(*row) for path, *row in rows}


def root(files: dict[bytes, File]) -> str:
    """The tree digest of these files."""
    return _directory(files).hex()


def _directory(files: dict[bytes, File]) -> bytes:
    entries: dict[bytes, bytes] = {}
    below: dict[bytes, dict[bytes, File]] = {}
    for path, file in files.items():
        name, slash, rest = path.partition(b"/")
        if slash:
            below.setdefault(name, {})[rest] = file
        else:
            kind = "commit" if file.mode == "160000" else _DIGESTS[len(file.digest)]
            entries[name] = f"{file.mode} {file.size} {kind}:{file.digest.hex()} ".encode() + name + b"\0"
    for name, deeper in below.items():
        entries[name + b"/"] = f"040000 0 tree:{_directory(deeper).hex()} ".encode() + name + b"\0"
    pages = [b""]
    for key in sorted(entries):
        pages[-1] += entries[key]
        if zlib.crc32(key) % 256 == 0:
            pages.append(b"")
    digests = [hashlib.sha256(b"saltdeploy page 1\n" + page).digest() for page in pages if page]
    return hashlib.sha256(b"saltdeploy tree 1\n" + b"".join(digests)).digest()


def payload_head(path: Path) -> dict[str, Any]:
    """The line of JSON that stands before what zstd or xdelta3 packed."""
    with path.open("rb") as file:
        head: dict[str, Any] = json.loads(file.readline(4096))
    return head
