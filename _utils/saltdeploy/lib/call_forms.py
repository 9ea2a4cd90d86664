"""The forms in which Trebuchet's users and programs call the runner, as they arrive by ``salt-run`` and ``publish.runner``.

``deploy.checkout R,False`` arrives as one text, or as two values, depending on the Salt; what stands second means what it
meant to Trebuchet: whether to force a checkout, and how many hosts restart at once.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from typing import Any

from saltdeploy.lib.errors import BadArguments
from saltdeploy.lib.spelling import argument

_TRUTHS = ("True", "False")  # as Python, and so Trigger, spells them
_HOW_MANY = re.compile(r"[0-9]+%?")

_OF_LOG = ("filter", "repo", "id", "follow", "json", "file")  # what is no attribute of a record

Positional = tuple[Any, ...]


def as_meant(
    function: str, positional: Positional, named: Mapping[str, Any]
) -> tuple[Positional, Mapping[str, Any]]:
    """The arguments of a call as this package's functions take them; those of other forms as they are.

    Args:
        function: its name behind ``deploy.``.
        positional, named: as they arrived.

    Raises:
        BadArguments: a filter was typed without blanks, so that Salt took it for an argument.
    """
    if function == "log":
        _refuse_a_filter_without_blanks(positional, named)
    words = _parted(function, positional)
    if function == "checkout" and len(words) == 2 and "force" not in named and str(words[1]) in _TRUTHS:
        return words[:1], {**named, "force": str(words[1]) == "True"}
    return words, named


def is_trebuchets(function: str, positional: Positional, named: Mapping[str, Any]) -> bool:
    """Whether a call has the form of Trebuchet's programs: ``fetch R``, ``checkout R,False``, ``restart R,10%``.

    Args:
        function, positional, named: as for :func:`as_meant`.
    """
    words = [str(each) for each in _parted(function, positional)]
    if named or not words:
        return False
    second = {
        "checkout": words[1:] and words[1] in _TRUTHS,
        "restart": words[1:] and _HOW_MANY.fullmatch(words[1]),
    }
    return function in ("fetch", "checkout", "restart") and (
        len(words) == 1 or (len(words) == 2 and bool(second.get(function)))
    )


def _refuse_a_filter_without_blanks(positional: Positional, named: Mapping[str, Any]) -> None:
    """``deploy.log host=web1``: who types that means a filter."""
    wanted = {key: value for key, value in named.items() if key not in _OF_LOG}
    if not wanted:
        return
    said = [str(each) for each in positional if isinstance(each, str)]
    said += [str(named["filter"])] if isinstance(named.get("filter"), str) else []
    said += [f"{key} == {_word(value)}" for key, value in wanted.items()]
    others = [argument(key, named[key]) for key in _OF_LOG[1:] if key in named]
    raise BadArguments(
        f"a filter is one text with blanks in it, and {', '.join(wanted)} arrived as arguments",
        repo=str(named.get("repo") or ""),
        next=" ".join(["salt-run deploy.log", shlex.quote(" ".join(said)), *others]),
    )


def _word(value: object) -> str:
    """One word of a filter."""
    text = str(value)
    return text if re.fullmatch(r"[^\s'\"\\]+", text) else json.dumps(text)


def _parted(function: str, positional: Positional) -> Positional:
    """``R,10%`` as two values; ``a,b`` stays what it is, two repos."""
    if len(positional) != 1 or not isinstance(positional[0], str) or positional[0].startswith(("{", "[")):
        return positional
    first, comma, last = positional[0].rpartition(",")
    fits = {"checkout": last in _TRUTHS, "restart": _HOW_MANY.fullmatch(last) is not None}
    return (first, last) if comma and fits.get(function) else positional
