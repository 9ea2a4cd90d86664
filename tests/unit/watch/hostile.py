"""What a broken or hostile host may put into an event or an answer."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies
from saltdeploy.protocol import events

from tests.unit.watch import stories

SCREEN = "\x1b[2J\x1b[1;1H"
TITLE = "\x1b]0;owned\x07"
TEXT = f"fine{SCREEN}{TITLE}\x9b31m\r\nCONVERGED 10/10\x00\u202e\x1b"

_KINDS = strategies.sampled_from(
    [
        getattr(events, name)
        for name in dir(events)
        if name.isupper() and isinstance(getattr(events, name), str)
    ]
)
_SCALARS = strategies.one_of(
    strategies.none(),
    strategies.booleans(),
    strategies.integers(),
    strategies.just(10**400),
    strategies.floats(),
    strategies.text(),
    strategies.just(TEXT),
    strategies.sampled_from(
        ["fetch", "checkout", "rollback", "retry", "fail", "bytes", "receive", "web1", "web2"]
    ),
)
JSON = strategies.recursive(
    _SCALARS,
    lambda each: (
        strategies.lists(each, max_size=3) | strategies.dictionaries(strategies.text(), each, max_size=3)
    ),
    max_leaves=5,
)
_FIELDS = (
    "action bytes check choice choices commit default deploy done error failed group groups host hosts in_flight key "
    "left_out next ok outcome phase reason repo stage status tag tasksFinishedFailed tasksFinishedOk tasksInFlight "
    "text time total totalTasks unchanged unit until user v verdict"
).split()


@strategies.composite
def event(draw: strategies.DrawFn) -> Any:
    """Something that is called an event: any fields may be missing, and of any type."""
    fields = draw(strategies.dictionaries(strategies.sampled_from(_FIELDS), JSON))
    if draw(strategies.booleans()):
        fields["deploy"] = stories.DEPLOY
    fields["event"] = draw(strategies.one_of(_KINDS, _KINDS, JSON))
    return draw(strategies.one_of(strategies.just(fields), strategies.just(fields), JSON))


EVENTS = strategies.lists(event(), max_size=20)


def controls(text: str) -> set[str]:
    """Characters in a text that would do something to a terminal."""
    return {char for char in text if not char.isprintable() and char != "\n"}
