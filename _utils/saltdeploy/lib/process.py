"""The one place where programs are started: without a shell, each in a group of its own that is killed as a whole.

What may hang is bounded: a program, or the call of a function; when it overruns, nothing of it is left running. Whatever either of them starts carries a mark in its environment. So a process that has left the group (a daemon
that was half started) is found as well, and cannot act on the host after the deploy has gone back.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from typing import IO, Any, NoReturn

import psutil

from saltdeploy.lib import flock

#: Seconds after which a program counts as hanging that may work for as long as the data take.
LONGEST = 21_600.0

_MARK = "SALTDEPLOY_MARK"
_PIECE = 1 << 16  # bytes
_KEPT = 2048  # bytes: what the wire and people can take
_TURN = 1.0  # seconds after which whoever waits says so
_LOOK = 0.05  # seconds between two looks at a program whose output somebody else holds open
_ROUNDS = 10  # of killing: a process may have started another while it was being killed
_WORD = 8  # bytes of the length in front of an answer


class Overran(Exception):
    """It took longer than it may.

    Args:
        output: the last of what it said.
    """

    def __init__(self, output: str = "") -> None:
        super().__init__(output)
        self.output = output


class Raised(Exception):
    """A function that was called raised, or its process died; the text says what."""


@dataclass(frozen=True)
class Ended:
    """How a program ended: its exit code (negative: the signal that killed it) and the last of what it said."""

    code: int
    output: str


@dataclass(frozen=True)
class Account:
    """A user of this host, as whom a program runs that root starts.

    Attributes:
        groups: all that the user is in.
        home: where their configuration is.
    """

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str

    @classmethod
    def of(cls, name: str) -> Account:
        """The user of this name.

        Raises:
            KeyError: this host has none.
        """
        found = pwd.getpwnam(name)
        groups = tuple(os.getgrouplist(name, found.pw_gid))
        return cls(name, found.pw_uid, found.pw_gid, groups, found.pw_dir)


_waiting: ContextVar[Callable[[], None] | None] = ContextVar("waiting", default=None)


@contextlib.contextmanager
def while_waiting(look: Callable[[], None]) -> Iterator[None]:
    """Until the end, whoever waits here for a program or a function calls this about once a second."""
    mark = _waiting.set(look)
    try:
        yield
    finally:
        _waiting.reset(mark)


def waited() -> None:
    """Tell whoever wants to know it that somebody waits, and goes on waiting."""
    look = _waiting.get()
    if look is not None:
        look()


def start(
    command: Sequence[str],
    *,
    stdin: IO[bytes] | int = subprocess.DEVNULL,
    stdout: IO[bytes] | int = subprocess.PIPE,
    stderr: IO[bytes] | int = subprocess.PIPE,
    directory: Path | str | None = None,
    environment: Mapping[str, str] | None = None,
    locks: bool = False,
    buffer: int = -1,
    apart: bool = True,
    account: Account | None = None,
    umask: int = -1,
) -> subprocess.Popen[bytes]:
    """Start a program in a group of its own; :func:`kill` ends it with all that it has started there.

    Args:
        command: an argument list; no shell sees it.
        directory: where it runs; a program whose name holds a slash is looked for from there.
        environment: all of its variables; None: those of this process.
        locks: it works on what our locks are for: they are held until it ends, also if we are killed.
        buffer: bytes that are read from it at once.
        apart: False: it stays in our group, on our terminal, whose Ctrl-C it hears; :func:`kill` is not for it.
        account: whose rights it has; None: ours. Only root may start somebody else's.
        umask: its umask; -1: ours.

    Raises:
        OSError: it could not be started.
    """
    return subprocess.Popen(
        list(command),
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        cwd=directory,
        env=environment,
        pass_fds=flock.held_locks() if locks else (),
        bufsize=buffer,
        start_new_session=apart,
        umask=umask,
        **_rights(account),
    )


def _rights(account: Account | None) -> dict[str, Any]:
    if account is None or account.uid == os.geteuid():
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": account.groups}


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a program that :func:`start` has started, and its group."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def talk(
    process: subprocess.Popen[bytes], given: bytes | None, timeout: float, most: int
) -> tuple[bytes, bytes]:
    """Give a program its input and take what it says until it ends.

    Args:
        process: its streams are pipes, or not open.
        given: for its standard input.
        timeout: seconds.
        most: bytes of its output; of its errors the last ones are kept.

    Returns:
        Its output and the last of its errors.

    Raises:
        Overran: it took longer, or says more. It still runs.
    """
    deadline = time.monotonic() + timeout
    exchange = _Exchange(process, given or b"")
    try:
        while exchange.listens(deadline):
            if len(exchange.output) > most:
                raise Overran(f"it says more than {most} bytes")
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise Overran(exchange.errors.decode(errors="replace")) from None
    finally:
        exchange.close()
    return bytes(exchange.output), exchange.errors


class _Exchange:
    """The pipes of a program, served as they are ready."""

    def __init__(self, process: subprocess.Popen[bytes], given: bytes) -> None:
        self.output = bytearray()
        self.errors = b""
        self._command = process.args
        self._rest = memoryview(given)
        self._streams = DefaultSelector()
        serve = (
            (process.stdin, self._write),
            (process.stdout, self._read),
            (process.stderr, self._read_errors),
        )
        for stream, act in serve:
            if stream is not None:
                os.set_blocking(stream.fileno(), False)
                self._streams.register(stream, EVENT_WRITE if stream is process.stdin else EVENT_READ, act)

    def listens(self, deadline: float) -> bool:
        """Serve the pipes once; False when all are closed."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise subprocess.TimeoutExpired(self._command, 0)
        for key, _ in self._streams.select(left):
            if not key.data(key.fd):
                self._streams.unregister(key.fileobj)
                key.fileobj.close()  # type: ignore[union-attr]
        return bool(self._streams.get_map())

    def close(self) -> None:
        self._streams.close()

    def _write(self, pipe: int) -> bool:
        self._rest = _give(pipe, self._rest)
        return bool(self._rest)

    def _read(self, pipe: int) -> bool:
        piece = os.read(pipe, _PIECE)
        self.output += piece
        return bool(piece)

    def _read_errors(self, pipe: int) -> bool:
        piece = os.read(pipe, _PIECE)
        self.errors = (self.errors + piece)[-_PIECE:]
        return bool(piece)


