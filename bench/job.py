"""One deploy job of a target without Salt, in a process of its own: unpack, prepare, flip; prints JSON.

What Salt adds on a minion (a fork, the loader) is left out; the process is idle once its modules are loaded,
like a minion, and what it needs beyond that is the job's memory.

Usage::

    python3 -m bench.job LOCATION TAG COMMIT BUNDLE STAT_LIMIT
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path

from saltdeploy import config, layouts
from saltdeploy.protocol.release import Release


def run(location: Path, tag: str, commit: str, bundle: Path, stat_limit: int) -> dict[str, object]:
    """Bring the release to ``location``; return seconds per step, KiB, and the layout's facts."""
    pillar = {"repo_config": {"big": {"location": str(location), "stat_limit": stat_limit}}}
    layout = layouts.of(config.load(pillar, "big"))
    release = Release("big", tag, commit)
    idle, idle_cpu = _memory("VmRSS"), sum(os.times()[:4])
    began = time.perf_counter()
    layout.open()
    if not layout.store.has(commit):
        layout.store.unpack(bundle, commit)
    unpacked = time.perf_counter()
    facts = layout.prepare(release, lambda *_: None)
    prepared = time.perf_counter()
    flipped = layout.activate(release)
    ended = time.perf_counter()
    return {
        **facts,
        **flipped,
        "unpack_s": unpacked - began,
        "prepare_s": prepared - unpacked,
        "flip_s": ended - prepared,
        "ours_cpu_s": sum(os.times()[:4]) - idle_cpu,
        "idle_kib": idle,
        "grown_kib": _memory("VmHWM") - idle,
    }


def _memory(field: str) -> int:
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1])


if __name__ == "__main__":
    where, what, commit_id, bundle_file, limit = sys.argv[1:]
    print(json.dumps(run(Path(where), what, commit_id, Path(bundle_file), int(limit))))
