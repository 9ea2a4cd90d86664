"""What Trebuchet's users and programs put behind a function of the runner, and what it means."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from saltdeploy.lib.call_forms import as_meant, is_trebuchets
from saltdeploy.lib.errors import BadArguments
from saltdeploy.watch.log_filter import LogFilter


@pytest.mark.parametrize(
    ("function", "positional", "named", "meant"),
    [
        ("checkout", ("test/testrepo,False",), {}, (("test/testrepo",), {"force": False})),
        ("checkout", ("test/testrepo,True",), {}, (("test/testrepo",), {"force": True})),
        ("checkout", ("test/testrepo", True), {}, (("test/testrepo",), {"force": True})),
        ("checkout", ("test/testrepo", "False"), {}, (("test/testrepo",), {"force": False})),
        ("restart", ("test/testrepo,10%",), {}, (("test/testrepo", "10%"), {})),
        ("restart", ("test/testrepo,3",), {}, (("test/testrepo", "3"), {})),
        ("restart", ("test/testrepo", "10%"), {}, (("test/testrepo", "10%"), {})),
        ("fetch", ("test/testrepo",), {}, (("test/testrepo",), {})),
        # what is ours stays what it is
        ("checkout", ("a,b",), {}, (("a,b",), {})),
        ("checkout", ("a", "v1"), {}, (("a", "v1"), {})),
        ("checkout", ("a", True), {"force": "freeze"}, (("a", True), {"force": "freeze"})),
        ("checkout", ("{a: v1, b: True}",), {}, (("{a: v1, b: True}",), {})),
        ("restart", ("a,b",), {}, (("a,b",), {})),
        ("fetch", ("a,False",), {}, (("a,False",), {})),
        ("checkout", (), {"repo": "a"}, ((), {"repo": "a"})),
    ],
)
def test_F04_trebuchets_forms_mean_what_they_meant(
    function: str, positional: tuple[Any, ...], named: dict[str, Any], meant: object
) -> None:
    assert as_meant(function, positional, named) == meant


@pytest.mark.parametrize(
    ("function", "positional", "named", "is_its"),
    [
        ("fetch", ("test/testrepo",), {}, True),
        ("checkout", ("test/testrepo,False",), {}, True),
        ("checkout", ("test/testrepo", True), {}, True),
        ("checkout", ("test/testrepo",), {}, True),
        ("restart", ("test/testrepo,10%",), {}, True),
        ("restart", ("test/testrepo", 3), {}, True),
        ("fetch", ("a", "v1"), {}, False),
        ("checkout", ("a", "v1"), {}, False),
        ("restart", ("a",), {"reason": "x"}, False),
        ("restart", (), {"repo": "a"}, False),
        ("sync", ("a",), {}, False),
        ("fetch", (), {}, False),
    ],
)
def test_F04_trebuchets_programs_are_known_by_the_form_of_their_calls(
    function: str, positional: tuple[Any, ...], named: dict[str, Any], is_its: bool
) -> None:
    assert is_trebuchets(function, positional, named) is is_its


@pytest.mark.parametrize(
    ("positional", "named", "command"),
    [
        ((), {"host": "web1"}, "salt-run deploy.log 'host == web1'"),
        ((), {"host": "web*", "repo": "wiki"}, "salt-run deploy.log 'host == web*' repo=wiki"),
        ((), {"message": "no space"}, """salt-run deploy.log 'message == "no space"'"""),
        (("levelno >= INFO",), {"host": "web1", "follow": True}, "salt-run deploy.log 'levelno >= INFO host == web1' follow=True"),
        ((), {"stage": "fetch", "filter": "host == web1"}, "salt-run deploy.log 'host == web1 stage == fetch'"),
    ],
)  # fmt: skip
def test_a_filter_that_salt_took_for_arguments_is_refused_with_the_line_to_paste(
    positional: tuple[Any, ...], named: dict[str, Any], command: str
) -> None:
    with pytest.raises(BadArguments, match="a filter is one text") as caught:
        as_meant("log", positional, named)
    assert caught.value.next == command
    _, _, text, *_ = shlex.split(command)
    assert LogFilter.read(text)


def test_the_arguments_of_a_log_stay_what_they_are() -> None:
    named = {"repo": "wiki", "id": "1", "follow": True, "json": True, "file": "-", "filter": "host == web1"}
    assert as_meant("log", (), named) == ((), named)
