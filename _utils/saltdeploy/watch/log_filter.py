"""scap's language for filters of logs: triples of attribute, operator and value, all of which must hold.

``levelno >= WARNING host == web*``: words are split as a shell splits them, ``=`` and ``==`` compare with a glob, ``~`` searches a
regular expression, the others compare numbers with numbers and texts with texts. A record without the attribute does not match.
"""

from __future__ import annotations

import fnmatch
import logging
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from saltdeploy.lib.errors import BadArguments

LEVELS = ("CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG")
LEVEL = "levelno"
EXAMPLE = "salt-run deploy.log 'levelno >= WARNING host == web*'"

Attributes = Mapping[str, "str | int | float"]

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_EQUAL, _SEARCH = ("=", "=="), "~"
OPERATORS = (*_EQUAL, _SEARCH, *_ORDER)
_LONGEST = 2000  # characters
_SHOWN = 40  # characters of the filter before and behind the place of an error


@dataclass(frozen=True)
class _Word:
    """A word of the filter, without its quotes; it stands from ``start`` to ``end``."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Criterion:
    """One triple.

    Attributes:
        number: what ``value`` is as a number; None where it is none.
        pattern: the regular expression, where the operator is ``~``.
    """

    attribute: str
    operator: str
    value: str
    number: int | None
    pattern: re.Pattern[str] | None

    def matches(self, attributes: Attributes) -> bool:
        """Whether a record has the attribute, and it is as it should be."""
        if self.attribute not in attributes:
            return False
        found = attributes[self.attribute]
        if self.pattern is not None:
            return self.pattern.search(str(found)) is not None
        if not isinstance(found, str):
            wanted = self.number
            if self.operator in _EQUAL:
                return found == wanted if wanted is not None else fnmatch.fnmatchcase(str(found), self.value)
            return wanted is not None and _ORDER[self.operator](found, wanted)
        if self.operator in _EQUAL:
            return fnmatch.fnmatchcase(found, self.value)
        return _ORDER[self.operator](found, self.value)


@dataclass(frozen=True)
class LogFilter:
    """A filter as it was read.

    Attributes:
        criteria: a record is shown when all of them match.
    """

    criteria: tuple[Criterion, ...]

    @classmethod
    def read(cls, text: str) -> LogFilter:
        """The filter that a text says. One that says nothing of ``levelno`` leaves out DEBUG, as scap's does.

        Raises:
            BadArguments: it is none; the cause shows the place.
        """
        if len(text) > _LONGEST:
            raise BadArguments(f"filter is longer than {_LONGEST} characters", next=EXAMPLE)
        words = list(_words(text))
        criteria = [_criterion(text, words[place : place + 3]) for place in range(0, len(words), 3)]
        if all(each.attribute != LEVEL for each in criteria):
            criteria.append(Criterion(LEVEL, ">=", "INFO", logging.INFO, None))
        return cls(tuple(criteria))

    def matches(self, attributes: Attributes) -> bool:
        """Whether a record is to be shown."""
        return all(each.matches(attributes) for each in self.criteria)


def _criterion(text: str, words: list[_Word]) -> Criterion:
    attribute, rest = words[0], words[1:]
    if not attribute.text.isidentifier():
        told = "an operator" if attribute.text in OPERATORS else repr(attribute.text)
        raise _wrong(text, attribute, f"the name of an attribute is expected, not {told}")
    if not rest:
        raise _missing(text, f"an operator is missing behind {attribute.text!r}")
    middle = rest[0]
    if middle.text not in OPERATORS:
        raise _wrong(text, middle, f"{middle.text!r} is no operator ({' '.join(OPERATORS)})")
    if len(rest) == 1:
        raise _missing(text, f"a value is missing behind '{attribute.text} {middle.text}'")
    return _of_value(text, attribute.text, middle.text, rest[1])


def _of_value(text: str, attribute: str, how: str, word: _Word) -> Criterion:
    value = word.text
    number = int(value) if value.isascii() and value.isdigit() else None
    pattern = None
    if attribute == LEVEL and how != _SEARCH:
        if value in LEVELS:
            number = getattr(logging, value)
        elif number is None:
            raise _wrong(text, word, f"{value!r} is no level ({' '.join(LEVELS)}) and no number")
    if how == _SEARCH:
        try:
            pattern = re.compile(value)
        except (re.error, OverflowError, RecursionError) as error:
            raise _wrong(text, word, f"{value!r} is no regular expression: {error}") from None
    return Criterion(attribute, how, value, number, pattern)


def _words(text: str) -> Iterator[_Word]:
    """The words of a text, as a shell would split them."""
    place, end = 0, len(text)
    while place < end:
        if text[place].isspace():
            place += 1
            continue
        start, said = place, []
        while place < end and not text[place].isspace():
            piece, place = _piece(text, place)
            said.append(piece)
        yield _Word("".join(said), start, place)


def _piece(text: str, place: int) -> tuple[str, int]:
    """A character, one behind a backslash, or all within quotes; and where it ends."""
    char = text[place]
    if char == "\\":
        if place + 1 == len(text):
            raise _wrong(text, _Word(char, place, place + 1), "nothing stands behind the backslash")
        return text[place + 1], place + 2
    if char not in "'\"":
        return char, place + 1
    said, at = [], place + 1
    while at < len(text) and text[at] != char:
        if char == '"' and text[at] == "\\" and text[at + 1 : at + 2] in ('"', "\\"):
            at += 1
        said.append(text[at])
        at += 1
    if at >= len(text):
        raise _wrong(text, _Word(char, place, len(text)), "this quotation mark has no second one")
    return "".join(said), at + 1


def _missing(text: str, why: str) -> BadArguments:
    return _wrong(text, _Word("", len(text), len(text)), why)


def _wrong(text: str, word: _Word, why: str) -> BadArguments:
    """An error that points at the word: ``levelno >= -->LOUD<--``."""
    before, behind = text[: word.start], text[word.end :]
    before = f"...{before[-_SHOWN:]}" if len(before) > _SHOWN else before
    behind = f"{behind[:_SHOWN]}..." if len(behind) > _SHOWN else behind
    place = f"{before}-->{text[word.start : word.end][:_SHOWN]}<--{behind}"
    return BadArguments(f"filter at character {word.start + 1}: {why}: {place}", next=EXAMPLE)
