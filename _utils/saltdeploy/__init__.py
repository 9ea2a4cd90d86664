"""Ships tagged releases to a fleet that runs Salt: all the logic, in plain Python.

Nothing in this package imports Salt. The doors (``_modules``, ``_runners``, ``_states``, ...) pass in
what it needs: a bus to publish and hear on, a way to fetch a file, a way to call a function.

Read ``master/deploy.py`` for one deploy from top to bottom and ``minion/stages.py`` for one stage on one host.
"""

import importlib
import sys

__version__ = "0.2.0"
_BRIDGE = "saltbridge"  # it lies beside this package, is replaced with it, and holds on to parts of it


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
            f"the door is saltdeploy {version}, the package is {found}. Next: sync all (salt-run saltutil.sync_all; "
            "salt '*' saltutil.sync_all), or upgrade the copy that pip installed"
        )
