"""Who asks which fanout: the master numbers the hosts of a deploy, so that equally near fanouts are shared out evenly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from saltdeploy.download import nearest
from saltdeploy.master.fleet import fanouts
from saltdeploy.protocol.fanout import FanoutServer
from saltdeploy.protocol.orders import FETCH, Order
from saltdeploy.protocol.release import Release

HOSTS = [f"web{number}" for number in range(1, 19)]
TWO = (FanoutServer("http://fan1"), FanoutServer("http://fan2"))
SITES = ("codfw", "eqiad", "esams")
AT_SITES = tuple(FanoutServer(f"http://{site}-{n}", site) for site in SITES for n in range(2))


def everywhere(expression: str, kind: str) -> list[str]:
    """Every third host stands at the same site."""
    assert kind == "grain"
    name, _, site = expression.partition(":")
    assert name == "site"
    return HOSTS[SITES.index(site) :: 3]


def first(host: str, site: str, sources: tuple[FanoutServer, ...], turns: dict[str, int]) -> str:
    """The fanout that a host asks first, when all of them are idle and at hand."""
    trips: dict[FanoutServer, nearest.Trip | None] = dict.fromkeys(sources, nearest.Trip(0.0004))
    return nearest.arrange(sources, trips, host, site, turns.get(host))[0].source.url


def test_eighteen_hosts_share_two_fanouts_evenly() -> None:
    turns = fanouts.turns(HOSTS, TWO, everywhere)
    assert sorted(Counter(first(host, "", TWO, turns) for host in HOSTS).values()) == [9, 9]


def test_so_do_the_hosts_of_each_of_three_sites() -> None:
    turns = fanouts.turns(HOSTS, AT_SITES, everywhere)
    shares = Counter(first(host, SITES[n % 3], AT_SITES, turns) for n, host in enumerate(HOSTS))
    assert shares == {source.url: 3 for source in AT_SITES}


def test_and_hosts_of_the_same_site_that_are_asked_at_the_same_time() -> None:
    turns = fanouts.turns(HOSTS, AT_SITES, everywhere)
    at_once = HOSTS[0:12:3]
    assert [turns[host] % 2 for host in at_once] in ([0, 1, 0, 1], [1, 0, 1, 0])


def test_hosts_at_no_site_of_a_fanout_are_numbered_as_well() -> None:
    here = (*TWO, FanoutServer("http://here", "eqiad"))
    turns = fanouts.turns([*HOSTS, "elsewhere"], here, lambda *_: HOSTS)
    assert sorted(turns.values()) == list(range(19))


def test_the_same_deploy_has_always_the_same_numbers() -> None:
    assert fanouts.turns(HOSTS, AT_SITES, everywhere) == fanouts.turns(HOSTS, AT_SITES[::-1], everywhere)


@pytest.mark.parametrize("sources", [(), TWO[:1]])
def test_where_there_is_nothing_to_share_nobody_is_numbered(sources: tuple[FanoutServer, ...]) -> None:
    def nobody(expression: str, kind: str) -> list[str]:
        raise AssertionError("nobody is to be asked for")

    targets: Callable[[str, str], list[str]] = nobody
    assert fanouts.turns(HOSTS, sources, targets) == {}


def test_an_order_tells_the_numbers_of_those_who_get_it() -> None:
    order = Order("20261123120000000000", 1, FETCH, Release("demo", "v1", "a" * 40), sources=TWO)
    turns = fanouts.turns(HOSTS, TWO, everywhere)
    sent = fanouts.with_turns(order, HOSTS[2:4], turns)
    assert sent.turns == (("web3", 2), ("web4", 3))
    assert Order.from_wire(sent.to_wire()) == sent
