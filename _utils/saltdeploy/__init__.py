"""Ships tagged releases to a fleet that runs Salt: all the logic, in plain Python.

Nothing in this package imports Salt. The doors (``_modules``, ``_runners``, ``_states``, ...) pass in
what it needs: a bus to publish and hear on, a way to fetch a file, a way to call a function.

Read ``master/deploy.py`` for one deploy from top to bottom and ``minion/stages.py`` for one stage on one host.
"""

import importlib
import sys
from pathlib import Path

__version__ = "0.2.0"
_BRIDGE = "saltbridge"  # it lies beside this package, is replaced with it, and keeps parts of it
_SYNC = "sync all (salt-run saltutil.sync_all; salt '*' saltutil.sync_all)"


def _is_complete() -> bool:
    """Whether all files are of this version: Salt copies them one by one, and processes start meanwhile."""
    try:
        return f'"{__version__}"' in Path(__file__).with_name("written_last.py").read_text("utf-8")
    except OSError:
        return False


if not _is_complete():
    raise ImportError(
        f"the package saltdeploy is being replaced by version {__version__}, or only a part of that is here. "
        f"Next: the same again in a moment; if that does not help, {_SYNC}"
    )


def require(version: str) -> None:
    """See to it that the package has the version that a door was written for.

    Processes of Salt that live long keep a package that was replaced on disk, and a copy from pip hides a
    synced one: then door and package would not fit together.

    Args:
        version: the door's version.

    Raises:
        ImportError: when what can be imported has another one.
    """
    if version == __version__:
        return
    for name in [name for name in sys.modules if name.split(".")[0] in (__name__, _BRIDGE)]:
        del sys.modules[name]
    found = importlib.import_module(__name__).__version__
    if found != version:
        raise ImportError(
            f"the door is saltdeploy {version}, the package is {found}. "
            f"Next: {_SYNC}, or upgrade the copy that pip installed"
        )
