"""Where a repo lies on a target: its live path, what is kept beside it, and that no two repos are in each other's way."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from saltdeploy.lib.disk import is_below, literal
from saltdeploy.lib.errors import ConfigError

#: Directories of the host's own: whatever becomes live there would hide what the host needs.
_OF_THE_HOST = frozenset(
    "/bin /boot /dev /dev/shm /etc /home /lib /lib32 /lib64 /libx32 /media /mnt /opt /proc /root /run /sbin /srv /sys /tmp "
    "/usr /usr/bin /usr/include /usr/lib /usr/lib32 /usr/lib64 /usr/libexec /usr/local /usr/local/bin /usr/local/etc "
    "/usr/local/lib /usr/local/sbin /usr/local/share /usr/sbin /usr/share /usr/src "
    "/var /var/cache /var/lib /var/lock /var/log /var/mail /var/opt /var/run /var/spool /var/tmp".split()
)
_OF_THE_KERNEL = ("/proc", "/sys")
_LONGEST_NAME = 235  # bytes of 255: what was found there is kept as <name>.<time>.<number>
_LONGEST_PATH = 2048  # bytes of 4096: the paths of a release come behind it


def refuse_reserved(name: str, location: Path, real: Path | None = None) -> None:
    """See to it that a location is none of the host's own directories, and that its name leaves room for those beside it.

    Args:
        name, location: of one repo.
        real: what the location is on the disk, where that is known.

    Raises:
        ConfigError: it is not to be used.
    """
    place = str(real or location)
    shown = f"{location}, which is {place} on the disk," if place != str(location) else place
    if place in _OF_THE_HOST or any(is_below(place, above) for above in _OF_THE_KERNEL):
        raise _unfit(name, f"{shown} is the system's own directory; a release would take its place")
    long = len(os.fsencode(location.name))
    if long > _LONGEST_NAME:
        raise _unfit(
            name,
            f"the last part of {shown} has {long} bytes; {_LONGEST_NAME} leave room for what lies beside it",
        )
    long = len(os.fsencode(place))
    if long > _LONGEST_PATH:
        raise _unfit(name, f"{shown} has {long} bytes; {_LONGEST_PATH} leave room for the files of a release")


def refuse_on_disk(name: str, location: Path, others: dict[str, Path]) -> None:
    """The same as :func:`refuse_reserved` and :func:`refuse_nesting`, by what the paths are on this host's disk.

    Args:
        others: where other repos of this host are, by their names.

    Raises:
        ConfigError: a link leads to what another repo has, or the host itself.
    """
    mine = on_disk(location)
    refuse_reserved(name, location, mine)
    for other, theirs in others.items():
        if other != name and _overlap(mine, on_disk(theirs)):
            raise _unfit(
                name,
                f"{location} and {theirs} (repo {other}) lie in each other on this host's disk, at {mine} and "
                f"{on_disk(theirs)}; releases would overwrite each other",
            )


def on_disk(location: Path) -> Path:
    """What a location is on the disk: links that lead to it are followed, that at the location itself is not."""
    return Path(os.path.realpath(location.parent), location.name)


def _unfit(name: str, why: str) -> ConfigError:
    return ConfigError(
        why,
        repo=name,
        path=f"repo_config:{name}:location",
        next="give it a location of its own, such as /srv/deployment/<repo>",
    )


def area(location: Path) -> Path:
    """Where everything of a repo lies that is not live, beside its location."""
    return location.with_name(f".{location.name}.deploy")


def refuse_nesting(name: str, location: Path, repos: dict[str, Any], parent_dir: str) -> None:
    """See to it that no two repos overwrite each other.

    Args:
        name, location: of one repo.
        repos: the sections of all.
        parent_dir: where those without a location of their own live.

    Raises:
        ConfigError: two locations lie in each other.
    """
    for other, section in repos.items():
        said = section.get("location") if isinstance(section, dict) else None
        theirs = Path(literal(said if isinstance(said, str) and said else f"{parent_dir}/{other}"))
        if other != name and theirs.name and _overlap(location, theirs):
            raise ConfigError(
                f"{location} and {theirs} (repo {other}) lie in each other; releases would overwrite each other",
                repo=name,
                path=f"repo_config:{name}:location",
                next="give one of the two a location of its own",
            )


def _overlap(one: Path, other: Path) -> bool:
    """Whether one of the two locations, or what is kept beside it, lies in what the other has."""
    return any(
        mine == theirs or is_below(mine, theirs) or is_below(theirs, mine)
        for mine in (one, area(one))
        for theirs in (other, area(other))
    )
