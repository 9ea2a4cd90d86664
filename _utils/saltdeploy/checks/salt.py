"""Checks that call a function of Salt: ``salt``."""

from __future__ import annotations

import json
import shlex
from typing import Any

from saltdeploy.checks.base import FAIL, PASS, CheckContext, Verdict
from saltdeploy.config.rollout import Check
from saltdeploy.lib import process

_SHOWN = 1000  # characters of an answer


def salt(check: Check, place: CheckContext) -> Verdict:
    """Any execution function, in a process of its own; what it answers tells whether it failed."""
    function, arguments, keywords = _called(check)

    def judged() -> list[str]:
        answer = place.call(function, arguments, keywords)
        return [FAIL if says_failure(answer) else PASS, _short(answer)]

    try:
        word, answer = process.call(judged, check.timeout)
    except process.Raised as error:
        return Verdict(FAIL, f"{function} failed: {str(error)[:_SHOWN]}")
    return Verdict(word, f"{function} answered {answer}" if word == FAIL else answer)


def says_failure(answer: Any) -> bool:
    """Whether what a function of Salt answered means that it failed.

    False does. A table does by its ``result``, ``retcode`` or ``status`` (a state's, a command's, Trebuchet's or
    a web server's), or when a state in it failed.
    """
    if not isinstance(answer, dict):
        return answer is False
    if answer.get("result", True) is False or answer.get("retcode", 0) not in (0, None):
        return True
    if _is_bad_status(answer.get("status", 0)):
        return True
    return any(isinstance(each, dict) and each.get("result", True) is False for each in answer.values())


def salt_by_hand(check: Check, place: CheckContext) -> str:
    """The same with salt-call."""
    function, arguments, keywords = _called(check)
    named = [f"{key}={_typed(value)}" for key, value in keywords.items()]
    return shlex.join(["salt-call", function, *map(_typed, arguments), *named])


def _called(check: Check) -> tuple[str, list[Any], dict[str, Any]]:
    return check.option("function"), list(check.option("args", ())), dict(check.option("kwargs", {}))


def _is_bad_status(status: Any) -> bool:
    """0 is good, and so is 200 to 299; False is not 0 here. Words (``running``) say nothing that we know."""
    if isinstance(status, bool):
        return not status
    return isinstance(status, int) and status != 0 and not 200 <= status < 300


def _typed(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _short(answer: Any) -> str:
    return "" if answer is None else str(answer)[:_SHOWN]
