"""Reads what crossed a host boundary: a table of fields says what each may be, and one reader goes through it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from saltdeploy.lib.errors import DeployError
from saltdeploy.lib.text import legible

_BIG = 1 << 62  # what any reader of JSON or msgpack can hold


def _anything(value: object) -> bool:
    return True


def _as_it_is(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Field:
    """One field of what came.

    Attributes:
        wrong: what to say when it is not legal.
        is_legal: whether it may be this; anything, where ``make`` takes anything.
        make: what becomes of it; it may raise a :class:`DeployError` too.
        absent: stands for a field that did not come: peers of another version have fewer.
    """

    wrong: str = ""
    is_legal: Callable[[Any], bool] = _anything
    make: Callable[[Any], Any] = _as_it_is
    absent: Any = None


def read(data: Mapping[str, Any], fields: Mapping[str, Field]) -> dict[str, Any]:
    """The values of all fields by their names. What is no field is passed over: peers of another version have more.

    Raises:
        DeployError: for the first field that is not legal.
    """
    came = {name: data.get(name, field.absent) for name, field in fields.items()}
    for name, field in fields.items():
        if not field.is_legal(came[name]):
            raise DeployError(field.wrong)
    return {name: field.make(came[name]) for name, field in fields.items()}


def matches(pattern: str) -> Callable[[Any], bool]:
    """Whether a value is a text of this form."""
    form = re.compile(pattern)
    return lambda value: isinstance(value, str) and form.fullmatch(value) is not None


def one_of(words: tuple[str, ...]) -> Callable[[Any], bool]:
    """Whether a value is one of these texts."""
    return lambda value: isinstance(value, str) and value in words


def is_count(value: object) -> TypeGuard[int]:
    """Whether a value is a whole number that is not negative, and that every reader can hold."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _BIG


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a number that every reader can hold; so it is finite."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= _BIG


def is_text(value: object) -> TypeGuard[str]:
    """Whether a value is a text."""
    return isinstance(value, str)


def is_flag(value: object) -> TypeGuard[bool]:
    """Whether a value is true or false."""
    return isinstance(value, bool)


def is_list(value: object) -> TypeGuard[list[Any] | tuple[Any, ...]]:
    """Whether a value is a list."""
    return isinstance(value, (list, tuple))


def is_table(value: object) -> TypeGuard[dict[Any, Any]]:
    """Whether a value is a table."""
    return isinstance(value, dict)


def short(value: object, most: int) -> str:
    """A text, cut to so many characters; "" for whatever else came."""
    return legible(value[:most]) if isinstance(value, str) else ""


def short_text(most: int) -> Field:
    """A field that is never refused: see :func:`short`."""
    return Field(make=lambda value: short(value, most))
