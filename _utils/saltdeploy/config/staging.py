"""How releases of a repo are made on the master: the key ``stage`` of a repo; docs/staging.md."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from saltdeploy.config import values
from saltdeploy.config.values import Wrong


@dataclass(frozen=True)
class SourcePart:
    """One repository that a release is composed of.

    Attributes:
        source: a path or a URL.
        ref: a branch, a tag or a full commit id there.
        path: where its files lie in the release; "" for the root.
    """

    source: str
    ref: str
    path: str


@dataclass(frozen=True)
class SourcePatch:
    """A patch that is applied to what was composed; ``path`` is where its paths begin in the release, "" for the root."""

    file: str
    path: str


@dataclass(frozen=True)
class StagePlan:
    """What ``deploy.stage`` makes releases of.

    Attributes:
        directory: a plain directory; "" for the one that ``source`` names.
        build: an argument list that is run in the directory before it is looked at; () for none.
        build_timeout: seconds.
        parts, patches: what a release is composed of, in this order; () where it is not.
    """

    directory: str = ""
    build: tuple[str, ...] = ()
    build_timeout: float = 3600.0
    parts: tuple[SourcePart, ...] = ()
    patches: tuple[SourcePatch, ...] = ()


@dataclass(frozen=True)
class StagingPolicy:
    """How a repo's releases come to be.

    Attributes:
        tag_scheme: how the next one is called.
        keep_tags: how many tags that were made here stay, of those that nothing needs; 0: all.
        plan: what ``deploy.stage`` makes it of; None where the pillar does not say.
    """

    tag_scheme: str
    keep_tags: int
    plan: StagePlan | None


def policy(keys: dict[str, Any]) -> StagingPolicy:
    """What holds for one repo, by the checked values of its section."""
    return StagingPolicy(keys["tag_scheme"], keys["keep_tags"], keys["stage"])


def staging(value: Any) -> StagePlan:
    """Read the section ``stage``.

    Raises:
        Wrong: with the path of what is wrong.
    """
    known: dict[str, Callable[[Any], Any]] = {
        "directory": values.absolute,
        "build": values.command,
        "build_timeout": values.seconds(1.0),
        "parts": _parts,
        "patches": _patches,
    }
    found = StagePlan(**values.table(value, known))
    if found.parts and (found.directory or found.build):
        raise Wrong("stands beside parts: a release is composed, or made of a directory", "directory")
    if found.patches and not found.parts:
        raise Wrong("needs parts: a directory is patched by who edits it", "patches")
    return found


def _parts(value: Any) -> tuple[SourcePart, ...]:
    known: dict[str, Callable[[Any], Any]] = {"source": values.text, "ref": _ref, "path": below}
    found = []
    for number, each in enumerate(values.list_of(value, "repositories")):
        table = values.table(each, known, required=("source", "ref"), path=(number,))
        found.append(SourcePart(table["source"], table["ref"], table.get("path", "")))
    places = [part.path for part in found]
    for number, place in enumerate(places):
        if place in places[:number]:
            raise Wrong("another part lies there already", number, "path")
    if "" in places[1:]:
        raise Wrong("what lies at the root comes first", places.index("", 1), "path")
    return tuple(found)


def _patches(value: Any) -> tuple[SourcePatch, ...]:
    known: dict[str, Callable[[Any], Any]] = {"file": values.absolute, "path": below}
    found = []
    for number, each in enumerate(values.list_of(value, "patches")):
        table = {"file": each} if isinstance(each, str) else each
        table = values.table(table, known, required=("file",), path=(number,))
        found.append(SourcePatch(table["file"], table.get("path", "")))
    return tuple(found)


def _ref(value: Any) -> str:
    text = values.text(value)
    if text.startswith("-") or any(char in text for char in " ~^:?*[\\\t\n") or ".." in text:
        raise Wrong("must be a branch, a tag or a full commit id")
    return text


def below(value: Any) -> str:
    """A path below the release's root, as git writes it; "" or ``.`` for the root itself."""
    if not isinstance(value, str) or "\0" in value:
        raise Wrong("must be a path below the release's root")
    normal = posixpath.normpath(value) if value else "."
    if normal.startswith(("/", "../")) or normal == ".." or ".git" in normal.split("/"):
        raise Wrong("must be a path below the release's root, and not .git")
    return "" if normal == "." else normal
