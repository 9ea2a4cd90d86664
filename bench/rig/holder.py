"""The first process of a host: holds its namespaces, and collects the processes that nobody else waits for.

It ends when its standard input does, so that a host never outlives whoever made it, however that one ended; with it
the kernel ends all its processes and takes its interfaces away.

Usage::

    unshare --net --mount --pid --fork --mount-proc --kill-child python -m bench.rig.holder [DISK HOSTS]
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path


def main() -> None:
    with contextlib.suppress(OSError):  # its chatter would be counted
        Path("/proc/sys/net/ipv6/conf/all/disable_ipv6").write_text("1")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for source, place in zip(sys.argv[1:], ("/srv", "/etc/hosts"), strict=False):
        subprocess.run(["mount", "--bind", "--", source, place], check=True)
    signal.signal(signal.SIGCHLD, _collect)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit())
    print("ready", flush=True)
    sys.stdin.read()


def _collect(*_: object) -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


if __name__ == "__main__":
    main()
