"""Whoever resolves the link once reads one release, while others are deployed under his feet."""

from __future__ import annotations

import os
import sys
from multiprocessing import Value
from multiprocessing.process import BaseProcess
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

import pytest

from tests.fault.conftest import EVENTS, Start
from tests.fault.hosts import Host
from tests.support.repositories import FILE, Entry, Source

DEPLOYS = 20


def release(number: int) -> dict[bytes, Entry]:
    """Two files that belong together, at the far ends of a tree, and something to write between them."""
    between = {b"m%d" % n: Entry(FILE, b"%d %d" % (n, number) * 500) for n in range(30)}
    return {b"a/first": Entry(FILE, b"%d" % number), **between, b"z/second": Entry(FILE, b"%d" % number)}


@pytest.mark.parametrize("slots", [2, 3])
def test_two_files_belong_together(slots: int, tmp_path: Path, start: Start) -> None:
    source = Source(tmp_path / "source", *(release(number) for number in range(6)))
    host = Host(tmp_path, source, slots=slots)
    reads, mixed = Value("L", 0), Value("L", 0)

    def read() -> None:
        while True:
            tree = os.path.realpath(host.location)
            one, other = (Path(tree, name).read_bytes() for name in ("a/first", "z/second"))
            mixed.value += one != other
            reads.value += 1

    deploy(host, 0)
    reader = start(read)
    for number in range(1, DEPLOYS + 1):
        deploy(host, number % 6)
        wait_for_a_reading(reads, reader)
    assert reader.is_alive()
    assert mixed.value == 0


def test_between_any_two_steps_of_a_deploy_a_release_can_be_read(tmp_path: Path, start: Start) -> None:
    source = Source(tmp_path / "source", *(release(number) for number in range(6)))
    host = Host(tmp_path, source)
    deploy(host, 0)

    def watched() -> None:
        looking = False

        def look(event: str, _: tuple[object, ...]) -> None:
            nonlocal looking
            if not looking and event in EVENTS:
                looking = True
                assert (host.location / "a/first").read_bytes() == (host.location / "z/second").read_bytes()
                looking = False

        sys.addaudithook(look)
        for number in (1, 2, 3, 4, 2, 5):
            deploy(host, number)

    process = start(watched)
    process.join()
    assert process.exitcode == 0
    assert (host.location / "a/first").read_text() == "5"


def deploy(host: Host, number: int) -> None:
    for result in host.deploy(number):
        assert result.ok, result.error


def wait_for_a_reading(reads: Synchronized[int], reader: BaseProcess) -> None:
    """Wait until a reading is over that began after now: none spans two deploys, however slow the reader is."""
    seen = reads.value
    while reads.value < seen + 2 and reader.is_alive():
        os.sched_yield()
