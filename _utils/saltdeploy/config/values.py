"""Readers of single values: each takes what stands in the pillar and returns it checked, or raises :class:`Wrong`."""

from __future__ import annotations

import difflib
import math
import re
import shlex
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from saltdeploy.lib.errors import ConfigError

_SHARE = re.compile(r"[0-9]{1,9}|(100|[0-9]{1,2})%")
_FLAGS = ("true", "false", "yes", "no", "on", "off")  # as YAML has them where they stand without quotes
#: Trebuchet's keys that are gone -> what does the same now.
_FORMER = {
    "submodule_sed_regex": "Trebuchet wrote other URLs into .gitmodules by it; here submodule_urls says them, each by "
    "the begin of the old one: docs/submodules.md",
}
_Section = TypeVar("_Section")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")


def refuse_unknown(section: dict[str, Any], known: Collection[str], path: str, repo: str = "") -> None:
    """See to it that a section of the pillar has no key but those that are known.

    Args:
        path: where the section stands: ``repo_config:mediawiki``.
        repo: whose it is; "" for all.

    Raises:
        ConfigError: it has one; the nearest that is known is offered.
    """
    for key in map(str, section):
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}" if near else f"the keys are {', '.join(known)}"
            hint = _FORMER.get(key, hint)
            raise ConfigError(
                f"{key!r} is not a key that we know", repo=repo, path=f"{path}:{key}", next=hint
            )


def secret_in(file: str, path: str) -> str:
    """What a file holds that the pillar names so that the secret itself does not stand there.

    Args:
        path: where the pillar names it.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return Path(file).read_text().strip()
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigError(f"{file} cannot be read: {cause}", path=path, next=f"ls -l -- {file}") from None


class Wrong(ValueError):
    """A value that is not valid.

    Args:
        path: keys from the value that was being read down to what is wrong; empty for the value itself.
    """

    def __init__(self, text: str, *path: object) -> None:
        super().__init__(text)
        self.path = tuple(str(part) for part in path)

    def below(self, *path: object) -> Wrong:
        """The same, seen from further up."""
        return Wrong(str(self), *path, *self.path)


def text(value: Any) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value or "\0" in value:
        raise Wrong("must be a text that is not empty")
    return value


def name(value: Any) -> str:
    """The name of a group or a check: short, and safe on a terminal and in a tag."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise Wrong("must be a short name of letters, digits and _ . -")
    return value


def flag(value: Any) -> bool:
    """True or false."""
    if isinstance(value, str) and value.lower() in _FLAGS:
        raise Wrong(f"must be true or false, and not a text: write {value.lower()} without quotes")
    if not isinstance(value, bool):
        raise Wrong("must be true or false")
    return value


def flag_or(*words: str) -> Callable[[Any], str]:
    """A check for one of these words, or a truth value: the last word for a true one, "" for a false one."""

    def check(value: Any) -> str:
        if isinstance(value, str) and value in words:
            return value
        try:
            return words[-1] if flag(value) else ""
        except ValueError:
            raise Wrong(f"must be {', '.join(words)}, true or false") from None

    return check


def absolute(value: Any) -> str:
    """An absolute path."""
    if not text(value).startswith("/"):
        raise Wrong("must be an absolute path")
    return str(value)


def one_of(*names: str) -> Callable[[Any], str]:
    """One of a few words."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in names:
            raise Wrong(f"must be one of {', '.join(names)}")
        return value

    return check


def whole(least: int, most: float = math.inf) -> Callable[[Any], int]:
    """A whole number in this range."""
    to = f" to {most}" if most < math.inf else ""

    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise Wrong(f"must be a whole number from {least}{to}{_without_quotes(value)}")
        return value

    return check


def seconds(least: float = 0.0) -> Callable[[Any], float]:
    """A length of time."""

    def check(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= 86_400 * 7:
            raise Wrong(f"must be a number of seconds from {least:g} to 604800{_without_quotes(value)}")
        return float(value)

    return check


def _without_quotes(value: Any) -> str:
    return (
        f", and not a text: write {value} without quotes"
        if isinstance(value, str) and value.isdecimal()
        else ""
    )


def share(value: Any) -> str:
    """A count of hosts, or a share of them."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str) and _SHARE.fullmatch(value):
        return value
    raise Wrong("must be a count (3) or a share (25%)")


def window(value: Any) -> str:
    """A :func:`share` that lets at least one host through."""
    if not int(share(value).rstrip("%")):
        raise Wrong("must let at least one host switch: a count from 1 or a share from 1%")
    return share(value)


def command(value: Any) -> tuple[str, ...]:
    """An argument list; a text is split as a shell would, and no shell ever sees it."""
    if isinstance(value, str):
        try:
            value = shlex.split(value)
        except ValueError as error:
            raise Wrong(f"cannot be split into arguments: {error}") from None
    if (
        not isinstance(value, list)
        or not value
        or not all(isinstance(word, (str, int, float)) for word in value)
    ):
        raise Wrong("must be a list of arguments")
    words = tuple(str(word) for word in value)
    if not words[0] or any("\0" in word for word in words):
        raise Wrong("must be a list of arguments that begins with a program")
    return words


def ports(value: Any) -> tuple[int, ...]:
    """One TCP port or a list of them."""
    return tuple(_port(each) for each in (value if isinstance(value, list) else [value]))


def _port(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 65_536:
        raise Wrong("must be a TCP port")
    return value


def table(
    value: Any,
    known: dict[str, Callable[[Any], Any]],
    *,
    required: tuple[str, ...] = (),
    path: tuple[object, ...] = (),
) -> dict[str, Any]:
    """Read a table with these keys and no others.

    Args:
        known: key to what reads its value.
        path: where the table stands, for errors.
    """
    if not isinstance(value, dict):
        raise Wrong("must be a table", *path)
    found = {}
    for key, each in value.items():
        if key not in known:
            raise Wrong(f"{key!r} is not a key that we know; the keys are {', '.join(known)}", *path, key)
        try:
            found[str(key)] = known[key](each)
        except Wrong as error:
            raise error.below(*path, key) from None
    for key in required:
        if key not in found:
            raise Wrong(f"needs {key}", *path)
    return found


def table_of_any(value: Any) -> dict[str, Any]:
    """A table, whatever is in it."""
    if not isinstance(value, dict):
        raise Wrong("must be a table")
    return {str(key): each for key, each in value.items()}


def list_of(value: Any, what: str) -> list[Any]:
    """A list."""
    if not isinstance(value, list):
        raise Wrong(f"must be a list of {what}")
    return value


def of_keys(kind: type[_Section], keys: Mapping[str, Any], **other: Any) -> _Section:
    """A section of a repo whose fields are called as the keys that they are of.

    Args:
        kind: a frozen dataclass.
        keys: checked values.
        other: fields that are not simply what a key of their name says.
    """
    return kind(**{each.name: keys[each.name] for each in fields(kind) if each.name not in other}, **other)  # type: ignore[arg-type]
