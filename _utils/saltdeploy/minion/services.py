"""Lets a host's processes take up a release: services, signals, a command; then waits for their ports."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shlex
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import psutil

from saltdeploy.checks import CheckContext
from saltdeploy.config import plugins, signal_kinds
from saltdeploy.config.rollout import AROUND, Restart, Service, Signal
from saltdeploy.config.signal_kinds import PluggedSignal
from saltdeploy.lib import process as processes
from saltdeploy.lib.errors import NotListening, RestartFailed
from saltdeploy.lib.text import utc
from saltdeploy.minion.context import Host
from saltdeploy.minion.steps import Step

_HERE = "127.0.0.1"
_PAUSE = 0.1  # seconds between two knocks at a port
_SYSTEMD = 30.0  # seconds to answer
_GRACE = 0.5  # seconds in which a process dies of a signal that it does not handle
#: Between a moment that a file tells and the start of a process.
SLACK = 2.0  # seconds; the kernel tells when it booted in whole ones
#: Whoever sends one of these wants the process to end; something else starts it anew.
_ENDING = ("TERM", "INT", "QUIT", "KILL", "ABRT")


def stops(restart: Restart, host: Host) -> list[Step]:
    """The steps before the switch: services that must not run while the files change are stopped, the last one first."""
    return [
        _of_service(service.name, "stop", ("stop",), restart.timeout, host)
        for service in reversed(restart.services)
        if service.action == AROUND
    ]


def steps(
    restart: Restart, host: Host, place: Callable[[], CheckContext], *, stopped: bool = False
) -> list[Step]:
    """The steps of a restart, in the order in which they are done.

    Args:
        place: tells where the command runs, when it does.
        stopped: :func:`stops` were done before.
    """
    found = [
        _of_service(service.name, *_verbs(service, stopped=stopped), restart.timeout, host)
        for service in restart.services
    ]
    for each in restart.signals:
        if isinstance(each, PluggedSignal):
            found.append(_of_package(each, restart.timeout, host, place))
        else:
            found.append(_of_signal(each, host))
    if restart.command:
        found.append(_of_command(restart, host, place))
    return found + [_of_port(port, restart.timeout, host) for port in restart.ports]


def not_in(restart: Restart, earlier: Iterable[Restart]) -> Restart:
    """The restart without what others do already. A command is kept: it runs in the tree of its own repo."""
    done = list(earlier)
    return dataclasses.replace(
        restart,
        services=tuple(each for each in restart.services if not any(each in one.services for one in done)),
        signals=tuple(each for each in restart.signals if not any(each in one.signals for one in done)),
        ports=tuple(port for port in restart.ports if not any(port in one.ports for one in done)),
    )


# -- services -------------------------------------------------------------------------------------------


def only(verb: str, restart: Restart, host: Host) -> list[Step]:
    """One thing that is done to all services of a repo, by hand: they are stopped in the order that is the reverse one."""
    in_order = restart.services[::-1] if verb == "stop" else restart.services
    return [_of_service(service.name, verb, (verb,), restart.timeout, host) for service in in_order]


def _verbs(service: Service, *, stopped: bool) -> tuple[str, tuple[str, ...]]:
    """What is done to a service: in a word, and as functions of Salt."""
    if service.action == AROUND and stopped:
        return "start", ("start",)
    both = service.action in ("stop-start", AROUND)
    return ("stop-start" if both else service.action), (("stop", "start") if both else (service.action,))


def _of_service(name: str, what: str, verbs: tuple[str, ...], timeout: float, host: Host) -> Step:
    def act() -> str:
        for verb in verbs:
            _call(f"service.{verb}", name, timeout, host)
        return ""

    return Step("restart", f"{what} {name}", act)


def _call(function: str, name: str, timeout: float, host: Host) -> None:
    """Call a function of Salt's ``service`` module; whatever it answers but a plain no is a yes."""
    try:
        answer = processes.call(lambda: host.call(function, [name], {}), timeout)
    except processes.Overran:
        cause = f"{function} {name} had not ended after {timeout:g} seconds"
    except processes.Raised as error:
        cause = f"{function} {name} failed: {str(error)[:1000]}"
    else:
        if answer is not False:
            return
        cause = f"{function} {name} answered False"
    raise RestartFailed(cause, next=f"salt '{host.name}' service.status {name}; then its log on that host")


