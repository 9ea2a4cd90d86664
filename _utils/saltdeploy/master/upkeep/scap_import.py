"""Reads the files by which scap deploys a repository, and makes our pillar of them. Of scap's files none is changed."""

from __future__ import annotations

import dataclasses
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saltdeploy import config
from saltdeploy.config import Repo, scap_check_files, scap_pillar, scap_settings
from saltdeploy.config.scap_pillar import NotCarried, ScapTranslation
from saltdeploy.config.scap_settings import ScapSettings
from saltdeploy.lib.errors import ConfigError, DeployError
from saltdeploy.lib.os_errors import from_os
from saltdeploy.lib.spelling import argument
from saltdeploy.master.doctor.seen import MasterSettings
from saltdeploy.master.payloads.source import Source
from saltdeploy.master.upkeep.beginning import EXISTS, PRINTED, Piece, as_number, as_yaml, put
from saltdeploy.protocol.release import check_repo

_FOR_ALL = Path("/etc/scap.cfg")
_GROUPS = Path("/etc/dsh/group")
_HOST = re.compile(r"^[\w.-]+", re.MULTILINE)  # of a file of targets: what stands first in a line
_LARGEST = 1 << 20  # bytes of a file
_PLAIN = re.compile(r"[^A-Za-z0-9_]+")
_MOST_MENDED = 20  # keys that turn out to be not valid


@dataclass(frozen=True)
class ScapWish:
    """What is asked for; ``host``, ``pillar_file`` and ``config_file`` may be "": then the usual ones count."""

    directory: str
    environment: str = ""
    host: str = ""
    write: bool = False
    pillar_file: str = ""
    config_file: str = ""


class ScapFiles:
    """scap's files of one repository, the environment's before those of all.

    Args:
        top: the repository.
        environment: one of ``scap/environments``; "" for none.

    Raises:
        ConfigError: there is no such repository, or no such environment.
    """

    def __init__(self, top: Path, environment: str) -> None:
        self.top = top
        self.environment = environment
        self._home = top / "scap"
        self.read: list[str] = []
        if not (self._home / "scap.cfg").is_file():
            raise ConfigError(
                "there is no scap/scap.cfg",
                path=str(top),
                next=f"ls -l -- {self._home}; give the repository's directory",
            )
        known = sorted(each.name for each in (self._home / "environments").glob("*") if each.is_dir())
        if environment and environment not in known:
            raise ConfigError(
                f"there is no environment {environment}",
                path=str(self._home / "environments"),
                next=f"environment= is one of {', '.join(known)}" if known else "leave environment= out",
            )

    @property
    def places(self) -> list[Path]:
        """Where files are looked for, the first choice first."""
        own = [self._home / "environments" / self.environment] if self.environment else []
        return [*own, self._home]

    def configurations(self, for_all: Path) -> list[tuple[str, str]]:
        """``scap.cfg`` of the server, of the repository and of the environment."""
        found = [for_all, *(place / "scap.cfg" for place in reversed(self.places))]
        return [(str(path), self.text(path).decode("utf-8", "replace")) for path in found if path.is_file()]

    def text(self, path: Path) -> bytes:
        """What a file holds; empty where there is none.

        Raises:
            DeployError: it is there and cannot be read, or is too large to be what it is called.
        """
        try:
            with path.open("rb") as file:
                data = file.read(_LARGEST + 1)
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise from_os(error, path=str(path)) from error
        if len(data) > _LARGEST:
            raise ConfigError(f"it has more than {_LARGEST} bytes", path=str(path), next=f"ls -l -- {path}")
        self.read.append(str(path))
        return data

    def either(self, place: Path, stem: str) -> bytes:
        """A YAML file, whichever of its two endings it has."""
        return self.text(place / f"{stem}.yaml") or self.text(place / f"{stem}.yml")

    def hosts_in(self, name: str) -> tuple[str, ...] | None:
        """The hosts in a file of targets."""
        for place in (*self.places, _GROUPS):
            path = place / name  # an absolute name is what it says
            if path.is_file():
                found = self.text(path).decode("utf-8", "replace")
                return tuple(dict.fromkeys(_HOST.findall(found)))
        return None


