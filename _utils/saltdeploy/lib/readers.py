"""What each kind of argument may be: a reader returns what is meant, or refuses it and says what could have been meant.

Nothing is converted by Python's own rules: ``bool("False")`` is true, and ``str(1.1)`` may have been ``1.10``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import yaml

Named = tuple[str, str]
"""A repo and its own tag; "" where it has none."""

_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_MOST = 1e9  # seconds or hours; more is a slip, and no moment in time
_PART = re.compile(r"([0-9]{1,4})/([0-9]{1,4})", re.ASCII)
_MOST_PARTS = 1000
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")
_KINDS = {bool: "the truth value", type(None): "the empty value", int: "the number", float: "the number"}
_LONGEST_COUNT = 10  # digits
_SHOWN = 60  # characters of a value that is refused


@dataclass(frozen=True)
class Given:
    """An argument as it arrived.

    Attributes:
        value: what Salt made of it.
        typed: what was typed; None where nobody knows that.
    """

    value: object
    typed: str | None = None


class NotValid(ValueError):
    """What was given is not valid.

    Args:
        cause: why, to be read behind the argument's name.
        guess: the nearest value that could be.
    """

    def __init__(self, cause: str, guess: object) -> None:
        super().__init__(cause)
        self.guess = guess


class Lost(NotValid):
    """What was typed cannot be told from what arrived.

    Args:
        value: what arrived, or the part of it that is no text.
        guess: the likeliest text.
    """

    def __init__(self, value: object, guess: object) -> None:
        kind = _KINDS.get(type(value), f"a {type(value).__name__}:")
        super().__init__(f"arrived as {kind} {_shown(value)}", guess)


Reader = Callable[[Given], Any]


def name(given: Given) -> str:
    """A name or any other text: as it arrived, or as it was typed.

    Raises:
        Lost: it is no text.
    """
    if isinstance(given.value, str):
        return given.value
    if given.typed is not None:
        return given.typed
    raise Lost(given.value, _as_text(given.value))


def code(given: Given, digits: int) -> str:
    """A name that is this many digits, such as a deploy's id: the one name whose text a number still tells."""
    value = given.value
    if isinstance(value, int) and not isinstance(value, bool) and len(str(value)) == digits:
        return str(value)
    return name(given)


def choice(given: Given) -> str:
    """An answer to a question: ``yes`` and ``no`` may come as truth values."""
    if isinstance(given.value, bool):
        return "yes" if given.value else "no"
    return name(given)


def flag(given: Given, careful: bool = False) -> bool:
    """A truth value, or a word for one, in any case.

    Args:
        careful: which of both does less harm.

    Raises:
        NotValid: it is neither true nor false.
    """
    value = given.value
    word = str(value).lower() if isinstance(value, (int, str)) else ""
    if word not in (*_TRUE, *_FALSE):
        words = f"{', '.join(_TRUE)} and {', '.join(_FALSE)} are"
        raise NotValid(f"is neither true nor false: {_shown(value)} ({words})", careful)
    return word in _TRUE


def number(given: Given) -> float:
    """A number that is not negative, of seconds or of hours; or a text that spells one.

    Raises:
        NotValid: it is none.
    """
    value = given.value
    try:
        found = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not 0 <= found <= _MOST:
        near = _NUMBER.search(str(value)[:_SHOWN])
        guess = min(float(near.group()), _MOST) if near else 0.0
        raise NotValid(f"is not a number from 0 to {_MOST:.0f}: {_shown(value)}", _rounded(guess))
    return found


def term(given: Given) -> int | float | str:
    """A word, a share such as ``25%``, or a number; what it may be is said by what reads the pillar's key of that name.

    Raises:
        NotValid: it is none.
    """
    value = given.value
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) < _LONGEST_COUNT else value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    raise NotValid(f"is neither a number nor a word: {_shown(value)}", 0)


def part(given: Given) -> str:
    """A slice of something: ``3/10`` is the third of ten.

    Raises:
        NotValid: it is none.
    """
    found = _PART.fullmatch(given.value) if isinstance(given.value, str) else None
    if found is None or not 1 <= int(found[1]) <= int(found[2]) <= _MOST_PARTS:
        raise NotValid(f"is no part such as 3/10, of at most {_MOST_PARTS}: {_shown(given.value)}", "1/7")
    return f"{int(found[1])}/{int(found[2])}"


def count(given: Given) -> int:
    """A whole number that is not negative.

    Raises:
        NotValid: it is none.
    """
    found = number(given)
    if not found.is_integer():
        raise NotValid(f"is not a whole number: {_shown(given.value)}", int(found))
    return int(found)


def several(given: Given) -> tuple[Named, ...]:
    """Repos: ``a,b``, a list of names, or names with a tag for each: ``{a: v1, b: v7}``.

    Raises:
        Lost: a name or a tag is no text.
        NotValid: it is neither.
    """
    text = given.value if isinstance(given.value, str) else given.typed
    if text is None:
        return _pairs(given.value)
    if text.startswith(("{", "[")):
        return _written(text)
    return tuple((each.strip(), "") for each in text.split(","))


def wires(given: Given) -> Any:
    """What the master sends as plain data: a dict, or a list; None for nothing.

    Raises:
        NotValid: somebody has typed something else.
    """
    value = given.value
    if value is None or isinstance(value, (dict, list, tuple)):
        return value
    raise NotValid(f"is what a master sends, not to be typed: {_shown(value)}", None)


def _pairs(value: object) -> tuple[Named, ...]:
    """Of what Salt has parsed: every part must have stayed a text."""
    if isinstance(value, dict):
        pairs = [(key, "" if tag is None else tag) for key, tag in value.items()]
        guess: object = {_as_text(key): _as_text(tag) for key, tag in pairs}
    elif isinstance(value, (list, tuple)):
        pairs, guess = [(key, "") for key in value], [_as_text(key) for key in value]
    else:
        raise Lost(value, _as_text(value))
    lost = [part for pair in pairs for part in pair if not isinstance(part, str)]
    if lost:
        raise Lost(lost[0], guess)
    return tuple(pairs)


def _written(text: str) -> tuple[Named, ...]:
    """Of a dict or list in YAML: each part as it is written there, whatever YAML would make of it."""
    try:
        node = yaml.compose(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError):
        node = None
    if isinstance(node, yaml.MappingNode):
        parts = node.value
    elif isinstance(node, yaml.SequenceNode):
        parts = [(each, yaml.ScalarNode("", "")) for each in node.value]
    else:
        parts = [(node, node)]
    if not all(isinstance(part, yaml.ScalarNode) for pair in parts for part in pair):
        raise NotValid(f"is neither names nor names with their tags: {_shown(text)}", _bare(text))
    return tuple((repo.value, tag.value) for repo, tag in parts)


def _bare(text: str) -> str:
    return ",".join(re.findall(r"[A-Za-z0-9_][A-Za-z0-9_.+/-]*", text)) or "..."


def _rounded(number: float) -> float:
    return int(number) if number.is_integer() else number


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."


def _as_text(value: object) -> str:
    """The likeliest of the texts that could have become this."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ",".join(map(_as_text, value))
    if isinstance(value, dict):
        return _as_text(list(value))
    return "null" if value is None else str(value)
