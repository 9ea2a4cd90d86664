"""The one place that decides whether who asks may have what they ask for."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from saltdeploy.config.roles import ADMIN, Roles
from saltdeploy.lib.errors import NotAllowed
from saltdeploy.lib.text import legible
from saltdeploy.master.roles.asker import Asker
from saltdeploy.master.roles.verbs import Needed, needed

log = logging.getLogger(__name__)

_MOST_NAMED = 10


def check(
    function: str, repos: Sequence[str], arguments: Mapping[str, Any], asker: Asker, roles: Roles
) -> str:
    """Let somebody do something, or refuse.

    Args:
        function: of the runner, behind ``deploy.``.
        repos: what it is about; () for what is about all of them, which only those may do who have the role everywhere.
        arguments: of the call.
        asker: who asks.
        roles: all that are configured.

    Returns:
        The role by which they may, for the record; "" where none is needed.

    Raises:
        NotAllowed: they have not got the role; it names who has it.
    """
    if asker.is_root or not roles:
        return ""
    found = ""
    for what, any_of in needed(function, arguments):
        for repo in repos or ("",):
            by = _role(asker, any_of, repo, roles)
            if not by:
                refusal = _refusal(what, repo, any_of, asker, roles)
                log.warning("Refused: %s", refusal)
                raise refusal
            found = found or by
    return found


def _role(asker: Asker, any_of: Needed, repo: str, roles: Roles) -> str:
    for role in dict.fromkeys((*any_of, ADMIN)):
        if asker.is_among(roles.who(role, repo)):
            return role
    return ""


def _refusal(what: str, repo: str, any_of: Needed, asker: Asker, roles: Roles) -> NotAllowed:
    has = " or ".join(f"{role} ({_who(roles.who(role, repo))})" for role in any_of)
    admins = _who((*roles.who(ADMIN), "root"))
    of_one = repo and ADMIN not in any_of
    where = f"repo_config:{repo}:roles:{any_of[0]}" if of_one else f"deployment_config:roles:{any_of[0]}"
    who = legible(asker.shown)
    return NotAllowed(
        f"{who}, who came by {asker.door}, may not call {what}{'' if repo else ', of all repos'}: "
        f"that needs the role {has}",
        repo=repo,
        next=f"ask one who has it; or an admin ({admins}) adds {who} to {where} in the pillar (docs/roles.md)",
    )


def _who(names: Sequence[str]) -> str:
    listed = list(dict.fromkeys(names))
    more = f" and {len(listed) - _MOST_NAMED} more" if len(listed) > _MOST_NAMED else ""
    return (", ".join(listed[:_MOST_NAMED]) or "no one") + more
