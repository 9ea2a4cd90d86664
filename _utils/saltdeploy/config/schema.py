"""The keys that the pillar may hold, each with its default and its check.

A check takes what stands in the pillar and returns it as :mod:`saltdeploy.config` wants it. ``docs/configuration.md``
and ``pillar/deploy.sls`` list the same keys, and a test compares the three.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from saltdeploy.config import (
    blobs,
    checks,
    delivery,
    exclude,
    freeze,
    layouts,
    origin,
    owner,
    paths,
    roles,
    rollout,
    staging,
    tag_schemes,
    targets,
    transports,
    values,
)
from saltdeploy.lib.disk import literal
from saltdeploy.protocol import seals

if TYPE_CHECKING:
    from saltdeploy.config.config_files import ConfigFile
    from saltdeploy.config.maintenance import Maintenance
    from saltdeploy.config.once import OnceCommand

_HELPER = re.compile(r"[A-Za-z0-9+.-]*::")  # <program>::<address>: git runs git-remote-<program>
_DASH = re.compile(r"-|[a-z0-9+.-]+://([^/]*@)?-|[^/:]*@-", re.IGNORECASE)


def _url(value: Any) -> str:
    if _DASH.match(values.text(value)):
        raise ValueError("must be a URL or a path; neither it nor its host may begin with a dash")
    if _HELPER.match(value):
        raise ValueError("must be a URL or a path; git's ext::, fd:: and the like run commands")
    return value


def _word(value: Any) -> str:
    if values.text(value).split() != [value]:
        raise ValueError("must be one word")
    return value


def _path(value: Any) -> str:
    path = values.text(value)
    if not path.startswith("/") or literal(path) == "/" or ".." in path.split("/") or not path.isprintable():
        raise ValueError("must be an absolute path without .., and not /")
    return literal(path)


def _calls(value: Any) -> dict[str, list[Any]]:
    fine = isinstance(value, dict) and all(
        isinstance(function, str) and "." in function and isinstance(arguments or [], list)
        for function, arguments in value.items()
    )
    if not fine:
        raise ValueError("must map module.function to a list of arguments")
    return {function: list(arguments or []) for function, arguments in value.items()}


def _names(value: Any) -> list[str] | dict[str, Any]:
    if not isinstance(value, (list, dict)) or not all(isinstance(name, str) for name in value):
        raise ValueError("must be a list of repo names")
    return value.copy()  # Trebuchet's default is {}


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("must be a table")
    return dict(value)


def _servers(value: Any) -> dict[str, str]:
    if not all(
        isinstance(site, str) and not _word(host).startswith("-") for site, host in _table(value).items()
    ):
        raise ValueError("must map each site to a host")
    return dict(value)


def _public_keys(value: Any) -> tuple[str, ...]:
    """A key, or a list of them."""
    keys = []
    for number, pem in enumerate(value if isinstance(value, (list, tuple)) else [value]):
        try:
            keys.append(seals.public_key(pem))
        except (
            ValueError
        ) as error:  # with a place: an error without one would show the value, maybe a private key
            raise values.Wrong(str(error), number) from None
    return tuple(keys)


def _journals(value: Any) -> dict[str, int]:
    """How long journals are kept: no fewer than the page lists, and no shorter than a sink of signals may be told late."""
    known = {"deploys": values.whole(20, 1_000_000), "days": values.whole(7, 36_500)}
    return values.table(value, known)


def _once(value: Any) -> tuple[OnceCommand, ...]:
    from saltdeploy.config import once  # few repos have any, and each command would load it

    return once.once(value)


def _config_files(value: Any) -> tuple[ConfigFile, ...]:
    from saltdeploy.config import config_files

    return config_files.config_files(value)


def _maintenance(value: Any) -> Maintenance | None:
    from saltdeploy.config import maintenance

    return maintenance.maintenance(value)


Key = tuple[Any, Callable[[Any], Any]]

#: Key -> (default, check). The first block is Trebuchet's, with its defaults; a key that is null is not set.
REPO_KEYS: dict[str, Key] = {
    "grain": (None, _word),
    "upstream": (None, _url),
    "shadow_reference": (False, values.flag),
    "fetch_module_calls": ({}, _calls),
    "checkout_module_calls": ({}, _calls),
    "checkout_submodules": (False, values.flag),
    "location": (None, _path),
    "sync_script": ("shared.py", values.text),
    "dependencies": ({}, _names),
    "automated": (False, values.flag),
    "type": ("git-http", values.one_of(*origin.SCHEMES)),
    "gitfat_enabled": (False, values.flag),
    "service_name": (None, rollout.services),
    "deployment_repo_group": (None, values.text),
    # new keys
    "source": (None, _url),
    "url": (None, _url),
    "rsync_url": (None, _url),
    "deploy_key": (None, origin.deploy_key),
    "targets": (None, values.text),
    "targets_type": ("compound", values.one_of(*targets.TARGET_TYPES)),
    "transport": (transports.DEFAULT, transports.of_repo),
    "layout": ("slots", values.one_of(*layouts.LAYOUTS)),
    "slots": (3, values.whole(2, 16)),
    "keep_releases": (5, values.whole(2, 1000)),
    "visible_releases": (1, values.whole(1, 16)),
    "stat_limit": (5_000, values.whole(0, 100_000_000)),
    "batch": ("100%", values.window),
    "rollback_batch": ("100%", values.window),
    "fetch_batch": ("100%", values.window),
    "failure_limit": ("0", values.share),
    "timeout": (600, values.whole(1, 86_400)),
    "groups": ([], rollout.groups),
    "on_failure": ("rollback", values.one_of("rollback", "hold", "ask")),
    "on_inconclusive": (None, values.one_of("rollback", "hold", "ask")),
    "on_abort": ("rollback", values.one_of("rollback", "hold")),
    "question_timeout": (3600, values.seconds(1)),
    "purpose": ("code", values.one_of("code", "config", "data", "image")),
    "service_port": (None, values.ports),
    "service_timeout": (120, values.seconds(1)),
    "signal": (None, rollout.signals),
    "restart_command": (None, values.command),
    "checks": ({}, checks.checks),
    "depool": (None, checks.hook("depool")),
    "repool": (None, checks.hook("repool")),
    "max_removed": ("50%", values.share),
    "require_signed": (False, values.flag),
    "freeze": ([], freeze.windows),
    "fanouts": ([], delivery.fanouts),
    "blobs": ({}, blobs.blobs),
    "submodule_urls": ({}, blobs.rewrites),
    "shared": ({}, paths.shared),
    "assets": ({}, paths.assets),
    "owner": ({}, owner.owner),
    "exclude": ([], exclude.exclude),
    "subdirectory": ("", exclude.subdirectory),
    "attributes": (exclude.BLOBS, values.one_of(exclude.BLOBS, exclude.CHECKOUT)),
    "untracked": ("warn", values.one_of("refuse", "warn", "ignore")),
    "once": (None, _once),
    "config_files": (None, _config_files),
    "environments": (None, values.table_of_any),
    "promote_after": (0, values.seconds()),
    "maintenance": (None, _maintenance),
    "revision_files": ("beside", values.one_of("beside", "none")),
    "tag_scheme": (tag_schemes.DEFAULT, tag_schemes.scheme),
    "keep_tags": (0, values.whole(0, 1_000_000)),
    "stage": (None, staging.staging),
    "roles": (None, roles.of_repo),
    "journals": ({}, _journals),
}

#: Credentials: nothing shows them or keeps them.
SECRET_KEYS = frozenset({"deploy_key"})

DEPLOYMENT_KEYS: dict[str, Key] = {
    "parent_dir": ("/srv/deployment", _path),
    "servers": ({}, _servers),
    "redis": ({}, _table),
    "signals": ({}, _table),
    "freeze": ([], freeze.windows),
    "fanouts": ([], delivery.fanouts),
    "payload_dir": (None, _path),
    "transfer": ({}, delivery.transfer),
    "links": ({}, delivery.links),
    "signing_key": (None, _path),
    "release_keys": ([], _public_keys),
    "swarm": ({}, delivery.swarm),
    "require_terminal_multiplexer": (False, values.flag_or("warn", "refuse")),
    "roles": (None, roles.of_fleet),
    "journals": ({}, _journals),
}
