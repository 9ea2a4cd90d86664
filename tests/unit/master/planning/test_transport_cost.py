"""The cheapest transport follows from sizes, seconds and the link; and one line says why."""

from __future__ import annotations

import pytest
from saltdeploy.config.delivery import Link
from saltdeploy.master.planning import transport_cost
from saltdeploy.master.planning.transport_cost import Candidate

LAN = Link()
OFFICE = Link(rate=1_000_000, rtt=0.04)
MODEM = Link(rate=10_000, rtt=0.3)
MB = 1_000_000

FIRST = {  # of a tree of 77 MB, for a host that holds nothing: as docs/transports.md measured it
    "bundle": Candidate("bundle", 14_300_000),
    "tar": transport_cost.packed("tar", 8_000_000, 2, 77 * MB),
}
HOTFIX = {
    "bundle": Candidate("bundle", 4_500),
    "tar": transport_cost.estimate("tar", 77 * MB, 4_500, 2_000),
    "delta": transport_cost.estimate("delta", 77 * MB, 4_500, 2_000),
}
BIG_FILES = {  # of which git finds no differences
    "bundle": Candidate("bundle", 600 * MB),
    "tar": transport_cost.estimate("tar", 1000 * MB, 600 * MB, MB),
    "delta": transport_cost.packed("delta", 20 * MB, 2, 1000 * MB),
}


@pytest.mark.parametrize(
    ("situation", "link", "chosen"),
    [
        (FIRST, LAN, "bundle"),
        (FIRST, OFFICE, "tar"),
        (FIRST, MODEM, "tar"),
        (HOTFIX, LAN, "bundle"),
        (HOTFIX, OFFICE, "bundle"),
        (HOTFIX, MODEM, "bundle"),
        (BIG_FILES, LAN, "bundle"),
        (BIG_FILES, OFFICE, "delta"),
        (BIG_FILES, MODEM, "delta"),
    ],
)
def test_the_cheapest(situation: dict[str, Candidate], link: Link, chosen: str) -> None:
    assert transport_cost.cheapest(list(situation.values()), link).transport == chosen


def test_of_equals_the_usual_one_is_taken() -> None:
    assert transport_cost.cheapest([Candidate("bundle", 10), Candidate("tar", 10)], LAN).transport == "bundle"


def test_each_payload_has_to_be_asked_for() -> None:
    far = Link(rate=1e12, rtt=1.0)
    assert (
        transport_cost.cheapest([Candidate("tar", 10, 2), Candidate("delta", 10, 1)], far).transport
        == "delta"
    )


def test_what_is_not_packed_is_never_reckoned_as_dearer_than_it_will_be() -> None:
    """So the cheapest of all is found though the others were not packed."""
    for name in ("tar", "delta", "squashfs"):
        least = transport_cost.estimate(name, 77 * MB, 14_300_000, 0)
        assert least.size < 8_000_000
        assert least.packing > 0


def test_a_bundle_that_comes_within_a_second_is_not_worth_a_thought() -> None:
    assert not transport_cost.could_pay(Candidate("bundle", 90 * MB), LAN)
    assert transport_cost.could_pay(Candidate("bundle", 90 * MB), OFFICE)


@pytest.mark.parametrize(
    ("situation", "link", "said"),
    [
        (FIRST, OFFICE, "auto: tar, 8.0 MB (bundle 14.3 MB)"),
        (
            HOTFIX,
            OFFICE,
            "auto: bundle, 4.5 KB (tar at least 3.1 MB, delta at least 10 s of packing)",
        ),
        (HOTFIX, MODEM, "auto: bundle, 4.5 KB (tar at least 3.1 MB, delta at least 10 s of packing)"),
        (BIG_FILES, LAN, "auto: bundle, 600 MB (tar at least 42 s of packing, delta 35 s of unpacking)"),
    ],
)
def test_one_line_says_why(situation: dict[str, Candidate], link: Link, said: str) -> None:
    candidates = list(situation.values())
    assert transport_cost.why(transport_cost.cheapest(candidates, link), candidates, link) == said
