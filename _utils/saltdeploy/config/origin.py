"""Where a repo's commits come from: what the master reads, and what targets may fetch from themselves; and the key by which git
reads that over ssh, the key ``deploy_key`` of a repo; docs/deploy-keys.md.

A deploy key is of nobody's configuration: no host keeps it beside that, and nothing shows it. The pillar may name it by an
address instead, which Salt looks up at the moment when the key is needed; a door says how when it begins (:func:`opens`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from saltdeploy.config import values
from saltdeploy.config.values import Wrong
from saltdeploy.lib.errors import ConfigError
from saltdeploy.protocol.release import base_of

SCHEMES = {"git-http": "http", "git-https": "https", "git-ssh": "ssh", "git": "git"}
#: How an address begins that Salt looks up.
STORED = "sdb://"
_MARKS = ("@cert-authority", "@revoked")
_PARTS = 3  # of a line of known_hosts: the hosts, the kind of the key, the key


@dataclass(frozen=True)
class DeployKey:
    """What git is given for ssh, and whom it may speak to.

    Attributes:
        key: a private key, or an address that begins with :data:`STORED`.
        known_hosts: lines as ssh has them in that file. Nobody else is spoken to.
    """

    key: str = field(repr=False)
    known_hosts: str


@dataclass(frozen=True)
class Origin:
    """Where a repo is kept.

    Attributes:
        source: where the master reads tags from: a path or a URL.
        url: where targets fetch from with transport ``git``.
        rsync_url: where targets reach the master's exported trees with transport ``rsync``.
        deploy_key: by which git reads them over ssh; None: as the user may whom Salt runs as.
    """

    source: str
    url: str
    rsync_url: str
    deploy_key: DeployKey | None = None


def origin(name: str, keys: dict[str, Any], deployment: dict[str, Any], site: str) -> Origin:
    """What holds for one repo; what it does not say, Trebuchet's deployment server does.

    Args:
        name: of the repo.
        keys, deployment: checked values of the repo's section and of ``deployment_config``.
        site: the grain ``site``, which chooses the server.
    """
    upstream = keys["upstream"] or ""
    server = deployment["servers"].get(site) or next(iter(deployment["servers"].values()), "")
    return Origin(
        source=keys["source"] or _staging(deployment["parent_dir"], base_of(name)) or upstream,
        url=keys["url"] or (f"{SCHEMES[keys['type']]}://{server}/{base_of(name)}" if server else upstream),
        rsync_url=keys["rsync_url"] or "",
        deploy_key=keys["deploy_key"],
    )


def _staging(parent_dir: str, name: str) -> str:
    """Trebuchet's staging repository, when this host is the deployment server."""
    staging = Path(parent_dir, name)
    return str(staging) if (staging / ".git").exists() else ""  # a file where its git directory is elsewhere


# -- the deploy key ----------------------------------------------------------------------------------------


def deploy_key(value: Any) -> DeployKey:
    """Read the section ``deploy_key``.

    Raises:
        Wrong: with the path of what is wrong, and never with what stands there.
    """
    if not isinstance(
        value, dict
    ):  # somebody has written the key itself: an error without a path would show it
        raise Wrong("must be a table with key and known_hosts", "key")
    known: dict[str, Callable[[Any], Any]] = {"key": _key, "known_hosts": _known_hosts}
    for each in value:
        if each not in known:
            raise Wrong(f"a key of this table is none that we know; they are {', '.join(known)}", "key")
    return DeployKey(**values.table(value, known, required=("key", "known_hosts"), path=()))


def as_file(key: str) -> str:
    """A private key as ssh reads it: pillars lose the last line feed, and editors write others.

    Raises:
        Wrong: it is none.
    """
    said = key.replace("\r\n", "\n").strip("\n") + "\n"
    if not said.startswith("-----BEGIN ") or "PRIVATE KEY-----" not in said.partition("\n")[0]:
        raise Wrong("is no private key: the first line of one is -----BEGIN OPENSSH PRIVATE KEY-----")
    return said


def _key(value: Any) -> str:
    said = values.text(value)
    return said.strip() if said.strip().startswith(STORED) else as_file(said)


def _known_hosts(value: Any) -> str:
    lines = value if isinstance(value, list) else values.text(value).splitlines()
    kept = [_host(each, number) for number, each in enumerate(lines)]
    if not any(kept):
        raise Wrong("names no host; ssh-keyscan shows the keys of one")
    return "".join(f"{line}\n" for line in kept if line)


def _host(line: Any, number: int) -> str:
    if not isinstance(line, str) or "\0" in line or "PRIVATE KEY" in line:
        raise Wrong("must be a line as in ssh's known_hosts", number)
    said = line.strip()
    parts = [part for part in said.split() if part not in _MARKS]
    if said and not said.startswith("#") and len(parts) < _PARTS:
        raise Wrong("must be hosts, the kind of the key, and the key, as in ssh's known_hosts", number)
    return "" if said.startswith("#") else said


# -- what Salt looks up ------------------------------------------------------------------------------------

_ways: list[Callable[[str], Any]] = []


def opens(look_up: Callable[[str], Any]) -> None:
    """From now on this process looks up addresses so."""
    _ways[:] = [look_up]


def secret_at(address: str, path: str) -> str:
    """What lies at an address.

    Args:
        path: where the pillar names it.

    Raises:
        ConfigError: nothing that is a text; the error holds the address and nothing else of it.
    """
    profile = address.partition("://")[2].partition("/")[0]
    try:
        found = _ways[0](address) if _ways else None
    except Exception as error:  # noqa: BLE001 - a driver of anybody's
        raise _unknown(address, path, f"it raises {type(error).__name__}", profile) from None
    if not isinstance(found, str) or not found or found == address:
        raise _unknown(address, path, "Salt finds nothing there", profile)
    return found


def _unknown(address: str, path: str, cause: str, profile: str) -> ConfigError:
    return ConfigError(
        f"{address} cannot be looked up: {cause}",
        path=path,
        next=f"see that the configuration of Salt on this host has the profile {profile!r} with a driver; "
        f"salt-call --local sdb.get {address}, on a target, and salt-run sdb.get {address}, on the master, show it",
    )
