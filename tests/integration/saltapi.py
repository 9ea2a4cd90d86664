"""The master's salt-api, as a client over http meets it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import requests
from saltfactories.daemons.master import SaltMaster

from tests.support.serving import free_port

PATIENCE = 120  # seconds
SECRET = "of this fleet of a test"
PAGE = Path(__file__).resolve().parents[2] / "formula" / "deploy" / "page"
#: ``onlooker`` may look at this repo and at nothing else.
LOOKED_AT = "looked-at"
#: Whom Salt lets do whatever this extension has.
EVERYTHING = "everything"
_LOOKS = ("overview", "story", "versions", "plan")


def settings() -> dict[str, Any]:
    """What the master's configuration needs, so that ``deployer`` may call runners by salt-api, and the page is there."""
    looks = [{f"deploy.{name}$": {"kwargs": {"repo": f"{LOOKED_AT}$"}}} for name in _LOOKS]
    return {
        "rest_cherrypy": {
            "host": "127.0.0.1",
            "port": free_port(),
            "disable_ssl": True,
            "app": str(PAGE / "index.html"),
            "static": str(PAGE),
        },
        "netapi_enable_clients": ["local", "runner", "runner_async"],
        "external_auth": {
            "sharedsecret": {
                "deployer": ["@runner"],
                "onlooker": [{"@runner": looks}],
                EVERYTHING: ["deploy.*", "@runner"],
            }
        },
        "sharedsecret": SECRET,
    }


class SaltApi:
    """A session of one who has logged in.

    Args:
        url: where salt-api is.
        name: of a user of the shared secret.
    """

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._session = requests.Session()
        said = self._session.post(
            f"{url}/login",
            json={"username": name, "password": SECRET, "eauth": "sharedsecret"},
            headers={"Accept": "application/json"},
            timeout=PATIENCE,
        )
        said.raise_for_status()
        self._session.headers.update(
            {"X-Auth-Token": said.json()["return"][0]["token"], "Accept": "application/json"}
        )

    def run(self, function: str, arguments: Mapping[str, Any], client: str = "runner") -> Any:
        """What the runner's function answers; its arguments travel as JSON."""
        (answer,) = self.post([{"client": client, "fun": function, "kwarg": dict(arguments)}])
        return answer

    def post(self, low: list[dict[str, Any]]) -> list[Any]:
        """What is answered to these calls."""
        said = self._session.post(self._url, json=low, timeout=PATIENCE)
        said.raise_for_status()
        answers: list[Any] = said.json()["return"]
        return answers

    def get(self, path: str, **options: Any) -> requests.Response:
        """What is below a path."""
        return self._session.get(f"{self._url}{path}", timeout=PATIENCE, **options)


@contextlib.contextmanager
def serving(master: SaltMaster) -> Iterator[str]:
    """salt-api of a master that has :func:`settings`; gives its URL."""
    daemon = master.salt_api_daemon()
    daemon.start()
    try:
        yield f"http://127.0.0.1:{master.config['rest_cherrypy']['port']}"
    finally:
        daemon.terminate()
