"""The rig measures what its hosts do, and leaves nothing behind, however it ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench import CHECKOUT
from bench.rig import Rig, Wishes, network
from demo import processes

pytestmark = pytest.mark.component("processes that stand for a fleet")

#: Without namespaces always, with them where this machine lets us.
KINDS = [
    pytest.param(True, id="loopback"),
    *([] if network.possible() else [pytest.param(False, id="apart")]),
]
WRITES = "import os; f = open({!r}, 'wb'); f.write(bytes(5_000_000)); f.flush(); os.fsync(f.fileno()); sum(range(5_000_000))"


def rig(loopback: bool, targets: int = 2) -> Rig:
    return Rig(Wishes(targets, loopback=loopback))


def until(condition) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("loopback", KINDS)
def test_what_a_daemon_of_a_host_computes_is_that_hosts(loopback):
    with rig(loopback) as hosts:
        one, other = hosts.targets
        with hosts.measure() as measured:
            file = one.srv / "file"
            one.launch(sys.executable, "-c", WRITES.format(str(file)) + "; import time; time.sleep(60)")
            until(lambda: (one.disk / "file").exists() and (one.disk / "file").stat().st_size == 5_000_000)
            time.sleep(1)
        assert measured.hosts[one.name].cpu > measured.hosts[other.name].cpu


@pytest.mark.parametrize("loopback", KINDS)
def test_a_command_of_the_operator_is_the_hubs(loopback):
    with rig(loopback) as hosts:
        with hosts.measure() as measured:
            hosts.hub.run(sys.executable, "-c", "sum(range(5_000_000))")
        assert measured.hosts["hub"].cpu > 0 == measured.hosts["web1"].cpu


@pytest.mark.parametrize("loopback", KINDS)
def test_bytes_between_hosts_are_counted_where_hosts_have_interfaces(loopback):
    send = "import socket; s = socket.create_connection(({!r}, 7000)); s.sendall(bytes(1_000_000)); s.close()"
    take = "import socket; s = socket.create_server(({!r}, 7000)); print('up', flush=True); c = s.accept()[0]\nwhile c.recv(65536): pass"
    with rig(loopback) as hosts:
        one = hosts.targets[0]
        one.launch(sys.executable, "-c", take.format(one.address))
        until(lambda: "up" in (one.state / "out").read_text())
        with hosts.measure() as measured:
            hosts.hub.run(sys.executable, "-c", send.format(one.address))
        received = measured.hosts[one.name].received
        assert received is None if loopback else 1_000_000 <= received < 1_200_000


@pytest.mark.parametrize("loopback", KINDS)
def test_a_rig_leaves_no_process_and_no_file(loopback):
    with rig(loopback) as hosts:
        daemon = hosts.targets[0].launch("sleep", "1000")
        directory = hosts.directory
    daemon.wait()
    assert not directory.exists() and not processes.alive(directory)


@pytest.mark.skipif(network.possible() != "", reason="NOT TESTED: disks of hosts; run this as root")
def test_each_host_has_a_file_system_of_its_own_and_none_stays_mounted():
    with rig(False) as hosts:
        assert len({os.stat(host.disk).st_dev for host in hosts.hosts}) == len(hosts.hosts)
        hosts.targets[0].run("touch", "/srv/file")
        assert (hosts.targets[0].disk / "file").exists()
        directory = hosts.directory
    assert str(directory) not in Path("/proc/self/mounts").read_text()


BUILDS = """
import sys, time
from bench.rig import Rig, Wishes
rig = Rig(Wishes(1, loopback={!r}))
rig.targets[0].launch("sleep", "1000")
print(rig.directory, flush=True)
time.sleep(1000)
"""


@pytest.mark.parametrize("loopback", KINDS)
def test_what_a_killed_run_left_is_removed_by_the_next(loopback):
    command = [sys.executable, "-c", BUILDS.format(loopback)]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as bench:
        directory = Path(bench.stdout.readline().strip())
        assert directory.is_dir()
        os.kill(bench.pid, signal.SIGKILL)
    with rig(loopback, 1):
        until(lambda: not processes.alive(directory))
        assert not directory.exists()


def test_a_rig_in_use_is_left_alone_by_another():
    with rig(True) as one, rig(True) as other:
        assert one.directory.is_dir() and other.directory.is_dir()
