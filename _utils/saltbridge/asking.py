"""Who asks a door of the master for something, and by which role they may: as far as Salt, the kernel or the master vouch for it.

Arguments, events and variables of the environment say nothing here; but what sudo has set counts, in a command of root.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pwd
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saltdeploy.config.roles import HANDED
from saltdeploy.lib import errors, lifetime

from saltbridge import master as bridge

Opts = dict[str, Any]

#: Where the warm door puts who has knocked, as the kernel knows them; no option and no argument leads there.
BY_DOOR = "__deploy_asked_by"
_FORKED = "ProcessFunc("  # the name of a process that Salt makes for a caller of its API


@dataclass
class Asked:
    """One call of a door.

    Attributes:
        asker: who asks.
        role: by which they may; "" where no roles are configured, or none was needed.
        are_set: whether roles are configured.
    """

    opts: Opts
    user: str
    asker: Any
    role: str = ""
    are_set: bool = False


_now: ContextVar[Asked | None] = ContextVar("asked", default=None)


@contextlib.contextmanager
def asked(opts: Opts, user: str, function: str, arguments: Mapping[str, Any]) -> Iterator[None]:
    """A call, from its begin to its end. Root's own commands are asked nothing, and load nothing for it.

    Args:
        opts: the runner's.
        user: who asks, as Salt says: ``__user__``.
        function: behind ``deploy.``.
        arguments: as they were read.

    Raises:
        NotAllowed: they may not.
    """
    if _is_roots_own(opts):
        yield
        return
    from saltdeploy.master.roles import verbs

    call = Asked(opts, user, asker_of(opts, user))
    before = _now.set(call)
    try:
        if not verbs.of_function(function).finds:
            may(function, _repos(arguments), arguments)
        yield
    finally:
        _now.reset(before)


def may(function: str, repos: Sequence[str], arguments: Mapping[str, Any] | None = None) -> None:
    """See to it that who has called may do this; see :func:`saltdeploy.master.roles.check.check`.

    Raises:
        NotAllowed: they may not.
        ConfigError: the roles are not valid.
    """
    from saltdeploy.master.roles import verbs

    call = _now.get()
    if call is None or not verbs.needed(function, arguments or {}):
        return
    if call.asker.is_root:
        return
    from saltdeploy.master.roles.check import check

    roles = configured(call.opts)
    call.are_set = bool(roles)
    call.role = check(function, repos, arguments or {}, call.asker, roles) or call.role


def is_peer(opts: Mapping[str, Any], function: str = "") -> bool:
    """Whether a minion calls (``peer_run``): only then do the options of a daemon name a function.

    Args:
        opts: the runner's; ``id`` is the minion's.
        function: ``deploy.fetch`` and the like: whether it calls this one itself, and not by another runner.
    """
    called = str(opts.get("fun") or "")
    return bool(called and called == (function or called) and opts.get("conf_file")) and lifetime.is_daemon(
        opts
    )


def recorded(user: str) -> str:
    """The name under which the present call is written down. Without roles it is Salt's own; but for minions Salt has none."""
    call = _now.get()
    if not call or not call.asker or call.asker.kind == "salt":
        return user
    return call.asker.recorded if call.are_set or call.asker.kind == "minion" else user


def role() -> str:
    """The role by which the present call was allowed; "" where none was asked for."""
    call = _now.get()
    return call.role if call else ""


def present_asker(opts: Opts) -> Any:
    """Who asks in the present call."""
    call = _now.get()
    return (call and call.asker) or asker_of(opts, call.user if call else "")


def configured(opts: Opts) -> Any:
    """The roles that are configured, in the pillar and in the master's configuration. Where the pillar does not render, as they
    were read last.

    Raises:
        ConfigError: a section is not valid.
    """
    from saltdeploy.config import roles
    from saltdeploy.master.roles.remembered import RememberedRoles

    remembered = RememberedRoles(bridge.root(opts))
    try:
        pillar = bridge.pillar(opts)
    except errors.ConfigError:
        return remembered.last() or roles.read({}, opts.get(roles.SETTING))
    found = roles.read(pillar, opts.get(roles.SETTING))
    remembered.remember(found)
    return found


def asker_of(opts: Opts, user: str) -> Any:
    """Who asks.

    Args:
        opts: the runner's.
        user: as Salt says: ``__user__``.
    """
    from saltdeploy.master.roles import asker, handed

    own = str(opts.get("user") or "root")
    if given := handed.taken(os.environ, Path(opts["cachedir"], "deploy")):
        return given
    if by_door := opts.get(BY_DOOR):
        return by_door
    if not lifetime.is_daemon(opts):
        return asker.of_kernel(os.geteuid(), _behind_sudo(), own=own, door="salt-run")
    if is_peer(opts):
        return asker.Asker(asker.OF_MINION, str(opts["id"]), "peer_run")
    if multiprocessing.current_process().name.startswith(_FORKED) and user not in asker.NOBODY:
        return asker.Asker(asker.PERSON, user, "salt-api")
    if user == "Reactor":
        return asker.Asker(asker.OF_SALT, "reactor", "reactor")
    if user in (*asker.NOBODY, "root", own):  # a minion that publishes is the master's own user to Salt
        return asker.Asker(asker.OF_SALT, "master", "a call inside of the master")
    return asker.Asker(asker.PERSON, user, "salt")


def _behind_sudo() -> str:
    """Who has called sudo, where the kernel bears it out: in a process of root; or in one that Salt has taken root's rights
    from, which root or that user has started. Anybody else could have set the variable."""
    behind = os.environ.get("SUDO_USER", "")
    if not behind or os.geteuid() == 0:
        return behind
    try:
        starter = os.stat(f"/proc/{os.getppid()}").st_uid
        return behind if starter == 0 or starter == pwd.getpwnam(behind).pw_uid else ""
    except (OSError, KeyError):
        return ""


def _is_roots_own(opts: Opts) -> bool:
    """Whether root has typed this command, and nobody is behind root."""
    says_who_else = HANDED in os.environ or "SUDO_USER" in os.environ or BY_DOOR in opts
    return os.geteuid() == 0 and not says_who_else and not lifetime.is_daemon(opts)


def _repos(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    said = arguments.get("repo")
    return tuple(name for name, _ in said) if isinstance(said, tuple) else (str(said),) if said else ()
