"""What overruns is stopped, with all that it started; what ends in time is left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from saltdeploy.lib import process

from tests.support.serving import is_alive, until

pytestmark = pytest.mark.component("programs that hang, and time that passes until they are stopped")

ESCAPE = "import os,sys,time; os.fork() and os._exit(0); os.setsid(); open(sys.argv[1],'w').write(str(os.getpid())+' '); time.sleep(600)"


def numbers(file: Path) -> list[int]:
    return [int(each) for each in file.read_text().split()] if file.exists() else []


def test_a_program_gives_its_exit_code_and_what_it_said_on_both_streams() -> None:
    ended = process.run(["/bin/sh", "-c", "echo one; echo two >&2; exit 3"], 60)
    assert ended.code == 3
    assert sorted(ended.output.split()) == ["one", "two"]


def test_a_program_that_a_signal_kills_ends_with_the_negative_number() -> None:
    assert process.run(["/bin/sh", "-c", "kill -9 $$"], 60).code == -signal.SIGKILL


def test_only_the_last_of_much_output_is_kept() -> None:
    ended = process.run(["/bin/sh", "-c", "yes 0123456789 | head -c 10000000; echo; echo the end"], 60)
    assert ended.output.endswith("the end")
    assert len(ended.output) <= 2048


def test_a_program_reads_nothing() -> None:
    assert process.run(["cat"], 60) == process.Ended(0, "")


def test_a_program_runs_in_the_directory_and_with_the_variables_that_are_given(tmp_path: Path) -> None:
    ended = process.run(
        ["/bin/sh", "-c", "pwd; echo $COLOUR"], 60, directory=tmp_path, environment={"COLOUR": "blue"}
    )
    assert ended.output.split() == [str(tmp_path), "blue"]


def test_a_program_that_is_not_there_is_an_error_of_the_system() -> None:
    with pytest.raises(FileNotFoundError):
        process.run(["/nonexistent/program"], 60)


def test_a_program_that_overruns_is_killed_with_its_children_and_what_it_said_is_kept(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    bare = "env -i /bin/sleep 600 & echo $!"  # without our mark, but in the group
    script = f"echo begun; sleep 600 & echo $! >> {pids}; {bare} >> {pids}; echo $$ >> {pids}; wait"
    with pytest.raises(process.Overran) as overran:
        process.run(["/bin/sh", "-c", script], 1)
    assert overran.value.output == "begun"
    assert len(numbers(pids)) == 3
    until(lambda: not any(map(is_alive, numbers(pids))))


def test_a_child_that_left_the_group_is_killed_as_well(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f'"$1" -c "$2" {pids}; while ! test -s {pids}; do sleep 0.05; done; echo ready; sleep 600'
    with pytest.raises(process.Overran) as overran:
        process.run(["/bin/sh", "-c", script, "sh", sys.executable, ESCAPE], 3)
    assert overran.value.output == "ready"
    until(lambda: not any(map(is_alive, numbers(pids))))


def test_a_program_that_ignores_terminations_is_stopped() -> None:
    with pytest.raises(process.Overran):
        process.run(["/bin/sh", "-c", "trap '' TERM HUP INT; while :; do sleep 1; done"], 1)


def test_what_a_program_leaves_running_neither_holds_it_up_nor_is_killed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    ended = process.run(["/bin/sh", "-c", f"sleep 600 & echo $! > {pids}; echo done"], 300)
    assert ended == process.Ended(0, "done")
    (child,) = numbers(pids)
    assert is_alive(child)
    os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize("value", [None, False, 3, "text", ["a", {"b": 1.5}], {"retcode": 1}])
def test_a_call_gives_what_the_function_returned(value: object) -> None:
    assert process.call(lambda: value, 60) == value


def test_a_call_gives_much(tmp_path: Path) -> None:
    assert process.call(lambda: "x" * 5_000_000, 60) == "x" * 5_000_000


def test_what_is_no_plain_data_comes_as_text() -> None:
    assert process.call(lambda: {"path": Path("/x")}, 60) == {"path": "/x"}


@pytest.mark.parametrize("error", [ValueError("bad"), SystemExit(3), KeyboardInterrupt()])
def test_a_function_that_raises_says_what(error: BaseException) -> None:
    def function() -> None:
        raise error

    with pytest.raises(process.Raised, match=type(error).__name__):
        process.call(function, 60)


def test_a_function_whose_process_dies_is_told_from_one_that_answers() -> None:
    with pytest.raises(process.Raised, match="gave no answer"):
        process.call(lambda: os.kill(os.getpid(), signal.SIGKILL), 60)


def test_a_function_that_hangs_is_stopped_with_what_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    with pytest.raises(process.Overran):
        process.call(lambda: process.run(["/bin/sh", "-c", f"echo $$ > {pids}; exec sleep 600"], 600), 1)
    until(lambda: not any(map(is_alive, numbers(pids))))


def test_a_call_changes_nothing_in_this_process() -> None:
    seen: list[int] = []
    process.call(lambda: seen.append(1), 60)
    assert seen == []


# -- conversations --------------------------------------------------------------------------------------


def conversation(
    *script: str, given: bytes | None = None, timeout: float = 60, most: int = 1 << 20
) -> tuple[bytes, bytes]:
    with process.start(["/bin/sh", "-c", *script], stdin=subprocess.PIPE) as started:
        try:
            return process.talk(started, given, timeout, most)
        finally:
            process.kill(started)


def test_a_program_is_given_its_input_and_heard_on_both_streams_at_once() -> None:
    given = os.urandom(1 << 20)
    output, errors = conversation("tee /dev/stderr", given=given, most=1 << 20)
    assert output == given
    assert given.endswith(errors) and 2048 <= len(errors) < len(given)


def test_a_program_that_does_not_read_what_it_is_given_is_heard() -> None:
    assert conversation("exec <&-; echo no", given=b"x" * (1 << 20)) == (b"no\n", b"")


def test_a_program_that_says_too_much_or_hangs_is_stopped_with_its_group(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    for script, most in (("yes", 1000), (f"sleep 600 & echo $! >> {pids}; wait", 1 << 20)):
        with pytest.raises(process.Overran):
            conversation(script, timeout=2, most=most)
    until(lambda: numbers(pids) and not any(map(is_alive, numbers(pids))))
