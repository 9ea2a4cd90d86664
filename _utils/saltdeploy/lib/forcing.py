"""Which guards an operator goes past: by name, or all that can be forced."""

from __future__ import annotations

import difflib

from saltdeploy.lib.readers import Given, NotValid, flag

#: The guards that can be forced, in the order in which they are asked.
GUARDS = (
    "freeze",
    "lock",
    "targets",
    "transport",
    "bad_release",
    "submodules",
    "empty_release",
    "max_removed",
)

#: No guard, since only hosts can tell it: they have seen a newer deploy, of another master or of a clock that was ahead. It
#: is gone past by its name only.
EPOCH = "epoch"
#: No guard either, since it is of roll backs: a step that runs once refuses them. It is gone past by its name only.
STEPS = "once"
_BY_NAME_ONLY = (EPOCH, STEPS)
_NAMES = (*GUARDS, *_BY_NAME_ONLY)

Force = bool | tuple[str, ...]
"""Names of guards; True: all of :data:`GUARDS`."""


def covers(force: Force, guard: str) -> bool:
    """Whether a guard is gone past."""
    return guard in force if isinstance(force, tuple) else force and guard not in _BY_NAME_ONLY


def named(force: Force) -> str:
    """What is forced, in words: ``max_removed, freeze``; "" for nothing."""
    return ", ".join(force) if isinstance(force, tuple) else "all guards" if force else ""


def guards(given: Given) -> Force:
    """The argument ``force``: a truth value, the name of a guard, or several: ``max_removed,freeze``, or a list.

    Raises:
        NotValid: it is neither, or there is no such guard that can be forced.
    """
    value = given.value
    words = value.split(",") if isinstance(value, str) else value if isinstance(value, (list, tuple)) else ()
    names = [word.strip() if isinstance(word, str) else word for word in words]
    known = tuple(name for name in _NAMES if name in names)
    if known and len(known) == len(names):
        return known
    try:
        return flag(given)
    except NotValid as error:
        meant = [near for name in names for near in difflib.get_close_matches(str(name), _NAMES, n=1)]
        guess: object = ",".join(name for name in _NAMES if name in meant) or error.guess
        raise NotValid(f"{error}, nor does it name guards: {', '.join(_NAMES)}", guess) from None
