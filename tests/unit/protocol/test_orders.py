"""Orders and answers: the same on both ends of a wire; whatever else comes is refused; nobody answers for another."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from saltdeploy.lib.errors import DeployError, DiskFull, Forged, GitFailed
from saltdeploy.protocol.holdings import Holdings
from saltdeploy.protocol.orders import FETCH, STAGES, Order, Payload
from saltdeploy.protocol.release import Release
from saltdeploy.protocol.result import Result, authentic, secret_for

from tests.support.rounds import rounds
from tests.unit.strategies import anything, commits, counts, digests, hosts, jids, repos, tags

SECRET = secret_for("web1", b"the master's own")
A, B, C = "a" * 40, "b" * 40, "c" * 40

payloads = st.builds(Payload, st.just("") | commits, digests, counts)
orders = st.builds(
    Order,
    deploy=jids | st.just("pin"),
    epoch=counts,
    stage=st.sampled_from(STAGES),
    release=st.builds(Release, repos, tags, commits),
    transport=st.sampled_from(["bundle", "git"]),
    payloads=st.lists(payloads, max_size=3).map(tuple),
    back=st.booleans(),
    turns=st.dictionaries(hosts, counts, max_size=3).map(lambda turns: tuple(turns.items())),
)
holdings = st.builds(
    Holdings,
    damaged=st.booleans(),
    live=st.just("") | commits,
    previous=st.just("") | commits,
    held=st.lists(commits, max_size=4).map(tuple),
    tags=st.dictionaries(commits, tags, max_size=3),
)
facts = st.fixed_dictionaries(
    {},
    optional={
        "bytes": counts,
        "seconds": st.floats(0, 10**9),
        "slot": st.text(max_size=9),
        "known": st.booleans(),
        "compared": counts,
    },
)
results = st.builds(
    Result,
    host=hosts,
    repo=repos,
    deploy=jids,
    epoch=counts,
    stage=st.sampled_from(STAGES),
    tag=tags,
    commit=commits,
    holdings=holdings,
    facts=facts,
)
failures = st.builds(
    lambda result, error: dataclasses.replace(result, status=error.status, error=error),
    results,
    st.builds(DiskFull, st.text(max_size=50), path=st.text(max_size=50))
    | st.builds(GitFailed, st.text(max_size=50), status=st.integers(1, 129)),
)


def through_salt(wire: object) -> Any:
    """What arrives: Salt packs jobs and returns by msgpack, its job cache and the pins are JSON here and there."""
    packed = msgpack.unpackb(msgpack.packb(wire))
    assert json.loads(json.dumps(wire)) == packed
    return packed


def an_order(**changed: Any) -> dict[str, Any]:
    order = Order("2" * 20, 3, FETCH, Release("demo", "v1", A), "bundle", (Payload("", "d" * 64, 9),))
    return {**order.to_wire(), **changed}


def an_answer(**changed: Any) -> Result:
    answer = Result(
        "web1", "demo", "2" * 20, 3, FETCH, 1, "v1", A, holdings=Holdings(A, B, (A, B), {A: "v1"})
    )
    return dataclasses.replace(answer, **changed)


# -- the same on both ends ------------------------------------------------------------------------------


@given(order=orders)
def test_an_order_arrives_as_it_was_given(order: Order) -> None:
    assert Order.from_wire(through_salt(order.to_wire())) == order


@given(result=results)
def test_an_answer_arrives_as_it_was_given(result: Result) -> None:
    assert authentic(through_salt(result.to_wire(SECRET)), result.host, SECRET) == result


@given(result=failures)
def test_a_failure_arrives_with_its_reason(result: Result) -> None:
    found = authentic(through_salt(result.to_wire(SECRET)), result.host, SECRET)
    assert found.to_wire() == result.to_wire()
    assert type(found.error) is type(result.error)
    assert not found.ok


def test_an_answer_has_the_shape_that_users_of_trebuchet_know() -> None:
    wire = an_answer().to_wire()
    assert {key: wire[key] for key in ("status", "repo", "dependencies", "tag")} == {
        "status": 0,
        "repo": "demo",
        "dependencies": [],
        "tag": "v1",
    }
    assert "tag" not in an_answer(tag="").to_wire()


# -- whatever else comes --------------------------------------------------------------------------------


@given(data=anything)
def test_what_is_no_order_is_refused(data: object) -> None:
    with pytest.raises(DeployError):
        Order.from_wire(data)


@pytest.mark.parametrize(
    "key", [*an_order(), "turns", "back", *(f"release:{key}" for key in an_order()["release"])]
)
@settings(max_examples=rounds(30))
@given(value=anything)
def test_an_order_with_a_part_of_the_wrong_form_is_refused_or_legal(key: str, value: object) -> None:
    wire = an_order()
    *outer, inner = key.split(":")
    (wire[outer[0]] if outer else wire)[inner] = value
    try:
        order = Order.from_wire(wire)
    except DeployError:
        return
    assert Order.from_wire(through_salt(order.to_wire())) == order


@pytest.mark.parametrize("key", list(an_order()))
def test_an_order_without_one_of_its_parts_is_refused(key: str) -> None:
    wire = an_order()
    del wire[key]
    with pytest.raises(DeployError):
        Order.from_wire(wire)


@pytest.mark.parametrize("key", ["base", "sha256", "size"])
@settings(max_examples=rounds(30))
@given(value=anything)
def test_a_payload_with_a_part_of_the_wrong_form_is_refused_or_legal(key: str, value: object) -> None:
    wire = {**Payload("", "d" * 64, 9).to_wire(), key: value}
    try:
        payload = Payload.from_wire(wire)
    except DeployError:
        return
    assert Payload.from_wire(through_salt(payload.to_wire())) == payload


@pytest.mark.parametrize("sha256", ["../../etc/passwd", "D" * 64, "d" * 63, "d" * 64 + "\n", ""])
def test_a_payload_is_named_by_its_digest_only(sha256: str) -> None:
    with pytest.raises(DeployError):
        Payload.from_wire({"base": "", "sha256": sha256, "size": 1})


@given(data=anything)
def test_what_is_no_answer_is_refused(data: object) -> None:
    with pytest.raises(DeployError):
        authentic(data, "web1", SECRET)


@pytest.mark.parametrize("key", list(an_answer().to_wire()))
@settings(max_examples=rounds(30))
@given(value=anything)
def test_an_answer_with_a_part_of_the_wrong_form_does_no_harm(key: str, value: object) -> None:
    """Not signed, as in a fleet without secrets: what is taken in can be told on, whatever it was."""
    try:
        result = authentic({**an_answer().to_wire(), key: value}, "web1", "")
    except DeployError:
        return
    again = Result.from_wire(through_salt(result.to_wire()))
    assert again.to_wire() == result.to_wire()


@given(data=anything)
def test_holdings_can_always_be_shown(data: object) -> None:
    found = Holdings.from_wire(
        {"live": data, "previous": data, "held": [data, A], "tags": {A: data, "x": "v1", B: "v1"}}
    )
    assert A in found.held
    assert found.tags[B] == "v1"
    through_salt(found.to_wire())


@given(value=anything)
def test_facts_that_are_summed_up_are_numbers(value: object) -> None:
    found = Result.from_wire({**an_answer().to_wire(), "facts": {"bytes": value, "files": 3, "slot": "1"}})
    assert sum(found.facts.get(key, 0) for key in ("bytes", "files")) >= 3 - (1 << 62)
    assert found.facts["slot"] == "1"


def test_the_files_that_a_comparison_found_come_by_name_and_are_cut_short() -> None:
    told = {"missing": ["a", 7, "x" * 1000], "changed": ["b"] * 1000, "extra": "c", "strange": ["d"]}
    found = Result.from_wire({**an_answer().to_wire(), "facts": told}).facts
    assert found["missing"] == ["a", "x" * 300]
    assert len(found["changed"]) == 20
    assert {key for key, value in found.items() if isinstance(value, list)} == {"missing", "changed"}


def test_a_status_without_a_reason_is_a_failure() -> None:
    found = Result.from_wire({**an_answer().to_wire(), "status": 128})
    assert not found.ok
    assert found.error is not None
    assert found.error.status == 128


def test_a_reason_with_status_0_is_a_failure() -> None:
    assert not Result.from_wire(an_answer(error=DiskFull("full")).to_wire()).ok


def test_a_host_that_claims_to_hold_a_million_releases_is_cut_short() -> None:
    many = [f"{n:040x}" for n in range(100_000)]
    found = Holdings.from_wire({"held": many, "tags": dict.fromkeys(many, "v1")})
    assert len(found.held) == len(found.tags) == 1000


# -- nobody answers for another -------------------------------------------------------------------------


def test_an_answer_without_a_signature_is_refused_where_there_are_secrets() -> None:
    with pytest.raises(Forged):
        authentic(an_answer().to_wire(), "web1", SECRET)


def test_an_answer_under_another_hosts_secret_is_refused() -> None:
    theirs = secret_for("web2", b"the master's own")
    with pytest.raises(Forged):
        authentic(an_answer().to_wire(theirs), "web1", SECRET)


def test_a_hosts_own_answer_does_not_count_for_another_host() -> None:
    theirs = secret_for("web2", b"the master's own")
    for secret in (theirs, ""):
        with pytest.raises(Forged):
            authentic(an_answer().to_wire(secret), "web2", secret)


@pytest.mark.parametrize(
    "changed",
    [
        {"status": 0, "error": None},
        {"host": "web2"},
        {"deploy": "3" * 20},
        {"epoch": 4},
        {"stage": "checkout"},
        {"repo": "other"},
        {"tag": "v2"},
        {"commit": C},
        {"facts": {"known": True}},
        {"more": 1},
    ],
)
def test_an_answer_that_was_altered_is_refused(changed: dict[str, Any]) -> None:
    wire = an_answer(status=143, error=DiskFull("full")).to_wire(SECRET)
    assert authentic(wire, "web1", SECRET)
    with pytest.raises(Forged):
        authentic({**wire, **changed}, "web1", SECRET)


@pytest.mark.parametrize("part", ["live", "previous", "held", "tags"])
def test_what_a_host_holds_is_signed_as_well(part: str) -> None:
    wire = an_answer().to_wire(SECRET)
    wire["holdings"][part] = {C: "v9"} if part == "tags" else [C] if part == "held" else C
    with pytest.raises(Forged):
        authentic(wire, "web1", SECRET)


@given(mac=anything)
def test_nothing_but_the_signature_is_a_signature(mac: object) -> None:
    with pytest.raises(Forged):
        authentic({**an_answer().to_wire(), "mac": mac}, "web1", SECRET)


@pytest.mark.parametrize("more", [b"bytes", {b"key": 1}, {1: 1, "1": 2, None: 3}, {1, 2}])
def test_what_no_host_can_have_signed_is_a_forgery(more: object) -> None:
    with pytest.raises(Forged):
        authentic({**an_answer().to_wire(SECRET), "more": more}, "web1", SECRET)


def test_an_answer_that_contains_itself_is_a_forgery() -> None:
    wire = an_answer().to_wire(SECRET)
    wire["more"] = wire
    with pytest.raises(Forged):
        authentic(wire, "web1", SECRET)


def test_an_answer_nested_without_end_is_a_forgery() -> None:
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(DeployError):
        authentic({**an_answer().to_wire(SECRET), "more": nested}, "web1", SECRET)
    with pytest.raises(DeployError):
        Result.from_wire(nested)


def test_secrets_differ_by_host_and_by_master() -> None:
    secrets = {
        secret_for(host, master) for host in ("web1", "web2", "web11") for master in (b"one", b"other")
    }
    assert len(secrets) == 6
