"""What git is shown of a git directory: its objects, refs, HEAD and index, and nothing by which its owner could have a program run.

The owner of a work tree, or of the repository that a master reads, is seldom the user that we run as. A git directory names
programs in many places: in its configuration (file system monitors, filters, helpers, what is included), in ``hooks``, in
``info/attributes``. No list of them is complete, and what was looked at may be another file when git reads it. So git gets a
*common directory* of ours (``GIT_COMMON_DIR``, see gitrepository-layout(5)): there it looks for all of these.

A process makes one for each repository that it works on, and deletes it when it ends. One in which anything is not as it was made
is never used again.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.util import Finalize
from pathlib import Path

from saltdeploy.git.command import run, settings
from saltdeploy.lib import landlock
from saltdeploy.lib.errors import Corrupt, DeployError
from saltdeploy.lib.os_errors import from_os

# what is read and written where the owner has it; the objects are named by a variable of their own
_WRITTEN = ("refs", "packed-refs", "shallow")
_THERE_OR_NOT = ("reftable", "logs", "worktrees")
# whatever .gitattributes says, and whoever has configured the filter: git-lfs's own reads the owner's configuration
UNFILTERED = b"* -filter\n"
#: For taking in files with the bytes that they have.
EXACT = b"* -filter -text -ident -working-tree-encoding\n"
# without these git cannot read the repository, or writes into it what its users cannot read
_FORMAT = (
    "core.repositoryformatversion",
    "core.filemode",
    "core.ignorecase",
    "core.sharedrepository",
    "core.symlinks",
    "extensions.compatobjectformat",
    "extensions.objectformat",
    "extensions.partialclone",
    "extensions.preciousobjects",
    "extensions.refstorage",
)
_WORD = re.compile(r"[A-Za-z0-9_.-]+")
_MOST = 1 << 20  # bytes of a configuration
_NO_LOGS = b"[core]\nlogallrefupdates = false\n"  # as in a bare repository


@contextlib.contextmanager
def shielded(
    git_dir: Path, tree: Path | None = None, attributes: bytes = UNFILTERED
) -> Iterator[dict[str, str]]:
    """The environment for git's work on a git directory.

    Args:
        git_dir: not that of a linked work tree.
        tree: the work tree; None for an empty one, so that no attributes are read from where this process is.
        attributes: what counts before all attributes of the tree.

    Raises:
        Corrupt: its configuration is none.
        DiskFull, NoPermission: there is no place for temporary files.
    """
    place = git_dir.absolute()
    config = _format(_read(place / "config"), str(place / "config"))
    try:
        common = _common(place, config if tree else config + _NO_LOGS, attributes)
    except OSError as error:
        raise from_os(error, path=tempfile.gettempdir()) from error
    yield {
        "GIT_DIR": str(place),
        "GIT_COMMON_DIR": str(common),
        "GIT_OBJECT_DIRECTORY": str(place / "objects"),
        "GIT_WORK_TREE": str(tree.absolute() if tree else common / "empty"),
    }


def work_tree_git(
    location: Path,
    arguments: list[str],
    status: int | None = None,
    index: Path | None = None,
    attributes: bytes = UNFILTERED,
) -> str:
    """Run git on the work tree at ``location`` (layout ``inplace`` only). It writes nowhere else, whatever links are there.

    Args:
        status: what an error shall have instead of git's exit code.
        index: an index file instead of the repository's own.
        attributes: see :func:`shielded`.

    Raises:
        Corrupt, GitFailed, DiskFull: see :func:`shielded` and :func:`saltdeploy.git.command.run`.
    """
    own = {"GIT_INDEX_FILE": str(index)} if index else {}
    try:
        with shielded(location / ".git", location, attributes) as environment:
            command = ["-C", str(location), *arguments]
            git = functools.partial(run, command, path=str(location), environment={**environment, **own})
            places = [location, Path(environment["GIT_COMMON_DIR"]), *([index.parent] if index else ())]
            done = landlock.confined(git, places)
    except DeployError as error:
        error.status = error.status if status is None else status
        raise
    return done.stdout.decode("utf-8", "surrogateescape")


def setting(git_dir: Path, key: str) -> str:
    """What the configuration in a git directory says, without what it includes; "" for nothing.

    Raises:
        Corrupt: it is none.
    """
    return _settings(_read(git_dir / "config"), str(git_dir / "config")).get(key, "")


@dataclass(frozen=True)
class _Made:
    """A common directory, and how it looked when it was made."""

    path: Path
    looks: tuple[tuple[int, ...], ...]


#: By process, git directory, configuration, what is linked to, and attributes; a forked child has its own.
_MADE: dict[tuple[int, Path, bytes, tuple[str, ...], bytes], _Made] = {}


def _common(place: Path, config: bytes, attributes: bytes) -> Path:
    """The common directory for a git directory: the one that this process has made, as long as nothing in it has changed."""
    links = (*_WRITTEN, *(each for each in _THERE_OR_NOT if (place / each).exists()))
    key = (os.getpid(), place, config, links, attributes)
    made = _MADE.get(key)
    if made is None or made.looks != _looks(made.path):
        path = Path(tempfile.mkdtemp(prefix="saltdeploy-"))
        Finalize(
            None, shutil.rmtree, (path, True), exitpriority=0
        )  # also at the end of a forked job of Salt's
        _furnish(path, place, config, links, attributes)
        made = _MADE[key] = _Made(path, _looks(path))
    return made.path


def forget() -> None:
    """Delete what this process has made; for one that ends without cleaning up."""
    for key in [key for key in _MADE if key[0] == os.getpid()]:
        shutil.rmtree(_MADE.pop(key).path, ignore_errors=True)


def _furnish(common: Path, place: Path, config: bytes, links: tuple[str, ...], attributes: bytes) -> None:
    (common / "empty").mkdir()
    (common / "info").mkdir()
    (common / "info" / "attributes").write_bytes(attributes)
    (common / "config").write_bytes(config)
    for name in links:
        (common / name).symlink_to(place / name)


def _looks(common: Path) -> tuple[tuple[int, ...], ...]:
    """What changes when anything in a common directory does; () where it is gone."""
    try:
        names = (".", *sorted(os.listdir(common)), "info/attributes")
        seen = [os.lstat(common / name) for name in names]
    except OSError:
        return ()
    return tuple((each.st_dev, each.st_ino, each.st_mode, each.st_uid, each.st_ctime_ns) for each in seen)


def _read(file: Path) -> bytes:
    """The configuration, which may be anything at all; nothing where there is none."""
    try:
        fd = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except OSError as error:
        raise from_os(error, path=str(file)) from error
    try:
        seen = os.fstat(fd)
        if not stat.S_ISREG(seen.st_mode) or seen.st_size > _MOST:
            raise Corrupt(f"is not a plain file of at most {_MOST} bytes", path=str(file))
        return os.read(fd, _MOST)
    finally:
        os.close(fd)


@functools.lru_cache(maxsize=64)
def _format(data: bytes, path: str) -> bytes:
    """The part of a configuration that says how to read the repository."""
    said = _settings(data, path)
    known = [(key.split("."), said[key]) for key in _FORMAT if _WORD.fullmatch(said.get(key, ""))]
    return "".join(f"[{section}]\n{name} = {value}\n" for (section, name), value in known).encode()


def _settings(data: bytes, path: str) -> dict[str, str]:
    try:
        return settings(data) if data else {}
    except Corrupt as error:
        raise error.at(path=path) from None
