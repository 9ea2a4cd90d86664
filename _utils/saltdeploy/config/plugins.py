"""Tables of names that an operator can write, to which installed packages may add rows.

A package adds a row by an entry point: the group says to which table, the entry point's name is what operators write, and
it leads to an object that has the row's fields as attributes. Metadata of packages are looked at only for a name that is
not built in, and where all names are listed.
"""

from __future__ import annotations

import dataclasses
import logging
import pkgutil
import re
import sys
from collections.abc import Iterable
from importlib import metadata
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from saltdeploy.lib.errors import ConfigError

log = logging.getLogger(__name__)

_NAME = re.compile(r"[a-z]{1,20}")  # what an order may hold
_IMPORTED_WITH = "_imported_with_saltdeploy"


class Row(Protocol):
    """A frozen dataclass with a name; every other field has a default or is checked by ``__post_init__``."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def name(self) -> str:
        """What an operator writes."""


R = TypeVar("R", bound=Row)


class Table(Generic[R]):
    """Rows by their names: those of this package, and those of packages that are installed beside it.

    Args:
        what: the rows are, in an error: ``transport``.
        group: the group of entry points.
        kind: the rows' class.
        rows: those that are built in. A package cannot replace one of them.
    """

    def __init__(self, what: str, group: str, kind: type[R], rows: Iterable[R]) -> None:
        self.what = what
        self.group = group
        self.built_in = {row.name: row for row in rows}
        self._kind = kind
        self._loaded: dict[str, R] = {}

    def find(self, name: str) -> R | None:
        """The row of this name; None when nobody brings one.

        Raises:
            ConfigError: a package brings it, and it cannot be used; the error names the package.
        """
        known = self.built_in.get(name) or self._loaded.get(name)
        if known is not None or not _NAME.fullmatch(name):
            return known
        points = list(metadata.entry_points(group=self.group, name=name))
        if not points:
            return None
        if len(points) > 1:
            raise ConfigError(
                f"{self.what} {name} is brought by {' and by '.join(map(_package, points))}",
                next="uninstall all of these packages but one",
            )
        self._loaded[name] = self._load(points[0])
        return self._loaded[name]

    def known(self) -> list[R]:
        """The rows that are built in, and those of packages that were asked for by name before."""
        return [*self.built_in.values(), *self._loaded.values()]

    def rows(self) -> list[R]:
        """All rows, those that are built in first. What cannot be used is left out, and the log says why."""
        found = list(self.built_in.values())
        for name in sorted(metadata.entry_points(group=self.group).names - self.built_in.keys()):
            try:
                row = self.find(name)
            except ConfigError as error:
                log.warning("left out: %s", error)
                continue
            found += [row] if row else []
        return found

    def names(self) -> list[str]:
        """The names of all rows that can be used."""
        return [row.name for row in self.rows()]

    def _load(self, point: metadata.EntryPoint) -> R:
        try:
            given = _imported(point)
            known = [field.name for field in dataclasses.fields(self._kind) if hasattr(given, field.name)]
            row = self._kind(**{**{key: getattr(given, key) for key in known}, "name": point.name})
        except Exception as error:  # code of others, which may raise anything
            log.info("%s of %s", point.value, _package(point), exc_info=True)
            raise ConfigError(
                f"{self.what} {point.name} of package {_package(point)} cannot be used: "
                f"{type(error).__name__}: {error}",
                next=f"mend or upgrade {_package(point)}, or uninstall it",
            ) from error
        log.debug("%s %s comes from %s", self.what, point.name, _package(point))
        return row


def resolve(place: str, what: str) -> Any:
    """The class or function that a row names.

    Args:
        place: ``package.module:name``.
        what: it is, in an error: ``transport tar``.

    Raises:
        ConfigError: it cannot be imported.
    """
    try:
        return pkgutil.resolve_name(place)
    except Exception as error:  # code of others, which may raise anything
        raise ConfigError(
            f"{what} cannot be used: {place}: {type(error).__name__}: {error}",
            next=f"mend or upgrade the package that has {place.partition(':')[0]}",
        ) from error


def _imported(point: metadata.EntryPoint) -> Any:
    """What an entry point leads to, imported with this copy of our package.

    A process that loads our package anew, since another version has come, still has the modules of others that hold parts of
    the old one: an error that such a module raises would be none of ours.
    """
    package, ours = point.module.partition(".")[0], sys.modules[__name__]
    if getattr(sys.modules.get(package), _IMPORTED_WITH, ours) is not ours:
        for name in [name for name in sys.modules if name.partition(".")[0] == package]:
            del sys.modules[name]
    found = point.load()
    setattr(sys.modules[package], _IMPORTED_WITH, ours)
    return found


def _package(point: metadata.EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.module
