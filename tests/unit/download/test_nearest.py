"""Which source a host asks first: of its own site, then the nearest, then one that is not busy, then evenly; and why."""

from __future__ import annotations

import ssl
from collections import Counter

import pytest
import trustme
from saltdeploy.download.nearest import Trip, arrange, round_trips
from saltdeploy.protocol.fanout import FanoutServer

from tests.support.payloadserver import PayloadServer

HERE = FanoutServer("http://here:80", "eqiad")
ALSO_HERE = FanoutServer("http://also-here:80", "eqiad")
NEAR = FanoutServer("http://near:80", "codfw")
FAR = FanoutServer("http://far:80")


Trips = dict[FanoutServer, float | Trip | None]
FANOUTS = [FanoutServer(f"http://fan{n}", "eqiad") for n in range(4)]


def order(
    trips: Trips, host: str = "web1", site: str = "eqiad", turn: int | None = None
) -> list[FanoutServer]:
    measured = {source: Trip(trip) if isinstance(trip, float) else trip for source, trip in trips.items()}
    return [choice.source for choice in arrange(list(trips), measured, host, site, turn)]


def firsts(trips: Trips, turns: range = range(18)) -> list[int]:
    """How many of the hosts with these turns ask each source first."""
    first = Counter(order(trips, turn=turn)[0] for turn in turns)
    return [first[source] for source in trips]


def test_the_same_site_comes_before_a_shorter_way() -> None:
    assert order({NEAR: 0.0001, HERE: 0.02, FAR: 0.04}) == [HERE, NEAR, FAR]


def test_without_a_site_the_shorter_way_comes_first() -> None:
    assert order({HERE: 0.05, NEAR: 0.01, FAR: 0.1}, site="") == [NEAR, HERE, FAR]


def test_who_did_not_answer_is_not_asked() -> None:
    assert order({HERE: None, NEAR: 0.01}) == [NEAR]


def test_a_host_has_always_the_same_order() -> None:
    assert len({tuple(order({HERE: 0.0004 + n * 1e-5, ALSO_HERE: 0.0005})) for n in range(20)}) == 1


def test_hosts_that_are_equally_near_spread_over_the_sources() -> None:
    sources: Trips = {FanoutServer(f"http://fan{n}"): 0.0002 for n in range(4)}
    first = Counter(order(sources, host=f"web{n}")[0] for n in range(1000))
    assert len(first) == 4
    assert max(first.values()) < 1.5 * min(first.values())


def test_when_a_source_goes_away_nobody_else_changes_his() -> None:
    sources: Trips = {FanoutServer(f"http://fan{n}"): 0.0002 for n in range(4)}
    before = {host: order(sources, host=host)[0] for host in map(str, range(200))}
    gone, *_ = sources
    after = {host: order({**sources, gone: None}, host=host)[0] for host in before}
    assert {host for host in before if before[host] != after[host]} == {
        host for host, source in before.items() if source == gone
    }


def test_eighteen_hosts_share_two_sources_evenly() -> None:
    assert firsts({HERE: 0.0002, ALSO_HERE: 0.0009}) == [9, 9]


@pytest.mark.parametrize("begin", [0, 5, 18])
def test_hosts_of_one_site_share_evenly_whatever_number_they_begin_with(begin: int) -> None:
    assert firsts(dict.fromkeys(FANOUTS[:3], 0.0002), range(begin, begin + 18)) == [6, 6, 6]


def test_round_trips_around_a_millisecond_are_as_equal_as_others() -> None:
    assert firsts({HERE: 0.0009, ALSO_HERE: 0.0011}) == [9, 9]
    assert firsts({HERE: 0.032, ALSO_HERE: 0.033}) == [9, 9]


def test_sources_at_twice_the_distance_are_not_equal() -> None:
    assert firsts({HERE: 0.01, ALSO_HERE: 0.021}) == [18, 0]


def test_a_dead_source_is_skipped_and_the_others_share_evenly() -> None:
    assert firsts({HERE: 0.0002, NEAR: None, ALSO_HERE: 0.0002}) == [9, 0, 9]


