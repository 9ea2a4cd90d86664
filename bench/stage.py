"""One stage of a target without Salt, in a process of its own; what it took is printed as JSON.

What Salt adds on a minion (a fork, the loader) is left out. Payloads come from a web server, by the carrier ``http``.

Usage::

    python3 -m bench.stage <<<'{"order": {...}, "keys": {...}, "cache": "DIR", "url": "http://..."}'
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

from saltdeploy import config
from saltdeploy.download.http import Http
from saltdeploy.minion import stages
from saltdeploy.minion.context import Host, Task
from saltdeploy.protocol.fanout import FanoutServer
from saltdeploy.protocol.orders import Order

from bench.rig.meters import parse_io


def run(order: Order, keys: dict[str, Any], cache: Path, url: str) -> dict[str, Any]:
    """Do the stage; seconds, processor time, bytes written, the peak of memory, and the stage's facts.

    Args:
        order: the stage.
        keys: the repo's keys of the pillar.
        cache: the minion's.
        url: where payloads lie.
    """
    repo = config.load({"repo_config": {order.release.repo: keys}}, order.release.repo)
    host = Host("bench", cache, Http(FanoutServer(url)), lambda *_: None, lambda *_: None, time.time)
    cpu, written, began = _cpu(), _written(), time.perf_counter()
    result = stages.run([Task(order, repo)], host)
    seconds = time.perf_counter() - began
    if not result.ok:
        raise SystemExit(f"{order.transport}: {result.error}")
    return {
        "seconds": seconds,
        "cpu": _cpu() - cpu,
        "written": _written() - written,
        "peak": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        "files": result.facts.get("files", 0),
    }


def _cpu() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def _written() -> int:
    return parse_io(Path("/proc/self/io").read_text())


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    wanted = Order.from_wire(asked["order"])
    print(json.dumps(run(wanted, asked["keys"], Path(asked["cache"]), asked["url"])))
