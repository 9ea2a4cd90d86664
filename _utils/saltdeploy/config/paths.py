"""Where a repo lies on a target: its live path, what is kept beside it, what its trees share, and that no two repos are
in each other's way."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from saltdeploy.config.values import Wrong, text
from saltdeploy.lib.disk import is_below, literal
from saltdeploy.lib.errors import BadName, ConfigError
from saltdeploy.protocol.release import base_of

if TYPE_CHECKING:
    from saltdeploy.config.config_files import ConfigFile

#: Directories of the host's own: whatever becomes live there would hide what the host needs.
_OF_THE_HOST = frozenset(
    "/bin /boot /dev /dev/shm /etc /home /lib /lib32 /lib64 /libx32 /media /mnt /opt /proc /root /run /sbin /srv /sys /tmp "
    "/usr /usr/bin /usr/include /usr/lib /usr/lib32 /usr/lib64 /usr/libexec /usr/local /usr/local/bin /usr/local/etc "
    "/usr/local/lib /usr/local/sbin /usr/local/share /usr/sbin /usr/share /usr/src "
    "/var /var/cache /var/lib /var/lock /var/log /var/mail /var/opt /var/run /var/spool /var/tmp".split()
)
#: What lies beside the directories of repos in the cache of a minion.
_BESIDE_REPOS = frozenset({"booked", "booked.lock", "payloads", "swarm"})
#: What the master keeps beside a repo's own mirror, manifests and payloads is called by the repo's name with these behind it.
_ENDS_OF_THE_MASTER = (".submodules", "+commits", "+submodules")
_OF_THE_KERNEL = ("/proc", "/sys")
_LONGEST_NAME = 235  # bytes of 255: what was found there is kept as <name>.<time>.<number>
_LONGEST_PATH = 2048  # bytes of 4096: the paths of a release come behind it
_SHARED_KEYS = ("dirs", "files", "place")
_MOST_SHARED = 100  # paths
_LEAST_KEPT, _MOST_KEPT = 2, 100  # releases whose assets stay
_LONGEST_SHARED = 200  # bytes of a path
_MARK = 8  # digits
_LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")  # a shape has letters only


def refuse_reserved_name(name: str) -> None:
    """See to it that a repo has a name of its own.

    Raises:
        BadName: with one that it could have.
    """
    end = next((each for each in _ENDS_OF_THE_MASTER if name.endswith(each)), "")
    if name in _BESIDE_REPOS:
        raise BadName(
            f"{name} is the name of a directory in which every minion keeps something else",
            repo=name,
            next=f"call it otherwise in repo_config: {name}-releases",
        )
    if end:
        own = name.removesuffix(end)
        raise BadName(
            f"{name} is what this master calls things of a repo {own}",
            repo=name,
            next=f"call it otherwise in repo_config: {own}-{end[1:]}",
        )


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
    """See to it that no two repos overwrite each other. Environments of one repo are on different hosts; a host looks itself.

    Args:
        name, location: of one repo.
        repos: the sections of all.
        parent_dir: where those without a location of their own live.

    Raises:
        ConfigError: two locations lie in each other.
    """
    for other, section in repos.items():
        said = section.get("location") if isinstance(section, dict) else None
        theirs = Path(literal(said if isinstance(said, str) and said else f"{parent_dir}/{base_of(other)}"))
        if base_of(other) != base_of(name) and theirs.name and _overlap(location, theirs):
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


# -- what trees share ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class SharedPaths:
    """What is of a host's own and not of a release: directories and files that all trees of a repo share.

    Attributes:
        dirs, files: paths in a tree, relative to its top.
        place: where they are; "" for ``shared`` beside the releases.
        rendered: paths of files that each host renders for each release: no part of a tree either, and not shared.
    """

    dirs: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    place: str = ""
    rendered: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.left_out)

    @property
    def paths(self) -> tuple[str, ...]:
        """All that are shared, in order."""
        return tuple(sorted((*self.dirs, *self.files)))

    @property
    def left_out(self) -> tuple[str, ...]:
        """All that is no part of a tree, in order."""
        return tuple(sorted((*self.dirs, *self.files, *self.rendered)))

    @property
    def shape(self) -> str:
        """A mark of which paths are no part of a tree; "" for none."""
        if not self.left_out:
            return ""
        named = "\0".join(self.left_out).encode()
        mark = hashlib.sha256(named).hexdigest()[:_MARK].translate(_LETTERS)
        return f"shared{mark}"

    def holds(self, path: bytes) -> bool:
        """Whether a path of a release is one of these, or below one."""
        return any(path == each or path.startswith(each + b"/") for each in self._encoded)

    def is_above(self, directory: bytes) -> bool:
        """Whether a directory is there for one of these."""
        return any(each.startswith(directory + b"/") for each in self._encoded)

    @property
    def _encoded(self) -> tuple[bytes, ...]:
        return tuple(each.encode() for each in self.left_out)


NOTHING_SHARED = SharedPaths()


def shared(value: Any) -> SharedPaths:
    """A reader of ``shared`` in the pillar: ``{dirs: [uploads], files: [config/local.ini]}``, and perhaps ``place``."""
    if not isinstance(value, dict):
        raise Wrong("must be a table with dirs, files, or both")
    for key in value:
        if key not in _SHARED_KEYS:
            raise Wrong(f"the keys are {', '.join(_SHARED_KEYS)}", str(key))
    found = {key: tuple(_paths(value.get(key), key)) for key in ("dirs", "files")}
    refuse_nested((*found["dirs"], *found["files"]))
    return SharedPaths(**found, place=_place(value.get("place")))


def _paths(value: Any, key: str) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > _MOST_SHARED:
        raise Wrong(f"must be a list of at most {_MOST_SHARED} paths", key)
    found = []
    for number, each in enumerate(value):
        try:
            found.append(path_in_tree(each))
        except ValueError as error:
            raise Wrong(f"{error}; it is {each!r}"[:200], key, number) from None
    return found


def path_in_tree(value: Any) -> str:
    """A path inside a tree. A slash at its end does no harm."""
    path = text(value).removesuffix("/")
    parts = path.split("/")
    if path.startswith("/") or not path.isprintable() or len(path.encode()) > _LONGEST_SHARED:
        raise ValueError(
            f"must be a path within the tree, without a slash at its begin, of at most {_LONGEST_SHARED} bytes"
        )
    if any(part in ("", ".", "..") or part.lower() == ".git" for part in parts):
        raise ValueError("no part of it may be empty, a dot, two dots or .git")
    return path


def refuse_nested(paths: Collection[str]) -> None:
    """See to it that of these paths none is named twice, and none within another one.

    Raises:
        Wrong: one is.
    """
    for one, other in itertools.permutations(paths, 2):
        if one == other:
            raise Wrong(f"{one} is named twice")
        if other.startswith(f"{one}/"):
            raise Wrong(f"{other} is within {one}, which is shared")


@dataclass(frozen=True)
class KeptAssets:
    """Files of older releases that stay within reach of whoever still has their pages. False where there are none.

    Attributes:
        paths: in the tree of a release, with all that is below them.
        keep: of how many releases, the live one counted.
    """

    paths: tuple[str, ...] = ()
    keep: int = 3

    def __bool__(self) -> bool:
        return bool(self.paths)

    def holds(self, path: bytes) -> bool:
        """Whether a path of a release is one of these, or below one."""
        named = (each.encode() for each in self.paths)
        return any(path == each or path.startswith(each + b"/") for each in named)


NO_ASSETS = KeptAssets()


def assets(value: Any) -> KeptAssets:
    """Read ``assets``: ``paths`` and ``keep``.

    Raises:
        Wrong: with the path of what is wrong.
    """
    if not isinstance(value, dict):
        raise Wrong("must be a table with paths, and perhaps keep")
    if unknown := set(value) - {"paths", "keep"}:
        raise Wrong("is no key of assets; those are paths and keep", sorted(map(str, unknown))[0])
    found, keep = _paths(value.get("paths"), "paths"), value.get("keep", KeptAssets.keep)
    if isinstance(keep, bool) or not isinstance(keep, int) or not _LEAST_KEPT <= keep <= _MOST_KEPT:
        raise Wrong(f"must be a whole number from {_LEAST_KEPT} to {_MOST_KEPT}", "keep")
    refuse_nested(found)
    return KeptAssets(tuple(found), keep)


def _place(value: Any) -> str:
    if value is None:
        return ""
    path = text(value)
    if not path.startswith("/") or literal(path) == "/" or ".." in path.split("/") or not path.isprintable():
        raise Wrong("must be an absolute path without .., and not /", "place")
    return literal(path)


def refuse_place(shared_paths: SharedPaths, location: str, area: str) -> None:
    """See to it that what is shared lies in no tree: trees are deleted.

    Args:
        location, area: of the repo.

    Raises:
        Wrong: it does, or would be in the way of what lies beside the trees.
    """
    place = shared_paths.place
    if place and any(
        place == each or is_below(place, each) or is_below(each, place) for each in (location, area)
    ):
        raise Wrong(f"{place} lies in {location} or in what is kept beside it, or around them", "place")


# -- both ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RepoPaths:
    """Where a repo lies on a target.

    Attributes:
        location: the live path.
        shared: what is the host's own and stays whatever is deployed.
        revision_files: where ``REVISION`` and ``DEPLOY_HEAD`` tell what is live: ``beside`` the trees, or ``none``.
        config_files: files that each host renders for each release.
        assets: of older releases, which stay within reach.
    """

    location: Path
    shared: SharedPaths = NOTHING_SHARED
    revision_files: str = "beside"
    config_files: tuple[ConfigFile, ...] = ()
    assets: KeptAssets = NO_ASSETS

    @property
    def area(self) -> Path:
        """Where everything of the repo lies that is not live, beside ``location``.

        Not Trebuchet's ``shadow_location`` (``.<basename>``), which may still be there.
        """
        return area(self.location)

    @property
    def shared_place(self) -> Path:
        """Where what trees share is."""
        return Path(self.shared.place) if self.shared.place else self.area / "shared"


def locate(name: str, keys: dict[str, Any], parent_dir: str, repos: dict[str, Any]) -> Path:
    """The live path of one repo.

    Args:
        name: of the repo.
        keys: checked values of its section.
        parent_dir: where repos without a location of their own live.
        repos: the sections of all.

    Raises:
        ConfigError: it is the system's own, or in the way of another repo.
    """
    location = Path(keys["location"] or f"{parent_dir}/{base_of(name)}")
    refuse_reserved(name, location)
    refuse_nesting(name, location, repos, parent_dir)
    return location


def repo_paths(name: str, keys: dict[str, Any], location: Path) -> RepoPaths:
    """What holds for one repo.

    Raises:
        ConfigError: what trees share lies in one of them.
    """
    found: SharedPaths = keys["shared"]
    try:
        refuse_place(found, str(location), str(area(location)))
    except Wrong as error:
        path = ":".join(["repo_config", name, "shared", *error.path])
        raise ConfigError(str(error), repo=name, path=path) from None
    files = keys["config_files"] or ()
    return RepoPaths(
        location, _with_rendered(name, found, files), keys["revision_files"], files, keys["assets"]
    )


def _with_rendered(name: str, found: SharedPaths, files: tuple[ConfigFile, ...]) -> SharedPaths:
    """What trees have beside the files of a release: what they share, and what each host renders."""
    rendered = tuple(sorted(file.path for file in files))
    try:
        refuse_nested((*found.paths, *rendered))
    except Wrong as error:
        raise ConfigError(str(error), repo=name, path=f"repo_config:{name}:config_files") from None
    return replace(found, rendered=rendered) if rendered else found
