"""Runs checks: command, script, nrpe, http, port, salt, metric -> pass, fail or inconclusive.

What there is to check is read by :mod:`saltdeploy.config.checks`. Nothing here decides what follows from a verdict;
``docs/checks.md`` says who does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from saltdeploy.checks import commands, http, metrics, salt
from saltdeploy.checks.base import FAIL, INCONCLUSIVE, PASS, CheckContext, Response, Verdict
from saltdeploy.checks.http import client
from saltdeploy.config.rollout import Check
from saltdeploy.lib import process


@dataclass(frozen=True)
class _Kind:
    """What runs a check of one kind, and the command with which a person looks at the same thing."""

    run: Callable[[Check, CheckContext], Verdict]
    by_hand: Callable[[Check, CheckContext], str]


_KINDS = {
    "command": _Kind(commands.command, commands.command_by_hand),
    "script": _Kind(commands.script, commands.script_by_hand),
    "nrpe": _Kind(commands.nrpe, commands.nrpe_by_hand),
    "http": _Kind(http.http, http.http_by_hand),
    "port": _Kind(http.port, http.port_by_hand),
    "salt": _Kind(salt.salt, salt.salt_by_hand),
    "metric": _Kind(metrics.metric, metrics.metric_by_hand),
}


def run(check: Check, place: CheckContext) -> Verdict:
    """Run one check. Whatever goes wrong in it is a verdict, never an exception.

    A metric is judged without a baseline; see :func:`judge`.
    """
    try:
        return _worded(check, _KINDS[check.kind].run(check, place))
    except process.Overran as overran:
        said = f": {overran.output}" if overran.output else ""
        return Verdict(FAIL, f"Check '{check.name}' exceeded {check.timeout:g}s timeout{said}")
    except Exception as error:  # it is a check's business to find what is broken
        return _worded(check, Verdict(FAIL, f"{type(error).__name__}: {error}"))


def by_hand(check: Check, place: CheckContext) -> str:
    """The command with which a person on the same host looks at what the check looked at."""
    return _KINDS[check.kind].by_hand(check, place)


def measure(check: Check, place: CheckContext) -> float | None:
    """The number that a check of kind ``metric`` is about; None when there is none."""
    try:
        return metrics.read(check, place).value
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
    return _worded(check, metrics.judge(check, metrics.Reading(value), baseline))


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
    "Place",
    "Response",
    "Verdict",
    "by_hand",
    "client",
    "judge",
    "measure",
    "run",
]
