"""Gives git the password of a URL by its environment: every user of a host can read the arguments of every program; and the
key of a repo for ssh.
"""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit, urlunsplit

if TYPE_CHECKING:
    from saltdeploy.config import Repo
    from saltdeploy.git.ssh_access import SshAccess

#: What the place is called in the directory of a master or of a minion. No repo can be called so.
KEYS_PLACE = ".keys"


def apart(url: str) -> tuple[str, dict[str, str]]:
    """A URL without its user and password, and the environment in which git sends them to that server and to no other.

    URLs of other kinds, and those without a password (where git asks its credential helpers), stay as they are.

    >>> apart("https://ann:x@git.example.org/wiki")[0]
    'https://git.example.org/wiki'
    """
    if not url.startswith(("http://", "https://")):
        return url, {}
    try:
        parts = urlsplit(url)
    except ValueError:
        return url, {}
    user, _, host = parts.netloc.rpartition("@")
    if not parts.password or "'" in host:
        return url, {}
    name, _, password = user.partition(":")
    word = base64.b64encode(f"{unquote(name)}:{unquote(password)}".encode()).decode()
    setting = f"http.{parts.scheme}://{host}/.extraHeader=Authorization: Basic {word}"
    return urlunsplit(parts._replace(netloc=host)), {"GIT_CONFIG_PARAMETERS": f"'{setting}'"}


def access_of(repo: Repo, cache: Path) -> SshAccess | None:
    """How git speaks by ssh for a repo; None: as the user may whom we run as.

    Args:
        cache: the directory of a master or of a minion.
    """
    if repo.origin.deploy_key is None:
        return None
    from saltdeploy.git.ssh_access import SshAccess

    return SshAccess(repo.name, repo.origin.deploy_key, cache / KEYS_PLACE)


def sweep(cache: Path) -> None:
    """Delete the keys that killed processes have left in the directory of a master or of a minion."""
    if not os.path.isdir(cache / KEYS_PLACE):
        return
    from saltdeploy.git import ssh_access

    ssh_access.sweep(cache / KEYS_PLACE)
