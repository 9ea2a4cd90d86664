"""
Keep a repo at the release that the master has pinned, or at a given one.

.. code-block:: yaml

    mediawiki:
      deploy.pinned: []
"""

import functools
import inspect
import shlex

import saltdeploy

saltdeploy.require("0.2.0")

from saltdeploy.lib import arguments, errors
from saltdeploy.lib.spelling import argument

__virtualname__ = "deploy"


def __virtual__():
    return __virtualname__


def _door(function):
    """Read the arguments; one that is not valid is a state that failed."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def door(*args, **kwargs):
        command = f"salt {shlex.quote(__opts__['id'])} state.single deploy.{function.__name__}"
        call = arguments.Call(command, signature, arguments.ONE_REPO)
        try:
            bound = call.read(args, kwargs, {})
        except errors.BadArguments as error:
            name = str(args[0] if args else kwargs.get("name", ""))
            return {"name": name, "changes": {}, "result": False, "comment": str(error)}
        return function(*bound.args, **bound.kwargs)

    return door


@_door
def pinned(name, tag=None):
    """
    The repo runs the pinned release.

    name
        Name of the repo.
    tag
        The tag that it must be: the pinned one, or one whose release is on this minion's disk (``salt-run
        deploy.fetch`` brings it there). What commit a tag means, a minion learns from the master only. Without
        it: whatever is pinned.

    Example:

    .. code-block:: yaml

        mediawiki:
          deploy.pinned:
            - tag: release/2026-11-23/1
    """
    answer = {"name": name, "changes": {}, "result": True, "comment": ""}
    if "deploy.pin" not in __salt__:  # its door does not load, while a new version is only half here
        return {**answer, "result": False, "comment": _not_loaded(name)}
    wanted = __salt__["deploy.pin"](name, tag)
    if not wanted:
        return {**answer, "result": False, "comment": _unknown(name, tag)}
    if "error" in wanted:
        error = wanted["error"]
        return {**answer, "result": False, "comment": f"{name}: {error['cause']}. Next: {error['next']}"}
    before = __salt__["deploy.status"](name)
    held = before.get("holdings", {})
    well = before["status"] == 0 and not held.get("unsettled") and not held.get("damaged")
    if well and before["commit"] == wanted["commit"]:
        return {**answer, "comment": f"{name} is at {wanted['tag']} ({wanted['commit'][:12]})"}
    old = before.get("tag", before["commit"])
    changes = {"old": f"{old} (damaged)" if held.get("damaged") else old, "new": wanted["tag"]}
    if __opts__["test"]:
        return {
            **answer,
            "result": None,
            "changes": {name: changes},
            "comment": f"{name} would be brought to {wanted['tag']} ({wanted['commit'][:12]})",
        }
    for stage in ("deploy.fetch", "deploy.checkout"):
        done = __salt__[stage](name, order=wanted["order"])
        if done["status"] != 0:
            error = done.get("error", {})
            return {
                **answer,
                "result": False,
                "comment": f"{name}: {stage} of {wanted['tag']} failed with status {done['status']}: "
                f"{error.get('cause', '')}. Next: {error.get('next', '')}",
            }
    return {
        **answer,
        "changes": {name: changes},
        "comment": f"{name} was brought to {wanted['tag']} ({wanted['commit'][:12]})",
    }


def _not_loaded(name):
    host = shlex.quote(__opts__["id"])
    return (
        f"{name}: the execution module deploy does not load on this minion. Next: salt {host} saltutil.sync_all; "
        f"salt {host} sys.list_functions deploy"
    )


def _unknown(name, tag):
    why = (__pillar__.get("deploy") or {}).get("unknown", {}).get(name)
    if why:
        return f"{name}: the master cannot tell what it has pinned: {why['cause']} ({why['path']}). Next: {why['next']}"
    if tag is None:
        return f"{name}: the master has pinned no release for this minion. Next: salt-run deploy.sync repo={name} tag=..."
    return f"{name}: {tag} is neither pinned nor on disk. Next: salt-run deploy.fetch repo={name} {argument('tag', tag)}"
