"""Which source a host asks first: of its own site, then the nearest, then evenly; and it can say why."""

from __future__ import annotations

from collections import Counter

import pytest
from saltdeploy.carriers.nearest import arrange, round_trips
from saltdeploy.sources import Source

from tests.payloadserver import PayloadServer

HERE = Source("http://here:80", "eqiad")
ALSO_HERE = Source("http://also-here:80", "eqiad")
NEAR = Source("http://near:80", "codfw")
FAR = Source("http://far:80")


def order(trips: dict[Source, float | None], host: str = "web1", site: str = "eqiad") -> list[Source]:
    return [choice.source for choice in arrange(list(trips), trips, host, site)]


def test_the_same_site_comes_before_a_shorter_way() -> None:
    assert order({NEAR: 0.0001, HERE: 0.02, FAR: 0.04}) == [HERE, NEAR, FAR]


def test_without_a_site_the_shorter_way_comes_first() -> None:
    assert order({HERE: 0.05, NEAR: 0.01, FAR: 0.1}, site="") == [NEAR, HERE, FAR]


def test_who_did_not_answer_is_not_asked() -> None:
    assert order({HERE: None, NEAR: 0.01}) == [NEAR]


def test_a_host_has_always_the_same_order() -> None:
    assert len({tuple(order({HERE: 0.0004 + n * 1e-5, ALSO_HERE: 0.0005})) for n in range(20)}) == 1


def test_hosts_that_are_equally_near_spread_over_the_sources() -> None:
    sources: dict[Source, float | None] = {Source(f"http://fan{n}"): 0.0002 for n in range(4)}
    first = Counter(order(sources, host=f"web{n}")[0] for n in range(1000))
    assert len(first) == 4
    assert max(first.values()) < 1.5 * min(first.values())


def test_when_a_source_goes_away_nobody_else_changes_his() -> None:
    sources: dict[Source, float | None] = {Source(f"http://fan{n}"): 0.0002 for n in range(4)}
    before = {host: order(sources, host=host)[0] for host in map(str, range(200))}
    gone, *_ = sources
    after = {host: order({**sources, gone: None}, host=host)[0] for host in before}
    assert {host for host in before if before[host] != after[host]} == {
        host for host, source in before.items() if source == gone
    }


@pytest.mark.parametrize(
    ("source", "trip", "why"), [(HERE, 0.0004, "same site, 0.4 ms"), (FAR, 0.04, "40.0 ms")]
)
def test_the_reason_is_told(source: Source, trip: float, why: str) -> None:
    (choice,) = arrange([source], {source: trip}, "web1", "eqiad")
    assert choice.why == why


def test_who_takes_connections_is_measured_and_who_does_not_is_known(server: PayloadServer) -> None:
    with PayloadServer().running() as away:
        pass
    sources = [Source(server.url), Source(away.url), Source("http://nobody.invalid")]
    trips = round_trips(sources)
    assert [trips[source] is None for source in sources] == [False, True, True]
    assert server.asked == []


def test_nobody_is_nobody() -> None:
    assert round_trips([]) == {}
