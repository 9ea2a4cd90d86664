"""Asks targets for what they are. Salt's own functions are asked too: a host on which this project is not there answers those."""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from saltdeploy.lib import disk
from saltdeploy.lib.errors import DeployError, Forged
from saltdeploy.master.context import Master
from saltdeploy.master.doctor.seen import Answers
from saltdeploy.master.fleet.attention import Attention
from saltdeploy.master.fleet.authenticity import Authenticator
from saltdeploy.protocol.result import Result

log = logging.getLogger(__name__)

_TURN = 0.5  # seconds
_WAIT = 15.0  # seconds until a host that said nothing is silent


def ask(master: Master, targets: Mapping[str, tuple[str, ...]]) -> tuple[Answers, ...]:
    """What every target says, about each repo that it takes.

    Args:
        targets: repo to its targets.
    """
    everybody = sorted({host for hosts in targets.values() for host in hosts})
    if not everybody:
        return ()
    asked = master.bus.now()
    with _served(master) as url:
        jobs = [_Job.publish(master, everybody, "test.ping")]
        if url:
            jobs.append(_Job.publish(master, everybody, "cp.hash_file", url))
        jobs += [
            _Job.publish(master, list(hosts), "deploy.doctor", repo)
            for repo, hosts in targets.items()
            if hosts
        ]
        _listen(master, jobs)
    ping, *doctors = jobs
    served = doctors.pop(0) if url else None
    return tuple(
        _read(master, host, ping, served, doctor, asked) for doctor in doctors for host in doctor.hosts
    )


class _Job:
    """A job that was published, and what came back."""

    def __init__(self, jid: str, hosts: list[str], arguments: tuple[Any, ...]) -> None:
        self.jid = jid
        self.hosts = hosts
        self.arguments = arguments
        self.came: dict[str, tuple[Any, float]] = {}

    @classmethod
    def publish(cls, master: Master, hosts: list[str], function: str, *arguments: Any) -> _Job:
        job = cls(master.bus.new_jid(), hosts, arguments)
        master.bus.publish(hosts, function, list(arguments), job.jid)
        return job

    @property
    def is_done(self) -> bool:
        return len(self.came) == len(self.hosts)

    def given(self, host: str) -> Any:
        return self.came.get(host, (None, 0.0))[0]


@contextmanager
def _served(master: Master) -> Iterator[str]:
    """A payload that lies ready for as long as the block lasts: whoever can see it can fetch releases.

    Yields:
        Its URL; "" where it cannot be written, which another check tells of.
    """
    content = f"salt-run deploy.doctor {secrets.token_hex(16)}\n".encode()
    name = hashlib.sha256(content).hexdigest()
    place = master.root / "payloads" / name
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        disk.write_atomically(place, content)
    except (DeployError, OSError) as error:
        log.warning("No payload can be laid ready: %s", error)
        yield ""
        return
    try:
        yield f"salt://deploy/{name}"
    finally:
        place.unlink(missing_ok=True)


def _listen(master: Master, jobs: Iterable[_Job]) -> None:
    attention = Attention(master.bus)
    by_id = {job.jid: job for job in jobs}
    while attention.seconds < _WAIT and not all(job.is_done for job in by_id.values()):
        for tag, data in attention.messages(_TURN):
            match tag.split("/"):
                case ["salt", "job", jid, "ret", host] if jid in by_id and isinstance(data, dict):
                    if host in by_id[jid].hosts:
                        by_id[jid].came.setdefault(host, (data.get("return"), master.bus.now()))


def _read(master: Master, host: str, ping: _Job, served: _Job | None, doctor: _Job, asked: float) -> Answers:
    said, heard = doctor.came.get(host, (None, 0.0))
    result, forged = None, ""
    try:
        result = Result.from_wire(said)
        Authenticator.of(master).read(said, host, doctor.jid)
    except Forged as error:
        forged = error.cause
    except DeployError:
        result = None
    except OSError as error:  # it counts, and cannot be remembered
        log.warning("%s: %s", host, error)
    (repo,) = doctor.arguments
    seen = served.given(host) if served else False
    return Answers(host, repo, ping.given(host), seen, said, result, forged, asked, heard)
