"""Gives git the password of a URL by its environment: every user of a host can read the arguments of every program."""

from __future__ import annotations

import base64
from urllib.parse import unquote, urlsplit, urlunsplit


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
