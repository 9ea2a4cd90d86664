"""The door ``api``: the master is reached by salt-api, with a token of eauth that is kept as ssh keeps keys."""

from __future__ import annotations

import json
import os
import stat
import urllib.parse
from pathlib import Path
from typing import Any

import requests

from saltdeploy.lib import disk
from saltdeploy.lib.errors import ConfigError, Corrupt, NoPermission, Unavailable
from saltdeploy.lib.os_errors import from_os
from saltdeploy.lib.rate_limit import Limits
from saltdeploy.lib.text import legible
from saltdeploy.lib.web_client import WebClient, cause_of
from saltdeploy.trebuchet.doors import Arguments
from saltdeploy.trebuchet.doors.polled import PolledDoor
from saltdeploy.trebuchet.settings import Settings

LOGIN = "git deploy login"
_LIMITS = Limits(connect=10, silence=300, least=0)
_LOCAL = ("127.0.0.1", "::1", "localhost")
_LONGEST = 4096  # bytes of a token
_SHOWN = 300  # characters of an answer that nobody can read
_MOST = 1 << 28  # bytes of an answer


class SaltApi(PolledDoor):
    """See the module."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.door.get("deploy.api-url", "").rstrip("/")
        self._ca_file = settings.door.get("deploy.api-ca-file", "")
        said = settings.door.get("deploy.api-token-file", "~/.config/git-deploy/token")
        self._token_file = Path(said).expanduser()
        parts = urllib.parse.urlsplit(self._url)
        safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOCAL)
        if not safe:
            raise ConfigError(
                f"deploy.api-url is {legible(self._url) or 'not set'}: it must begin with https://, since a token travels there",
                repo=settings.repo,
                next="git config --global deploy.api-url https://MASTER:8000",
            )

    def login(self, user: str, password: str, eauth: str) -> None:
        """Keep a token that salt-api gives for a password.

        Args:
            eauth: how the master knows people: ``pam``, ``ldap`` and the like.

        Raises:
            DeployError: it gives none, or it cannot be kept.
        """
        said = self._posted("/login", {"username": user, "password": password, "eauth": eauth}, {})
        try:
            token = str(said["return"][0]["token"])
        except (LookupError, TypeError):
            raise Unavailable(f"salt-api gave no token: {_shown(said)}", path=self._url, next=LOGIN) from None
        try:
            self._token_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            disk.write_atomically(self._token_file, f"{token}\n".encode(), 0o600)
        except OSError as error:
            raise from_os(error) from None

    def call(self, function: str, arguments: Arguments) -> object:
        """See :class:`PolledDoor`."""
        low = [{"client": "runner", "fun": f"deploy.{function}", "kwarg": dict(arguments)}]
        said = self._posted("", low, {"X-Auth-Token": self._token()})
        try:
            return said["return"][0]
        except (LookupError, TypeError):
            raise Unavailable(
                f"salt-api gave no answer of a runner: {_shown(said)}", path=self._url
            ) from None

    def _token(self) -> str:
        """What stands in the file, which nobody else may read or write.

        Raises:
            NoPermission: somebody else may, or we may not.
            Unavailable: there is none.
        """
        path = self._token_file
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with os.fdopen(fd, "rb") as file:
                found = os.fstat(fd)
                token = file.read(_LONGEST)
        except FileNotFoundError:
            raise Unavailable("there is no token for salt-api", path=str(path), next=LOGIN) from None
        except OSError as error:
            raise from_os(error, path=str(path)) from None
        if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
            raise NoPermission(
                f"the token is not this user's alone (mode {stat.S_IMODE(found.st_mode):04o})",
                path=str(path),
                next=f"chmod 600 {path}; {LOGIN}, as others may know it",
            )
        text = token.decode("ascii", "replace").strip()
        if not text.isalnum():
            raise Corrupt("the file holds no token", path=str(path), next=LOGIN)
        return text

    def _posted(self, path: str, data: object, headers: dict[str, str]) -> Any:
        options = {
            "json": data,
            "headers": {"Accept": "application/json", **headers},
            "allow_redirects": False,
        }
        options |= {"verify": self._ca_file} if self._ca_file else {}
        try:
            with WebClient(_LIMITS) as client, client.ask("POST", self._url + path, **options) as answer:
                body = b"".join(client.pieces(answer))[:_MOST]
                status = answer.status_code
        except (requests.RequestException, ValueError, OSError) as error:
            raise Unavailable(
                f"salt-api cannot be reached: {cause_of(error)}",
                path=self._url,
                next=f"curl -sS {self._url}/; see docs/git-deploy.md for deploy.api-url",
            ) from None
        if status == 401:
            raise NoPermission(
                "salt-api does not know this token, or not any more", path=self._url, next=LOGIN
            )
        if status == 403:
            raise NoPermission("salt-api does not allow this to the one who has logged in", path=self._url,
                               next="external_auth of the master names who may call which runner")  # fmt: skip
        try:
            return json.loads(body)
        except ValueError:
            raise Unavailable(
                f"salt-api answered {status}: {_shown(body)}", path=self._url, next=LOGIN
            ) from None


def _shown(said: object) -> str:
    text = said.decode("utf-8", "backslashreplace") if isinstance(said, bytes) else str(said)
    return legible(text)[:_SHOWN]
