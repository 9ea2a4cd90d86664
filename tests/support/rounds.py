"""How long property tests look: few rounds in ``make unit``, many in ``make fault``."""

from __future__ import annotations

from hypothesis import settings

QUICK, THOROUGH = "quick", "thorough"
_MANY, _FEW, _FEWEST = 100, 10, 3


def register(derandomize: bool) -> None:
    """Register both profiles and load ``QUICK``; ``--hypothesis-profile thorough`` asks for the other.

    Args:
        derandomize: try the same examples each time.
    """
    for name, examples in ((THOROUGH, _MANY), (QUICK, _FEW)):
        # a slow machine is not a failing test
        settings.register_profile(name, deadline=None, derandomize=derandomize, max_examples=examples)
    settings.load_profile(QUICK)


def rounds(many: int) -> int:
    """The ``max_examples`` of a test that tries ``many`` in ``THOROUGH``."""
    return max(_FEWEST, many * settings.default.max_examples // _MANY)
