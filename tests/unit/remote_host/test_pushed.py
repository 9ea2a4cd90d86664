"""A stage in a process of its own, and the payload that it wants from whoever is connected."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from saltdeploy.git.repository import no_progress
from saltdeploy.lib.errors import Unavailable
from saltdeploy.protocol.orders import Payload
from saltdeploy.protocol.result import Result
from saltdeploy.remote_host.channel import Channel, Gone
from saltdeploy.remote_host.jobs import StageJob, Tell
from saltdeploy.remote_host.pushed import Inbox, PushedPayloads
from saltdeploy.remote_host.serve import Attendance

DATA = os.urandom(300_000)
NAME = hashlib.sha256(DATA).hexdigest()


class Master:
    """The other end of a connection."""

    def __init__(self, read: int, write: int) -> None:
        self._read = os.fdopen(read, "rb")
        self._write = os.fdopen(write, "wb")

    def hear(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self._read.readline())
        return said

    def send(self, data: bytes = DATA, **line: Any) -> None:
        self._write.write(json.dumps({"payload": NAME, **line}).encode() + b"\n" + data)
        self._write.flush()

    def go(self) -> None:
        for stream in (self._write, self._read):
            stream.close()


@contextmanager
def connection() -> Iterator[tuple[Channel, Master]]:
    """Both ends; the host's is closed at the end."""
    (of_host, to_host), (of_master, to_master) = os.pipe(), os.pipe()
    yield Channel(of_host, to_master), Master(of_master, to_host)
    os.close(of_host)
    os.close(to_master)


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path / "inbox")


@pytest.fixture
def job(tmp_path: Path, inbox: Inbox) -> StageJob:
    """A stage that wants a payload, and says how many bytes came."""

    def act(tell: Tell) -> Result:
        try:
            place = tmp_path / "payload"
            PushedPayloads(inbox, tell).fetch(Payload("", NAME, len(DATA)), place, no_progress)
            return Result("app1", "site", facts={"bytes": place.stat().st_size})
        except Unavailable as error:
            return Result("app1", "site", status=error.status, error=error)

    found = StageJob(tmp_path / "stages", "deploy", "fetch")
    assert found.begin(act)
    return found


def attended(channel: Channel, job: StageJob, inbox: Inbox) -> None:
    """Stay with the stage until it has ended, or the connection has."""
    attendance = Attendance(channel, job, inbox)
    while job.runs:
        attendance.turn()


def test_a_stage_gets_what_it_wants_over_the_connection(job: StageJob, inbox: Inbox) -> None:
    with connection() as (channel, master):
        there = threading.Thread(target=lambda: (master.hear(), master.send(size=len(DATA))))
        there.start()
        attended(channel, job, inbox)
        there.join()
    answer = job.answer()
    assert answer is not None and answer.facts == {"bytes": len(DATA)}


def test_a_connection_that_breaks_within_a_payload_breaks_nothing(job: StageJob, inbox: Inbox) -> None:
    with connection() as (channel, master):
        master.send(DATA[: len(DATA) // 10], size=len(DATA))
        master._write.close()
        with pytest.raises(Gone):
            attended(channel, job, inbox)
    assert job.runs and not job.begin(lambda tell: Result("app1", "site"))
    with connection() as (channel, master):
        there = threading.Thread(target=lambda: (master.hear(), master.send(size=len(DATA))))
        there.start()
        attended(channel, job, inbox)
        there.join()
    answer = job.answer()
    assert answer is not None and answer.facts == {"bytes": len(DATA)}


@pytest.mark.parametrize(
    ("data", "line"),
    [(b"", {"missing": True}), (DATA[::-1], {"size": len(DATA)})],
    ids=["missing", "corrupt"],
)
def test_what_the_master_does_not_have_or_sends_wrong_fails_the_stage(
    job: StageJob, inbox: Inbox, data: bytes, line: dict[str, Any]
) -> None:
    with connection() as (channel, master):
        there = threading.Thread(target=lambda: (master.hear(), master.send(data, **line)))
        there.start()
        attended(channel, job, inbox)
        there.join()
    answer = job.answer()
    assert answer is not None and answer.error is not None
    assert "cannot send payload" in answer.error.cause
