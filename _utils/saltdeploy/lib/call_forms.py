"""The forms in which Trebuchet's users and programs call the runner, as they arrive by ``salt-run`` and ``publish.runner``.

``deploy.checkout R,False`` arrives as one text, or as two values, depending on the Salt; what stands second means what it
meant to Trebuchet: whether to force a checkout, and how many hosts restart at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_TRUTHS = ("True", "False")  # as Python, and so Trigger, spells them
_HOW_MANY = re.compile(r"[0-9]+%?")

Positional = tuple[Any, ...]


def as_meant(
    function: str, positional: Positional, named: Mapping[str, Any]
) -> tuple[Positional, Mapping[str, Any]]:
    """The arguments of a call as this package's functions take them; those of other forms as they are.

    Args:
        function: its name behind ``deploy.``.
        positional, named: as they arrived.
    """
    words = _parted(function, positional)
    if function == "checkout" and len(words) == 2 and "force" not in named and str(words[1]) in _TRUTHS:
        return words[:1], {**named, "force": str(words[1]) == "True"}
    return words, named


def _parted(function: str, positional: Positional) -> Positional:
    """``R,10%`` as two values; ``a,b`` stays what it is, two repos."""
    if len(positional) != 1 or not isinstance(positional[0], str) or positional[0].startswith(("{", "[")):
        return positional
    first, comma, last = positional[0].rpartition(",")
    fits = {"checkout": last in _TRUTHS, "restart": _HOW_MANY.fullmatch(last) is not None}
    return (first, last) if comma and fits.get(function) else positional
