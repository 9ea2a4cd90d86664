"""The pieces of configuration with which a repo begins, and where they go. What is there already is never changed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from saltdeploy import config
from saltdeploy.config import Repo
from saltdeploy.lib.disk import fsync_dir
from saltdeploy.lib.errors import from_os
from saltdeploy.master.doctor.of_master import EXT_PILLAR, FILE_SERVER
from saltdeploy.master.doctor.seen import MasterSettings
from saltdeploy.master.source import Source

#: What became of a piece.
PRINTED, WRITTEN, EXISTS, PRESENT = "printed", "written", "exists", "present"


@dataclass(frozen=True)
class Piece:
    """A piece of configuration.

    Attributes:
        what: the master's configuration, the pillar, or its top file.
        path: the file that it belongs into.
        text: YAML.
        present: what it says holds already.
    """

    what: str
    path: Path
    text: str
    present: bool


def begin(
    name: str,
    source: str,
    location: str,
    settings: MasterSettings,
    pillar: Mapping[str, Any],
    ext_pillar: list[Any],
    write: bool,
) -> dict[str, Any]:
    """The view ``init``.

    Args:
        name, source, location: of the repo; ``location`` may be "": then it lies below ``parent_dir``.
        pillar: as compiled for the master's own minion id.
        ext_pillar: the master's present setting, whole.
        write: write the pieces into their files, those that are not there yet.

    Raises:
        BadName, ConfigError, Unavailable: what was given makes no repo, or the source cannot be read.
    """
    keys = {"source": source, **({"location": location} if location else {})}
    repo = config.load(
        {"deployment_config": pillar.get("deployment_config"), "repo_config": {name: keys}}, name
    )
    has_tags = bool(Source(repo, settings.root).tags())
    pieces = [
        _master(settings, ext_pillar),
        _pillar(repo, keys, settings, pillar),
        _top(settings, pillar),
    ]
    made = [(piece, _put(piece) if write else PRESENT if piece.present else PRINTED) for piece in pieces]
    return {
        "view": "init",
        "retcode": 1 if any(state == EXISTS for _, state in made) else 0,
        "repo": name,
        "location": str(repo.location),
        "pieces": [
            {"what": piece.what, "path": str(piece.path), "text": piece.text, "state": state}
            for piece, state in made
        ],
        "next": _next(repo, has_tags, restart=not pieces[0].present),
    }


def _master(settings: MasterSettings, ext_pillar: list[Any]) -> Piece:
    """A list in a file of its own replaces that of the main file: so what is there stands in it as well."""
    is_served, is_given = FILE_SERVER in settings.file_servers, EXT_PILLAR in settings.ext_pillars
    said: dict[str, Any] = {}
    if not is_served:
        said["fileserver_backend"] = [*settings.file_servers, FILE_SERVER]
    if not is_given:
        said["ext_pillar"] = [*ext_pillar, {EXT_PILLAR: {}}]
    return Piece(
        "master configuration", settings.include / "deploy.conf", _yaml(said), is_served and is_given
    )


def _pillar(
    repo: Repo, keys: Mapping[str, str], settings: MasterSettings, pillar: Mapping[str, Any]
) -> Piece:
    text = _yaml({"repo_config": {repo.name: dict(keys)}})
    return Piece(
        "pillar",
        settings.pillar_root / "deploy.sls",
        text,
        repo.name in config.repo_names(dict(pillar)),
    )


def _top(settings: MasterSettings, pillar: Mapping[str, Any]) -> Piece:
    """The targets, and the master's own minion id, for which the runner compiles the pillar."""
    return Piece(
        "top file of the pillar",
        settings.pillar_root / "top.sls",
        _yaml({"base": {"*": ["deploy"]}}),
        bool(config.repo_names(dict(pillar))),
    )


def _yaml(said: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(said), sort_keys=False, allow_unicode=True) if said else ""


def _put(piece: Piece) -> str:
    """Write a piece into a file that is not there yet; nobody's file is opened for writing."""
    if piece.present:
        return PRESENT
    try:
        piece.path.parent.mkdir(parents=True, exist_ok=True)
        aside = piece.path.with_name(f".{piece.path.name}.{os.getpid()}")
        aside.write_text(piece.text, encoding="utf-8")
        try:
            os.link(aside, piece.path)  # never over a file that somebody made meanwhile
        except FileExistsError:
            return EXISTS
        finally:
            aside.unlink()
        fsync_dir(piece.path.parent)
    except OSError as error:
        raise from_os(error, path=str(piece.path)) from error
    return WRITTEN


def _next(repo: Repo, has_tags: bool, restart: bool) -> list[str]:
    return [
        *(["systemctl restart salt-master"] if restart else []),
        "salt '*' saltutil.sync_all",
        "salt '*' saltutil.refresh_pillar",
        f"salt 'web*' grains.append deployment_target {repo.name}",
        *([] if has_tags else [f"git -C {repo.source} tag -a v1 -m 'first release'"]),
        f"salt-run deploy.doctor repo={repo.name}",
        f"salt-run deploy.sync repo={repo.name} tag=...",
    ]
