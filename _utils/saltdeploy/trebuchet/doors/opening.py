"""The doors by their names: what operators write at ``deploy.door``."""

from __future__ import annotations

from collections.abc import Callable

from saltdeploy.lib.text import legible
from saltdeploy.trebuchet.doors import Door
from saltdeploy.trebuchet.doors.peer_run import PeerRun
from saltdeploy.trebuchet.doors.salt_run import SaltRun
from saltdeploy.trebuchet.refusal import CONFIGURATION, Refusal
from saltdeploy.trebuchet.settings import Settings


def _salt_api(settings: Settings) -> Door:
    from saltdeploy.trebuchet.doors.salt_api import (
        SaltApi,  # its http client takes longer to load than all the rest
    )

    return SaltApi(settings)


_DOORS: dict[str, Callable[[Settings], Door]] = {"salt-run": SaltRun, "peer": PeerRun, "api": _salt_api}


def open_door(settings: Settings) -> Door:
    """The configured way.

    Raises:
        Refusal: there is no such way.
    """
    name = settings.door.get("deploy.door", "salt-run")
    make = _DOORS.get(name)
    if make is None:
        raise Refusal(
            f"deploy.door is {legible(name)}, and none of {', '.join(_DOORS)}",
            CONFIGURATION,
            "the master cannot be reached",
            repo=settings.repo,
            next="git config --global deploy.door salt-run",
        )
    return make(settings)
