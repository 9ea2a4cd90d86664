"""A minion that calls the runner (``peer_run``): the master runs it in a thread of a worker, which must not be held up.

So what deploys is begun by a ``salt-run`` of its own, and the answer is its id. Salt would also ask again after a minute
without an answer, and so begin a second deploy.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from saltdeploy.lib import lifetime, process
from saltdeploy.lib.errors import Unavailable
from saltdeploy.lib.spelling import argument

_WAITS = 20.0  # seconds until the deploy has an id; Salt asks again after 60
_MOST = 1 << 20  # bytes of an answer
#: Names the minion to the ``salt-run`` that deploys for it; whoever can set it for that process is the master's user.
ASKED_BY = "SALTDEPLOY_ASKED_BY"
_PROGRAM = "import sys; sys.argv[0] = 'salt-run'; from salt.scripts import salt_run; salt_run()"


def asks(opts: Mapping[str, Any], function: str) -> bool:
    """Whether a minion called this function: only then do the options of a daemon name it.

    Args:
        opts: the runner's.
        function: ``deploy.fetch`` and the like.
    """
    return lifetime.is_daemon(opts) and opts.get("fun") == function and bool(opts.get("conf_file"))


def asker(opts: Mapping[str, Any]) -> str:
    """Who called a function: ``minion web1``; "" where that was no minion.

    Args:
        opts: the runner's.
    """
    if told := os.environ.get(ASKED_BY):
        return told
    return (
        f"minion {opts['id']}"
        if asks(opts, str(opts.get("fun"))) and str(opts.get("fun")).startswith("deploy.")
        else ""
    )


def begin(opts: Mapping[str, Any], function: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Begin a deploy; the view that tells its id.

    Args:
        opts: the runner's; ``id`` is the minion's.
        function: of the runner, one with the parameter ``detach``.
        arguments: as they were read.

    Raises:
        Unavailable: it has no id yet.
    """
    meant = {**arguments, "detach": True}
    place = Path(opts["conf_file"]).parent
    words = [
        sys.executable,
        "-c",
        _PROGRAM,
        f"--config-dir={place}",
        "--out=json",
        "--log-level=quiet",
        function,
    ]
    words += [_bare(key, value) for key, value in meant.items()]
    environment = {**os.environ, ASKED_BY: f"minion {opts['id']}"}
    running = process.start(words, stderr=subprocess.DEVNULL, environment=environment)
    try:
        printed, _ = process.talk(running, None, _WAITS, _MOST)
        said = json.loads(printed)
    except process.Overran:
        said = {"view": "detached", "repo": "", "deploy": "", "retcode": 0}
    except ValueError:
        raise Unavailable(
            "the salt-run that should deploy gave no answer", next="the master's log tells why"
        ) from None
    view: dict[str, Any] = said
    return view


def _bare(key: str, value: object) -> str:
    """One word of an argument list, which Salt reads as this value."""
    if key == "repo" and isinstance(value, tuple):
        value = dict(value) if any(tag for _, tag in value) else ",".join(name for name, _ in value)
    if key == "force" and isinstance(value, tuple):
        value = ",".join(value)
    spelled = argument(key, value)
    return shlex.split(spelled)[0]
