"""A line between two bridges that holds each frame back for a while, for kernels without netem.

Frames are read from one TAP device and written to the other when they are due; one process, one core. Expect some
hundred Mbit/s, and processor time that a real line would not take.

Usage (in the network namespace of the bridges)::

    python -m bench.rig.delay SECONDS DEVICE BRIDGE DEVICE BRIDGE
"""

from __future__ import annotations

import collections
import fcntl
import os
import select
import struct
import subprocess
import sys
import time

_TUNSETIFF, _IFF_TAP, _IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
_FRAME = 65536
#: Frames under way in one direction; more are lost, as on a line whose buffer is full.
_MOST = 20_000

Queue = collections.deque[tuple[float, bytes]]


def main() -> None:
    delay = float(sys.argv[1])
    left, right = (_tap(device, bridge) for device, bridge in (sys.argv[2:4], sys.argv[4:6]))
    print("ready", flush=True)
    _relay(delay, {left: right, right: left})


def _tap(device: str, bridge: str) -> int:
    """A TAP device in the bridge; its file."""
    file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(file, _TUNSETIFF, struct.pack("16sH22x", device.encode(), _IFF_TAP | _IFF_NO_PI))
    subprocess.run(["ip", "link", "set", device, "master", bridge, "up"], check=True)
    return file


def _relay(delay: float, other: dict[int, int]) -> None:
    waiting: dict[int, Queue] = {file: collections.deque() for file in other}
    while True:
        due = min((queue[0][0] for queue in waiting.values() if queue), default=None)
        patience = None if due is None else max(0.0, due - time.monotonic())
        for file in select.select([0, *other], [], [], patience)[0]:
            if file == 0:
                return  # whoever made the line has ended
            _take(file, waiting[file], delay)
        for file, queue in waiting.items():
            _give(queue, other[file])


def _take(file: int, queue: Queue, delay: float) -> None:
    due = time.monotonic() + delay
    for _ in range(256):
        try:
            frame = os.read(file, _FRAME)
        except BlockingIOError:
            return
        if len(queue) < _MOST:
            queue.append((due, frame))


def _give(queue: Queue, file: int) -> None:
    now = time.monotonic()
    while queue and queue[0][0] <= now:
        try:
            os.write(file, queue.popleft()[1])
        except (BlockingIOError, OSError):
            return  # lost, as frames may be


if __name__ == "__main__":
    main()
