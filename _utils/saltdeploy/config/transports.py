"""What is known of each transport, in one table; everything else that names transports reads it here.

A transport is a row here and a file below ``transports/``; or both in a package of somebody else, with an entry point in
the group :data:`GROUP`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from saltdeploy.config.plugins import Table
from saltdeploy.config.values import Wrong
from saltdeploy.lib.errors import ConfigError

GROUP = "saltdeploy.transports"
#: The cheapest for each host.
AUTO = "auto"
#: By this name a bundle travels by swarm; another transport does with its own name, a plus and this.
SWARM = "swarm"
DEFAULT = "bundle"
_ALL = ("slots", "releases", "overlay", "inplace")
_WHOLE_TREES = ("slots", "releases")


@dataclass(frozen=True)
class Cost:
    """What a transport costs beyond a bundle, measured: see "What each costs" in docs/transports.md.

    Attributes:
        share: of the bytes of all files that at least travels.
        packing: seconds of the master for each MB of all files.
        unpacking: seconds of the host for each MB of all files.
        from_base: it starts from a release that the host holds, else it is another transport; and ``share`` is of what a
            bundle has beside trees.
    """

    share: float = 0.0
    packing: float = 0.0
    unpacking: float = 0.0
    from_base: bool = False


@dataclass(frozen=True)
class TransportRow:
    """What is known of a transport.

    Attributes:
        name: what an operator writes: 1 to 20 small letters.
        does: the class that does the work, as ``package.module:Class``; see :class:`saltdeploy.transports.Transport`.
        kinds: of the payloads that it packs, first the one that a bare host begins with; () where targets fetch by
            themselves. Each kind means the same bytes in all transports.
        programs: what a host runs for it besides git.
        packers: what the master runs for it besides git.
        layouts: it goes with these.
        swarm: its payloads may travel by swarm.
        sized: ``deploy.plan`` packs it to tell its size.
        url: the key of the repo that must say where targets fetch from; "" for none.
        cost: what ``auto`` reckons with; None: it is never chosen. Of a package's own transport it is not looked at:
            the master does not know which hosts have the package.
    """

    name: str
    does: str
    kinds: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    packers: tuple[str, ...] = ()
    layouts: tuple[str, ...] = _WHOLE_TREES
    swarm: bool = False
    sized: bool = False
    url: str = ""
    cost: Cost | None = None

    def __post_init__(self) -> None:
        lists = (self.kinds, self.programs, self.packers, self.layouts)
        if not all(isinstance(each, tuple) and all(isinstance(word, str) for word in each) for each in lists):
            raise TypeError("kinds, programs, packers and layouts must be tuples of texts")
        if not isinstance(self.does, str) or ":" not in self.does:
            raise TypeError("does must be a text: package.module:Class")


TABLE = Table(
    "transport",
    GROUP,
    TransportRow,
    (
        TransportRow(
            "bundle",
            "saltdeploy.transports.bundle:Bundle",
            kinds=("bundle", "squeezed"),
            layouts=_ALL,
            swarm=True,
            sized=True,
            cost=Cost(),
        ),
        TransportRow("git", "saltdeploy.transports.git:Git", layouts=_ALL, url="url"),
        TransportRow(
            "tar",
            "saltdeploy.transports.tar:Tar",
            kinds=("trees", "tar"),
            programs=("zstd",),
            packers=("zstd",),
            swarm=True,
            sized=True,
            cost=Cost(share=0.04, packing=0.042, unpacking=0.013),
        ),
        TransportRow(
            "delta",
            "saltdeploy.transports.delta:Delta",
            kinds=("trees", "delta", "tar"),
            programs=("zstd", "xdelta3"),
            packers=("zstd", "xdelta3"),
            swarm=True,
            sized=True,
            cost=Cost(share=0.25, packing=0.13, unpacking=0.035, from_base=True),
        ),
        TransportRow(
            "rsync",
            "saltdeploy.transports.rsync:Rsync",
            kinds=("trees",),
            programs=("rsync",),
            url="rsync_url",
        ),
        TransportRow(
            "squashfs",
            "saltdeploy.transports.squashfs:Squashfs",
            kinds=("trees", "image", "overlay"),
            programs=("unsquashfs",),
            packers=("sqfstar",),
            layouts=(*_WHOLE_TREES, "overlay"),
            swarm=True,
            cost=Cost(share=0.04, packing=0.13, unpacking=0.01),
        ),
    ),
)


def row(name: str) -> TransportRow:
    """What is known of the transport of this name.

    Raises:
        ConfigError: there is none, or the package that brings it is broken.
    """
    found = TABLE.find(name)
    if found is None:
        raise ConfigError(
            f"there is no transport {name[:40]!r}", next=f"choose one of {', '.join(choices())}"
        )
    return found


def choices(*, swarm: bool = True) -> list[str]:
    """All that an operator can write.

    Args:
        swarm: also what travels by swarm, which is said for a whole repo.
    """
    rows = TABLE.rows()
    by_swarm = [f"{name}+{SWARM}" for name in (*(each.name for each in rows if each.swarm), AUTO)]
    return [*(each.name for each in rows), AUTO, *([SWARM, *by_swarm] if swarm else [])]


def split(transport: str) -> tuple[str, bool]:
    """What an operator wrote, as the transport proper and whether its payloads travel by swarm."""
    name, plus, way = transport.partition("+")
    if transport == SWARM:
        return DEFAULT, True
    return (name, True) if plus and way == SWARM and _travels_by_swarm(name) else (transport, False)


def _travels_by_swarm(name: str) -> bool:
    known = TABLE.find(name)
    return name == AUTO or (known is not None and known.swarm)


def of_repo(value: Any) -> str:
    """A reader of what stands in the pillar for a whole repo."""
    return _read(value, swarm=True)


def of_group(value: Any) -> str:
    """A reader of what stands in the pillar for the hosts of a group."""
    return _read(value, swarm=False)


def _read(value: Any, swarm: bool) -> str:
    try:
        name, by_swarm = split(value) if swarm and isinstance(value, str) else (value, False)
        if isinstance(name, str) and (name == AUTO or TABLE.find(name)):
            return str(value)
    except ConfigError as error:  # of a broken package
        raise Wrong(f"{error.cause}; {error.next}") from None
    raise Wrong(f"must be one of {', '.join(choices(swarm=swarm))}")


def refuse_unfit(transport: str, layout: str, repo: str, *path: object) -> None:
    """See to it that a layout can make something of what a transport brings.

    Args:
        path: keys from the repo's section down to where the transport is named; ``transport`` if it is left out.

    Raises:
        ConfigError: it cannot.
    """
    if transport == AUTO or layout in row(transport).layouts:
        return
    takes = [each.name for each in TABLE.rows() if layout in each.layouts]
    raise ConfigError(
        f"layout {layout} can make nothing of what transport {transport} brings",
        repo=repo,
        path=":".join(["repo_config", repo, *map(str, path or ("transport",))]),
        next=f"set transport to {' or '.join(takes)}, or layout to slots",
    )


def refuse_unseen(visible: int, layout: str, repo: str) -> None:
    """See to it that a layout can show several releases at once where that is wanted.

    Raises:
        ConfigError: it cannot.
    """
    if visible > 1 and layout != "overlay":
        raise ConfigError(
            f"layout {layout} shows one release at a time",
            repo=repo,
            path=f"repo_config:{repo}:visible_releases",
            next="leave it out, or set layout to overlay",
        )


def candidates(layout: str) -> tuple[str, ...]:
    """What ``transport: auto`` can mean, the usual one first."""
    return tuple(each.name for each in TABLE.built_in.values() if each.cost and layout in each.layouts)


def usual(transport: str, layout: str) -> str:
    """A transport by its own name: where nothing was chosen for a host, ``auto`` means the usual one."""
    return candidates(layout)[0] if transport == AUTO else transport


def cost(name: str) -> Cost:
    """What a transport costs beyond a bundle; nothing, where nothing is known of it."""
    return row(name).cost or Cost()


def programs() -> tuple[str, ...]:
    """What hosts run for the transports from which ``auto`` chooses; each host tells which of them it has."""
    rows = [each for each in TABLE.built_in.values() if each.cost]
    return tuple(dict.fromkeys(program for each in rows for program in each.programs))
