"""The master's own settings, as ``deploy.init`` and ``deploy.doctor`` look at them."""

from __future__ import annotations

import importlib.util
import os
import pwd
from pathlib import Path
from typing import Any

import salt.key
import salt.loader
from saltdeploy.master.doctor.of_master import EXT_PILLAR, FILE_SERVER
from saltdeploy.master.doctor.seen import MasterSettings

Opts = dict[str, Any]


def settings(opts: Opts) -> MasterSettings:
    """What the master's configuration says, and which of our doors Salt finds for it."""
    config = Path(opts.get("conf_file") or "/etc/salt/master")
    return MasterSettings(
        id=str(opts["id"]),
        user=pwd.getpwuid(os.geteuid()).pw_name,
        config=config,
        include=config.parent / Path(str(opts.get("default_include") or "master.d/*.conf")).parent,
        pillar_root=_pillar_root(opts),
        root=Path(opts["cachedir"], "deploy"),
        file_servers=tuple(map(str, opts.get("fileserver_backend") or ())),
        ext_pillars=tuple(str(name) for entry in opts.get("ext_pillar") or () for name in entry),
        loads=_loads(opts),
        given=tuple(opts.get("ext_pillar") or ()),
        has_git_python=importlib.util.find_spec("git") is not None,
        has_bus=opts.get("ipc_mode") == "tcp" or Path(opts["sock_dir"], "master_event_pull.ipc").exists(),
        pillar_cache=bool(opts.get("pillar_cache")),
        waiting=_keys(opts, "minions_pre"),
        denied=_keys(opts, "minions_denied"),
    )


def _pillar_root(opts: Opts) -> Path:
    roots = opts.get("pillar_roots") or {}
    places = roots.get("base") or ["/srv/pillar"]
    return Path(str(places[0]))


def _loads(opts: Opts) -> frozenset[str]:
    servers = salt.loader.fileserver(opts, [FILE_SERVER])
    found = {"fileserver"} if f"{FILE_SERVER}.find_file" in servers else set()
    if EXT_PILLAR in salt.loader.pillars(opts, {}):
        found.add("pillar")
    if "deploy" in salt.loader.outputters(opts):
        found.add("output")
    return frozenset(found)


def _keys(opts: Opts, state: str) -> tuple[str, ...]:
    """Minions whose key is in this state; none where every key is taken, or this user may not look."""
    if opts.get("open_mode") or opts.get("auto_accept"):
        return ()
    keys = salt.key.get_key(opts)
    try:
        return tuple(sorted(map(str, keys.list_keys().get(state, ()))))
    except OSError:
        return ()
    finally:
        keys.event.destroy()
