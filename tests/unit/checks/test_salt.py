"""Checks that call functions of Salt."""

from __future__ import annotations

from typing import Any

import pytest
from saltdeploy.checks import FAIL, PASS, CheckContext, Verdict

from tests.unit.checks.conftest import verdict


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (True, PASS),
        (None, PASS),
        ("", PASS),
        (0, PASS),
        ({}, PASS),
        ({"status": 0}, PASS),
        ({"status": True}, PASS),
        ({"status": 200}, PASS),
        ({"status": "running"}, PASS),
        ({"retcode": 0, "stdout": ""}, PASS),
        ({"result": None}, PASS),
        ({"web": {"result": True}, "db": {"result": None}}, PASS),
        (False, FAIL),
        ({"status": 10}, FAIL),
        ({"status": False}, FAIL),
        ({"status": -1}, FAIL),
        ({"status": 503}, FAIL),
        ({"retcode": 1}, FAIL),
        ({"result": False, "comment": "no"}, FAIL),
        ({"web": {"result": True}, "db": {"result": False}}, FAIL),
    ],
)
def test_a_function_fails_by_what_it_answers(place: CheckContext, answer: Any, word: str) -> None:
    assert verdict(place, "salt", function="test.answer", kwargs={"value": answer}).word == word


def test_a_function_gets_its_arguments(place: CheckContext) -> None:
    assert verdict(place, "salt", function="test.add", args=[1], kwargs={"two": 2}).ok
    assert not verdict(place, "salt", function="test.add", args=[1], kwargs={"two": 3}).ok


def test_a_function_that_raises_or_is_not_there_or_hangs_is_a_failure(place: CheckContext) -> None:
    assert (
        "test.raise failed: ValueError: invalid literal" in verdict(place, "salt", function="test.raise").text
    )
    assert "test.none failed: KeyError" in verdict(place, "salt", function="test.none").text
    assert verdict(place, "salt", function="test.hang", timeout=1) == Verdict(
        FAIL, "Check 'x' exceeded 1s timeout"
    )
