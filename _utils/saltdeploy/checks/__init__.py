"""Runs checks of each kind -> pass, fail or inconclusive.

Which kinds there are says :mod:`saltdeploy.config.check_kinds`; what there is to check is read by
:mod:`saltdeploy.config.checks`. Nothing here decides what follows from a verdict;
``docs/checks.md`` says who does.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from typing import Any

from saltdeploy.checks.base import FAIL, INCONCLUSIVE, PASS, CheckContext, Response, Verdict
from saltdeploy.config import check_kinds, plugins
from saltdeploy.config.rollout import Check
from saltdeploy.lib import process

log = logging.getLogger(__name__)


def run(check: Check, place: CheckContext) -> Verdict:
    """Run one check. Whatever goes wrong in it is a verdict, never an exception.

    A metric is judged without a baseline; see :func:`judge`.
    """
    try:
        return _worded(check, _function(check.kind, "run")(check, place))
    except process.Overran as overran:
        said = f": {overran.output}" if overran.output else ""
        return Verdict(FAIL, f"Check '{check.name}' exceeded {check.timeout:g}s timeout{said}")
    except Exception as error:  # it is a check's business to find what is broken
        log.info("check %s of kind %s failed", check.name, check.kind, exc_info=True)
        return _worded(check, Verdict(FAIL, f"{type(error).__name__}: {error}"))


def by_hand(check: Check, place: CheckContext) -> str:
    """The command with which a person on the same host looks at what the check looked at."""
    try:
        return str(_function(check.kind, "by_hand")(check, place))
    except Exception as error:  # what a package brings; the verdict is known, and must not get lost
        log.exception("kind %s tells no command for check %s", check.kind, check.name)
        return f"look at check {check.name} yourself: {type(error).__name__}: {error}"


def measure(check: Check, place: CheckContext) -> float | None:
    """The number that a check of kind ``metric`` is about; None when there is none."""
    try:
        number: float | None = _metrics().read(check, place).value
        return number
    except Exception:  # a server may answer anything
        return None


def judge(check: Check, value: float | None, baseline: float | None) -> Verdict:
    """Hold a number against the limits of a check of kind ``metric``.

    Args:
        value: what was measured now.
        baseline: what was measured before anything changed.

    Returns:
        INCONCLUSIVE without a number, and without a baseline that a limit needs, unless another limit is broken.
    """
    metrics = _metrics()
    return _worded(check, metrics.judge(check, metrics.Reading(value), baseline))


def _metrics() -> Any:
    """The file of kind ``metric``; as that of each kind, it is imported when it is used."""
    return importlib.import_module("saltdeploy.checks.metrics")


def _function(kind: str, which: str) -> Callable[[Check, CheckContext], Any]:
    found: Callable[[Check, CheckContext], Any] = plugins.resolve(
        getattr(check_kinds.kind(kind), which), f"check {kind}"
    )
    return found


def _worded(check: Check, found: Verdict) -> Verdict:
    """The verdict in scap's words."""
    if found.word == PASS:
        said = f", output: {found.text}" if found.text else ""
        return Verdict(PASS, f"Check '{check.name}' completed{said}")
    verb = "failed" if found.word == FAIL else "was inconclusive"
    return Verdict(found.word, f"Check '{check.name}' {verb}: {found.text}")


__all__ = [
    "FAIL",
    "INCONCLUSIVE",
    "PASS",
    "CheckContext",
    "Response",
    "Verdict",
    "by_hand",
    "judge",
    "measure",
    "run",
]
