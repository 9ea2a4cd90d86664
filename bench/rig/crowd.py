"""Many minions in one process, as a Salt master sees them: a connection to its publisher and one to its request server
for each, real keys, real jobs, real returns and events; what a minion does between a job and its answer is simulated.

What is simulated comes from ``tests.unit.master.simulation``, the fleet of the deploy's own tests. A crowd differs from
minions in this: all its minions have one pair of keys and one session key, which were put into the master's directory
before; one of them decrypts a job for all, the others only receive it; nobody computes.

Usage::

    python -m bench.rig.crowd CONFIGURATION

The configuration is JSON (:class:`Wishes`). Writes ``ready`` and then, each second, a line of JSON with what has been
counted so far.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
import random
import resource
import sys
import time
import traceback
import uuid
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgpack
import salt.config
import salt.crypt
import salt.exceptions
import salt.payload

from bench import CHECKOUT
from bench.rig.zmtp import Requester, Subscriber

sys.path[:0] = [str(CHECKOUT)]

from saltdeploy.protocol import events  # noqa: E402 - after the path
from saltdeploy.protocol.orders import FETCH, STAGES, Order  # noqa: E402
from saltdeploy.protocol.result import secret_for  # noqa: E402

from tests.unit.master.simulation import Habits, Minion  # noqa: E402

_RETURN_PATIENCE, _EVENT_PATIENCE, _TRIES = (5, 10), 60, 3  # Salt's defaults; seconds
_STAGES = tuple(f"deploy.{stage}" for stage in STAGES)
_CONNECTING = 200  # at once


@dataclasses.dataclass(frozen=True)
class Wishes:
    """What the crowd shall be like.

    Attributes:
        directory: configuration and keys of a minion, for all of them.
        master: its address.
        publish_port, ret_port: the master's.
        hosts: the minions' ids.
        session: the session key of all.
        secret: hexadecimal; the master's secret, of which it has made the one of each host.
        seconds: that a stage takes, on average.
        progress: events of a host for each stage.
        filtering: whether the master filters what it publishes (``zmq_filtering``).
    """

    directory: str
    master: str
    publish_port: int
    ret_port: int
    hosts: list[str]
    session: str
    secret: str
    seconds: float = 0.5
    progress: int = 2
    filtering: bool = False


class Crowd:
    """The minions' end of the bus: what :class:`Minion` knows as its simulated world."""

    def __init__(self, wishes: Wishes) -> None:
        self.wishes = wishes
        self.habits = Habits(slow=wishes.seconds)
        self.random = random.Random(1)
        self.counted: Counter[str] = Counter()
        self.slowest = 0.0
        opts = salt.config.minion_config(str(Path(wishes.directory, "minion")))
        opts["master_uri"] = f"tcp://{wishes.master}:{wishes.ret_port}"
        opts["master_ip"] = wishes.master
        self._auth = salt.crypt.SAuth(opts)
        self._auth.authenticate()
        self.token = self._auth.gen_token(b"salt")
        self._session = salt.crypt.Crypticle(opts, wishes.session)
        self._secret = bytes.fromhex(wishes.secret)
        self.lines = {host: Line(host, self) for host in wishes.hosts}
        self.minions = {host: Minion(host, self) for host in wishes.hosts}  # type: ignore[arg-type]
        self.subscribers: list[Subscriber] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._jobs: dict[str, dict[str, Any]] = {}
        self._heard = b""

    # -- what a simulated minion asks of its world --------------------------------------------------------

    @property
    def clock(self) -> float:
        return time.time()

    def secret(self, host: str) -> str:
        return secret_for(host, self._secret)

    def chance(self, probability: float) -> bool:
        return probability > 0 and self.random.random() < probability

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(seconds, act)

    def carry(self, what: str, host: str, deliver: Callable[[], None]) -> None:
        deliver()

    def returned(self, host: str, jid: str, answer: Any) -> None:
        job = self._jobs[jid]
        load = {
            "cmd": "_return",
            "jid": jid,
            "fun": job["fun"],
            "fun_args": job["arg"],
            "return": answer,
            "retcode": int(bool(answer["status"])),
            "success": not answer["status"],
            "out": "nested",
        }
        self.begin(self.lines[host].send(load, self.random.uniform(*_RETURN_PATIENCE)))

    # -- jobs -----------------------------------------------------------------------------------------------

    def hear(self, payload: bytes) -> None:
        """A job was published; everybody who is meant begins. Filtered, it comes once for each of them."""
        if payload == self._heard:
            return
        self._heard = payload
        found = salt.payload.loads(payload)
        job = self._auth.crypticle.loads(found["load"])
        self.counted["jobs"] += 1
        if job["fun"] not in (*_STAGES, "deploy.result"):
            return
        self._jobs[job["jid"]] = job
        for host in job["tgt"]:
            if host in self.minions:
                self.counted["asked"] += 1
                self._receive(host, job)

    def _receive(self, host: str, job: dict[str, Any]) -> None:
        receive = partial(self.minions[host].receive, job["jid"], job["fun"], job["arg"])
        if job["fun"] not in _STAGES:
            receive()
            return
        order = Order.from_wire(job["arg"][1]["order"])
        self.begin(self._work(host, order, receive))

    async def _work(self, host: str, order: Order, receive: Callable[[], None]) -> None:
        if order.stage == FETCH and order.payloads:
            await self.lines[host].get_file(f"deploy/{order.payloads[0].sha256}", order.payloads[0].size)
        for _ in range(self.wishes.progress):
            await self._tell(host, order)  # its answer waits behind them on a real minion as well
        receive()

    async def _tell(self, host: str, order: Order) -> None:
        event = events.host_progress(
            order.deploy,
            order.release.repo,
            time.time(),
            host=host,
            stage=order.stage,
            phase="write",
            done=1,
            total=2,
            unit="files",
        )
        load = {"cmd": "_minion_event", "tag": events.tag_of(event), "data": event, "pretag": None}
        await self.lines[host].send(load, _EVENT_PATIENCE)

    # -- the wire ---------------------------------------------------------------------------------------------

    def begin(self, work: Any) -> None:
        """Do something beside everything else."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.exception() is not None:
            self.counted["broken"] += 1
            traceback.print_exception(task.exception())

    def packed(self, host: str, load: dict[str, Any]) -> bytes:
        """A request as a minion packs it."""
        full = {**load, "id": host, "nonce": uuid.uuid4().hex, "ts": int(time.time()), "tok": self.token}
        sealed = {"enc": "aes", "load": self._session.dumps(full), "version": 3, "id": host}
        sealed |= {"enc_algo": "OAEP-SHA1", "sig_algo": "PKCS1v15-SHA1"}
        return salt.payload.dumps(sealed)

    def is_sealed(self, answer: bytes) -> bool:
        """Whether the master has encrypted an answer."""
        try:
            self._session.decrypt(msgpack.unpackb(answer, raw=True))
        except salt.exceptions.AuthenticationError:
            return False
        return True

    async def open(self) -> Requester:
        """A connection to the request server."""
        found: Requester = await self._connect(self.wishes.ret_port, Requester)
        return found

    async def subscribe(self, host: str, heard: Callable[[bytes], None] | None) -> None:
        """Connect a minion to the publisher."""
        topics = [b"broadcast", hashlib.sha1(host.encode()).hexdigest().encode()]
        wanted = topics if self.wishes.filtering and not heard else [b""]
        found = await self._connect(self.wishes.publish_port, lambda: Subscriber(wanted, heard))
        self.subscribers.append(found)

    async def _connect(self, port: int, make: Callable[[], Any]) -> Any:
        _, made = await asyncio.get_running_loop().create_connection(make, self.wishes.master, port)
        await asyncio.wait_for(made.ready, _EVENT_PATIENCE)
        return made

    def report(self) -> dict[str, Any]:
        """What has been counted so far."""
        received = sum(each.received for each in self.subscribers)
        messages = sum(each.messages for each in self.subscribers)
        return {**self.counted, "heard": messages, "heard_bytes": received, "slowest": round(self.slowest, 2)}


class Line:
    """A minion's way to the master: one request after the other, each tried three times."""

    def __init__(self, host: str, crowd: Crowd) -> None:
        self._host, self._crowd = host, crowd
        self._mine = asyncio.Lock()
        self._wire: Requester | None = None

    async def send(self, load: dict[str, Any], patience: float) -> None:
        """Send a request; what nobody answers is counted and lost."""
        counted = self._crowd.counted
        async with self._mine:
            for _ in range(_TRIES):
                began = time.monotonic()
                if await self._try(load, patience):
                    counted["sent " + load["cmd"]] += 1
                    self._crowd.slowest = max(self._crowd.slowest, time.monotonic() - began)
                    return
                counted["late " + load["cmd"]] += 1
            counted["lost " + load["cmd"]] += 1

    async def get_file(self, path: str, size: int) -> None:
        """The requests of ``cp.get_file`` for a file that comes in one piece."""
        about = {"path": path, "saltenv": "base"}
        for command, more in (
            ("_file_hash", {}),
            ("_file_find", {}),
            ("_serve_file", {"loc": 0}),
            ("_serve_file", {"loc": size}),
        ):
            await self.send({"cmd": command, **about, **more}, _EVENT_PATIENCE)

    async def _try(self, load: dict[str, Any], patience: float) -> bool:
        try:
            self._wire = self._wire or await self._crowd.open()
            question = self._crowd.packed(self._host, load)
            answer = await asyncio.wait_for(self._wire.ask(question), patience)
        except (TimeoutError, asyncio.TimeoutError, OSError):
            if self._wire:
                self._wire.close()
            self._wire = None
            return False
        if not self._crowd.is_sealed(answer):  # a refusal is not
            self._crowd.counted["refused"] += 1
        return True


async def live(wishes: Wishes) -> None:
    """Connect everybody, and be there until this process is ended."""
    crowd = Crowd(wishes)
    for begin in range(0, len(wishes.hosts), _CONNECTING):
        some = wishes.hosts[begin : begin + _CONNECTING]
        await asyncio.gather(
            *(crowd.subscribe(host, None if host != wishes.hosts[0] else crowd.hear) for host in some)
        )
    await asyncio.sleep(1)
    print("ready", flush=True)
    while True:
        await asyncio.sleep(1)
        print(json.dumps(crowd.report()), flush=True)


def main() -> None:
    wishes = Wishes(**json.loads(Path(sys.argv[1]).read_text()))
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if most < 2 * len(wishes.hosts) + 100:
        raise SystemExit(
            f"a process may open {most} files here (ulimit -Hn), which is too few for so many hosts"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(live(wishes))


if __name__ == "__main__":
    main()
