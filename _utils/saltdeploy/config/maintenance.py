"""The key ``maintenance`` of a repo: what tells a host's users that it is being worked on; docs/services.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from saltdeploy.config import values
from saltdeploy.config.values import Wrong
from saltdeploy.lib.disk import literal


@dataclass(frozen=True)
class Maintenance:
    """How a host is put under maintenance, and out of it again.

    Attributes:
        file: is there as long as the host is under maintenance; "" for none.
        on, off: argument lists; () for none.
        switch: whether each switch puts the host under maintenance; else only an operator does.
        keep: whether a switch that fails leaves it so.
        timeout: seconds for each command.
    """

    file: str = ""
    on: tuple[str, ...] = ()
    off: tuple[str, ...] = ()
    switch: bool = True
    keep: bool = False
    timeout: float = 60.0


def maintenance(value: Any) -> Maintenance | None:
    """A reader of ``maintenance``: ``{file: /run/site.maintenance}``, or commands ``on`` and ``off``."""
    if value is None:
        return None
    if isinstance(value, dict):
        value = {_SWITCHES.get(str(key).lower(), key): each for key, each in value.items()}
    read = values.table(
        value,
        {
            "file": _place,
            "on": values.command,
            "off": values.command,
            "switch": values.flag,
            "keep": values.flag,
            "timeout": values.seconds(0.1),
        },
    )
    if ("on" in read) != ("off" in read):
        raise Wrong("needs both of on and off, or neither")
    if "file" not in read and "on" not in read:
        raise Wrong("needs file, or on and off")
    return Maintenance(**read)


#: YAML reads the bare words ``on`` and ``off`` as truth values.
_SWITCHES = {"true": "on", "false": "off"}


def _place(value: Any) -> str:
    path = values.absolute(value)
    if literal(path) == "/" or ".." in path.split("/") or not path.isprintable():
        raise Wrong("must be an absolute path without .., and not /")
    return literal(path)