def carry_over(wish: ScapWish, settings: MasterSettings) -> dict[str, Any]:
    """The view ``scap``.

    Raises:
        ConfigError: there is nothing of scap's there, or it cannot be read.
        DeployError: a file cannot be read or written.
    """
    files = ScapFiles(Path(wish.directory), wish.environment)
    said = _settings(files, wish)
    named = said.said.get("environment", "")
    if named and not wish.environment:  # scap reads that one then
        files = ScapFiles(Path(wish.directory), named)
        said = _settings(files, wish)
    name = _name(said, files.top)
    made = scap_pillar.carried(said, name, str(files.top), files.hosts_in)
    repo = _made_valid(name, made)
    _checks(files, repo, made)
    _made_valid(name, made)
    text = as_yaml(_pillar(name, made))
    file = f"deploy-{_PLAIN.sub('-', name)}.sls"
    piece = Piece("pillar", Path(wish.pillar_file or settings.pillar_root / file), text, present=False)
    state = put(piece) if wish.write else PRINTED
    return {
        "view": "scap",
        "retcode": 1 if state == EXISTS else 0,
        "repo": name,
        "environment": files.environment,
        "read": list(dict.fromkeys(files.read)),
        "pieces": [{"what": piece.what, "path": str(piece.path), "text": text, "state": state}],
        "left": [dataclasses.asdict(each) for each in made.left],
        "next": _next(name, repo, piece, settings.root),
    }


def _settings(files: ScapFiles, wish: ScapWish) -> ScapSettings:
    for_all = Path(wish.config_file) if wish.config_file else _FOR_ALL
    return scap_settings.read(files.configurations(for_all), wish.host or socket.getfqdn())


def _name(said: ScapSettings, top: Path) -> str:
    name = said.said.get("git_repo", "")
    if not name:
        raise ConfigError(
            "scap.cfg does not say git_repo", path=str(top), next="add git_repo to scap/scap.cfg"
        )
    return check_repo(name)


def _checks(files: ScapFiles, repo: Repo, made: ScapTranslation) -> None:
    own, base = (files.either(place, "checks") for place in (files.places[0], files.places[-1]))
    if not files.environment:
        own = b""
    found, left = scap_check_files.checks(base, own, files.environment, repo)
    if found:
        made.repo["checks"] = found
    made.left += left
    for place in files.places:
        if text := files.either(place, "config-files"):
            made.left += scap_check_files.templates(text, "config-files.yaml")
            return


def _pillar(name: str, made: ScapTranslation) -> dict[str, Any]:
    signals = {"deployment_config": {"signals": made.signals}} if made.signals else {}
    return {**signals, "repo_config": {name: made.repo}}


def _made_valid(name: str, made: ScapTranslation) -> Repo:
    """The repo as it would be read; a key that is not valid here goes to those that are left."""
    for _ in range(_MOST_MENDED):
        try:
            return config.load(_pillar(name, made), name)
        except ConfigError as error:
            key = error.path.removeprefix(f"repo_config:{name}:").partition(":")[0]
            if key not in made.repo:
                raise
            value = made.repo.pop(key)
            made.left.append(NotCarried(key, str(value), f"is not valid here: {error.cause}", error.next))
    raise ConfigError(
        "too much of it is not valid here", repo=name, next="write the pillar by hand: pillar/deploy.sls"
    )


def _next(name: str, repo: Repo, piece: Piece, root: Path) -> list[str]:
    tags: list[str] = []
    try:
        tags = [tag for tag in Source(repo, root).tags() if tag.startswith("scap/sync/")]
    except DeployError:  # a directory without a repository is told of by the doctor
        pass
    release = argument("tag", max(tags, key=as_number)) if tags else "branch=master"
    return [
        f"add {piece.path.stem} to the top file of the pillar, for the hosts and the master's own minion id",
        "salt '*' saltutil.refresh_pillar",
        f"salt-run deploy.doctor {argument('repo', name)}",
        f"salt-run deploy.plan {argument('repo', name)} {release}",
    ]
