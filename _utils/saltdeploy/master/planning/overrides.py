"""What an operator says for one deploy alone, in place of what the pillar says for all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from saltdeploy.config import Repo, rollout, schema
from saltdeploy.lib.errors import BadArguments
from saltdeploy.lib.spelling import argument
from saltdeploy.master.plan_model import Request
from saltdeploy.protocol.orders import ROLLBACK

#: Argument to what reads the pillar's key of that name, and to a value that is good.
_READERS: Mapping[str, tuple[Callable[[Any], Any], object]] = {
    **{key: (schema.REPO_KEYS[key][1], good) for key, good in (("failure_limit", "10%"), ("batch", "25%"))},
    **{key: (schema.REPO_KEYS[key][1], "hold") for key in ("on_failure", "on_inconclusive")},
    "hold": (rollout.hold, "ask"),
}
_OF_A_GROUP = ("failure_limit", "batch", "rollback_batch", "hold", "on_inconclusive")


def applied(request: Request, repo: Repo) -> Repo:
    """The configuration of the repo that leads, as it counts for this deploy: for each of its groups the same.

    Raises:
        BadArguments: the pillar could not have such a value either, or there is nothing that could hold.
    """
    said = {key: _read(request, key, value) for key, value in request.overrides}
    if "hold" in said and not repo.rollout.groups:
        raise _refusal(request, "hold has no effect: the repo has no groups", "")
    if request.action == ROLLBACK and "batch" in said:
        said["rollback_batch"] = said.pop("batch")
    of_groups = {key: value for key, value in said.items() if key in _OF_A_GROUP}
    of_repo = {key: value for key, value in said.items() if key != "hold"}
    groups = tuple(replace(group, **of_groups) for group in repo.rollout.groups)
    return replace(repo, rollout=replace(repo.rollout, groups=groups, **of_repo))


def _read(request: Request, key: str, value: object) -> Any:
    read, good = _READERS[key]
    try:
        return read(value)
    except ValueError as error:
        raise _refusal(request, f"{key} {error}; it is {value!r}", argument(key, good)) from None


def _refusal(request: Request, cause: str, instead: str) -> BadArguments:
    return BadArguments(cause, repo=request.repo, next=f"{request.command} {instead}".rstrip())
