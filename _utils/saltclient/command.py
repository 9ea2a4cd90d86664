"""The command ``saltdeploy``: ``salt-run deploy.*`` without the start of Salt, where the engine ``deploy`` runs.

It asks the master's warm door through a unix socket, and hands it its own standard streams: what ``salt-run`` would show
is shown by a process of the master, on this very terminal. Where nobody opens, it becomes ``salt-run``.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import sys

from saltclient import places, wire

TYPE_CHECKING = False  # typing itself would take longer to load than all the rest
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

USAGE = """\
usage: saltdeploy [options] FUNCTION [NAME=VALUE ...]

    saltdeploy sync repo=mediawiki tag=release/2026-11-23/1
    saltdeploy versions repo=mediawiki

The same as `salt-run deploy.FUNCTION ...`, sooner. Options are those of salt-run, for example:
  -c DIR, --config-dir=DIR    directory of the master's configuration (/etc/salt)
  --out=FORMAT                json, yaml, ...
  --quiet, --no-color, --log-level=LEVEL

`salt-run -d deploy` lists the functions. docs/warm-door.md has the rest.
"""
_HELLO_SECONDS = 5
_STOPPED = 130


class Elsewhere(Exception):
    """The door does not take this command now; nothing has begun."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit status.
    """
    options, words = _apart(list(sys.argv[1:] if arguments is None else arguments))
    if "-h" in options or "--help" in options or not words:
        print(USAGE, end="", file=sys.stderr if not words and not options else sys.stdout)
        return 0 if options else 64
    config, options = _config_of(options)
    function = words[0] if "." in words[0] else f"deploy.{words[0]}"
    try:
        return _ask(config, options, [function, *words[1:]])
    except Elsewhere as reason:
        return _salt_run(config, options, [function, *words[1:]], str(reason))


def _apart(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Options, each with its value, and words."""
    options, words = [], []
    left = iter(arguments)
    for each in left:
        if each in ("-c", "--config-dir"):
            options.append(f"--config-dir={next(left, '')}")
        elif each in ("--out", "--output", "-l", "--log-level"):
            options.append(f"{'--log-level' if each == '-l' else each}={next(left, '')}")
        elif each.startswith("-"):
            options.append(each)
        else:
            words.append(each)
    return options, words


def _config_of(options: list[str]) -> tuple[str, list[str]]:
    begin = "--config-dir="
    named = [each[len(begin) :] for each in options if each.startswith(begin)]
    rest = [each for each in options if not each.startswith(begin)]
    return named[-1] if named else os.environ.get("SALT_CONFIG_DIR", "/etc/salt"), rest


# -- the door -------------------------------------------------------------------------------------------


def _ask(config: str, options: list[str], words: list[str]) -> int:
    if not all(wire.is_taken(each) for each in options):
        raise Elsewhere("an option that the door does not take")
    with _connection(config) as door:
        frames = wire.Frames()
        _greeted(door, frames, config)
        environment = {name: os.environ[name][:256] for name in wire.PASSED_ON if name in os.environ}
        request = {"words": words, "options": options, "environment": environment}
        try:
            data = wire.pack(request)
        except wire.WireError as error:
            raise Elsewhere(str(error)) from None
        with _Signals(door):
            return _result(door, frames, data)


def _connection(config: str) -> socket.socket:
    for place in places.sockets(config):
        door = socket.socket(socket.AF_UNIX)
        try:
            # not by settimeout: where many wait in line, connect would fail at once instead of waiting for its turn
            door.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", _HELLO_SECONDS, 0))
            door.connect(place)
            door.settimeout(_HELLO_SECONDS)
            if places.is_of_the_master(door, place):
                return door
        except OSError:
            pass
        door.close()
    raise Elsewhere("the engine deploy does not run")


def _greeted(door: socket.socket, frames: wire.Frames, config: str) -> None:
    """Wait until the door opens, before anything is asked.

    Raises:
        Elsewhere: it does not, or it is the door of another master.
        SystemExit: whoever asks may not.
    """
    try:
        told: list[wire.Message] = []
        while not told:
            piece = door.recv(wire.MOST_BYTES)
            if not piece:
                raise Elsewhere("the door was shut")
            told = frames.feed(piece)
    except (OSError, wire.WireError) as error:
        raise Elsewhere(str(error)) from None
    if "refused" in told[0]:
        _say(str(told[0]["refused"]))
        raise SystemExit(1)
    if not places.is_same(str(told[0].get("config", "")), os.path.join(config, "master")):
        raise Elsewhere("the door has no room now, or is another master's")


def _result(door: socket.socket, frames: wire.Frames, request: bytes) -> int:
    door.settimeout(None)
    try:
        socket.send_fds(door, [request], [_stream(number) for number in range(wire.STREAMS)])
    except OSError:
        pass  # what it has said before it went away follows
    try:
        while piece := door.recv(wire.MOST_BYTES):
            for told in frames.feed(piece):
                if "refused" in told:
                    _say(str(told["refused"]))
                    return 1
                if "exit" in told:
                    return int(str(told["exit"]))
    except (OSError, ValueError, wire.WireError):
        pass
    _say("the process that looked on has ended. A deploy that has begun goes on. Next: saltdeploy watch")
    return 1


def _stream(number: int) -> int:
    """A standard stream; where it is closed, one that is empty."""
    try:
        os.fstat(number)
        return number
    except OSError:
        return os.open(os.devnull, os.O_RDWR)


class _Signals:
    """Passes Ctrl-C and SIGTERM on: what they mean is decided where the deploy is looked at. The third Ctrl-C leaves."""

    def __init__(self, door: socket.socket) -> None:
        self._door = door
        self._stops = 0

    def __enter__(self) -> _Signals:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self._stops += number == signal.SIGINT
        if self._stops > 2:
            os._exit(_STOPPED)
        name = "stop" if number == signal.SIGINT else "leave"
        try:
            self._door.send(wire.pack({"signal": name}), socket.MSG_DONTWAIT)
        except OSError:
            os._exit(_STOPPED)


# -- without it -----------------------------------------------------------------------------------------


def _salt_run(config: str, options: list[str], words: list[str], reason: str) -> int:
    beside = os.path.join(os.path.dirname(os.path.abspath(sys.argv[0])), "salt-run")
    program = beside if os.access(beside, os.X_OK) else "salt-run"
    sys.stdout.flush()
    try:
        os.execvp(program, [program, "-c", config, *options, *words])
    except OSError as error:
        _say(f"{reason}, and {program} cannot be run: {error.strerror}. Next: systemctl status salt-master")
    return 1


def _say(text: str) -> None:
    print(f"saltdeploy: {text}", file=sys.stderr, flush=True)
