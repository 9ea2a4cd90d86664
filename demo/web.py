"""The page on the demo's fleet: salt-api on loopback, and one user who may do everything."""

from __future__ import annotations

import secrets
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

USER = "demo"


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@dataclass(frozen=True)
class Web:
    """Where the page is, and who may log in.

    Attributes:
        checkout: the directory that has the page.
        port: of salt-api.
        password: good for this demo alone.
    """

    checkout: Path
    port: int = field(default_factory=_free_port)
    password: str = field(default_factory=lambda: secrets.token_hex(4))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/app"

    @property
    def log_in(self) -> str:
        """What is typed where."""
        return f"{self.url}   user {USER}, password {self.password}, kind of log-in sharedsecret"

    def settings(self) -> dict[str, Any]:
        """What the master's configuration needs."""
        page = self.checkout / "formula" / "deploy" / "page"
        return {
            "rest_cherrypy": {
                "host": "127.0.0.1",
                "port": self.port,
                "disable_ssl": True,  # nobody else hears what travels here
                "app": str(page / "index.html"),
                "static": str(page),
            },
            "netapi_enable_clients": ["runner"],
            "external_auth": {"sharedsecret": {USER: ["@runner"]}},
            "sharedsecret": self.password,
        }