# -- signals --------------------------------------------------------------------------------------------


def _of_signal(wanted: Signal, host: Host) -> Step:
    def act() -> str:
        process = _process_of(wanted, host)
        try:
            process.send_signal(signal.Signals[f"SIG{wanted.name}"])
        except psutil.Error as error:  # it has ended in this moment, or is not ours to signal
            raise RestartFailed(f"{wanted.name} cannot be sent: {error}", path=wanted.pidfile) from error
        if wanted.name not in _ENDING and _ends(process):
            raise RestartFailed(
                f"the process {process.pid} of {_source(wanted)} died of {wanted.name}",
                next=f"start it again on {host.name}; does it handle this signal?",
            )
        return f"pid {process.pid}"

    return Step("restart", f"signal {wanted.name} {_source(wanted)}", act)


def _source(wanted: Signal) -> str:
    return wanted.pidfile or wanted.unit


def _process_of(wanted: Signal, host: Host) -> psutil.Process:
    """The process that the signal is for. A process object remembers its start: it is never another of that number."""
    pid = _pid_in(Path(wanted.pidfile), host) if wanted.pidfile else _main_pid(wanted.unit, host)
    try:
        process = psutil.Process(pid)
        alive = process.status() != psutil.STATUS_ZOMBIE
        started = process.create_time()
    except psutil.Error:
        alive, started = False, 0.0
    if not alive:
        raise _stale(wanted, host, f"there is no process {pid}")
    if wanted.pidfile and started > Path(wanted.pidfile).stat().st_mtime + SLACK:
        raise _stale(wanted, host, f"process {pid} is younger than the file, so it is another one")
    return process


def _stale(wanted: Signal, host: Host, why: str) -> RestartFailed:
    return RestartFailed(
        f"{_source(wanted)} is stale: {why}",
        path=wanted.pidfile,
        next=f"start the service on {host.name}, so that it writes a new one",
    )


def _pid_in(file: Path, host: Host) -> int:
    try:
        said = file.read_text(errors="replace").split()
    except OSError as error:
        raise RestartFailed(
            f"the pid file cannot be read: {error.strerror}",
            path=str(file),
            next=f"does the service run on {host.name}, and does it write this file?",
        ) from error
    pid = int(said[0]) if said and said[0].isdecimal() and len(said[0]) < 10 else 0
    if pid <= 1:
        raise RestartFailed(f"there is no process id in it: {' '.join(said)[:50]!r}", path=str(file))
    return pid


def main_pid(unit: str, within: float) -> tuple[int, str]:
    """The main process of a unit as systemd tells it, or 0; and what systemd said.

    Args:
        within: seconds.

    Raises:
        OSError: there is no systemctl.
        Overran: systemd does not answer.
    """
    ended = processes.run(["systemctl", "show", "--property=MainPID", "--value", "--", unit], within)
    told = ended.code == 0 and ended.output.isdecimal() and int(ended.output) > 1
    return int(ended.output) if told else 0, ended.output


def _main_pid(unit: str, host: Host) -> int:
    by_hand = f"on {host.name}: systemctl status -- {shlex.quote(unit)}"
    try:
        pid, said = main_pid(unit, _SYSTEMD)
    except processes.Overran:
        raise RestartFailed(f"systemd does not tell the main process of {unit}", next=by_hand) from None
    except OSError as error:
        raise RestartFailed(
            f"systemctl cannot be run: {error.strerror}",
            next="name a pidfile instead of the unit where there is no systemd",
        ) from error
    if not pid:
        raise RestartFailed(f"{unit} has no main process ({said})", next=by_hand)
    return pid


def _ends(process: psutil.Process) -> bool:
    """Whether the process ends within moments, as one does that does not handle a signal."""
    try:
        process.wait(_GRACE)
    except psutil.TimeoutExpired:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.Error:
        return True
    return True


