"""Hosts without a minion: what the master's configuration says of them, and what a roster of salt-ssh says of each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from saltdeploy.config import values
from saltdeploy.config.targets import SSH_HOSTS as SETTING
from saltdeploy.config.values import Wrong
from saltdeploy.lib.errors import BadName, ConfigError
from saltdeploy.protocol.release import check_host

#: What a shell of the host starts, and what sudo may be allowed to start.
_COMMAND = re.compile(r"/[A-Za-z0-9_./+-]{1,250}")
#: A name or an address. It must not begin with a dash, which ssh would take for an option.
_ADDRESS = re.compile(r"[A-Za-z0-9:][A-Za-z0-9._:%-]{0,252}")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9._-]{0,63}\$?")
_KEYS = "docs/ssh-hosts.md has all keys"


@dataclass(frozen=True)
class SshSettings:
    """What the master's configuration says at ``deploy_ssh_hosts``.

    Attributes:
        roster: backends of Salt's roster, in whose order hosts are looked for.
        roster_file: of the backend ``flat``; "" for Salt's own place.
        known_hosts: the file with the keys of hosts; "" for the places of OpenSSH.
        command: the program on hosts whose roster says ``sudo: True``; no other one is started by sudo.
        at_once: so many connections are being made at once.
        connect: seconds until a connection has to be there.
    """

    roster: tuple[str, ...] = ("flat",)
    roster_file: str = ""
    known_hosts: str = ""
    command: str = "/usr/local/sbin/saltdeploy-host"
    at_once: int = 16
    connect: float = 10.0


@dataclass(frozen=True)
class SshHost:
    """One host of the roster.

    Attributes:
        id: as operators call it.
        address: name or address.
        port, user: where and as whom.
        key: file of the private key.
        sudo: whether the command is started by sudo.
        grains: what the roster says of it, for target expressions and the pillar.
    """

    id: str
    address: str
    port: int = 22
    user: str = "root"
    key: str = ""
    sudo: bool = False
    grains: Mapping[str, Any] = field(default_factory=dict, hash=False)


def settings(value: Any) -> SshSettings:
    """What the master's configuration has at ``deploy_ssh_hosts``.

    Raises:
        ConfigError: it is not valid.
    """
    readers = {
        "roster": _backends,
        "roster_file": values.absolute,
        "known_hosts": values.absolute,
        "command": _command,
        "at_once": values.whole(1, 500),
        "connect": values.seconds(1),
    }
    try:
        return SshSettings(**values.table(value, readers))
    except Wrong as error:
        raise ConfigError(
            str(error), path=":".join((SETTING, *error.path)), next=f"correct it; {_KEYS}"
        ) from None


def of_roster(name: str, entry: Any, default_key: str) -> SshHost:
    """One host, as a roster has it.

    Args:
        name: its id.
        entry: what stands there.
        default_key: the private key where the entry names none.

    Raises:
        ConfigError: nothing can be reached by it, or not in the way that is asked for.
        BadName: the id cannot stand in a path or a command.
    """
    said = {"host": entry} if isinstance(entry, str) else entry
    if not isinstance(said, Mapping):
        raise _wrong(name, "", "must be a table, or an address")
    try:
        check_host(name)
    except BadName as error:
        raise BadName(error.cause, next="give it another id in the roster") from None
    key = str(said.get("priv") or default_key)
    if key == "agent-forwarding":
        raise _wrong(name, "priv", "an agent is never asked, and none is forwarded: name a file")
    if said.get("passwd") and not said.get("priv"):
        raise _wrong(name, "passwd", "no password is given to ssh: name a private key at priv")
    if said.get("priv_passwd"):
        raise _wrong(
            name, "priv_passwd", "nobody is there to type it: name a private key without one at priv"
        )
    if said.get("sudo_user"):
        raise _wrong(name, "sudo_user", "sudo is asked for root only")
    return SshHost(
        id=name,
        address=_matching(name, "host", said.get("host"), _ADDRESS),
        port=_port(name, said.get("port") or 22),
        user=_matching(name, "user", said.get("user") or "root", _USER),
        key=key,
        sudo=said.get("sudo") is True,
        grains=_grains(said),
    )


def _grains(said: Mapping[str, Any]) -> dict[str, Any]:
    options = said.get("minion_opts")
    grains = options.get("grains") if isinstance(options, Mapping) else None
    return dict(grains) if isinstance(grains, Mapping) else {}


def _port(name: str, value: Any) -> int:
    text = str(value)
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 65_536):
        raise _wrong(name, "port", f"must be a port, not {text[:20]!r}")
    return int(text)


def _matching(name: str, key: str, value: Any, form: re.Pattern[str]) -> str:
    text = value if isinstance(value, str) else ""
    if not form.fullmatch(text):
        raise _wrong(name, key, f"nothing that ssh is given: {str(value)[:80]!r}")
    return text


def _wrong(name: str, key: str, cause: str) -> ConfigError:
    return ConfigError(
        cause,
        host=name,
        path=":".join(filter(None, ("roster", name, key))),
        next=f"correct the roster; {_KEYS}",
    )


def _backends(value: Any) -> tuple[str, ...]:
    listed = (
        value.split(",") if isinstance(value, str) else values.list_of(value, "backends of Salt's roster")
    )
    return tuple(values.text(each).strip() for each in listed)


def _command(value: Any) -> str:
    text = values.text(value)
    if not _COMMAND.fullmatch(text):
        raise Wrong("must be the path of a program, without words behind it")
    return text
