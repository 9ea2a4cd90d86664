"""What a crowd says to ZeroMQ and takes from it, without ZeroMQ."""

import pytest

from bench.rig import zmtp

GREETING = bytes(64)


@pytest.mark.parametrize("piece", [1, 7, 100_000])
@pytest.mark.parametrize("size", [0, 1, 255, 256, 70_000])
def test_a_frame_comes_out_as_it_was_made_however_it_is_cut(size, piece):
    data = GREETING + zmtp.frame(b"x" * size) + zmtp.frame(b"next")
    frames = zmtp.Frames()
    found = [each for at in range(0, len(data), piece) for each in frames.feed(data[at : at + piece])]
    assert found == [(2 if size > 255 else 0, b"x" * size), (0, b"next")]


@pytest.mark.parametrize("piece", [1, 7, 100_000])
def test_a_long_frame_may_pass_unread(piece):
    data = GREETING + zmtp.frame(b"x" * 5_000) + zmtp.frame(b"next")
    frames = zmtp.Frames(longest=100)
    found = [body for at in range(0, len(data), piece) for _, body in frames.feed(data[at : at + piece])]
    assert found == [b"", b"next"]


def test_all_parts_of_a_message_but_the_last_say_that_more_follows():
    frames = list(zmtp.Frames().feed(GREETING + zmtp.message([b"", b"question"])))
    assert frames == [(1, b""), (0, b"question")]
