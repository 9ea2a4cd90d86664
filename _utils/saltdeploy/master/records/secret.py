"""The master's secret, from which that of each host is made."""

from __future__ import annotations

import logging
import os
import secrets
from pathlib import Path

from saltdeploy.lib import disk, durable

_SECRET_BYTES = 32
log = logging.getLogger(__name__)


def master_secret(root: Path) -> bytes:
    """The master's secret, from which each host's is made; created at first use, readable by the owner only.

    One that is damaged could be guessed: it is rebuilt, and hosts know theirs when they have refreshed their pillar.
    """
    path = root / "secret"
    known = _secret_in(path)
    if known is not None:
        return known
    root.mkdir(parents=True, exist_ok=True)
    aside = root / f".secret.{secrets.token_hex(4)}"
    fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(secrets.token_bytes(_SECRET_BYTES))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(aside, path)  # two makers at once: one wins, both read the winner's
    except FileExistsError:
        pass
    finally:
        aside.unlink()
    disk.fsync_dir(root)
    return path.read_bytes()


def _secret_in(path: Path) -> bytes | None:
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        return None
    except PermissionError:
        raise
    except OSError:  # a directory, a loop of links
        found = b""
    if len(found) == _SECRET_BYTES:
        return found
    durable.set_aside(path)
    log.warning("A new secret is made. Next: salt '*' saltutil.refresh_pillar")
    return None
