"""Where the time of a deploy goes: py-spy watches the runner with all that it starts (packing among it), and a minion.

Each profile is left as folded stacks, which any flame graph tool reads; what took most is printed. Only time on a processor
is counted.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bench import compare, end_in_good_order, tables, trees
from bench.peers.ours import Ours
from bench.rig import Rig, Wishes, meters

_SHOWN = 15
#: The place of a function of this project holds one of these.
_OURS = (
    "saltdeploy/",
    "saltbridge/",
    "master/",
    "minion/",
    "layouts/",
    "transports/",
    "download/",
    "(deploy.py)",
)
#: Functions in which a thread waits, on no processor; py-spy cannot always tell from outside a container.
_WAITING = {
    "EpollSelector.select",
    "_PollLikeSelector.select",
    "SelectSelector.select",
    "Condition.wait",
    "Thread._wait_for_tstate_lock",
    "Popen._execute_child",
    "Popen._try_wait",
    "Popen.poll",
    "Popen.wait",
    "look_on",
}
_RATE = "250"  # looks a second
_WARM = ("base", "small/1", "small/2", "small/3")
_WATCHED = (("20 files", "small/4"), ("10,000 files", "large/1"))


def main(options: argparse.Namespace, directory: Path) -> int:
    """Profile a small and a large release; the files lie below ``results/profiles``."""
    end_in_good_order()
    tree = trees.build(directory, options.files)
    out = directory / "results" / "profiles"
    out.mkdir(parents=True, exist_ok=True)
    with Rig(Wishes(2)) as rig:
        place = compare.place_on(rig)
        run = compare.Run(Profiled(place), tree, place)
        with run.peer.ready():
            for number, tag in enumerate(_WARM):
                run.case("small" if number else "first", tag)
            for called, tag in _WATCHED:
                name = called.replace(" ", "-").replace(",", "")
                runner, minion = out / f"runner-{name}.folded", out / f"minion-{name}.folded"
                run.peer.into = runner
                with spying(rig, rig.targets[0].roots, minion):
                    run.case("small", tag)
                for who, file in (("runner", runner), ("minion", minion)):
                    print(f"\n{who}, {called}, tree of {tree.files:,} files\n\n{top(file.read_text())}")
    return 0


class Profiled(Ours):
    """Ours, with py-spy around ``salt-run``."""

    into: Path | None = None

    def _ask(self, *words: str) -> None:
        if self.into is None:
            super()._ask(*words)
            return
        salt_run = [
            sys.executable,
            str(Path(sys.executable).with_name("salt-run")),
            "-c",
            str(self.fleet.config),
        ]
        self.on_hub(*_record(self.into), "--", *salt_run, *words, "--out=quiet")
        self.into = None


@contextlib.contextmanager
def spying(rig: Rig, roots: list[int], into: Path) -> Iterator[None]:
    """Watch the processes of a host that run Python, and what they start."""
    everyone = meters.everyone()
    ours = [each.pid for each in meters.below(roots, everyone) if _is_minion(each.pid)]
    outermost = [pid for pid in ours if everyone[pid].parent not in ours]
    with recording(outermost[0], into):
        yield


@contextlib.contextmanager
def recording(pid: int, into: Path) -> Iterator[None]:
    """Watch a process that runs Python, and what it starts; the profile is there when this ends."""
    with subprocess.Popen([*_record(into), "--pid", str(pid)], stdout=subprocess.DEVNULL) as spy:
        try:
            yield
        finally:
            spy.send_signal(signal.SIGINT)


def _record(into: Path) -> list[str]:
    spy = str(Path(sys.executable).with_name("py-spy"))
    return [
        spy,
        "record",
        "--subprocesses",
        "--nonblocking",
        "--rate",
        _RATE,
        "--format",
        "raw",
        "--output",
        str(into),
    ]


def _is_minion(pid: int) -> bool:
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
        return b"salt-minion" in words.lower() or b"Minion" in words
    return False


def top(folded: str, shown: int = _SHOWN) -> str:
    """What took most, out of folded stacks: functions of this project with all that they call, and any by themselves."""
    alone: collections.Counter[str] = collections.Counter()
    within: collections.Counter[str] = collections.Counter()
    for line in folded.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = [_short(frame) for frame in stack.split(";") if not frame.startswith("process ")]
        if frames and frames[-1].partition(" ")[0] not in _WAITING:
            alone[frames[-1]] += int(count)
            within.update(dict.fromkeys(frames, int(count)))
    total = sum(alone.values())
    if not total:
        return "nothing was seen on a processor\n"
    ours = [(name, count) for name, count in within.most_common() if any(word in name for word in _OURS)]
    tables_of = (
        ("of this project, with what it calls", ours[:shown]),
        ("by itself", alone.most_common(shown)),
    )
    return "\n".join(
        tables.table((head, "share"), [(name, f"{100 * count / total:.0f} %") for name, count in those])
        for head, those in tables_of
    )


def _short(frame: str) -> str:
    """Without the line, and with the end of the path only."""
    name, _, place = frame.partition(" (")
    return f"{name} ({'/'.join(place.rstrip(')').split(':')[0].split('/')[-2:])})"
