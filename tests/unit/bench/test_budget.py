"""What strace has written becomes a list of processes with what each asked of the kernel."""

from bench.budget import Calls

WRITTEN = r"""100 10.000000 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD) = 200 <0.001000>
200 10.002000 openat(AT_FDCWD, "/p/a.cpython-311.pyc", O_RDONLY|O_CLOEXEC) = 3 <0.000100>
200 10.003000 openat(AT_FDCWD, "/p/b.cpython-311.pyc", O_RDONLY|O_CLOEXEC) = -1 ENOENT (No such file) <0.000100>
200 10.010000 vfork( <unfinished ...>
300 10.011000 execve("/usr/bin/git", ["git", "-c", "core.fsync=all", "--git-dir=/x", "cat-file", "--batch"], 0x1) = 0 <0.000500>
200 10.012000 <... vfork resumed>) = 300 <0.002000>
200 10.020000 fsync(4) = 0 <0.030000>
300 10.100000 exit_group(0) = ?
400 10.200000 fsync(4) = 0 <0.030000>
""".splitlines()


def test_who_was_started_counts_with_who_started_it_and_nobody_else():
    told = Calls.read(WRITTEN).told(100)
    assert "| git cat-file | 11 | 89 |" in told
    assert "| makes durable | 1 | 30 |" in told


def test_only_a_module_that_is_there_is_loaded():
    assert "| loads a module | 1 |" in Calls.read(WRITTEN).told(100)
