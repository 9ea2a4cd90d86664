"""What Trebuchet's users and programs put behind a function of the runner, and what it means."""

from __future__ import annotations

from typing import Any

import pytest
from saltdeploy.lib.call_forms import as_meant


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
