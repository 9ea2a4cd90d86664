"""Ships tagged releases to a fleet that runs Salt: all the logic, in plain Python.

Nothing in this package imports Salt. The doors (``_modules``, ``_runners``, ``_states``, ...) pass in
what it needs: a bus to publish and hear on, a way to fetch a file, a way to call a function.

Read ``master/deploy.py`` for one deploy from top to bottom and ``minion/stages.py`` for one stage on one host.
"""

import contextlib
import importlib
import importlib.abc
import os
import sys
from pathlib import Path

__version__ = "0.2.0"
_BESIDE = ("saltbridge", "saltclient")  # they lie beside this package, and are replaced with it
_SYNC = "sync all (salt-run saltutil.sync_all; salt '*' saltutil.sync_all)"
_SELF = Path(__file__)


class PackageReplaced(ImportError):
    """The package on disk is of another version than what is in memory, or than the door; or only a part of it is here.

    Attributes:
        cause: what was found.
        next: what to do.
    """

    def __init__(self, cause: str, next_act: str) -> None:
        super().__init__(f"{cause}. Next: {next_act}")
        self.cause = cause
        self.next = next_act


def _says_our_version(path: Path) -> bool:
    try:
        return f'"{__version__}"' in path.read_text("utf-8")
    except OSError:
        return False


def _is_complete() -> bool:
    """Whether all files are of this version: Salt copies them one by one, and processes start meanwhile."""
    return _says_our_version(_SELF.with_name("written_last.py"))


if not _is_complete():
    raise PackageReplaced(
        f"the package saltdeploy is being replaced by version {__version__}, or only a part of that is here",
        f"the same again in a moment; if that does not help, {_SYNC}",
    )


class OneVersion(importlib.abc.MetaPathFinder):
    """Stands before each import of a module of ours: what is loaded late must be of the version that was loaded first.

    A sync replaces the files under a process that runs. The first one that it writes is this one, and the last one is
    ``written_last.py``: while both are ours, so is all between them.
    """

    def __init__(self) -> None:
        self._seen: list[tuple[int, int, int]] = []

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Refuse a module of ours when the files are another version's; find nothing.

        Raises:
            PackageReplaced: they are.
        """
        if name.partition(".")[0] not in (__name__, *_BESIDE) or name in (__name__, *_BESIDE):
            return
        seen = self._look()
        if seen and seen == self._seen:
            return
        if not (_says_our_version(_SELF) and _is_complete()):
            raise PackageReplaced(
                f"the package saltdeploy was replaced under this process, which has {__version__} in memory",
                f"the same again, in a new process; if that does not help, {_SYNC}, and restart this daemon of Salt",
            )
        self._seen = seen

    def _look(self) -> list[tuple[int, int, int]]:
        """What tells, without reading them, that none of both files was written since."""
        found = []
        for path in (_SELF, _SELF.with_name("written_last.py")):
            with contextlib.suppress(OSError):
                state = os.stat(path)
                found.append((state.st_ino, state.st_mtime_ns, state.st_size))
        return found


class NoFile(importlib.abc.MetaPathFinder):
    """Stands behind all that find modules: one of ours that nobody finds was not copied.

    A master's file server lists its files anew only after ``fileserver_list_cache_time``, 20 seconds. A sync before that
    brings what is new in the files of the list, and no file that is not in it.
    """

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Say that a module of ours is missing, and why it may be.

        Raises:
            PackageReplaced: it is.
        """
        if name.partition(".")[0] in (__name__, *_BESIDE):
            raise PackageReplaced(
                f"the package saltdeploy {__version__} is here without its module {name}",
                f"{_SYNC}; twenty seconds after the last time, since the master's file server may have listed its files then",
            )


# in place of those of a version which was loaded before
_FINDERS = (OneVersion, NoFile)
_NAMES = [each.__name__ for each in _FINDERS]
sys.meta_path[:] = [each for each in sys.meta_path if type(each).__name__ not in _NAMES]
sys.meta_path.insert(0, OneVersion())
sys.meta_path.append(NoFile())


def require(version: str) -> None:
    """See to it that the package has the version that a door was written for.

    Processes of Salt that live long keep a package that was replaced on disk, and a copy from pip hides a
    synced one: then door and package would not fit together.

    Args:
        version: the door's version.

    Raises:
        PackageReplaced: when what can be imported has another one.
    """
    if version == __version__:
        return
    for name in [name for name in sys.modules if name.split(".")[0] in (__name__, *_BESIDE)]:
        del sys.modules[name]
    found = importlib.import_module(__name__).__version__
    if found != version:
        raise PackageReplaced(
            f"the door is saltdeploy {version}, the package is {found}",
            f"{_SYNC}, or upgrade the copy that pip installed",
        )
