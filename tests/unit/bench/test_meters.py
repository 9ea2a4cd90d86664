"""What the kernel tells about processes and interfaces is read as it means it."""

import os
import subprocess

from bench.rig import meters

STAT = (
    "4242 (a (strange) name) S 17 4242 4242 0 -1 4194304 900 80 0 0 250 50 30 20 20 0 1 0 12345 104857600 2560 "
    "18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0"
)

DEVICES = """Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    1000      10    0    0    0     0          0         0     1000      10    0    0    0     0       0          0
  eth0: 4808     42    0    0    0     0          0         0     2118      19    0    0    0     0       0          0
"""


def process(pid: int, parent: int) -> meters.Process:
    return meters.Process(pid, parent, 0.0, 0)


def test_a_process_is_read_whatever_its_name_holds():
    found = meters.parse_stat(STAT)
    assert (found.pid, found.parent) == (4242, 17)


def test_processor_time_counts_the_children_that_were_waited_for():
    assert meters.parse_stat(STAT).cpu == (250 + 50 + 30 + 20) / os.sysconf("SC_CLK_TCK")


def test_resident_memory_is_in_bytes():
    assert meters.parse_stat(STAT).memory == 2560 * os.sysconf("SC_PAGE_SIZE")


def test_bytes_of_an_interface_are_those_received_and_those_sent():
    assert meters.parse_devices(DEVICES, "eth0") == (4808, 2118)


def test_an_interface_that_is_not_there_has_no_bytes():
    assert meters.parse_devices(DEVICES, "eth1") is None


def test_what_was_thrown_away_before_it_reached_the_disk_was_not_written():
    assert meters.parse_io("rchar: 1\nwrite_bytes: 8192\ncancelled_write_bytes: 4096\n") == 4096


def test_a_host_is_its_first_processes_and_all_below_them():
    everyone = {pid: process(pid, parent) for pid, parent in ((1, 0), (2, 1), (3, 2), (4, 3), (5, 1))}
    assert sorted(each.pid for each in meters.below([2], everyone)) == [2, 3, 4]


def test_a_process_below_two_roots_counts_once():
    everyone = {pid: process(pid, parent) for pid, parent in ((2, 1), (3, 2))}
    assert len(meters.below([2, 3], everyone)) == 2


def test_a_root_that_has_ended_is_passed_over():
    assert meters.below([99], {}) == []


def test_figures_since_leave_out_what_was_before():
    before = meters.Figures(100, 50, 1.0, 4096, 1000)
    now = meters.Figures(300, 70, 3.5, 8192, 1200)
    assert now.since(before, peak=5000) == meters.Figures(200, 20, 2.5, 4096, 4000)


def test_a_host_without_an_interface_of_its_own_has_unknown_bytes():
    assert meters.Figures().since(meters.Figures(), peak=0).sent is None


def test_what_a_command_computed_is_found_after_it_has_ended():
    before = meters.read_commands()
    script = "sum(range(3_000_000))"
    subprocess.run(["python3", "-c", script], check=True)
    after = meters.read_commands()
    assert after.cpu > before.cpu


def test_this_process_is_among_everyone():
    found = meters.everyone()[os.getpid()]
    assert found.memory > 0 and found.parent == os.getppid()
