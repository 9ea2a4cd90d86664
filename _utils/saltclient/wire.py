"""Frames on the socket between the command ``saltdeploy`` and the master's warm door: four bytes of length, then JSON."""

from __future__ import annotations

import json
import struct

#: Bytes of a frame's JSON: no command that somebody types has as many.
MOST_BYTES = 65_536
#: What the command hands over with its request: standard input, output and error.
STREAMS = 3
#: What the door takes of the options of salt-run: they touch nothing but what is shown.
TAKEN = (
    "--out=",
    "--output=",
    "--log-level=",
    "--quiet",
    "--no-color",
    "--no-colour",
    "--force-color",
    "--force-colour",
)
#: What of the environment counts for what is shown, and for whose name a root's command carries.
PASSED_ON = ("TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "SUDO_USER")
_LENGTH = struct.Struct(">I")

Message = dict[str, object]


class WireError(Exception):
    """What came is no frame: too long, no JSON, or no object."""


def is_taken(option: str) -> bool:
    """Whether the door takes an option; with any other one salt-run itself is called."""
    return any(option == each or (each[-1] == "=" and option.startswith(each)) for each in TAKEN)


def pack(message: Message) -> bytes:
    """A message as one frame.

    Raises:
        WireError: it is longer than the other side would read.
    """
    text = json.dumps(message).encode()
    if len(text) > MOST_BYTES:
        raise WireError(f"a frame of {len(text)} bytes; {MOST_BYTES} are allowed")
    return _LENGTH.pack(len(text)) + text


class Frames:
    """Puts frames together from the pieces in which they arrive; keeps no more than one frame and what follows it."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, piece: bytes) -> list[Message]:
        """Take in what has arrived, and give the messages that are whole.

        Raises:
            WireError: what came is no frame.
        """
        self._held += piece
        whole = []
        while len(self._held) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._held)
            if length > MOST_BYTES:
                raise WireError(f"a frame of {length} bytes; {MOST_BYTES} are allowed")
            end = _LENGTH.size + length
            if len(self._held) < end:
                break
            whole.append(_message(self._held[_LENGTH.size : end]))
            self._held = self._held[end:]
        return whole


def _message(text: bytes) -> Message:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WireError(f"no JSON: {type(error).__name__}") from None
    if not isinstance(found, dict):
        raise WireError("no object")
    return found
