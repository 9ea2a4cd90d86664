"""Checks that ask for a number: ``metric``, from Prometheus or from any JSON on the web."""

from __future__ import annotations

import json
import math
import shlex
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from saltdeploy.checks.base import FAIL, INCONCLUSIVE, PASS, CheckContext, Verdict
from saltdeploy.config.rollout import Check


@dataclass(frozen=True)
class Reading:
    """A number; or None, and why there is none."""

    value: float | None
    why: str = "there is no number"


def metric(check: Check, place: CheckContext) -> Verdict:
    """Measure and judge at once, where there is no baseline."""
    return judge(check, read(check, place), None)


def metric_by_hand(check: Check, place: CheckContext) -> str:
    """The same question with curl."""
    return shlex.join(["curl", "-sL", "--", _url(check)])


def read(check: Check, place: CheckContext) -> Reading:
    """Ask for the number."""
    answer = place.get(_url(check), {}, check.timeout)
    if not answer.status:
        return Reading(None, f"no answer: {answer.body}")
    try:
        data = json.loads(answer.body)
    except ValueError:
        return Reading(None, f"status {answer.status}, and the body is not JSON")
    if check.option("query"):
        return _of_prometheus(data)
    return _number(_walk(data, check.option("path")), f"at {check.option('path')}")


def judge(check: Check, reading: Reading, baseline: float | None) -> Verdict:
    """Hold a number against every limit of the check; one that is broken outweighs one that cannot be told."""
    value = reading.value
    if value is None or not math.isfinite(value):
        return Verdict(INCONCLUSIVE, reading.why)
    limits, untold = _limits(check, baseline)
    for least, limit, said in limits:
        if value < limit if least else value > limit:
            return Verdict(FAIL, f"{value:g} is {'below' if least else 'above'} {said}")
    if untold:
        return Verdict(INCONCLUSIVE, f"{untold} needs a number from before the deploy, and there is none")
    return Verdict(PASS, f"{value:g}")


def _limits(check: Check, baseline: float | None) -> tuple[list[tuple[bool, float, str]], str]:
    """Limits as (whether it is the least, number, in words); and the key of one that cannot be told."""
    limits: list[tuple[bool, float, str]] = []
    untold = ""
    if (most := check.option("max")) is not None:
        limits.append((False, most, f"max {most:g}"))
    if (least := check.option("min")) is not None:
        limits.append((True, least, f"min {least:g}"))
    known = baseline is not None and math.isfinite(baseline)
    for key in ("max_ratio", "max_increase"):
        allowed = check.option(key)
        if allowed is None:
            continue
        if not known or (key == "max_ratio" and baseline is not None and baseline < 0):
            untold = untold or key
            continue
        assert baseline is not None
        limit = baseline * allowed if key == "max_ratio" else baseline + allowed
        limits.append((False, limit, f"{limit:g} ({key} {allowed:g} over {baseline:g} before the deploy)"))
    return limits, untold


def _url(check: Check) -> str:
    query = check.option("query")
    if not query:
        return str(check.option("url"))
    return f"{check.option('prometheus').rstrip('/')}/api/v1/query?query={quote(query, safe='')}"


def _of_prometheus(data: Any) -> Reading:
    """The one number in an answer of Prometheus' HTTP API: a scalar, or a vector of one series."""
    if not isinstance(data, dict) or data.get("status") != "success":
        said = data.get("error", "") if isinstance(data, dict) else ""
        return Reading(None, f"Prometheus did not answer the query: {str(said)[:300]}")
    found = data.get("data")
    result = found.get("result") if isinstance(found, dict) else None
    if isinstance(found, dict) and found.get("resultType") == "scalar":
        return _number(_walk(result, "1"), "in the answer")
    if not isinstance(result, list) or len(result) != 1:
        count = len(result) if isinstance(result, list) else 0
        return Reading(None, f"the query gave {count} series and must give one, for example with sum(...)")
    return _number(_walk(result, "0.value.1"), "in the answer")


def _walk(data: Any, path: str) -> Any:
    """What stands at a path such as ``data.errors.0``; None when nothing does."""
    for part in path.split("."):
        if isinstance(data, dict):
            data = data.get(part)
        elif isinstance(data, list) and part.isdecimal() and int(part) < len(data):
            data = data[int(part)]
        else:
            return None
    return data


def _number(value: Any, where: str) -> Reading:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return Reading(None, f"there is no number {where}")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return Reading(None, f"{str(value)[:50]!r} {where} is not a number")
    return Reading(number) if math.isfinite(number) else Reading(None, f"{number} {where} is not a number")
