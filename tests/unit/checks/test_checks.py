"""Whatever a check meets, it ends in a verdict."""

from __future__ import annotations

from typing import Any

import pytest
from saltdeploy import checks
from saltdeploy.checks import CheckContext, Response

from tests.unit.checks.conftest import check


@pytest.mark.parametrize("kind", ["http", "metric"])
def test_a_client_that_breaks_is_a_verdict(place: CheckContext, kind: str) -> None:
    def broken(*_: object) -> Response:
        raise RuntimeError("no network")

    keys: dict[str, Any] = {"path": "a", "max": 1} if kind == "metric" else {}
    here = CheckContext(call=place.call, get=broken, directory=place.directory)
    found = checks.run(check(kind, url="http://x/", **keys), here)
    assert not found.ok and "no network" in found.text


@pytest.mark.parametrize(
    ("kind", "keys", "typed"),
    [
        ("command", {"command": ["bin/lint", "a b"]}, "cd {tree} && bin/lint 'a b'"),
        ("script", {"command": "say hello"}, "cd {tree} && ./scap/scripts/say hello"),
        ("http", {"url": "http://x/?a=1&b", "host": "w"}, "curl -iL -H 'Host: w' -- 'http://x/?a=1&b'"),
        ("port", {"port": 80}, "nc -vz 127.0.0.1 80"),
        ("salt", {"function": "a.b", "args": ["c d", 3], "kwargs": {"e": True}}, "salt-call a.b 'c d' 3 e=true"),
        ("metric", {"url": "http://x/", "path": "a", "max": 1}, "curl -sL -- http://x/"),
        ("nrpe", {"command": "none", "nrpe_dir": "/none"}, "grep -rF -- 'command[none]' /none"),
    ],
)  # fmt: skip
def test_a_person_can_look_at_what_the_check_looked_at(
    place: CheckContext, kind: str, keys: dict[str, Any], typed: str
) -> None:
    assert checks.by_hand(check(kind, **keys), place) == typed.format(tree=place.directory)
