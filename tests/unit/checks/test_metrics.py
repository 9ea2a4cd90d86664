"""Checks that ask for a number."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from saltdeploy import checks
from saltdeploy.checks import FAIL, INCONCLUSIVE, PASS, CheckContext

from tests.support.serving import free_port
from tests.unit.checks.conftest import Web, check


def prometheus(result: Any, kind: str = "vector") -> tuple[int, dict[str, str], str]:
    body = {"status": "success", "data": {"resultType": kind, "result": result}}
    return 200, {}, json.dumps(body)


def series(*values: str) -> list[dict[str, Any]]:
    return [{"metric": {"n": str(n)}, "value": [1_700_000_000, value]} for n, value in enumerate(values)]


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        (prometheus(series("0.25")), 0.25),
        (prometheus([1_700_000_000, "7"], "scalar"), 7),
        (prometheus(series("1e3")), 1000),
        (prometheus([]), None),
        (prometheus(series("1", "2")), None),
        (prometheus(series("NaN")), None),
        (prometheus(series("+Inf")), None),
        (prometheus("x"), None),
        (prometheus([7]), None),
        ((400, {}, '{"status": "error", "error": "parse error"}'), None),
        ((200, {}, "<html>"), None),
        ((200, {}, "[]"), None),
        ((200, {}, '{"status": "success"}'), None),
    ],
)
def test_prometheus_gives_one_number_or_none(
    place: CheckContext, web: Web, answer: Any, value: float | None
) -> None:
    web.answers["/api/v1/query"] = answer
    metric = check("metric", query="sum(errors)", prometheus=f"{web.url}/", max=1)
    assert checks.measure(metric, place) == value
    if value is None:
        assert checks.run(metric, place).word == INCONCLUSIVE


def test_prometheus_gets_the_query_as_it_is(place: CheckContext, web: Web) -> None:
    seen: list[str] = []
    web.answers["/api/v1/query"] = lambda path: seen.append(path) or prometheus(series("1"))
    query = 'sum(rate(errors{job="a b",code=~"5.."}[5m])) / 2 + 1'
    checks.measure(check("metric", query=query, prometheus=web.url, max=1), place)
    assert get_query(seen[0]) == query


def get_query(path: str) -> str:
    return parse_qs(urlsplit(path).query)["query"][0]


@pytest.mark.parametrize(
    ("body", "path", "value"),
    [
        ('{"data": {"errors": [3, 4]}}', "data.errors.1", 4),
        ('{"load": "0.5"}', "load", 0.5),
        ('{"up": true}', "up", None),
        ('{"a": null}', "a", None),
        ('{"a": {}}', "a", None),
        ('{"a": [1]}', "a.7", None),
        ('{"a": [1]}', "a.-1", None),
        ('{"a": 1}', "a.b.c", None),
        ('{"a": "many"}', "a", None),
        ('{"a": NaN}', "a", None),
        ("not json", "a", None),
    ],
)
def test_a_number_stands_anywhere_in_json(
    place: CheckContext, web: Web, body: str, path: str, value: float | None
) -> None:
    web.answers["/stats"] = (200, {}, body)
    assert checks.measure(check("metric", url=f"{web.url}/stats", path=path, max=1), place) == value


def test_a_server_that_is_not_there_gives_no_number(place: CheckContext) -> None:
    metric = check("metric", url=f"http://127.0.0.1:{free_port()}/", path="a", max=1)
    assert checks.measure(metric, place) is None
    found = checks.run(metric, place)
    assert found.word == INCONCLUSIVE and "no answer" in found.text


@pytest.mark.parametrize(
    ("limits", "value", "baseline", "word"),
    [
        ({"max": 5}, 5, None, PASS),
        ({"max": 5}, 5.1, None, FAIL),
        ({"min": 2}, 2, None, PASS),
        ({"min": 2}, 1, None, FAIL),
        ({"min": 2, "max": 5}, 3, None, PASS),
        ({"max_ratio": 1.5}, 15, 10, PASS),
        ({"max_ratio": 1.5}, 16, 10, FAIL),
        ({"max_ratio": 1.5}, 0, 0, PASS),
        ({"max_ratio": 1.5}, 1, 0, FAIL),
        ({"max_ratio": 1.5}, 1, -1, INCONCLUSIVE),
        ({"max_increase": 5}, 15, 10, PASS),
        ({"max_increase": 5}, 16, 10, FAIL),
        ({"max_increase": 0}, -3, -2, PASS),
        ({"max_ratio": 1.5}, 1, None, INCONCLUSIVE),
        ({"max_increase": 5}, 1, None, INCONCLUSIVE),
        ({"max_increase": 5}, 1, float("nan"), INCONCLUSIVE),
        ({"max": 5}, None, 1, INCONCLUSIVE),
        ({"max": 5}, float("nan"), 1, INCONCLUSIVE),
        ({"max": 5}, float("inf"), 1, INCONCLUSIVE),
        ({"max": 5, "max_ratio": 2}, 6, None, FAIL),
        ({"max": 5, "max_ratio": 2}, 3, None, INCONCLUSIVE),
        ({"max": 0.0}, 0, None, PASS),
    ],
)
def test_a_number_is_held_against_its_limits_and_the_baseline(
    limits: dict[str, float], value: float | None, baseline: float | None, word: str
) -> None:
    metric = check("metric", query="q", prometheus="http://prometheus:9090", **limits)
    assert checks.judge(metric, value, baseline).word == word
