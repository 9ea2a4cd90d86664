"""Answers of hosts to ``deploy.status`` and ``deploy.verify``, as operators read them."""

from __future__ import annotations

from typing import Any

import pytest
from saltdeploy.lib.errors import Corrupt
from saltdeploy.protocol.holdings import Holdings
from saltdeploy.protocol.result import Result
from saltdeploy.watch.console.results import render

from tests.unit.watch import hostile

V1, V2 = "1" * 40, "2" * 40
TAGS = {V1: "v1", V2: "v2"}


def answer(
    host: str = "web1", error: Corrupt | None = None, facts: Any = None, **holds: Any
) -> dict[str, Any]:
    holdings = Holdings(**{"live": V2, "previous": V1, "held": (V2, V1), "tags": TAGS, **holds})
    status = error.status if error else 0
    found = Result(
        host, "demo", tag="v2", commit=V2, status=status, error=error, holdings=holdings, facts=facts or {}
    )
    return found.to_wire("secret")


def shown(wire: dict[str, Any]) -> list[str]:
    return (render({wire["host"]: wire}) or "").splitlines()


VERIFIED = {"missing": [], "changed": [], "extra": [], "files": 304, "wrong": 0}


@pytest.mark.parametrize(
    ("wire", "line"),
    [
        (answer(), "ok        web1: demo: v2 (2222222) is live; also on disk: v1"),
        (answer(live="", tags={}, held=()), "nothing   web1: demo: no release is live"),
        (
            answer(damaged=True),
            "DAMAGED   web1: demo: v2 (2222222) is live, and its files are not those of the release",
        ),
        (
            answer(unsettled=True),
            "UNSETTLED web1: demo: v2 (2222222) is live, and its restart or checks did not all pass",
        ),
        (
            answer(facts={"stale": "pid 7 is older"}),
            "STALE     web1: demo: v2 (2222222) is live, and pid 7 is older",
        ),
        (answer(facts=VERIFIED), "ok        web1: demo: v2 (2222222) is live, and so are its 304 files"),
    ],
    ids=["fine", "nothing", "damaged", "unsettled", "stale", "verified"],
)
def test_F17_a_host_is_one_line_with_the_verdict_first(wire: dict[str, Any], line: str) -> None:
    (said,) = shown(wire)
    assert said.startswith(line)


def test_F17_a_verification_that_finds_something_names_it_and_the_command_that_mends_it() -> None:
    facts = {**VERIFIED, "wrong": 5, "changed": ["a/b"], "missing": ["c", "d", "e"]}
    wire = answer(error=Corrupt("5 files differ", next="salt-run deploy.sync repo=demo tag=v2"), facts=facts)
    assert shown(wire) == [
        "DIFFERS   web1: demo: v2 (2222222) is live, and 5 files differ: missing c, missing d, missing e and 2 more",
        "Next: salt-run deploy.sync repo=demo tag=v2",
    ]


def test_F17_an_answer_that_is_an_error_names_it() -> None:
    (line, act) = shown(answer(error=Corrupt("it is torn", path="/srv/x", next="look")))
    assert line == "FAILED    web1: demo: /srv/x: it is torn (corrupt, status 147)"
    assert act == "Next: look"


def test_F17_of_every_repo_of_a_host_there_is_a_line() -> None:
    text = render({"web1": {"demo": answer(), "other": answer()}}) or ""
    assert len(text.splitlines()) == 2


@pytest.mark.parametrize("data", [{}, {"web1": True}, {"web1": {"status": 0, "repo": "demo"}}, {"web1": {}}])
def test_F17_what_is_no_answer_is_left_to_salts_own_outputter(data: dict[str, Any]) -> None:
    assert render(data) is None


def test_F17_a_hostile_answer_does_not_move_the_cursor() -> None:
    evil = "\x1b[2J\r"
    wire = {
        **answer(),
        "repo": evil,
        "facts": {"stale": evil},
        "holdings": {"live": evil, "tags": {evil: evil}},
    }
    assert hostile.controls(render({"web1": wire}) or "") == set()
