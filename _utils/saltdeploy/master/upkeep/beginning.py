"""The pieces of configuration with which a repo begins, and where they go. What is there already is never changed."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from saltdeploy import config
from saltdeploy.config import Repo
from saltdeploy.lib.disk import aside_of, fsync_dir
from saltdeploy.lib.os_errors import from_os
from saltdeploy.lib.spelling import argument
from saltdeploy.master.doctor.of_master import EXT_PILLAR, FILE_SERVER
from saltdeploy.master.doctor.of_repos import first_tag
from saltdeploy.master.doctor.seen import MasterSettings
from saltdeploy.master.payloads.source import Source

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


@dataclass(frozen=True)
class Wish:
    """What is asked for.

    Attributes:
        name, source, location: of the repo; ``location`` may be "": then it lies below ``parent_dir``.
        write: write the pieces into their files, those that are not there yet.
        config_file, pillar_file, top_file: paths, in place of the usual ones.
    """

    name: str
    source: str
    location: str = ""
    write: bool = False
    config_file: str = ""
    pillar_file: str = ""
    top_file: str = ""


def begin(wish: Wish, settings: MasterSettings, pillar: Mapping[str, Any]) -> dict[str, Any]:
    """The view ``init``.

    Args:
        pillar: as compiled for the master's own minion id.

    Raises:
        BadName, ConfigError, Unavailable: what was given makes no repo, or the source cannot be read.
    """
    keys = {"source": wish.source, **({"location": wish.location} if wish.location else {})}
    section = {"deployment_config": pillar.get("deployment_config"), "repo_config": {wish.name: keys}}
    repo = config.load(section, wish.name)
    source = Source(repo, settings.root)
    tags = source.tags()
    file = Path(wish.pillar_file or settings.pillar_root / "deploy.sls")
    pieces = [
        _master(wish, settings),
        Piece(
            "pillar",
            file,
            as_yaml({"repo_config": {wish.name: keys}}),
            wish.name in config.repo_names(dict(pillar)),
        ),
        Piece(
            "top file of the pillar",  # for the targets, and for the master's own minion id
            Path(wish.top_file or settings.pillar_root / "top.sls"),
            as_yaml({"base": {"*": [file.stem]}}),
            bool(config.repo_names(dict(pillar))),
        ),
    ]
    made = [(piece, PRESENT if piece.present else put(piece) if wish.write else PRINTED) for piece in pieces]
    return {
        "view": "init",
        "retcode": 1 if any(state == EXISTS for _, state in made) else 0,
        "repo": wish.name,
        "location": str(repo.paths.location),
        "pieces": [
            {"what": piece.what, "path": str(piece.path), "text": piece.text, "state": state}
            for piece, state in made
        ],
        "next": _next(repo, source, tags, restart=not pieces[0].present),
    }


def _master(wish: Wish, settings: MasterSettings) -> Piece:
    """A list in a file of its own hides that of the main file: so what is there stands in it as well."""
    is_served, is_given = FILE_SERVER in settings.file_servers, EXT_PILLAR in settings.ext_pillars
    said: dict[str, Any] = {}
    if not is_served:
        said["fileserver_backend"] = [*settings.file_servers, FILE_SERVER]
    if not is_given:
        said["ext_pillar"] = [*settings.given, {EXT_PILLAR: {}}]
    path = Path(wish.config_file or settings.include / "deploy.conf")
    return Piece("master configuration", path, as_yaml(said), present=not said)


def as_yaml(said: Mapping[str, Any]) -> str:
    """A piece as text; "" for nothing."""
    return yaml.safe_dump(dict(said), sort_keys=False, allow_unicode=True) if said else ""


def put(piece: Piece) -> str:
    """Write a piece into a file that is not there yet; nobody's file is opened for writing."""
    try:
        piece.path.parent.mkdir(parents=True, exist_ok=True)
        aside = aside_of(piece.path)
        aside.write_text(piece.text, encoding="utf-8")
        try:
            os.link(aside, piece.path)  # never over a file that somebody made meanwhile
        except FileExistsError:
            return PRESENT if piece.path.read_bytes() == piece.text.encode() else EXISTS
        finally:
            aside.unlink()
        fsync_dir(piece.path.parent)
    except OSError as error:
        raise from_os(error, path=str(piece.path)) from error
    return WRITTEN


def _next(repo: Repo, source: Source, tags: list[str], restart: bool) -> list[str]:
    last = max(tags, key=as_number, default="v1")
    return [
        *(["systemctl restart salt-master"] if restart else []),
        "salt '*' saltutil.sync_all",
        f"salt 'web*' grains.append deployment_target {shlex.quote(repo.name)}",
        *([] if tags else [first_tag(source)]),
        f"salt-run deploy.doctor {argument('repo', repo.name)}",
        f"salt-run deploy.sync {argument('repo', repo.name)} {argument('tag', last)}",
    ]


def as_number(tag: str) -> list[tuple[int, str]]:
    """A sort key that puts ``v2`` before ``v10``."""
    return [(int(part[:18]), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", tag)]
