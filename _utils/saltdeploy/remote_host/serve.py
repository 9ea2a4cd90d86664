"""Answers one request over the connection by which it came: what is short at once, a stage from the process that does it.

The process on the connection does nothing that matters: it may be killed at any moment. It begins a stage, or finds it begun,
passes on what that tells, fetches from the master the payloads that it wants, and gives its answer, signed for the job that
has asked here.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import re
from pathlib import Path
from typing import Any

from saltdeploy.config import upfront
from saltdeploy.lib.errors import DeployError
from saltdeploy.lib.os_errors import from_os
from saltdeploy.protocol import orders
from saltdeploy.protocol.result import Result
from saltdeploy.remote_host import functions, jobs
from saltdeploy.remote_host.channel import Channel, Gone
from saltdeploy.remote_host.jobs import StageJob, Tell
from saltdeploy.remote_host.pushed import Inbox
from saltdeploy.remote_host.request import HostRequest, inbox_of, jobs_of, refused

_TURN = 0.05  # seconds
_SHA256 = re.compile(r"[0-9a-f]{64}")


def main(base: str) -> None:
    """Serve the connection on the standard streams.

    Args:
        base: the directory of this user for all of this.
    """
    logging.getLogger().addHandler(logging.NullHandler())
    channel = Channel(os.dup(0), os.dup(1))
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):  # whatever is printed by mistake must not look like a message
        os.dup2(nothing, stream)
    try:
        RequestService(channel, Path(base)).hold()
    except Gone:
        os._exit(0)
    except DeployError as error:
        channel.tell({"refused": str(error)})


class RequestService:
    """One request, from its line to the end of what is said about it.

    Args:
        base: the directory of this user for all of this.
    """

    def __init__(self, channel: Channel, base: Path) -> None:
        self._channel = channel
        self._base = base

    def hold(self) -> None:
        """See the module.

        Raises:
            Gone: the connection broke.
            DeployError: what came is no request.
        """
        said = self._channel.hear()
        request = HostRequest.from_wire(said and said.get("request"))
        self._tidy(request)
        try:
            self._serve(request)
        except (DeployError, OSError) as error:
            ours = error if isinstance(error, DeployError) else from_os(error)
            self._answer(request, Result(**refused(request, functions.repo_of(request), ours)))

    def _serve(self, request: HostRequest) -> None:
        if functions.is_stage(request):
            upfront.load(upfront.MINION)  # it may take an hour, and what it would load later may be gone
            job = self._job(request, functions.subject(request))
            job.begin(lambda tell: self._stage(request, tell))
            self._attend(job, request)
            return
        host = request.world(self._base, self._told_now)
        answer = functions.answer(request, self._base, host)
        self._answer(request, answer)
        if answer.facts.get("known") is False:
            job = self._job(request, functions.asked_for(request))
            if job.runs:
                self._attend(job, request)

    def _stage(self, request: HostRequest, tell: Tell) -> Result:
        """In the process of the stage."""
        try:
            return functions.stage(request, self._base, request.world(self._base, tell))
        except (DeployError, OSError) as error:
            ours = error if isinstance(error, DeployError) else from_os(error)
            return Result(**refused(request, functions.repo_of(request), ours))

    def _job(self, request: HostRequest, subject: tuple[object, ...]) -> StageJob:
        return StageJob(jobs_of(self._base, request.host), *subject)

    def _told_now(self, message: dict[str, Any]) -> None:
        self._channel.tell(message)

    def _attend(self, job: StageJob, request: HostRequest) -> None:
        """Stay with a stage until it has ended; without an answer where its process died."""
        attendance = Attendance(self._channel, job, Inbox(inbox_of(self._base, request.host)))
        while job.runs:
            attendance.turn()
        attendance.relay()
        answer = job.answer()
        if answer is not None:
            self._answer(request, answer)

    def _answer(self, request: HostRequest, answer: Result) -> None:
        self._channel.tell({"answer": dataclasses.replace(answer, job=request.job).to_wire(request.secret)})

    def _tidy(self, request: HostRequest) -> None:
        if request.function == f"deploy.{orders.FETCH}":
            jobs.forget_old(jobs_of(self._base, request.host))
            Inbox(inbox_of(self._base, request.host)).forget_old()


class Attendance:
    """What whoever is connected does for a stage that runs.

    Args:
        inbox: where payloads go that the stage wants.
    """

    def __init__(self, channel: Channel, job: StageJob, inbox: Inbox) -> None:
        self._channel = channel
        self._inbox = inbox
        self._told = job.told()

    def turn(self) -> None:
        """Pass on what the stage has told, and take what the master sends.

        Raises:
            Gone: the connection broke.
            DeployError: the master sent something else.
        """
        self.relay()
        said = self._channel.hear(_TURN)
        if said is None:
            return
        name, size = said.get("payload"), said.get("size")
        if not isinstance(name, str) or not _SHA256.fullmatch(name):
            raise DeployError("the master sent what is no payload")
        if isinstance(size, int) and size >= 0 and not said.get("missing"):
            self._inbox.receive(name, size, self._channel, self.relay)
        else:
            self._inbox.lacks(name)

    def relay(self) -> None:
        """Pass on what the stage has told since the last time. What it wanted and has by now is not asked for again."""
        for message in next(self._told):
            wanted = message.get("want")
            if wanted is None or not self._inbox.path(str(wanted)).exists():
                self._channel.tell(message)