def _give(pipe: int, rest: memoryview) -> memoryview:
    """Write what fits; nothing is left for one who does not read any more."""
    try:
        return rest[os.write(pipe, rest[:_PIECE]) :] if rest else rest
    except BlockingIOError:
        return rest
    except BrokenPipeError:
        return rest[:0]


def run(
    command: Sequence[str],
    timeout: float,
    *,
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
    given: IO[bytes] | int = subprocess.DEVNULL,
    heard: Callable[[bytes], None] | None = None,
    locks: bool = False,
) -> Ended:
    """Run a program to its end. What it leaves running when it ends in time is left alone.

    Args:
        command: an argument list; no shell sees it.
        timeout: seconds.
        directory: where it runs; a program whose name holds a slash is looked for from there.
        environment: variables beside those of this process.
        given: an open file that it reads.
        heard: gets all that it says, in pieces as they come.
        locks: see :func:`start`.

    Raises:
        Overran: it was killed, and everything that it had started.
        OSError: it could not be started.
    """
    mark = _new_mark()
    marked = {**os.environ, **(environment or {}), _MARK: mark}
    with start(
        command,
        stdin=given,
        stderr=subprocess.STDOUT,
        directory=directory,
        environment=marked,
        locks=locks,
    ) as process:
        assert process.stdout is not None
        said = _Tail(process.stdout.fileno(), heard or _nobody)
        try:
            _await(process, said, time.monotonic() + timeout)
        except BaseException as error:
            _kill(process.pid, mark)
            said.read()
            if isinstance(error, Overran):
                raise Overran(said.text()) from None
            raise
    return Ended(process.returncode, said.text())


