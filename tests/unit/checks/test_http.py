"""Checks that ask over the network."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from saltdeploy.checks import FAIL, PASS, CheckContext

from tests.support.serving import free_port
from tests.unit.checks.conftest import Web, verdict


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({}, ""),
        ({"status": 200, "body": "^version v1$", "headers": {"x-version": "^v[0-9]+$"}}, ""),
        ({"status": [204, 200]}, ""),
        ({"status": 204}, "status 200, not 204: version v1"),
        ({"status": [301, 302]}, "not 301 or 302"),
        ({"body": "version v2"}, "the body does not match 'version v2': version v1"),
        ({"headers": {"X-Version": "v2"}}, "the header X-Version is 'v1'"),
        ({"headers": {"X-Missing": "."}}, "the header X-Missing is None"),
    ],
)
def test_an_answer_of_a_web_server_is_held_against_what_is_expected(
    place: CheckContext, web: Web, keys: dict[str, Any], why: str
) -> None:
    web.answers["/"] = (200, {"X-Version": "v1"}, "version v1")
    found = verdict(place, "http", url=f"{web.url}/", **keys)
    assert (found.word, why in found.text) == (FAIL if why else PASS, True)


def test_a_web_server_is_asked_for_a_host(place: CheckContext, web: Web) -> None:
    web.answers["/"] = (200, {}, "")
    assert verdict(place, "http", url=f"{web.url}/", host="www.example.org").ok
    assert web.hosts == ["www.example.org"]


def test_an_error_page_may_be_what_is_expected(place: CheckContext, web: Web) -> None:
    assert verdict(place, "http", url=f"{web.url}/gone", status=404, body="nothing here").ok


def test_a_web_server_that_is_not_there_is_a_failure(place: CheckContext) -> None:
    found = verdict(place, "http", url=f"http://127.0.0.1:{free_port()}/")
    assert found.word == FAIL and "no answer" in found.text and "refused" in found.text


def test_a_port_is_open_or_not(place: CheckContext) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        open_port, closed = server.getsockname()[1], free_port()
        assert verdict(place, "port", port=open_port).ok
        found = verdict(place, "port", port=[open_port, closed])
    assert found.word == FAIL and f"127.0.0.1 port {closed}" in found.text
