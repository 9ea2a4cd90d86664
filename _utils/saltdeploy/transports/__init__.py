"""How a release gets to a target; one file per name that an operator can write as ``transport:``.

``bundle`` and ``git`` bring a commit with everything in it into the target's store. The others bring the commit and its
trees, which is little, and the contents of files apart from that. What is known of each stands in
:mod:`saltdeploy.config.transports`; its file is imported when it is used.
"""

from __future__ import annotations

from saltdeploy.config import plugins
from saltdeploy.config import transports as config_transports
from saltdeploy.transports.base import Arrival, Brought, Transport


def of(name: str) -> Transport:
    """The transport of this name.

    Raises:
        ConfigError: there is none, or the package that brings it is broken.
    """
    found: Transport = plugins.resolve(config_transports.row(name).does, f"transport {name}")()
    return found


__all__ = ["Arrival", "Brought", "Transport", "of"]