def test_hosts_that_a_source_fails_are_shared_out_among_the_others() -> None:
    """Each host finds out by itself, and none knows of the others."""
    alike: Trips = dict.fromkeys(FANOUTS, 0.0002)
    orders = [order(alike, turn=turn) for turn in range(48)]
    second = Counter(each[1] for each in orders if each[0] == FANOUTS[0])
    assert second == {source: 4 for source in FANOUTS[1:]}


def test_the_same_turn_gives_the_same_order() -> None:
    turned = dict(reversed(dict.fromkeys(FANOUTS, 0.0002).items()))
    assert order(turned, "web1", turn=7) == order(dict.fromkeys(FANOUTS, 0.0002), "web2", turn=7)


def test_a_busy_source_gets_no_host_while_another_one_is_as_near() -> None:
    assert firsts({HERE: Trip(0.0002, busy=True), ALSO_HERE: 0.0009}) == [0, 18]


def test_busy_sources_share_evenly_and_come_before_those_that_are_farther_away() -> None:
    busy: Trips = {HERE: Trip(0.0002, busy=True), ALSO_HERE: Trip(0.0002, busy=True), NEAR: 0.0002}
    assert firsts(busy) == [9, 9, 0]


@pytest.mark.parametrize(
    ("trips", "turn", "whys"),
    [
        ({HERE: 0.0004}, 0, ["same site, 0.4 ms"]),
        ({FAR: 0.04}, None, ["40.0 ms"]),
        ({HERE: 0.0004, ALSO_HERE: 0.0004}, 0, ["same site, 0.4 ms, its turn among 2"] * 2),
        ({HERE: 0.0004, ALSO_HERE: 0.0004}, None, ["same site, 0.4 ms, drawn among 2"] * 2),
        (
            {HERE: 0.0004, ALSO_HERE: Trip(0.0004, busy=True)},
            3,
            ["same site, 0.4 ms, 1 more as near, but busy", "same site, 0.4 ms, busy"],
        ),
        (
            dict.fromkeys((HERE, ALSO_HERE), Trip(0.001, busy=True)),
            3,
            ["same site, 1.0 ms, busy, its turn among 2"] * 2,
        ),
    ],
)
def test_the_reason_is_told(trips: Trips, turn: int | None, whys: list[str]) -> None:
    measured = {source: Trip(trip) if isinstance(trip, float) else trip for source, trip in trips.items()}
    assert [choice.why for choice in arrange(list(trips), measured, "web1", "eqiad", turn)] == whys


def test_who_takes_connections_is_measured_and_who_does_not_is_known(server: PayloadServer) -> None:
    with PayloadServer().running() as away:
        pass
    sources = [FanoutServer(server.url), FanoutServer(away.url), FanoutServer("http://nobody.invalid")]
    trips = round_trips(sources)
    assert [trips[source] is None for source in sources] == [False, True, True]
    assert not trips[sources[0]].busy
    assert server.asked == []


def test_nobody_is_nobody() -> None:
    assert round_trips([]) == {}


def test_who_takes_connections_and_does_not_answer_is_busy(server: PayloadServer) -> None:
    server.answer_head = server.is_silent
    trip = round_trips([FanoutServer(server.url)])[FanoutServer(server.url)]
    assert trip is not None
    assert trip.busy


def test_over_tls_it_is_measured_too_whatever_the_certificate_says() -> None:
    """That is found out by who fetches."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("elsewhere.example.org").configure_cert(context)
    with PayloadServer().running(context) as server:
        trip = round_trips([FanoutServer(server.url)])[FanoutServer(server.url)]
    assert trip is not None
    assert not trip.busy


def test_who_speaks_no_tls_there_is_not_worth_more_than_a_busy_one(server: PayloadServer) -> None:
    source = FanoutServer(server.url.replace("http:", "https:"))
    trip = round_trips([source])[source]
    assert trip is not None
    assert trip.busy
