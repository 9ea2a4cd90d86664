"""Hosts in namespaces of their own, joined by bridges: one bridge for each site, a slow line between the sites.

Everything lies in namespaces that end with the process that made them: no name of it appears on the machine, and a run
that was killed leaves nothing behind.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench import CHECKOUT
from bench.rig.host import Host

#: From the range for benchmarks of networks (RFC 2544).
_NETWORK = "198.18.0."
_INSIDE, _BETWEEN = 0.0005, 0.04  # seconds there and back


@dataclass(frozen=True)
class Space:
    """Namespaces, and the process that holds them."""

    holder: subprocess.Popen[str]
    pid: int

    def enter(self) -> list[str]:
        """What a command is preceded by to run in them."""
        return ["nsenter", f"--target={self.pid}", "--net", "--mount", "--pid", "--wd=.", "--"]

    def run(self, *words: str) -> None:
        subprocess.run([*self.enter(), *words], check=True, stdout=subprocess.DEVNULL)


def possible() -> str:
    """Why this machine cannot do it; empty when it can."""
    trial = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--", "ip", "link", "add"]
    trial += ["name", "a", "type", "veth", "peer", "name", "b"]
    try:
        done = subprocess.run(trial, capture_output=True, text=True)
    except FileNotFoundError as error:
        return f"no program {error.filename}"
    return done.stderr.strip() if done.returncode else ""


class Network:
    """The hosts' spaces and what joins them. Use ``close()`` when done."""

    def __init__(self, sites: int, rate: str, names: list[str], hosts: Path) -> None:
        """Make the bridges; ``names`` of all hosts, in the order of their numbers, go to the file ``hosts``."""
        self.labels: list[str] = []
        self._rate, self._hosts = rate, hosts
        lines = (f"{_address(number)} {name}\n" for number, name in enumerate(names, 1))
        hosts.write_text("127.0.0.1 localhost\n" + "".join(lines))
        self._spaces: list[Space] = []
        self._lines: list[subprocess.Popen[str]] = []
        self._wire = self._space()
        self._netem = self._has_netem()
        for site in range(1, sites + 1):
            self._wire.run("ip", "link", "add", "name", f"site{site}", "type", "bridge")
            self._wire.run("ip", "link", "set", f"site{site}", "up")
        if self._netem:
            self.labels.append(f"round trip inside a site {1000 * _INSIDE} ms (netem)")
        else:
            self.labels.append("round trip inside a site: what the machine gives (no netem in this kernel)")
        if sites == 2:
            self._join("site1", "site2")
        if rate:
            self.labels.append(f"each host's link {rate}, each way (tbf)")

    def add(self, name: str, site: int, number: int, disk: Path, state: Path) -> Host:
        """A new host with a link to the bridge of its site."""
        space = self._space(disk, self._hosts)
        address = _address(number)
        link = f"h{number}"
        ends = ["name", link, "netns", str(self._wire.pid), "type", "veth"]
        peer = ["peer", "name", "eth0", "netns", str(space.pid)]
        subprocess.run(["ip", "link", "add", *ends, *peer], check=True)
        self._wire.run("ip", "link", "set", link, "master", f"site{site}", "up")
        space.run("ip", "address", "add", f"{address}/24", "dev", "eth0")
        space.run("ip", "link", "set", "eth0", "up")
        self._shape(self._wire, link)
        self._shape(space, "eth0")
        return Host(name, address, disk, Path("/srv"), state, space.enter(), [space.pid], "eth0")

    def close(self) -> None:
        """End all processes of all hosts; the kernel removes the interfaces."""
        for process in (*self._lines, *(space.holder for space in self._spaces)):
            assert process.stdin is not None
            process.stdin.close()
        for process in (*self._lines, *(space.holder for space in self._spaces)):
            process.wait()

    def _space(self, *mounted: Path) -> Space:
        unshare = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "--"]
        holder = _begin([*unshare, *_module("bench.rig.holder", map(str, mounted))])
        children = Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text().split()
        self._spaces.append(Space(holder, int(children[0])))
        return self._spaces[-1]

    def _has_netem(self) -> bool:
        trial = [*self._wire.enter(), "tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1us"]
        if subprocess.run(trial, capture_output=True).returncode:
            return False
        self._wire.run("tc", "qdisc", "del", "dev", "lo", "root")
        return True

    def _shape(self, space: Space, device: str) -> None:
        """Limit what leaves by the device, and with netem delay it."""
        parent = ["root"]
        if self._rate:
            # a burst of 10 ms at 100 Mbit/s, and not more waiting than a switch holds
            limits = ["tbf", "rate", self._rate, "burst", "128kb", "latency", "50ms"]
            space.run("tc", "qdisc", "add", "dev", device, *parent, "handle", "1:", *limits)
            parent = ["parent", "1:1"]
        if self._netem:
            delay = f"{1e6 * _INSIDE / 4:.0f}us"  # four devices on the way there and back
            space.run("tc", "qdisc", "add", "dev", device, *parent, "netem", "delay", delay)

    def _join(self, left: str, right: str) -> None:
        one_way = _BETWEEN / 2
        told = f"{1000 * _BETWEEN:.0f} ms"
        if self._netem:
            self._wire.run("ip", "link", "add", "name", "far1", "type", "veth", "peer", "name", "far2")
            for device, bridge in (("far1", left), ("far2", right)):
                self._wire.run("ip", "link", "set", device, "master", bridge, "up")
                delay = ["delay", f"{1e6 * one_way:.0f}us", "limit", "20000"]
                self._wire.run("tc", "qdisc", "add", "dev", device, "root", "netem", *delay)
            self.labels.append(f"round trip between sites {told} (netem)")
            return
        line = _module("bench.rig.delay", [str(one_way), "far1", left, "far2", right])
        self._lines.append(_begin([*self._wire.enter(), *line]))
        self.labels.append(f"round trip between sites {told} (a process that relays frames)")


def _address(number: int) -> str:
    return f"{_NETWORK}{number}"


def _module(name: str, arguments: Iterable[str]) -> list[str]:
    return [sys.executable, "-m", name, *arguments]


def _begin(command: list[str]) -> subprocess.Popen[str]:
    """Start a process that ends with its standard input, and wait until it says that it is ready."""
    process = subprocess.Popen(
        command,
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    if process.stdout.readline() != "ready\n":
        raise SystemExit(f"{' '.join(command)} did not start")
    return process
