"""Measure whether the caps hold: processes of one host that fetch at the same time share the host's rate.

Each process fetches a payload over http from a server on loopback, as a job of a minion does. Rates are those of all
processes together, of rsync alone, which keeps to its cap by itself, and of a swarm of two, from its first byte on: once
what comes is capped, and once what is given.

Usage::

    python3 -m bench.caps [--seconds N]

Exits with 1 when a rate is further from its cap than a tenth.
"""

from __future__ import annotations

import argparse
import hashlib
import http.server
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from saltdeploy.download.http import Http
from saltdeploy.download.swarm import torrent
from saltdeploy.download.swarm.spool import Listen, SeedRequest, Spool
from saltdeploy.git.repository import no_progress
from saltdeploy.lib import rsync
from saltdeploy.lib.rate_limit import Limits
from saltdeploy.master.payloads.swarm import identity
from saltdeploy.protocol.fanout import FanoutServer
from saltdeploy.protocol.orders import Payload

ALLOWED = 0.1
RATES = (500_000, 2_000_000, 5_000_000)
PROCESSES = (1, 2, 4)
_ADDRESSES, _PORTS = ("127.0.0.1", "127.0.0.2"), (17400, 17499)
_LOOK_EVERY = 0.05  # seconds


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it has there
        """Say nothing."""


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=4.0, help="what each measurement takes")
    seconds = parser.parse_args(words).seconds
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        found = {
            f"{count} x http": {rate: _http(place, rate, count, seconds) for rate in RATES}
            for count in PROCESSES
        }
        found["rsync"] = {rate: _rsync(place, rate, seconds) for rate in RATES}
        for way in ("download", "upload"):
            found[f"swarm, {way}"] = {rate: _swarm(place, rate, seconds, way) for rate in RATES}
    return report(found)


def _http(place: Path, rate: int, count: int, seconds: float) -> float:
    """Bytes per second of so many processes together."""
    payload = _payload(place, int(rate * seconds / count))
    handler = partial(_Quiet, directory=str(place))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        fetch = Http(
            FanoutServer(f"http://127.0.0.1:{server.server_port}"), Limits(rate=rate, shared=place / "booked")
        ).fetch
        those = [
            multiprocessing.get_context("fork").Process(
                target=fetch, args=(payload, place / f"got{number}", no_progress)
            )
            for number in range(count)
        ]
        begin = time.monotonic()
        for process in those:
            process.start()
        for process in those:
            process.join()
        took = time.monotonic() - begin
        server.shutdown()
    assert [process.exitcode for process in those] == [0] * count
    for number in range(count):
        (place / f"got{number}").unlink()
    return payload.size * count / took


def _rsync(place: Path, rate: int, seconds: float) -> float:
    payload = _payload(place, int(rate * seconds))
    begin = time.monotonic()
    command = [
        "rsync",
        "--whole-file",
        *rsync.cap(rate),
        "--",
        str(place / payload.sha256),
        str(place / "got"),
    ]
    subprocess.run(command, check=True)
    took = time.monotonic() - begin
    (place / "got").unlink()
    return payload.size / took


def _swarm(place: Path, rate: int, seconds: float, way: str) -> float:
    """One gives to another, and one of the two keeps to the cap."""
    payload, known = _payload(place, int(rate * seconds)), identity(place / "root")
    described = torrent.make(place / payload.sha256, known.certificate).hex()
    wish = SeedRequest(
        "bench", described, known.certificate, known.key, payload.size, time.time() + 60 + 4 * seconds
    )
    dens = [Spool(place / f"swarm-{way}-{rate}" / address) for address in _ADDRESSES]
    processes = [
        den.start(Listen(address, _PORTS), owned=True) for den, address in zip(dens, _ADDRESSES, strict=True)
    ]
    try:
        giver, taker = dens
        port = giver.port(Listen(_ADDRESSES[0], _PORTS), processes[0])
        giver.wish(payload.sha256, replace(wish, seeds=str(place), upload=rate * (way == "upload")))
        peers = ((_ADDRESSES[0], port),)
        taker.wish(payload.sha256, replace(wish, first=peers, download=rate * (way == "download")))
        return _pace(taker, payload)
    finally:
        for process in processes:
            process.communicate()


def _pace(taker: Spool, payload: Payload) -> float:
    """Bytes per second from the first of them that is seen."""
    begin, had = 0.0, 0
    while (done := taker.state(payload.sha256).done) < payload.size:
        if done and not had:
            begin, had = time.monotonic(), done
        time.sleep(_LOOK_EVERY)
    return (payload.size - had) / (time.monotonic() - begin)


def _payload(place: Path, size: int) -> Payload:
    data = os.urandom(size)
    payload = Payload("", hashlib.sha256(data).hexdigest(), size)
    (place / payload.sha256).write_bytes(data)
    return payload


def report(found: dict[str, dict[int, float]]) -> int:
    """Print shares of the cap; 1 when one is further off than is allowed."""
    print(f"| what | {' | '.join(f'{rate / 1e6:g} MB/s' for rate in RATES)} |")
    print(f"|---|{'---:|' * len(RATES)}")
    broken = []
    for what, rates in found.items():
        print(f"| {what} | {' | '.join(f'{rates[rate] / rate:.2f}' for rate in RATES)} |")
        broken += [what for rate in RATES if abs(rates[rate] / rate - 1) > ALLOWED]
    for what in broken:
        print(f"BROKEN: {what} is further from its cap than a tenth")
    if not broken:
        print("every promise holds")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
