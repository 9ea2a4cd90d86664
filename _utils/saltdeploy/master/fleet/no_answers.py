"""What comes under a host's name and is no answer of ours: what it tells of the host, and what helps."""

from __future__ import annotations

import re

from saltdeploy.lib.errors import DeployError, Forged
from saltdeploy.protocol.orders import CHECKOUT, FETCH, ROLLBACK

_BLACKOUT = "Minion in blackout mode"  # Salt's words
#: The package's own, of this version and the one before (``saltdeploy/__init__.py``); Salt passes them on.
_REPLACED = re.compile(r"the door is saltdeploy |the package saltdeploy (is being|was) replaced ")


def is_of_a_sync(error: DeployError) -> bool:
    """Whether the host refused to begin since the files of its package are being replaced: it may take the next job."""
    return not isinstance(error, Forged) and _REPLACED.search(error.cause) is not None


def what_helps(error: DeployError, host: str) -> str:
    """What helps against an answer that does not count; "" where nothing of that kind does.

    What is no answer of ours at all comes from Salt: the door does not load there, or does not fit the package that is
    there, as between the two halves of an upgrade.
    """
    if isinstance(error, Forged):
        return error.next
    if _BLACKOUT in error.cause:
        allowed = ", ".join(f"deploy.{stage}" for stage in (FETCH, CHECKOUT, ROLLBACK, "result", "status"))
        return (
            f"set minion_blackout to False in the pillar or the grains of {host}, or let {allowed} be in its "
            f"minion_blackout_whitelist; then salt '{host}' saltutil.refresh_pillar"
        )
    return f"salt '{host}' saltutil.sync_all"