def call(function: Callable[[], Any], timeout: float) -> Any:
    """Call a function in a child process, since nothing else can stop one that hangs.

    What it changes in memory is lost. The child ends without cleaning up, which is its parent's business.

    Args:
        function: takes nothing; what it returns must be plain data, or is turned into text.
        timeout: seconds.

    Returns:
        What it returned, after a journey through JSON.

    Raises:
        Overran: it was killed, and everything that it had started.
        Raised: it raised, or its process died.
    """
    mark = _new_mark()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _answer(function, writing, mark)
    os.close(writing)
    try:
        answer = _hear(reading, time.monotonic() + timeout)
    except BaseException:
        _kill(child, mark)
        raise
    finally:
        os.close(reading)
        _, status = os.waitpid(child, 0)
    if answer is None:
        raise Raised(f"its process ended with {os.waitstatus_to_exitcode(status)} and gave no answer")
    if "raised" in answer:
        raise Raised(answer["raised"])
    return answer["returned"]


class _Tail:
    """The last bytes that come out of a pipe; ``heard`` gets all of them."""

    def __init__(self, pipe: int, heard: Callable[[bytes], None]) -> None:
        os.set_blocking(pipe, False)
        self.pipe = pipe
        self._heard = heard
        self.open = True
        self._bytes = b""

    def read(self) -> None:
        """Take what is there."""
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self.pipe, 65_536):
                self._bytes = (self._bytes + chunk)[-_KEPT:]
                self._heard(chunk)
            self.open = False

    def text(self) -> str:
        return self._bytes.decode(errors="replace").strip()


def _nobody(piece: bytes) -> None:
    """Nobody listens."""


def _await(process: subprocess.Popen[bytes], said: _Tail, deadline: float) -> None:
    """Wait for the program itself: something that it left running may hold its output open for ever."""
    while process.poll() is None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise Overran
        waited()
        if said.open:
            connection.wait([said.pipe], min(left, _LOOK))
            said.read()
        else:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(min(left, _TURN))
    said.read()


def _answer(function: Callable[[], Any], pipe: int, mark: str) -> NoReturn:
    """The child's whole life."""
    try:
        os.setsid()
        os.environ[_MARK] = mark
        try:
            answer = {"returned": function()}
        except BaseException as error:  # whatever it is, it is the function's answer
            answer = {"raised": f"{type(error).__name__}: {error}"}
        data = json.dumps(answer, default=str, skipkeys=True).encode()
        rest = len(data).to_bytes(_WORD, "big") + data
        while rest:
            rest = rest[os.write(pipe, rest) :]
    finally:
        os._exit(0)


def _hear(pipe: int, deadline: float) -> dict[str, Any] | None:
    """The child's answer; None when the pipe ends before it is complete."""
    data = b""
    while len(data) < _WORD or len(data) < _WORD + int.from_bytes(data[:_WORD], "big"):
        left = max(0.0, deadline - time.monotonic())
        if not connection.wait([pipe], min(left, _TURN)):
            if left <= _TURN:
                raise Overran
            waited()
            continue
        chunk = os.read(pipe, 1 << 20)
        if not chunk:
            return None
        data += chunk
    answer: dict[str, Any] = json.loads(data[_WORD:])
    return answer


def _new_mark() -> str:
    """A mark behind those of what this process is itself a part of, so that it is found by them as well."""
    return "/".join(filter(None, (os.environ.get(_MARK), secrets.token_hex(8))))


def _kill(leader: int, mark: str) -> None:
    """Kill a process, its group, and whatever bears the mark."""
    with contextlib.suppress(ProcessLookupError):  # the group is not there yet, or not any more
        os.killpg(leader, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(leader, signal.SIGKILL)
    for _ in range(_ROUNDS):
        marked = [process for process in psutil.process_iter() if _bears(process, mark)]
        for process in marked:
            with contextlib.suppress(psutil.Error):
                process.kill()
        if not marked:
            return
        psutil.wait_procs(marked, timeout=_LOOK)


def _bears(process: psutil.Process, mark: str) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and _is_part(process.environ().get(_MARK, ""), mark)
    except (psutil.Error, OSError):
        return False


def _is_part(found: str, mark: str) -> bool:
    return found == mark or found.startswith(f"{mark}/")
