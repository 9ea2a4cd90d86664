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
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from saltdeploy.lib import process, wire_errors
from saltdeploy.lib.errors import Unavailable
from saltdeploy.lib.spelling import argument
from saltdeploy.master.records.journal import Journals, replay
from saltdeploy.protocol import events
from saltdeploy.watch.restart_answers import Answers, restart_answers

from saltbridge import asking
from saltbridge import master as bridge

_WAITS = 40.0  # seconds until the deploy has an id, which a master under load needs; Salt asks again after 60
_MOST = 1 << 20  # bytes of an answer
_RESTARTS_WAIT = (
    20.0  # seconds for what hosts answer to a restart; Salt asks again after 60, with those above
)
_LOOK_EVERY = 0.2  # seconds
_PROGRAM = "import sys; sys.argv[0] = 'salt-run'; from salt.scripts import salt_run; salt_run()"


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
    try:
        said = json.loads(_printed(words, opts))
    except process.Overran:
        said = {"view": "detached", "repo": "", "deploy": "", "retcode": 0}
    except ValueError:
        raise Unavailable(
            "the salt-run that should deploy gave no answer", next="the master's log tells why"
        ) from None
    view: dict[str, Any] = said
    return view


def trebuchets_answers(view: Mapping[str, Any], opts: Mapping[str, Any], since: float) -> Answers | str:
    """What Trebuchet's runner returned for ``deploy.restart R,10%``, which Trigger shows line by line.

    Args:
        view: what :func:`begin` gave, or an error.
        opts: the runner's.
        since: when it was called, of the monotonic clock.

    Returns:
        A dict for each host; a host that has not answered within some seconds has no ``status`` in it. Of what was not
        begun the reason: Trigger shows a text as an error.
    """
    if view.get("view") == "error":
        return str(wire_errors.from_wire(view.get("error")))
    repo, deploy = str(view.get("repo") or ""), str(view.get("deploy") or "")
    if not deploy:
        return str(
            Unavailable("the master still prepares the restart", next="salt-run deploy.watch repo=...")
        )
    journal = Journals(bridge.root(dict(opts))).path(repo, deploy)
    while True:
        told = list(replay(journal))
        if time.monotonic() > since + _RESTARTS_WAIT or any(
            event.get("event") == events.FINISHED for event in told
        ):
            return restart_answers(told)
        time.sleep(_LOOK_EVERY)


def _printed(words: list[str], opts: Mapping[str, Any]) -> bytes:
    """What the command prints within the time that there is; it knows who has asked."""
    from saltdeploy.master.roles.handed import handing

    with handing(asking.present_asker(dict(opts)), bridge.root(dict(opts))) as handed:
        running = process.start(words, stderr=subprocess.DEVNULL, environment={**os.environ, **handed})
        printed, _ = process.talk(running, None, _WAITS, _MOST)
    return printed


def _bare(key: str, value: object) -> str:
    """One word of an argument list, which Salt reads as this value."""
    if key == "repo" and isinstance(value, tuple):
        value = dict(value) if any(tag for _, tag in value) else ",".join(name for name, _ in value)
    if key == "force" and isinstance(value, tuple):
        value = ",".join(value)
    spelled = argument(key, value)
    return shlex.split(spelled)[0]
