"""Draws the table of a rollout into ``docs/rollout.md``: ``PYTHONPATH=_utils python -m tools.rollout_picture``.

With ``--check`` nothing is written; it exits 1 when the page shows another table.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

from saltdeploy.master.rollout.table import CHOICES, DEFAULTS, GATES, TABLE, Event, State, Transition

PAGE = Path(__file__).resolve().parent.parent / "docs" / "rollout.md"
BEGIN, END = "<!-- drawn by tools/rollout_picture.py -->\n", "<!-- end of what is drawn -->\n"
#: What can come at any time has a table of its own: its arrows would cover the picture.
AT_ANY_TIME = (Event.ABORT, Event.BROKE, Event.LOSE_RECORD)


def picture() -> str:
    """The picture and the tables, as Markdown."""
    return "\n".join(["```mermaid", *_diagram(), "```", "", *_at_any_time(), "", *_questions(), ""])


def page(text: str) -> str:
    """The page with the picture of today between its markers."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{picture()}\n{END}{after}"


def _diagram() -> list[str]:
    states = [f"    state {state.name} <<choice>>" for state in State if state in CHOICES]
    arrows: defaultdict[tuple[State, Transition], list[str]] = defaultdict(list)
    for (state, event), step in TABLE.items():
        if event not in AT_ANY_TIME:
            arrows[state, step].append(event.value)
    return [
        "stateDiagram-v2",
        *states,
        f"    [*] --> {State.BEFORE_FETCH.name}",
        *map(_arrow, arrows.items()),
    ]


def _arrow(arrow: tuple[tuple[State, Transition], list[str]]) -> str:
    (state, step), events = arrow
    does = ", ".join(do.value.replace("_", " ") for do in step.do)
    label = " or ".join(events) + (f" / {does}" if does else "")
    to = "[*]" if step.to is State.ENDED else step.to.name
    return f"    {state.name} --> {to}: {label.replace(':', '')}"


def _at_any_time() -> list[str]:
    lasting = [state for state in State if (state, Event.BROKE) in TABLE]
    heading = " | ".join(event.value for event in AT_ANY_TIME)
    rows = [
        f"| {state.name} | {' | '.join(_next(state, TABLE[state, event]) for event in AT_ANY_TIME)} |"
        for state in lasting
    ]
    return [f"| state | {heading} |", "|---" * (1 + len(AT_ANY_TIME)) + "|", *rows]


def _next(state: State, step: Transition) -> str:
    return "goes on as it was" if step.to is state else step.to.name


def _questions() -> list[str]:
    rows = [f"| {state.name} | master's checks `{point}` |" for state, point in GATES.items()]
    rows += [
        f"| {state.name} | an operator; without an answer `{default.value}` |"
        for state, default in DEFAULTS.items()
    ]
    return ["| state | waits for |", "|---|---|", *rows]


def main(arguments: list[str]) -> int:
    """Draw, or check; return the exit status."""
    text = PAGE.read_text()
    drawn = page(text)
    if arguments == ["--check"]:
        return int(drawn != text)
    PAGE.write_text(drawn)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