def _of_package(wanted: PluggedSignal, timeout: float, host: Host, place: Callable[[], CheckContext]) -> Step:
    """A kind that a package of somebody else brings; whatever it does is bounded, and what it raises is a failure."""

    def act() -> str:
        kind = signal_kinds.TABLE.find(wanted.kind)
        if kind is None:
            raise RestartFailed(
                f"no package on this host brings signal {wanted.kind}",
                next=f"install it on {host.name}, with pip of the Python that runs salt-minion",
            )
        run, here = plugins.resolve(kind.run, f"signal {wanted.kind}"), place()
        by_hand = f"look at what {kind.run} does, on {host.name}"
        try:
            return str(processes.call(lambda: str(run(dict(wanted.options), here) or ""), timeout))
        except processes.Overran:
            cause = f"signal {wanted} had not ended after {timeout:g} seconds"
            raise RestartFailed(cause, next=by_hand) from None
        except processes.Raised as error:
            raise RestartFailed(f"signal {wanted} failed: {str(error)[:1000]}", next=by_hand) from None

    return Step("restart", f"signal {wanted.kind}", act)


# -- the command, and the ports ---------------------------------------------------------------------------


def _of_command(restart: Restart, host: Host, place: Callable[[], CheckContext]) -> Step:
    typed = shlex.join(restart.command)

    def act() -> str:
        next_command = f"on {host.name}: {typed}"
        here = place()
        try:
            ended = processes.run(
                restart.command, restart.timeout, directory=here.directory, environment=here.environment
            )
        except processes.Overran as overran:
            cause = f"{typed} had not ended after {restart.timeout:g} seconds: {overran.output}"
            raise RestartFailed(cause, next=next_command) from None
        except OSError as error:
            cause = f"{restart.command[0]} cannot be run: {error.strerror}"
            raise RestartFailed(cause, next=next_command) from error
        if ended.code != 0:
            raise RestartFailed(f"{typed} ended with {ended.code}: {ended.output}", next=next_command)
        return ended.output

    return Step("restart", f"run {restart.command[0]}", act)


def _of_port(port: int, timeout: float, host: Host) -> Step:
    """Wait for a port. After a graceful reload the old process may be the one that answers; a check tells them apart."""

    def act() -> str:
        deadline = time.monotonic() + timeout
        while not _accepts(port, deadline):
            if time.monotonic() + _PAUSE >= deadline:
                raise NotListening(
                    f"port {port} accepted no connection within {timeout:g} seconds after the restart",
                    next=f"on {host.name}: ss -ltnp; then the service's log",
                )
            processes.waited()
            time.sleep(_PAUSE)
        return ""

    return Step("wait", f"wait for port {port}", act)


def _accepts(port: int, deadline: float) -> bool:
    try:
        socket.create_connection((_HERE, port), max(_PAUSE, deadline - time.monotonic())).close()
    except OSError:
        return False
    return True


_RELOADS = ("reload",)
_WITHIN = 10.0  # seconds for systemd to answer


def stale(restart: Restart, location: Path) -> str:
    """Why something else may run than what is live; "" where nothing speaks for it.

    Args:
        restart: what the repo restarts.
        location: the live path. Only a link tells when it was switched.
    """
    replaced = [service.name for service in restart.services if service.action not in _RELOADS]
    if not location.is_symlink() or not (replaced or restart.command):
        return ""
    switched = os.lstat(location).st_mtime
    for what, pid in (*_main_pids(replaced), *_listeners(restart.ports)):
        with contextlib.suppress(psutil.Error):  # it has ended in this moment, or is not ours to look into
            process = psutil.Process(pid)
            since = process.create_time()
            if since + SLACK < switched:
                name, began, then = process.name(), utc(since), utc(switched)
                return f"{what}: pid {pid} ({name}) has run since {began}, and the switch was at {then}"
    return ""


def _main_pids(names: list[str]) -> Iterator[tuple[str, int]]:
    """The main process of each service that systemd knows."""
    if not names or shutil.which("systemctl") is None:
        return
    for name in names:
        with contextlib.suppress(OSError, processes.Overran):
            pid, _ = main_pid(name, _WITHIN)
            if pid:
                yield f"service {name}", pid


def _listeners(ports: tuple[int, ...]) -> Iterator[tuple[str, int]]:
    """Who listens on each port, as far as this user may know."""
    if not ports:
        return
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            is_ours = connection.status == psutil.CONN_LISTEN and connection.laddr.port in ports
            if is_ours and connection.pid:
                yield f"port {connection.laddr.port}", connection.pid
