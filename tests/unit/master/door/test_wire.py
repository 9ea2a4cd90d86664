"""Frames come out as they went in, however they are cut on their way; whatever else comes is an error, and no more."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st
from saltclient import wire

from tests.support.rounds import rounds

MESSAGES = st.lists(
    st.dictionaries(st.text(max_size=8), st.text(max_size=40) | st.integers(), max_size=4), max_size=5
)


@settings(max_examples=rounds(50))
@given(MESSAGES, st.lists(st.integers(1, 30), min_size=1, max_size=50))
def test_messages_arrive_whole_however_they_are_cut(messages: list[wire.Message], cuts: list[int]) -> None:
    data, frames, told = b"".join(map(wire.pack, messages)), wire.Frames(), list[wire.Message]()
    while data:
        cuts = [*cuts[1:], cuts[0]]
        told += frames.feed(data[: cuts[0]])
        data = data[cuts[0] :]
    assert told == messages


@settings(max_examples=rounds(100))
@given(st.binary(max_size=200))
def test_anything_else_is_one_kind_of_error(data: bytes) -> None:
    with contextlib.suppress(wire.WireError):
        assert all(isinstance(each, dict) for each in wire.Frames().feed(data))
