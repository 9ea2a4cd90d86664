"""The key ``config_files`` of a repo: files of a release that each host renders itself; docs/config-files.md."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from saltdeploy.config import paths, values
from saltdeploy.config.values import Wrong

#: Salt's template engines that need nothing but Salt, and the others, which Salt has where their package is installed.
ENGINES = ("jinja", "py", "mako", "genshi", "wempy", "cheetah")
_SALT = "salt://"
_MOST = 50  # files
_MODE_DIGITS = (3, 4)
#: Stands in ``check`` for the file that is checked.
FILE = "FILE"


@dataclass(frozen=True)
class ConfigFile:
    """One file that hosts render.

    Attributes:
        path: in the tree of a release.
        template: where its template is: a path in the release, or ``salt://...`` on the master's file server.
        engine: one of :data:`ENGINES`.
        vars: what the template finds beside pillar and grains, as JSON would hold it.
        check: an argument list, in which :data:`FILE` stands for the rendered file; () for none.
        secret: nothing of its contents is shown to anybody.
        mode: of the file.
    """

    path: str
    template: str
    engine: str = "jinja"
    vars: tuple[tuple[str, Any], ...] = ()
    check: tuple[str, ...] = ()
    secret: bool = False
    mode: int = 0o644

    @property
    def of_salt(self) -> bool:
        """Whether its template is on the master's file server, and not in the release."""
        return self.template.startswith(_SALT)


def config_files(value: Any) -> tuple[ConfigFile, ...]:
    """A reader of ``config_files``: a list of tables."""
    listed = values.list_of(value, "files")
    if len(listed) > _MOST:
        raise Wrong(f"must be a list of at most {_MOST} files")
    found = tuple(_file(entry, number) for number, entry in enumerate(listed))
    try:
        paths.refuse_nested([each.path for each in found])
    except Wrong as error:
        raise Wrong(str(error)) from None
    return found


def _file(entry: Any, number: int) -> ConfigFile:
    known: dict[str, Callable[[Any], Any]] = {
        "path": _path,
        "template": _template,
        "engine": values.one_of(*ENGINES),
        "vars": values.table_of_any,
        "check": _check,
        "secret": values.flag,
        "mode": _mode,
    }
    read = values.table(entry, known, required=("path", "template"), path=(number,))
    return ConfigFile(**{**read, "vars": tuple(read.get("vars", {}).items())})


def _path(value: Any) -> str:
    try:
        return paths.path_in_tree(value)
    except ValueError as error:
        raise Wrong(str(error)) from None


def _template(value: Any) -> str:
    said = values.text(value)
    return said if said.startswith(_SALT) and len(said) > len(_SALT) else _path(said)


def _check(value: Any) -> tuple[str, ...]:
    found = values.command(value)
    if FILE not in found:
        raise Wrong(f"must name {FILE} among its arguments, which stands for the file that is checked")
    return found


def _mode(value: Any) -> int:
    text = values.text(value)
    if (
        len(text) not in _MODE_DIGITS
        or any(digit not in "01234567" for digit in text)
        or int(text, 8) > 0o777
    ):
        raise Wrong("must be a mode as a text: '0640'")
    return int(text, 8)


def shown(found: ConfigFile) -> dict[str, Any]:
    """What a plan says of it; of vars only that there are some: they may be secrets."""
    said = repr(found.vars).encode()
    return {
        "path": found.path,
        "template": found.template,
        "engine": found.engine,
        "vars": hashlib.sha256(said).hexdigest()[:12] if found.vars else "",
        "secret": found.secret,
    }
