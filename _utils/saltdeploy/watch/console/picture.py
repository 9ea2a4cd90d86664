"""The live picture of a deploy, as a thing that rich draws: it is always lower and never wider than the terminal.

From top to bottom: what is deployed, a bar for each stage of each group, what the deploy waits for (an operator, a
pause, or hosts by name).
"""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from saltdeploy.lib.text import size
from saltdeploy.watch import awaited, sentences
from saltdeploy.watch.notes import OutcomeNote
from saltdeploy.watch.stage import HostProgress, Stage
from saltdeploy.watch.state import DeployView
from saltdeploy.watch.text import clock, hosts, outcome, short

_MOST_HOSTS = 4
_LEAST_OTHERS = 3  # lines for what is waited for, however many stages there were
_NARROW = 72  # columns; below, counts are shorter
_WORD_STYLES = {
    "CONVERGED": "bold green",
    "HELD": "bold yellow",
    "ROLLED BACK": "bold yellow",
    "MIXED": "bold red",
}


def frame(state: DeployView, height: int, width: int, *, ending: bool = True) -> Group:
    """The picture of a deploy.

    Args:
        height: lines of the terminal. While the deploy runs the picture takes fewer; what matters least is
            left out. How it ended is always told in full.
        width: columns of the terminal.
        ending: show how it ended.
    """
    waits = _waiting_for_people(state)
    room = max(2, height - 2)  # the heading, and a line for the cursor
    others = 0 if state.outcome else max(_LEAST_OTHERS, len(waits))
    stages = list(state.stages.values())[-max(1, room - others) :]
    rows: list[RenderableType] = [heading(state)]
    if stages:
        rows.append(bars(state, stages, width))
    if state.outcome is not None:
        return Group(*rows, *(ended(state.outcome) if ending else ()))
    room -= len(stages)
    rows += (waits or _waiting_for_hosts(state, room))[: max(0, room)]
    return Group(*rows)


def heading(state: DeployView) -> Table:
    """What is deployed, by whom, on how many hosts, and for how long."""
    left = Text(no_wrap=True, overflow="ellipsis")
    left.append(state.repo, style="bold")
    left.append(f" {state.tag}" + (f" ({short(state.commit)})" if state.commit else ""))
    left.append("".join(f", {each}" for each in state.also))
    by = f" by {state.user}" if state.user else ""
    what = hosts(state.hosts) if state.underway else "preparing"
    left.append(f"  {state.action}{by}, {what}", style="dim")
    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    grid.add_column(ratio=1)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_row(left, clock(state.elapsed()))
    return grid


# -- stages ---------------------------------------------------------------------------------------------


def bars(state: DeployView, stages: list[Stage], width: int) -> Table:
    """A bar for each of the stages, with counts where there is room for them."""
    narrow = width < _NARROW
    grid = Table.grid(padding=(0, 1, 0, 0), expand=True)
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1, min_width=4)
    for _ in range(1 if narrow else 3):
        grid.add_column(no_wrap=True, justify="right")
    for stage in stages:
        title, bar = _title(stage, width // 2 if narrow else width // 3), _bar(stage)
        if narrow:
            grid.add_row(title, bar, _few_counts(stage))
        else:
            elapsed = clock(state.elapsed(stage))
            grid.add_row(title, bar, f"{stage.percent:.0f}%", _counts(stage), elapsed)
    return grid


def _title(stage: Stage, longest: int) -> str:
    """What the stage is called; where there is no room for the whole of it, the name of the group is cut off."""
    most = max(1, longest - len(stage.label) - 1)
    if len(stage.group) <= most:
        return f"{stage.title:<8}"
    return f"{stage.group[: most - 1]}\N{HORIZONTAL ELLIPSIS} {stage.label}"


def _bar(stage: Stage) -> ProgressBar:
    colour = "green" if not stage.failed else "yellow" if stage.ok else "red"
    return ProgressBar(
        total=max(1, stage.total), completed=stage.done, complete_style=colour, finished_style=colour
    )


def _counts(stage: Stage) -> Text:
    in_flight = stage.busy if stage.in_flight is None else stage.in_flight
    left = max(0, stage.total - stage.done - in_flight)
    text = Text()
    text.append(f"{stage.ok} ok", style="green" if stage.ok else "")
    text.append(" / ")
    text.append(f"{stage.failed} failed", style="bold red" if stage.failed else "")
    text.append(f" / {in_flight} in flight / {left} left")
    return text


def _few_counts(stage: Stage) -> Text:
    text = Text(f"{stage.ok}/{stage.total}")
    if stage.failed:
        text.append(f" {stage.failed} failed", style="bold red")
    return text


# -- what is waited for ---------------------------------------------------------------------------------


def _waiting_for_people(state: DeployView) -> list[RenderableType]:
    if state.outcome is not None:
        return []
    if state.question is not None:
        return [
            line(f"  {sentences.choices(state.question)}", "bold"),
            line(f"  {sentences.otherwise(state.question, state)}", "cyan"),
            line(f"  {sentences.how_to_answer(state.question, state)}", "cyan"),
        ]
    if state.step and not state.underway:
        return [line(f"  {state.step}", "cyan")]
    return [line(f"  {sentences.paused(state.pause, state)}", "cyan")] if state.pause else []


def _waiting_for_hosts(state: DeployView, room: int) -> list[RenderableType]:
    """What was received, and who is waited for; ``room`` is how many lines there are."""
    rows: list[RenderableType] = []
    stage = state.stage
    if stage is not None and stage.received and room > 0:
        rows.append(_received(state, stage))
        room -= 1
    waiting = awaited.slowest(state, min(_MOST_HOSTS, max(0, room)))
    if waiting:
        rows.append(_hosts(state, waiting))
    elif awaited.unheard(state) and room > 0:
        rows.append(line(f"  {hosts(awaited.unheard(state))} asked, no sign yet", "dim"))
    return rows


def _received(state: DeployView, stage: Stage) -> Text:
    rate = f", {size(state.rate())}/s" if stage.ended is None else ""
    return line(f"  {size(stage.received)} received{rate}", "cyan")


def _hosts(state: DeployView, waiting: list[HostProgress]) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, max_width=32)
    for _ in range(4):
        grid.add_column(no_wrap=True)
    for host in waiting:
        percent = "" if host.percent is None else f"{host.percent}%"
        elapsed = f"{state.now - host.since:.0f} s"
        grid.add_row(
            f"  {host.name}",
            host.step or host.phase or "no sign yet",
            percent,
            amount(host),
            elapsed,
            style="dim",
        )
    return grid


def amount(host: HostProgress) -> str:
    """How much a host has done of what: ``3.4 MB of 12.0 MB``."""
    if not host.total:
        return ""
    if host.unit == "bytes":
        return f"{size(host.done)} of {size(host.total)}"
    return f"{host.done} of {host.total} {host.unit}"


# -- the end --------------------------------------------------------------------------------------------


def ended(end: OutcomeNote) -> list[RenderableType]:
    """How a deploy ended, why, and what to do."""
    rows: list[RenderableType] = []
    if end.reason:
        rows.append(Text(end.reason))
    if end.next:
        rows.append(Text(f"Next: {end.next}"))
    rows.append(Text(outcome(end.word, end.ok, end.total), style=_WORD_STYLES.get(end.word, "bold")))
    return rows


def line(text: str, style: str) -> Text:
    """One line; what does not fit is cut off."""
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")
