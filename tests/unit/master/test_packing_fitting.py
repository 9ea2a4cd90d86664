"""Which payloads a host is sent ahead of a deploy: of trees and of contents, what builds upon the release that it holds."""

from __future__ import annotations

import pytest
from saltdeploy.master.payloads import packing
from saltdeploy.protocol.orders import Payload

A, B = "a" * 40, "b" * 40


def payload(kind: str, base: str = "") -> Payload:
    return Payload(base, "d" * 64, 1, kind)


BUNDLES = (payload("bundle"), payload("bundle", A))
TAR = (payload("trees"), payload("trees", A), payload("tar"))
URLS = (payload("urls"), payload("urls", A))
DELTA = (*TAR, payload("delta", A))


@pytest.mark.parametrize(
    ("payloads", "base", "wanted"),
    [
        (BUNDLES, A, [("bundle", A)]),
        (BUNDLES, B, [("bundle", "")]),
        (TAR, A, [("trees", A), ("tar", "")]),
        (TAR, "", [("trees", ""), ("tar", "")]),
        (DELTA, A, [("trees", A), ("delta", A)]),
        (DELTA, B, [("trees", ""), ("tar", "")]),
        ((*BUNDLES, *URLS), A, [("urls", ""), ("urls", A), ("bundle", A)]),
        ((*BUNDLES, *URLS), B, [("urls", ""), ("bundle", "")]),
    ],
)
def test_a_host_is_sent_what_builds_upon_what_it_holds(
    payloads: tuple[Payload, ...], base: str, wanted: list[tuple[str, str]]
) -> None:
    assert [(each.kind, each.base) for each in packing.fitting(payloads, base)] == wanted
