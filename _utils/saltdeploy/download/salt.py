"""Carrier ``salt``: Salt's own file channel, served on the master by ``_fileserver/deploy_payloads.py``.

Nothing else has to run: a minion that gets jobs gets files.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from saltdeploy.lib.errors import Unavailable

if TYPE_CHECKING:
    from saltdeploy.git.repository import Progress
    from saltdeploy.protocol.orders import Payload

ROOT = "deploy"
_LOOK_EVERY = 0.5  # seconds
_SMALL = 1 << 18  # bytes that Salt's file server gives at once, unless its configuration says otherwise


class SaltFiles:
    """Salt's file channel.

    Args:
        get_file: ``cp.get_file``: takes a ``salt://`` URL and a path; returns the path, or "" on failure.
        get_small: takes a path of the file server; returns the begin of the file by one request, or b"".
    """

    def __init__(
        self,
        get_file: Callable[[str, str], object],
        get_small: Callable[[str], bytes] = lambda path: b"",
    ) -> None:
        self._get_file = get_file
        self._get_small = get_small

    def fetch(self, payload: Payload, destination: Path, progress: Progress) -> None:
        """Get the payload by its name; the channel tells nothing on the way, so the growing file is watched."""
        destination.unlink(missing_ok=True)  # Salt cannot continue what others began
        if (
            payload.size <= _SMALL
            and len(data := self._get_small(f"{ROOT}/{payload.sha256}")) == payload.size
        ):
            destination.write_bytes(data)
            progress("receive", payload.size, payload.size, "bytes")
            return
        done = threading.Event()
        # Salt keeps its dunders in context variables, which a new thread does not inherit
        context = contextvars.copy_context()
        watch = threading.Thread(target=context.run, args=(_watch, destination, payload.size, progress, done))
        watch.start()
        try:
            got = self._get_file(f"salt://{ROOT}/{payload.sha256}", str(destination))
        except OSError:  # a full disk has errors of its own
            raise
        except Exception as error:  # Salt's own, of which the package knows nothing
            raise Unavailable(
                f"the master did not send payload {payload.sha256} ({type(error).__name__}: {error})",
                next="look at the master's log; then run the same command again",
            ) from error
        finally:
            done.set()
            watch.join()
        if not got or not destination.is_file():
            raise Unavailable(
                f"the master does not serve payload {payload.sha256}",
                next="put deploy_payloads into fileserver_backend in the master's configuration and restart it; "
                "then run the same command again",
            )
        progress("receive", payload.size, payload.size, "bytes")


def _watch(path: Path, size: int, progress: Progress, done: threading.Event) -> None:
    while not done.wait(_LOOK_EVERY):
        try:
            progress("receive", path.stat().st_size, size, "bytes")
        except FileNotFoundError:
            continue
