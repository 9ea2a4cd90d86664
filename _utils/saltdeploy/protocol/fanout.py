"""Where payloads can be had besides the master: a web server that has them under ``<base URL>/<sha256>``.

Sources come with an order. Nobody believes what they serve; what is checked here is only that an URL is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeGuard
from urllib.parse import SplitResult, urlsplit

from saltdeploy.lib.errors import BadName
from saltdeploy.lib.text import public

_PORTS = {"http": 80, "https": 443}
_LONGEST = 500  # characters
MOST = 200  # in one order


@dataclass(frozen=True)
class FanoutServer:
    """One server.

    Attributes:
        url: ``http://`` or ``https://``, a host, perhaps a port and a path; payloads lie right below.
        site: where it stands, to be compared with the grain ``site`` of targets; "" for nowhere in particular.
        host: the minion that serves; "" when it is none.
    """

    url: str
    site: str = ""
    host: str = ""

    @property
    def parts(self) -> SplitResult:
        """The URL, taken apart."""
        return urlsplit(self.url)

    @property
    def port(self) -> int:
        """Where it takes connections."""
        return self.parts.port or _PORTS[self.parts.scheme]

    def to_wire(self) -> dict[str, Any]:
        """The source as plain data."""
        return {"url": self.url, "site": self.site, "host": self.host}

    @classmethod
    def from_wire(cls, data: object) -> FanoutServer:
        """Rebuild and check a source that crossed a host boundary.

        Raises:
            BadName: a part has the wrong form.
        """
        if not isinstance(data, dict):
            raise BadName("a source of an unreadable form")
        url, site, host = data.get("url"), data.get("site"), data.get("host")
        if not (_is_short(url) and _is_short(site) and _is_short(host)):
            raise BadName("a source without a URL, a site or a host")
        return cls(check_url(url), site, host)


def from_wire(data: object) -> tuple[FanoutServer, ...]:
    """The sources of an order.

    Raises:
        BadName: one of them, or the list, has the wrong form.
    """
    if not isinstance(data, (list, tuple)) or len(data) > MOST:
        raise BadName(f"the sources of an order are no list of at most {MOST}")
    return tuple(FanoutServer.from_wire(each) for each in data)


def check_url(url: str) -> str:
    """``url``, without a slash at its end, when it can be the base of payloads.

    Passwords are refused: every minion can read an order.

    Raises:
        BadName: it cannot.
    """
    try:
        parts = urlsplit(url)
        fine = parts.scheme in _PORTS and parts.hostname and parts.port != 0
    except ValueError:
        raise BadName(f"{public(url)[:80]!r} is no URL") from None
    if not fine or len(url) > _LONGEST or not url.isascii() or not url.isprintable() or " " in url:
        raise BadName(f"{public(url)[:80]!r} must be a URL that begins with http:// or https://")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise BadName("the URL of a source has no user, password, query or fragment")
    return url.rstrip("/")


def _is_short(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and len(value) <= _LONGEST
