"""Makes the torrent of a payload: a digest of each of its pieces, and the certificate that its peers must have.

It is of BitTorrent's second version (BEP 52): pieces have SHA-256 digests, in a tree, so that each block of 16 KiB is found to
be right or wrong by itself. libtorrent, which makes it, is an extra dependency.
"""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path

_MOST_PIECES = 512  # the torrent goes to every host by Salt's channel: some 16 KiB
_SMALLEST_PIECE = 1 << 18  # bytes


def is_possible() -> bool:
    """Whether this host has libtorrent."""
    return importlib.util.find_spec("libtorrent") is not None


def make(payload: Path, certificate: str) -> bytes:
    """The torrent of a file, which bears the file's name; the same each time.

    Args:
        certificate: PEM; peers must show one that it has signed, itself for example.

    Raises:
        OSError: the file cannot be read.
    """
    import libtorrent  # an extra dependency

    size = payload.stat().st_size
    storage = libtorrent.file_storage()
    storage.add_file(payload.name, size)
    with warnings.catch_warnings():  # what libtorrent 2.1 has instead is not in 2.0
        warnings.simplefilter("ignore", DeprecationWarning)
        made = libtorrent.create_torrent(
            storage, piece_size=_piece(size), flags=libtorrent.create_torrent.v2_only
        )
    made.set_priv(True)
    made.set_root_cert(certificate)
    try:
        libtorrent.set_piece_hashes(made, str(payload.parent))
    except RuntimeError as error:
        raise OSError(f"libtorrent cannot read it: {error}") from None
    described = made.generate()
    described.pop(b"creation date", None)
    return bytes(libtorrent.bencode(described))


def _piece(size: int) -> int:
    piece = _SMALLEST_PIECE
    while piece * _MOST_PIECES < size:
        piece *= 2
    return piece
